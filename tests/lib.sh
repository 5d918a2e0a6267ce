# lib.sh - for sourcing by end-to-end tests, after NAME is set.
#
#	CAAS_BUILD      the build tree (default: build/ of this checkout)
#	sandbox_up [TOKEN PIN SO_PIN]   a sandbox of this test's own in $DIR; sets MODULE and
#	                CAAS_VSM_ADDRESS; it is stopped and removed when the script ends
#	check NAME command...           passes when the command succeeds
#	refuses NAME CODE command...    passes when the command exits with CODE
#	said NAME PATTERN               passes when the last of these printed it (grep -E)
#	ok NAME, bad NAME [why], skip NAME why      count by hand
#	and what ports.sh has
#	finish          the closing line; its status is the script's
set -u
: "${NAME:?}"
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=${CAAS_BUILD:-$ROOT/build}
CAAS=$BUILD/caas/caas
LIMIT=${LIMIT:-60}
WORK=$(mktemp -d "${TMPDIR:-/tmp}/caas-$NAME.XXXXXX")
chmod 755 "$WORK"
DIR=$WORK/vsm
. "$ROOT/tests/sanitizer.sh"
. "$ROOT/tests/ports.sh"
_passed=0 _failed=0 _skipped=0

_cleanup() {
	sandbox_down
	rm -rf "$WORK"
}
trap _cleanup EXIT
trap 'exit 130' INT TERM

ok() {
	_passed=$((_passed + 1))
	echo "ok $1"
}
bad() {
	_failed=$((_failed + 1))
	echo "not ok $1${2:+: $2}"
}
skip() {
	_skipped=$((_skipped + 1))
	echo "skip $1: $2"
}

# The output of the last command of check and refuses is in $WORK/out.
check() {
	local name=$1 rc
	shift
	timeout -k 5 "$LIMIT" "$@" >"$WORK/out" 2>&1
	rc=$?
	if [ $rc = 0 ]; then
		ok "$name"
	else
		bad "$name" "exit $rc"
		tail -n 15 "$WORK/out" | sed 's/^/# /'
	fi
	return $rc
}
refuses() {
	local name=$1 want=$2 rc
	shift 2
	timeout -k 5 "$LIMIT" "$@" >"$WORK/out" 2>&1
	rc=$?
	if [ $rc = "$want" ]; then
		ok "$name"
	else
		bad "$name" "exit $rc, not $want"
		tail -n 15 "$WORK/out" | sed 's/^/# /'
	fi
}

said() {
	if grep -qE -- "$2" "$WORK/out"; then
		ok "$1"
	else
		bad "$1" "not said: $2"
		tail -n 15 "$WORK/out" | sed 's/^/# /'
	fi
}

sandbox_up() {
	local with=()
	[ $# = 0 ] || with=(--token "$1" --pin "$2" --so-pin "$3")
	"$CAAS" sandbox up --dir "$DIR" "${with[@]}" >"$WORK/exports" 2>"$WORK/up.log" || {
		cat "$WORK/up.log" >&2
		return 1
	}
	eval "$(cat "$WORK/exports")"
	MODULE=$CAAS_P11_MODULE
	export MODULE
}
sandbox_down() {
	[ ! -d "$DIR" ] || "$CAAS" sandbox down --dir "$DIR" >/dev/null 2>&1
}

finish() {
	sanitizer_silent "$DIR/vsmd.log" || bad sanitizer "see above"
	if [ $_failed != 0 ] && [ -f "$DIR/vsmd.log" ]; then
		tail -n 30 "$DIR/vsmd.log" | sed 's/^/# vsmd: /'
	fi
	echo "$NAME: $_passed passed, $_failed failed, $_skipped skipped"
	[ $_failed = 0 ]
}
