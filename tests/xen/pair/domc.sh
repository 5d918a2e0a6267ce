. /xen/vsmd.sh
vsmd_for "$(an_order)"
vsmd_up && step serving
wait_order kill
check "vsmd is killed" kill -9 "$(cat /run/caas/vsmd.pid)"
vsmd_up "it listens again" && step again
wait_order stop
vsmd_log
