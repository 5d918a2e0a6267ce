#!/bin/bash
# tcb.sh - docs/tcb.md is about this tree, as far as that is to be seen without the packages: the
# folders with our code in the image, about as many lines of it, and no package but the builder's.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
page=$root/docs/tcb.md
build=$root/xen-hooks/domc/build
renew="xen-hooks/domc/build --tcb docs/tcb.md writes it anew"
failed=0
bad() { echo "tcb.sh: $1 ($renew)" && failed=1; }

made=$(sed -n '/^<!-- build: begin/,/^<!-- build: end/p' "$page")
have=$(sed -nE 's/^\| `([a-z0-9/-]+)` \| ([0-9]+) \|$/\1 \2/p; s/^\| all of it \| ([0-9]+) \|$/sum \1/p' <<<"$made")
want=$("$build" --lines) || exit 1
diff <(cut -d' ' -f1 <<<"$have") <(cut -d' ' -f1 <<<"$want") || bad "other folders"
# Each change of a line would have to be a change of that page: five in a hundred are not seen.
while read -r dir n; do
	was=$(awk -v d="$dir" '$1 == d { print $2 }' <<<"$have")
	[ $((was * 100)) -ge $((n * 95)) ] && [ $((was * 100)) -le $((n * 105)) ] ||
		bad "$dir has $n lines, not $was"
done <<<"$want"
sed -nE 's/^\| ([a-z0-9.+-]+) \| [^|]+ \| `[0-9a-f]{64}` \|$/\1/p' <<<"$made" | sort >/tmp/tcb.$$
[ -s /tmp/tcb.$$ ] || bad "no packages"
extra=$(comm -23 /tmp/tcb.$$ <("$build" --packages | sort) | grep -v '^linux-image-')
rm -f /tmp/tcb.$$
[ -z "$extra" ] || bad "packages that the builder does not know: $extra"
for f in /init /usr/sbin/vsmd /usr/bin/swtpm /etc/caas/vsmd.conf; do
	grep -q "^| \`$f\` |" <<<"$made" || bad "no $f"
done
[ $failed = 0 ] && echo "tcb: $(awk '/^sum/ { print $2 }' <<<"$want") lines"
