. /xen/vsmd.sh
vsmd_for coupled
vsmd_up && step serving
wait_order stop
ok "the crypto domain is there at the end"
vsmd_log
step done
# dom0 ends it.
sleep 100000
