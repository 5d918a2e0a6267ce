# tpm.sh - for sourcing by the scenarios of a TPM, in dom0 and in the guest that has locality 2.
#
#	tpm_is 2|1.2	sets the commands that follow
#	raw NAME WHERE COMMAND CODE	ok when the TPM answers with that code.  WHERE is a device,
#			or $PAGE
#	tcsd_up [OPTION...]	starts tcsd at 127.0.0.1:30003, and waits until it listens
#	listens PORT	waits until somebody does
PAGE=/dev/mem:0xfed42000
NOBODYS="page .* is not this domain's"

tpm_is() {
	if [ "$1" = 2 ]; then
		GET_RANDOM=80010000000c0000017b0008
		EXTEND_20=80020000004100000182000000140000000940000009000000000000000001000b
		EXTEND_20=$EXTEND_20$(printf '%064d' 7)
		RESET_20=80020000001b0000013d0000001400000009400000090000000000
		NOT_LOCAL=00000907
	else
		GET_RANDOM=00c10000000e0000004600000008
		EXTEND_20=00c1000000220000001400000014$(printf '%040d' 7)
		RESET_20=00c10000000f000000c80003000010
		NOT_LOCAL=00000033
	fi
}
raw() {
	timeout -k 5 60 caas-xen-tpm raw "$2" "$3" >/tmp/out 2>&1
	said "$1" "^code=$4\$"
}
listens() {
	local i=0
	until grep -qi "0100007F:$(printf %04X "$1") 00000000:0000 0A" /proc/net/tcp; do
		[ $i -lt 200 ] || return 1
		i=$((i + 1)) && sleep 0.3
	done
}
tcsd_up() {
	mkdir -p /var/lib/tpm
	printf '%s\n' 'port = 30003' 'system_ps_file = /var/lib/tpm/system.data' >/etc/tcsd.conf
	chown root:tss /etc/tcsd.conf && chmod 640 /etc/tcsd.conf
	chown -R tss:tss /var/lib/tpm && chmod 700 /var/lib/tpm
	tcsd "$@" -f -c /etc/tcsd.conf >/tmp/tcsd.log 2>&1 &
	tcsd_pid=$!
	listens 30003 && return
	bad "tcsd listens" "it does not"
	tail -n 10 /tmp/tcsd.log | sed 's/^/# /'
	return 1
}
