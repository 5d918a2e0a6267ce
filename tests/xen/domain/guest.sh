# guest.sh - run by init in a guest: what a scenario's NAME.sh has, and then that.
#
#	$NAME $DOMID	who this is; $CAAS_P11_MODULE is our module
#	word KEY	what follows KEY= on the kernel's command line
#	an_order	waits for dom0's first `order NAME WORD', and prints the word
#	wait_order WORD	until dom0 says `order NAME WORD'; fails when it says `order NAME stop'
#	step WORD	tells dom0 how far this is
#	check NAME command...	ok when it succeeds; its output is in /tmp/out
#	refuses NAME command...	ok when it fails
#	said NAME PATTERN	ok when the last of these printed it (grep -E)
#	ok, bad, skip NAME [why]
#
# dom0 reads what is written here off the console.  Each command has a limit of LIMIT seconds.
LIMIT=120

ok() { echo "@ ok $1"; }
bad() { echo "@ bad $1: $2"; }
skip() { echo "@ skip $1: $2"; }
word() { tr ' ' '\n' </proc/cmdline | sed -n "s/^$1=//p"; }
step() { xenstore-write data/step "$1"; }
an_order() { until xenstore-read order 2>/dev/null; do sleep 0.3; done; }
wait_order() {
	local word
	while word=$(xenstore-read order 2>/dev/null); [ "$word" != "$1" ]; do
		[ "$word" != stop ] || return 1
		sleep 0.5
	done
}
show() { tail -n 15 /tmp/out | sed 's/^/# /'; }

check() {
	local name=$1 rc
	shift
	timeout -k 5 "$LIMIT" "$@" >/tmp/out 2>&1 </dev/null
	rc=$?
	if [ $rc = 0 ]; then ok "$name"; else bad "$name" "exit $rc" && show; fi
	return $rc
}
refuses() {
	local name=$1 rc
	shift
	timeout -k 5 "$LIMIT" "$@" >/tmp/out 2>&1 </dev/null
	rc=$?
	case $rc in
	0) bad "$name" "it was not refused" && show ;;
	124 | 126 | 127 | 137) bad "$name" "exit $rc" && show ;;
	*) ok "$name" ;;
	esac
}
said() {
	if grep -qE -- "$2" /tmp/out; then ok "$1"; else bad "$1" "not said: $2" && show; fi
}

# A pipe whose reader has died is a failure, not the end.
trap '' PIPE
export CAAS_P11_MODULE=/usr/lib/x86_64-linux-gnu/pkcs11/libcaas-p11.so
NAME=$(word name)
DOMID=$(xenstore-read domid)
echo "is domain $DOMID, after $(cut -d. -f1 /proc/uptime) s"
. "/xen/scenario/$NAME.sh"
echo "@ end"
# So that the console is read to its end.
sleep 5
