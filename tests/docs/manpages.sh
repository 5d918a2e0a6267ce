#!/bin/bash
# manpages.sh - manual pages are well formed, and name exactly the options that --help does.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${CAAS_BUILD:-$root/build}
man=$root/docs/man
failed=0
bad() { echo "$1" >&2 && failed=1; }

options() { grep -oE -- '(^|[^a-zA-Z0-9_-])--[a-z][a-z0-9-]*' | sed 's/.*--/--/' | sort -u; }
# The page as text, without its examples, which show other programs' options too.  A
# literal dash may have become a typographic one.
page() {
	mandoc -T utf8 "$1" | col -b | sed -e 's/‐/-/g' -e 's/−/-/g' |
		awk '/^[A-Z]/ { skip = /^EXAMPLES/ } !skip'
}

compare() { # PAGE, then --help on standard input
	local help
	help=$(options)
	diff <(echo "$help") <(page "$man/$1" | options) >"$tmp" && return
	bad "$1: options of --help (<) and of the page (>) differ:"
	grep '^[<>]' "$tmp" >&2
}

tmp=$(mktemp)
trap 'rm -f "$tmp"' EXIT
command -v mandoc >/dev/null || { echo "mandoc is not installed" && exit 77; }
for p in "$man"/*.[1-8]; do
	# Whether other pages are installed here is not this page's matter.
	mandoc -T lint "$p" 2>/dev/null | grep -vE 'referenced manual not found' >"$tmp"
	[ ! -s "$tmp" ] || { bad "$p:" && cat "$tmp" >&2; }
done

if [ -x "$build/caas/caas" ] && [ -f "$man/caas.1" ]; then
	caas=$build/caas/caas
	commands=$("$caas" help | sed -n 's/^  \([a-z]* [a-z-]*\|[a-z]*\)  .*/\1/p')
	{
		while read -r c; do
			# shellcheck disable=SC2086
			"$caas" $c --help || bad "caas $c --help fails"
		done <<<"$commands"
	} >"$tmp.help"
	compare caas.1 <"$tmp.help"
	rm -f "$tmp.help"
	while read -r c; do
		page "$man/caas.1" | tr -s ' \n' ' ' | grep -q " $c" || bad "caas.1: no $c"
	done <<<"$commands"
fi
[ ! -x "$build/vsmd/vsmd" ] || [ ! -f "$man/vsmd.8" ] ||
	compare vsmd.8 < <("$build/vsmd/vsmd" --help 2>&1)
[ ! -x "$build/vchan-transport/caas-agent" ] || [ ! -f "$man/caas-agent.8" ] ||
	compare caas-agent.8 < <("$build/vchan-transport/caas-agent" --help 2>&1)
[ ! -x "$build/xen-hooks/flask/caas-flask-drop" ] ||
	compare caas-flask-drop.8 < <("$build/xen-hooks/flask/caas-flask-drop" --help 2>&1)
[ ! -x "$build/tpm/caas-tis-bridge" ] || [ ! -f "$man/caas-tis-bridge.8" ] ||
	compare caas-tis-bridge.8 < <("$build/tpm/caas-tis-bridge" --help 2>&1)
[ ! -x "$build/xen-hooks/domtd/domtd" ] ||
	compare domtd.8 < <("$build/xen-hooks/domtd/domtd" --help 2>&1)
[ ! -x "$build/xen-hooks/forward/domt-forward" ] ||
	compare domt-forward.8 < <("$build/xen-hooks/forward/domt-forward" --help 2>&1)
[ ! -x "$build/xen-hooks/tpmd/domt-tpmd" ] ||
	compare domt-tpmd.8 < <("$build/xen-hooks/tpmd/domt-tpmd" --help 2>&1)
[ $failed = 0 ]
