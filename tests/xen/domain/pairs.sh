# pairs.sh - for sourcing by a scenario's dom0.sh: domtd, and a pair of the guests domc and domu.
#
#	describe PAIR [LINE...]	its description; the lines are of [pair]
#	forwarder	domt-forward, as its own user
#	builder [OPTION...]	domtd, and waits until it answers; again after it was killed
#	kill_builder	kill -9
#	there		after the pair was made: their domids, and their consoles are copied from now on
#	until_gone DOMAIN WHAT	ok once there is no such domain
#	no_pair WHAT	ok when caas pair list has none
#	domtd_log	what it and domt-forward have said, as comments
domc_seen=0 domu_seen=0

describe() {
	local pair=$1
	shift
	printf '%s\n' "[pair]" "$@" "[domc]" "name = domc" "kernel = /xen/vmlinux" \
		"ramdisk = /xen/guest.cpio" "cmdline = console=hvc0 loglevel=3 name=domc" \
		"memory = 320" "[domu]" "name = domu" "kernel = /xen/vmlinux" \
		"ramdisk = /xen/guest.cpio" "cmdline = console=hvc0 loglevel=3 name=domu" \
		"memory = 320" >"/etc/caas/pairs/$pair.conf"
}
forwarder() {
	mkdir -p /run/caas-forward && chown caas-forward /run/caas-forward
	su caas-forward -c 'exec domt-forward' >>/tmp/forward.log 2>&1 &
}
builder() {
	local i=0
	domtd "$@" >>/tmp/domtd.log 2>&1 &
	builder=$!
	until caas pair list >/tmp/out 2>&1; do
		if ! kill -0 $builder 2>/dev/null || [ $((i = i + 1)) -gt 60 ]; then
			bad "domtd runs" "it does not"
			show
			domtd_log
			return 1
		fi
		sleep 0.5
	done
	ok "domtd runs"
}
kill_builder() {
	kill -9 $builder
	wait $builder 2>/dev/null
}
there() {
	domc_id=$(xl domid domc) domu_id=$(xl domid domu) guests="domc domu"
}
until_gone() {
	local i=0
	while xl domid "$1" >/dev/null 2>&1; do
		if [ $((i = i + 1)) -gt 60 ]; then
			bad "$2" "it is there after 60 s"
			return 1
		fi
		sleep 1
	done
	ok "$2"
}
# domtd removes what it knows of a pair after it has destroyed its domains.
no_pair() {
	local i=0
	while caas pair list >/tmp/out 2>&1 && grep -q '^web' /tmp/out && [ $i -lt 20 ]; do
		i=$((i + 1)) && sleep 0.5
	done
	check "$1" caas pair list
	! grep -q '^web' /tmp/out || { bad "$1, and not listed" "it is" && show; }
}
domtd_log() { tail -n 60 /tmp/domtd.log /tmp/forward.log | sed 's/^/# /'; }
