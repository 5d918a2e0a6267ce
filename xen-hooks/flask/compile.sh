#!/bin/sh
# compile.sh - make FLASK's policy for Xen 4.17.
#
#	compile.sh OUTPUT [OPTION...]
#
# An OPTION is a file in policy/options/, or one of your own (with a / in its name), with rules that
# are added.  The policy has version 30, and what it does not know is denied.  Needs checkpolicy and
# m4.
set -eu
policy=$(cd "$(dirname "$0")/policy" && pwd)
[ $# -gt 0 ] || { echo "usage: compile.sh OUTPUT [OPTION...]" >&2 && exit 2; }
output=$1
shift
options=
for o; do
	case $o in
	/*) options="$options $o" ;;
	*/*) options="$options $PWD/$o" ;;
	*) options="$options $policy/options/$o.te" ;;
	esac
done
source=$(mktemp "${TMPDIR:-/tmp}/caas-flask.XXXXXX")
trap 'rm -f "$source"' EXIT
# The order is checkpolicy's.
(cd "$policy" && m4 -P macros.m4 classes initial-sids access-vectors types.te everybody.te \
	boot.te dom0.te domT.te pair.te $options users labels) >"$source"
checkpolicy -t Xen -c 30 -U deny -E -o "$output" "$source" >/dev/null
