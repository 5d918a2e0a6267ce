# check.sh - for sourcing by guest.sh and dom0.sh: commands that are judged.
#
#	check NAME command...	ok when it succeeds; its output is in /tmp/out
#	refuses NAME command...	ok when it fails
#	said NAME PATTERN	ok when the last of these printed it (grep -E)
#
# Each command has a limit of CHECK_LIMIT seconds.
CHECK_LIMIT=120

show() { tail -n 15 /tmp/out | sed 's/^/# /'; }

check() {
	local name=$1 rc
	shift
	timeout -k 5 "$CHECK_LIMIT" "$@" >/tmp/out 2>&1 </dev/null
	rc=$?
	if [ $rc = 0 ]; then ok "$name"; else bad "$name" "exit $rc" && show; fi
	return $rc
}
refuses() {
	local name=$1 rc
	shift
	timeout -k 5 "$CHECK_LIMIT" "$@" >/tmp/out 2>&1 </dev/null
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
