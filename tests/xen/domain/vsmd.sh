# vsmd.sh - for sourcing by a crypto domain's script, which is its init: vsmd for one guest.
#
#	vsmd_for DOMID	starts it on a vchan, and again whenever it ends
#	vsmd_at ADDRESS WHO	the same, on another transport: WHO is a line of [principal]
#	vsmd_up [NAME]	waits until it has begun to listen once more; ok when it does
#	vsmd_log	what it has said, as comments
_ups=0

vsmd_for() { vsmd_at "vchan:$1:data/caas" "domid = $1"; }
vsmd_at() {
	mkdir -p /etc/caas
	printf '%s\n' "[vsmd]" "listen = $1" "state = /var/lib/caas" \
		"runtime = /run/caas" "user = caas" "[principal guest]" "$2" \
		"role = admin" "[grant guest *]" "allow = all" >/etc/caas/vsmd.conf
	touch /tmp/vsmd.log
	while :; do
		vsmd -c /etc/caas/vsmd.conf
		sleep 0.2
	done >>/tmp/vsmd.log 2>&1 &
}
vsmd_up() {
	local i=0
	_ups=$((_ups + 1))
	while [ $i -lt 300 ]; do
		if [ "$(grep -c 'listening address=' /tmp/vsmd.log)" -ge $_ups ]; then
			ok "${1:-vsmd listens on a vchan}"
			return 0
		fi
		i=$((i + 1)) && sleep 0.3
	done
	bad "${1:-vsmd listens on a vchan}" "it does not"
	vsmd_log
	return 1
}
vsmd_log() { tail -n 40 /tmp/vsmd.log | sed 's/^/# /'; }
