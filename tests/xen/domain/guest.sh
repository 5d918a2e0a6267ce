# guest.sh - run by init in a guest: what a scenario's NAME.sh has, and then that.
#
#	$NAME $DOMID	who this is; $CAAS_P11_MODULE is our module
#	word KEY	what follows KEY= on the kernel's command line
#	an_order	waits for dom0's first `order NAME WORD', and prints the word
#	wait_order WORD	until dom0 says `order NAME WORD'; fails when it says `order NAME stop'
#	step WORD	tells dom0 how far this is
#	chapter NAME WHAT	what follows is about that; WHAT it proves (scripts/demo shows it)
#	ok, bad, skip NAME [why]	and what check.sh has
#
# dom0 reads what is written here off the console.

ok() { echo "@ ok $1"; }
bad() { echo "@ bad $1: $2"; }
skip() { echo "@ skip $1: $2"; }
chapter() { echo "@ chapter $1: $2"; }
. /xen/check.sh
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
