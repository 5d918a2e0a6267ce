#!/bin/bash
# chains.sh - the proof that no chain of allowed types leads from Dom0 to a pair, to DomT or to the policy,
# and that the proof fails for each rule that would be one (mutations, edits).
NAME=flask-chains
. "$(dirname "$0")/../lib.sh"
FLASK=$ROOT/xen-hooks/flask
HERE=$ROOT/tests/flask
export PYTHONDONTWRITEBYTECODE=1

for options in "" plain boot-builds "boot-builds plain"; do
	check "it compiles with ${options:-no option}" "$FLASK/compile.sh" "$WORK/policy" $options
	check "no chain, with ${options:-no option}" "$FLASK/check/chains.py" --building "$WORK/policy"
	said "and that was from all of them" '^no chain from dom0_t, domU_t, dm_dom_t, domU_pair_t, domC_t$'
	# Two rings each, by grant, their events, and whether it is there: nothing else.
	{
		for label in domC_t_building domU_pair_t_building; do
			for right in "domain getdomaininfo" "event bind" "grant map_read" \
				"grant map_write" "grant unmap"; do
				echo "building: $label $right"
			done
		done
		# Of the time before it gave up, whose channels have the same label.
		echo "building: domT_t_building event bind"
	} | sort >"$WORK/exceptions"
	grep '^building:' "$WORK/out" | sort >"$WORK/found"
	check "what Dom0 may do to a pair that is being built" diff "$WORK/exceptions" "$WORK/found"
done

# A machine without an IOMMU: the proof says that there is none.
"$FLASK/compile.sh" "$WORK/policy" plain boot-builds no-iommu
refuses "with no-iommu there is a chain" 1 "$FLASK/check/chains.py" "$WORK/policy"
grep '^chain:' "$WORK/out" | sort >"$WORK/found"
for label in device_t irq_t; do
	for right in use_iommu_nointremap use_noiommu; do
		echo "chain: dom0_t -[resource:$right]-> $label"
	done
done | sort >"$WORK/exceptions"
check "and it is the devices" diff "$WORK/exceptions" "$WORK/found"

# Each mistake makes a policy of its own, $WORK/mutated/N; one run looks at all of them.
mkdir "$WORK/mutated" "$WORK/said"
names=() wants=()
mistake() { # NAME WHAT COMPILER [OPTION]
	local name=$1 what=$2
	shift 2
	if "$1" "$WORK/mutated/${#names[@]}" "${@:2}" 2>"$WORK/out"; then
		names+=("$name") wants+=("$what")
	else
		bad "named: $name" "it does not compile" && sed 's/^/# /' "$WORK/out"
	fi
}

while read -r line; do
	printf '\n%s\n' "${line%% => *}" >"$WORK/rule.te"
	mistake "${line%% => *}" "${line##* => }" "$FLASK/compile.sh" "$WORK/rule.te"
done < <(grep -v '^#' "$HERE/mutations")

while read -r file line; do
	expression=${line%% => *}
	rm -rf "$WORK/edited" && cp -r "$FLASK" "$WORK/edited"
	sed -i -E "$expression" "$WORK/edited/policy/$file"
	if cmp -s "$FLASK/policy/$file" "$WORK/edited/policy/$file"; then
		bad "named: $expression in $file" "it changes nothing"
	else
		mistake "$expression in $file" "${line##* => }" "$WORK/edited/compile.sh"
	fi
done < <(grep -v '^#' "$HERE/edits")

(cd "$WORK/mutated" && timeout 300 "$FLASK/check/chains.py" * >"$WORK/out" 2>&1)
awk -v dir="$WORK/said" '/^== / { file = dir "/" $2; next } { print >file }' "$WORK/out"
for n in "${!names[@]}"; do
	# A line that begins so, and no word that there is none.
	if grep -qF -- "${wants[n]}" "$WORK/said/$n" 2>/dev/null && grep -q '^chain: ' "$WORK/said/$n" &&
		! grep -q '^no chain' "$WORK/said/$n"; then
		ok "named: ${names[n]}"
	else
		bad "named: ${names[n]}" "not said: ${wants[n]}"
		tail -n 5 "$WORK/said/$n" | sed 's/^/# /'
	fi
done
if [ ${#names[@]} -lt 80 ]; then bad "there are enough of them" "${#names[@]}"; fi
finish
