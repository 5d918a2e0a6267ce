#!/bin/bash
# demo.sh - scripts/demo --once does what README promises: TLS by nginx with a key that was
# born in vsmd, the token listed, both columns of signatures, nothing left running.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
export CAAS_BUILD=${CAAS_BUILD:-$root/build}
if [ "$(id -u)" != 0 ]; then
	echo "skip demo: it needs root: nginx changes to www-data, packages may be installed"
	echo "demo: 0 passed, 0 failed, 1 skipped"
	exit 77
fi
dir=$(mktemp -d /tmp/caas-demo.XXXXXX)
chmod 755 "$dir"
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0
check() {
	if eval "$2"; then
		passed=$((passed + 1)) && echo "ok $1"
	else
		failed=$((failed + 1)) && echo "not ok $1" && tail -n 20 "$dir/out" | sed 's/^/# /'
	fi
}
timeout 300 "$root/scripts/demo" --once --dir "$dir/vsm" >"$dir/out" 2>&1
rc=$?
check "exits 0" '[ $rc = 0 ]'
check "TLS 1.2 and 1.3" '[ "$(grep -c "10 verified connections" "$dir/out")" = 2 ]'
check "the key is listed" 'grep -q "Private key (RSA-2048)" "$dir/out"'
check "two figures" 'grep -qE "^keys in vsmd +[0-9.]+$" "$dir/out" && grep -qE "^SoftHSM2 in-process +[0-9.]+$" "$dir/out"'
check "no key and no PIN in the guest's files" '! grep -lE "PRIVATE KEY|pin-value" "$dir"/vsm/*.* 2>/dev/null | grep -q .'
check "nothing is left running" '! pgrep -f "$dir/vsm" >/dev/null'
# Quick and idempotent: the second run finds its tokens and its key.
timeout 300 "$root/scripts/demo" --once --dir "$dir/vsm" >"$dir/out" 2>&1
rc=$?
check "again" '[ $rc = 0 ] && [ "$(grep -c "10 verified connections" "$dir/out")" = 2 ]'
echo "demo: $passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
