. /xen/vsmd.sh
workers() { ps -o args | grep -c '^vsmd-worker'; }
vsmd_for coupled
vsmd_up && step serving
if wait_order alone; then
	i=0
	while [ "$(workers)" != 0 ] && [ $i -lt 100 ]; do i=$((i + 1)) && sleep 0.3; done
	if [ "$(workers)" = 0 ]; then
		ok "no worker of a guest that was destroyed is left"
	else
		bad "no worker of a guest that was destroyed is left" "$(workers) are"
	fi
	vsmd_log
	step left
fi
wait_order stop
