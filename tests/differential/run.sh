#!/bin/bash
# run.sh BUILD [STEPS] - caas-differential with a fresh SoftHSM2 and a fresh sandbox, the same
# walk with the module's shortcuts and shared memory, and without.
set -eu
build=$(cd "$1" && pwd)
steps=${2:-20000}
seed=${CAAS_SEED:-$(date +%s)}
work=$(mktemp -d)
chmod 755 "$work"
stop() {
	for dir in "$work"/*/vsm; do
		"$build/caas/caas" sandbox down --dir "$dir" >/dev/null 2>&1 || true
	done
	rm -rf "$work"
}
trap stop EXIT
# The driver is not built with sanitizers' preloads in mind: SoftHSM2 leaks by itself.
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0

walk() { # walk on|off: the module's shortcuts, and shared memory
	local dir=$work/$1
	mkdir -p "$dir/tokens"
	printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' \
		"$dir/tokens" >"$dir/softhsm2.conf"
	export SOFTHSM2_CONF=$dir/softhsm2.conf CAAS_VSM_SHORTCUTS=$1 CAAS_VSM_SHARED_MEMORY=$1
	eval "$("$build/caas/caas" sandbox up --dir "$dir/vsm")"
	"$build/tests/differential/caas-differential" --judge /usr/lib/softhsm/libsofthsm2.so \
		--module "$build/libcaas-p11/libcaas-p11.so" --steps "$steps" --seed "$seed"
	"$build/caas/caas" sandbox down --dir "$dir/vsm" >/dev/null
}
walk on
walk off
