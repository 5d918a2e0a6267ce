#!/bin/bash
# churn.sh - a server that makes a session object for each handshake, and destroys it: of each of
# them SoftHSM2 keeps some memory, so a worker is replaced before that is much
# (vsmd/worker/retire.h).  No call notices, and a key that is held all the time stays.
#
#	CAAS_CHURN_COUNT=N      objects of each kind (60,000; in the long run 500,000)
NAME=churn
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../vsmd.sh"
CHURN=$BUILD/tests/e2e/caas-e2e-churn
GROWTH_KB=24576 # beside what the worker had before the first object
count=${CAAS_CHURN_COUNT:-${CAAS_TEST_LONG:+500000}}
count=${count:-60000}
sanitized=
! ldd "$BUILD/vsmd/vsmd" | grep -q libasan || sanitized=1

settings
cat >>"$CONF" <<C
[principal me]
uid = $(id -un)
role = admin
[grant me *]
allow = all
extract = allow
C
if vsmd_up; then ok up; else bad up "$(_since | tail -n 3)"; fi
check token "$CAAS" token create --label churn --pin 123456 --so-pin 12345678

# Private memory of the application's worker, in kB.
worker_kb() {
	local p kb=0
	for p in $(vsmd_pids worker); do
		kb=$(awk '/^Private_/ { n += $2 } END { print n + 0 }' "/proc/$p/smaps_rollup" 2>/dev/null)
	done
	echo "${kb:-0}"
}

# churn KIND THREADS: to its end; memory is looked at whenever it says how far it is.
churn() {
	local name=$1-$2 line first=0 most=0 kb said=
	coproc CHURNING { exec "$CHURN" "$CLIENT_MODULE" churn 123456 "$1" "$count" "$2" 2>"$WORK/churn.err"; }
	local pid=$CHURNING_PID out=${CHURNING[0]} in=${CHURNING[1]}
	exec 7<&"$out" 8>&"$in"
	while IFS= read -r -t 300 line <&7; do
		case $line in
		made=*)
			said=$line
			continue
			;;
		esac
		kb=$(worker_kb)
		[ "$line" != 0 ] || first=$kb
		[ "$kb" -le "$most" ] || most=$kb
		echo >&8
	done
	exec 7<&- 8>&-
	if wait "$pid"; then ok "$name"; else bad "$name" "$said $(head -n 3 "$WORK/churn.err" | tr '\n' ' ')"; fi
	echo "# $name: $said, $first kB, at most $most kB"
	if [ -n "$sanitized" ] || [ "$first" = 0 ]; then
		skip "$name-memory" "a sanitizer keeps what was freed, or another user's processes are not seen"
	elif [ "$most" -le $((first + GROWTH_KB)) ]; then
		ok "$name-memory"
	else
		bad "$name-memory" "$first kB, $most kB"
	fi
}
churn create 1
churn derive 1
churn generate 4
if [ "$count" -lt 55000 ]; then
	skip replaced "so few objects leave a worker as it is"
else
	logged replaced 'many objects were made: the next worker goes on'
fi
not_logged log 'Sanitizer|runtime error|killed by signal'
finish
