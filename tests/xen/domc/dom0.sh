# The crypto domain's own image: it formats its disk, serves, is destroyed, comes again, and stops.
. /xen/domc.sh
blank /tmp/disk 64
guest domu 320 && domc domc1 $MEMORY /tmp/disk || return
couple domc1 && start domc1
serves domc1 "it serves, with a disk that was blank"
wrote domc1 "it has formatted the disk" 'formatting the disk, which is blank'
order domu first && start domu && step domu signed
xl destroy domc1
cp /tmp/disk /tmp/old

domc domc2 $MEMORY /tmp/disk && couple domc2 && start domc2
serves domc2 "it serves again from its disk, after it was destroyed"
order domu again && step domu more
xl shutdown domc2 && gone domc2 "it stops when dom0 wants that"
wrote domc2 "it ends vsmd, and then itself" 'info domc: power off'
if grep -E 'must be installed|killed by signal|ended with status' "$(log domc2)" >/tmp/died; then
	bad "none of its processes dies of that" "$(head -n 1 /tmp/died)"
else
	ok "none of its processes dies of that"
fi

# The embedded TPM lies on the same disk, and is as old: nobody can tell.
domc domc3 $MEMORY /tmp/old && couple domc3 && start domc3
serves domc3 "an older disk is taken for the present one, as docs/tcb.md says"
order domu old && finish domu
xl destroy domc3
