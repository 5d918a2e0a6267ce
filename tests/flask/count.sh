#!/bin/bash
# count.sh - Dom0 keeps less than a tenth of its privileged operations, each with a reason, and
# docs/flask.md has the table.
NAME=flask-count
. "$(dirname "$0")/../lib.sh"
FLASK=$ROOT/xen-hooks/flask
REASONS=$FLASK/policy/reasons
PLAIN=$FLASK/policy/options/plain.reasons
export PYTHONDONTWRITEBYTECODE=1

"$FLASK/compile.sh" "$WORK/policy" && "$FLASK/compile.sh" "$WORK/plain" plain
check "nine tenths have gone, and each that remains has a reason" \
	"$FLASK/check/count.py" --at-least 90 "$WORK/policy" "$REASONS"
said "of all there are" '^151 privileged operations before, '
echo "figures: $(tail -n 1 "$WORK/out")"
check "with option plain, too, each has a reason" "$FLASK/check/count.py" "$WORK/plain" "$REASONS" "$PLAIN"
echo "figures: plain: $(tail -n 1 "$WORK/out")"
refuses "with option plain it is not nine tenths" 1 \
	"$FLASK/check/count.py" --at-least 90 "$WORK/plain" "$REASONS" "$PLAIN"

# Each of them must be able to fail.
echo 'allow dom0_t xen_t:xen kexec;' >"$WORK/x.te"
"$FLASK/compile.sh" "$WORK/more" "$WORK/x.te"
refuses "an operation without a reason" 1 "$FLASK/check/count.py" "$WORK/more" "$REASONS"
said "is named" '^count: xen:kexec remains, and nobody says why$'
cp "$REASONS" "$WORK/reasons" && echo "xen debug for nothing" >>"$WORK/reasons"
refuses "a reason without an operation" 1 "$FLASK/check/count.py" "$WORK/policy" "$WORK/reasons"
said "is named" '^count: xen:debug has a reason, and does not remain$'
# What every domain may do to itself counts where it is done to others.
echo 'allow dom0_t domU_t:mmu exchange;' >"$WORK/x.te"
"$FLASK/compile.sh" "$WORK/more" "$WORK/x.te"
refuses "another domain's memory is not Dom0's own" 1 "$FLASK/check/count.py" "$WORK/more" "$REASONS"
said "is named" '^count: mmu:exchange remains'
echo 'allow dom0_t xen_t:xen { kexec debug };' >"$WORK/x.te"
"$FLASK/compile.sh" "$WORK/more" "$WORK/x.te"
refuses "two more are too many" 1 "$FLASK/check/count.py" --at-least 90 "$WORK/more" "$REASONS"
said "and that is said" '^count: 89\.4 % fewer, not 90 %$'

# The part of docs/flask.md between the two comments.
table() { # NAME
	sed -n "/^<!-- count: $1 -->\$/,/^<!-- end -->\$/p" "$ROOT/docs/flask.md" | sed '1d;$d'
}
check "the table in docs/flask.md is this" diff <(table strict) \
	<("$FLASK/check/count.py" --markdown "$WORK/policy" "$REASONS")
check "and that with option plain" diff <(table plain) \
	<("$FLASK/check/count.py" "$WORK/plain" "$REASONS" "$PLAIN" | tail -n 1)
finish
