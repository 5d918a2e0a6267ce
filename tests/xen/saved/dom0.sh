# A guest that is saved and restored has another domid, and its channels are closed before; one that
# is destroyed says nothing.  Both halves notice, by XenStore, and go on with who is coupled then.
guest domc 320 && guest domu 320 || return
couple domc domu
start domc
if step domc serving; then
	start domu
	if step domu signed; then
		before=$(id_of domu)
		if save domu /tmp/domu.save >/tmp/out 2>&1 && restore domu /tmp/domu.save >/tmp/out 2>&1; then
			rm /tmp/domu.save
			ok "the guest is saved as domain $before, and restored as domain $domu_id"
			couple domc domu
			order domu go
			start domu
		else
			bad "the guest is saved and restored" "$(tail -n 3 /tmp/out)"
		fi
		finish domu
	fi
fi
# Another one in its place.
xl destroy domu
guests=domc
uncouple domc
order domc alone
if step domc left && guest other 320; then
	couple domc other
	start other
	if step other signed; then
		xl destroy domc
		guests=other
		uncouple other
		order other alone
	fi
	finish other
fi
