#!/bin/bash
# options.sh VSMD CONF - the command line: what is said, where, and with what status.
set -u
vsmd=$1 conf=$2
failed=0
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# expect STATUS STDOUT-PATTERN STDERR-PATTERN OPTIONS...  (- for any)
expect() {
	local status=$1 out=$2 err=$3
	shift 3
	"$vsmd" "$@" >"$dir/out" 2>"$dir/err" </dev/null
	local rc=$?
	[ $rc = "$status" ] || { echo "vsmd $*: status $rc, not $status" >&2 && failed=1; }
	[ "$out" = - ] || grep -Eqz -- "$out" "$dir/out" || { echo "vsmd $*: says: $(<"$dir/out")" >&2 && failed=1; }
	[ "$err" = - ] || grep -Eqz -- "$err" "$dir/err" || { echo "vsmd $*: errs: $(<"$dir/err")" >&2 && failed=1; }
}

expect 0 '^usage: vsmd' - --help
[ ! -s "$dir/err" ] || { echo "--help writes to standard error" >&2 && failed=1; }
expect 0 '^vsmd [0-9]+\.[0-9]+' - --version
expect 0 - - --check -c "$conf"
[ ! -s "$dir/out" ] && [ ! -s "$dir/err" ] || { echo "--check of a good file talks" >&2 && failed=1; }
expect 2 - 'unrecognized option.*usage: vsmd' --frobnicate
expect 2 - '^usage: vsmd' --check -c "$conf" left-over
expect 1 - 'No such file' --check --config="$dir/none"
printf '[vsmd]\nthreds = 4\n' >"$dir/bad"
expect 1 - ":2: unknown key .threds.: did you mean .threads." --check --config="$dir/bad"
expect 1 - ':2: unknown key' --config="$dir/bad"
# Without the three standard descriptors no file of ours may become one of them.
"$vsmd" --check -c "$conf" <&- >&- 2>&- || { echo "fails without descriptors" >&2 && failed=1; }
[ $failed = 0 ]
