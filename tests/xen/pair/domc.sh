. /xen/vsmd.sh
vsmd_for "$(an_order)"
vsmd_up && step serving
if wait_order kill; then
	check "vsmd is killed" kill -9 "$(cat /run/caas/vsmd.pid)"
	vsmd_up "it listens again" && step again
fi
wait_order stop
vsmd_log
