# A third domain tries to get at the channel of a guest and its crypto domain.
guest domc 256 && guest domu 256 "vsm=$(id_of domc)" &&
	guest other 256 "vsm=$(id_of domc) domu=$(id_of domu)" || return
start domc
order domc "$(id_of domu)"
if step domc serving; then
	start domu
	step domu signed && start other && finish other
	order domu go
	finish domu
fi
order domc stop
finish domc
