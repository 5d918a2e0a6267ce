#!/bin/bash
# policy.sh - the policy of FLASK compiles as Xen 4.17 takes it, in every combination of its options,
# and the build installs what is proved.
NAME=flask-policy
. "$(dirname "$0")/../lib.sh"
FLASK=$ROOT/xen-hooks/flask

# Classes, permissions and initial SIDs have no numbers in a policy's source: their order is their number.
# This is that of Xen 4.17, with 175 permissions.
ORDER=78629556ce3275a956e8ce4b54b5258407c82b50a263e5d9d52aae10ecfa338d

for options in "" plain no-iommu boot-builds "boot-builds plain" \
	"plain boot-builds no-iommu"; do
	what=${options:-no option}
	check "it compiles with $what" "$FLASK/compile.sh" "$WORK/policy" $options || continue
	check "checkpolicy reads it again" checkpolicy -b -F -t Xen -o "$WORK/source" "$WORK/policy"
	if [ "$(grep '^class' "$WORK/source" | sha256sum)" = "$ORDER  -" ]; then
		ok "classes and permissions are Xen 4.17's, in their order"
	else
		bad "classes and permissions are Xen 4.17's, in their order"
	fi
	check "it is looked at" seinfo "$WORK/policy"
	said "it is of version 30" '^Policy Version: +30 \(MLS disabled\)'
	said "it is for Xen" '^Target Policy: +xen'
	said "what it does not know is denied" '^Handle unknown classes: +deny'
	said "it has no booleans" '^ *Booleans: +0 '
	said "Xen has thirteen initial SIDs" '^ *Initial SIDs: +13 '
done

"$FLASK/compile.sh" "$WORK/policy"
"$FLASK/compile.sh" "$WORK/again"
check "the same source gives the same policy" cmp "$WORK/policy" "$WORK/again"
# A channel that Dom0 opened while it booted would be dead afterwards.
"$FLASK/compile.sh" "$WORK/policy"
for label in dom0_boot_t dom0_t; do
	check "channels of $label are looked for" sesearch -T -s $label -c event "$WORK/policy"
	if [ -s "$WORK/out" ] && ! grep -qv 'event dom0_t_channel;$' "$WORK/out"; then
		ok "and are all Dom0's"
	else
		bad "and are all Dom0's" "$(grep -v 'event dom0_t_channel;$' "$WORK/out" | head -n 1)"
	fi
done

# What chains.py finds by itself, setools' own search finds not to be there.
for label in domT_t domC_t domU_pair_t; do
	for class in mmu hvm shadow; do
		sesearch -A -t $label -c $class "$WORK/policy" >"$WORK/out" 2>&1
		if [ $? = 0 ] && [ ! -s "$WORK/out" ]; then
			ok "sesearch: nobody has $class of $label"
		else
			bad "sesearch: nobody has $class of $label" "$(head -n 1 "$WORK/out")"
		fi
	done
done
check "it does find that of DomT, which builds" sesearch -A -s domT_t -t domC_t_building -c mmu "$WORK/policy"
said "and says so" '^allow domT_t domC_t_building:mmu .*map_write'

# What is installed is what chains.sh and count.sh look at.
if [ -d "$BUILD/xen-hooks/flask" ]; then
	while read -r name options; do
		"$FLASK/compile.sh" "$WORK/policy" $options
		check "the build has made $name.policy" \
			cmp "$WORK/policy" "$BUILD/xen-hooks/flask/$name.policy"
	done <<-EOF
		caas
		caas-plain plain
		caas-boot boot-builds
		caas-boot-plain boot-builds plain
	EOF
else
	skip "the build has made it" "there was no checkpolicy or m4 when it was configured"
fi
echo 'allow dom0_t domC_t:mmu nonsense;' >"$WORK/x.te"
refuses "a permission that is none does not compile" 1 "$FLASK/compile.sh" "$WORK/policy" "$WORK/x.te"
finish
