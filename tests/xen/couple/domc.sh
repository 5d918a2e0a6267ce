# Serves whom XenStore names as its peer, and the next one when that changes.
. /xen/vsmd.sh
peer=
while [ "$(xenstore-read order 2>/dev/null)" != stop ]; do
	now=$(xenstore-read caas/peer 2>/dev/null)
	if [ -n "$now" ] && [ "$now" != "$peer" ]; then
		echo "the peer is domain $now"
		if [ -z "$peer" ]; then
			vsmd_for "$now"
		else
			vsmd_conf "$now"
			kill "$(cat /run/caas/vsmd.pid)"
		fi
		peer=$now
	fi
	sleep 0.5
done
vsmd_log
