# clients.sh - for sourcing: the same real client on SoftHSM2 in-process and on ours.
#
# A script sources this with NAME set, defines `client`, which calls `step NAME command...`
# for each thing it does with the module in $MODULE and the token $TOKEN ($PIN, $SO_PIN),
# and ends with `compare_sides`.  `client` runs once with SoftHSM2 and once with ours, each
# with an empty token and a directory of its own ($WORK).  What SoftHSM2 can do, ours must;
# where SoftHSM2 itself fails, ours may pass, and a failure of both is a skip that says so.
set -u
: "${NAME:?}"
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=${CAAS_BUILD:-$root/build}
CAAS=$BUILD/caas/caas
SOFTHSM=${CAAS_SOFTHSM2:-/usr/lib/softhsm/libsofthsm2.so}
TOKEN=e2e PIN=123456 SO_PIN=12345678
LIMIT=${LIMIT:-60}
top=$(mktemp -d "${TMPDIR:-/tmp}/caas-$NAME.XXXXXX")
chmod 755 "$top"
. "$root/tests/sanitizer.sh"
. "$root/tests/ports.sh"
declare -A result
names=() side='' background=()

cleanup() {
	stop_background
	[ ! -d "$top/vsm" ] || "$CAAS" sandbox down --dir "$top/vsm" >/dev/null 2>&1
	rm -rf "$top"
}
trap cleanup EXIT

# step NAME command...: run it, remember how it ended.
step() {
	local name=$1 rc
	shift
	[ -n "${result[softhsm/$name]+x}${result[ours/$name]+x}" ] || names+=("$name")
	timeout -k 5 "$LIMIT" "$@" >"$WORK/log.$name" 2>&1
	rc=$?
	result[$side/$name]=$rc
	return $rc
}
# sh_step NAME 'shell text': the same for a pipeline.
sh_step() { step "$1" bash -c "$2"; }

# In a session of its own, so that what it forks can be ended with it.
background() { setsid "$@" >>"$WORK/background.log" 2>&1 & background+=($!); }
stop_background() {
	local p i
	for p in "${background[@]}"; do kill "$p" 2>/dev/null; done
	for p in "${background[@]}"; do
		for i in $(seq 40); do
			kill -0 "$p" 2>/dev/null || break
			sleep 0.1
		done
		# A server that does not end (httpd with SoftHSM2 after a reload) is ended.
		kill -9 -- "-$p" 2>/dev/null
		wait "$p" 2>/dev/null
	done
	background=()
}
# openssl.cnf for the engine on $MODULE
engine_config() {
	sed "s|@MODULE@|$MODULE|" "$root/examples/nginx/openssl.cnf.in" >"$WORK/openssl.cnf"
	printf 'commonName = CN\n' >>"$WORK/openssl.cnf"
	export OPENSSL_CONF=$WORK/openssl.cnf
}
p11() { pkcs11-tool --module "$MODULE" --token-label "$TOKEN" --login --pin "$PIN" "$@"; }
need() {
	local c
	for c in "$@"; do
		command -v "$c" >/dev/null && continue
		echo "skip $NAME: $c is not installed (scripts/deps test)"
		echo "0 passed, 0 failed, 1 skipped"
		exit 77
	done
}

run_side() {
	side=$1
	WORK=$top/$side
	mkdir -p "$WORK"
	chmod 755 "$WORK"
	if [ "$side" = softhsm ]; then
		mkdir "$top/tokens"
		printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' \
			"$top/tokens" >"$top/softhsm2.conf"
		export SOFTHSM2_CONF=$top/softhsm2.conf MODULE=$SOFTHSM
		softhsm2-util --init-token --free --label $TOKEN --pin $PIN --so-pin $SO_PIN >/dev/null
	else
		unset SOFTHSM2_CONF
		eval "$("$CAAS" sandbox up --dir "$top/vsm" --token $TOKEN --pin $PIN --so-pin $SO_PIN \
			2>"$top/up.log")"
		[ -n "${CAAS_P11_MODULE:-}" ] || { cat "$top/up.log" "$top/vsm/vsmd.log"; }
		export MODULE=${CAAS_P11_MODULE:-}
	fi
	export TOKEN PIN SO_PIN WORK
	cd "$WORK" || exit 1
	client
	stop_background
	cd "$top" || exit 1
}

compare_sides() {
	local n passed=0 failed=0 skipped=0 s o
	run_side softhsm
	run_side ours
	for n in "${names[@]}"; do
		s=${result[softhsm/$n]:-none} o=${result[ours/$n]:-none}
		if [ "$o" = 0 ]; then
			passed=$((passed + 1))
			echo "ok $n"
		elif [ "$s" = 0 ] || [ "$o" = none ]; then
			failed=$((failed + 1))
			echo "not ok $n: ended with $o, with SoftHSM2 $s"
			tail -n 15 "$top/ours/log.$n" 2>/dev/null | sed 's/^/# /'
		else
			skipped=$((skipped + 1))
			echo "skip $n: fails with SoftHSM2 too ($s)"
		fi
	done
	sanitizer_silent "$top/vsm/vsmd.log" || failed=$((failed + 1))
	[ $failed = 0 ] || tail -n 30 "$top/vsm/vsmd.log" 2>/dev/null | sed 's/^/# vsmd: /'
	echo "$NAME: $passed passed, $failed failed, $skipped skipped"
	[ $failed = 0 ]
}
