#!/bin/bash
# completion.sh - bash completion of caas knows every command, option and kind of file.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
caas=${CAAS_BUILD:-$root/build}/caas/caas
[ -x "$caas" ] || { echo "caas is not built" && exit 77; }
failed=0
bad() { echo "$1" >&2 && failed=1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" && mkdir sub && touch file.pem || exit 1
export CAAS_VSM_ADDRESS=unix:$work/none
. "$root/dist/bash-completion/caas" || exit 1

# complete_at WORDS...: what the last word can become, one on a line.
complete_at() {
	COMP_WORDS=("$caas" "$@")
	COMP_CWORD=$#
	COMPREPLY=()
	_caas 2>/dev/null
	printf '%s\n' "${COMPREPLY[@]}"
}
expect() { # WANT WORDS...
	local want=$1 got
	shift
	got=$(complete_at "$@" | sort | tr '\n' ' ')
	[ "$got" = "$want " ] || bad "caas $*: completes to \`$got', not \`$want'"
}

expect "audit help pair policy sandbox status token tpm" ""
expect "token tpm" t
expect "list" token l
expect "token" help tok
expect "list" help token l
expect "--dir" sandbox up --d
expect "sub" sandbox up --dir s
expect "file.pem" tpm approve --key f
expect "file.pem sub" policy check ""
expect "create" pair c
expect "file.pem" pair save web f
expect "--json" status --j
expect "unix:" status --address u
expect "" token create --pin ""
expect "" token delete --label ""

# The same options as --help.
while read -r c; do
	[ "$c" = help ] && continue
	# shellcheck disable=SC2086
	diff <(complete_at $c -- | sort) \
		<("$caas" $c --help | sed -n 's/^  \(--[a-z-]*\).*/\1/p' | sort) >"$work/diff" ||
		{ bad "caas $c: completion (<) and --help (>) differ:" && cat "$work/diff" >&2; }
done < <("$caas" help | sed -n 's/^  \([a-z]* [a-z-]*\|[a-z]*\)  .*/\1/p')

bash -n "$root/dist/bash-completion/caas" || bad "syntax"
[ $failed = 0 ]
