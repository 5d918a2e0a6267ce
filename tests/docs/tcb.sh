#!/bin/bash
# tcb.sh - docs/tcb.md is about this tree, as far as that is to be seen without the packages: of each
# image the folders with our code in it, about as many lines of it, and no package but the builder's.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
page=$root/docs/tcb.md
build=$root/xen-hooks/domc/build
failed=0

image() { # NAME PATH...
	local name=$1 made have want dir n was f extra
	shift
	bad() { echo "tcb.sh: $name: $1 (xen-hooks/domc/build --image $name --tcb docs/tcb.md writes it anew)" && failed=1; }
	made=$(sed -n "/^<!-- $name: begin/,/^<!-- $name: end/p" "$page")
	have=$(sed -nE 's/^\| `([a-z0-9/.-]+)` \| ([0-9]+) \|$/\1 \2/p; s/^\| all of it \| ([0-9]+) \|$/sum \1/p' <<<"$made")
	want=$("$build" --image "$name" --lines) || exit 1
	diff <(cut -d' ' -f1 <<<"$have") <(cut -d' ' -f1 <<<"$want") || bad "other folders"
	# Each change of a line would have to be a change of that page: five in a hundred are not seen.
	while read -r dir n; do
		was=$(awk -v d="$dir" '$1 == d { print $2 }' <<<"$have")
		[ $((was * 100)) -ge $((n * 95)) ] && [ $((was * 100)) -le $((n * 105)) ] ||
			bad "$dir has $n lines, not $was"
	done <<<"$want"
	extra=$(sed -nE 's/^\| ([a-z0-9.+-]+) \| [^|]+ \| `[0-9a-f]{64}` \|$/\1/p' <<<"$made" | sort)
	[ -n "$extra" ] || bad "no packages"
	extra=$(comm -23 <(echo "$extra") <("$build" --packages | sort) | grep -v '^linux-image-')
	[ -z "$extra" ] || bad "packages that the builder does not know: $extra"
	for f; do
		grep -q "^| \`$f\` |" <<<"$made" || bad "no $f"
	done
	[ $failed != 0 ] || echo "tcb: $name: $(awk '/^sum/ { print $2 }' <<<"$want") lines"
}
image domc /init /usr/sbin/vsmd /etc/caas/vsmd.conf
image domt /init /usr/sbin/domt-tpmd /etc/caas/domt-tpmd.conf
[ $failed = 0 ]
