# A guest and its crypto domain: applications sign over vchan, and vsmd is killed meanwhile.
guest domc 320 && guest domu 320 "vsm=$(id_of domc)" || return
start domc
order domc "$(id_of domu)" # its peer: nobody else is served
if step domc serving; then
	start domu
	step domu signed && order domc kill && step domc again
	order domu go
	finish domu
fi
order domc stop
finish domc
