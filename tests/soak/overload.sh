#!/bin/bash
# overload.sh - a real vsmd, and too much for it at once: 1,000 applications that sign once a
# second, one with 10,000 sessions that uses any of them, and 100 a second that come, sign and
# go.  Each reply comes and is right; memory and descriptors stay as they were; nothing of vsmd
# ends; and one session more than there may be is refused (overload.h).
#
#	CAAS_OVERLOAD_SECONDS=N         how long (30)
#	CAAS_OVERLOAD_APPS, _SESSIONS, _RATE    how many (1000, 10000, 100)
#
# The times are told, and asserted nowhere; what was measured last is in BUILD/overload.txt.
NAME=overload
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../vsmd.sh"
. "$(dirname "$0")/samples.sh"
seconds=${CAAS_OVERLOAD_SECONDS:-30}
apps=${CAAS_OVERLOAD_APPS:-1000}
sessions=${CAAS_OVERLOAD_SESSIONS:-10000}
rate=${CAAS_OVERLOAD_RATE:-100}
every=4
[ "$seconds" -lt 120 ] || every=30
# What waits at one time takes memory and descriptors, and on a slow machine more waits.
QUIET_KB=4096 RUN_FDS=400
WORKER_KB=32 # of a lasting worker, on average
[ -z "${KEEP:-}" ] || tidy "cp $SAMPLES $KEEP"
declare -A pid
controls=

# The limits are of what is open at one time; most newcomers are gone when the next come.
settings "max-applications = $((apps + 400))" "max-per-principal = $((apps + 400))" \
	"max-sessions = $sessions"
cat >>"$CONF" <<-C
	[principal me]
	uid = $(id -un)
	role = admin
	[grant me *]
	allow = all
C
if vsmd_up; then ok up; else bad up "$(_since | tail -n 3)"; fi
check token "$CAAS" token create --label load --pin 123450 --so-pin 12345678
calls init 'token load' 'open rw' 'login user 123450' 'genec sign' finalize
if [ "$(grep -c ^CKR_OK "$WORK/out")" = 6 ]; then ok key; else bad key "$(tail -n 1 "$WORK/out")"; fi

lasting() { # processes of vsmd that no newcomer brought
	local n
	for n in supervisor store nursery swtpm tpm; do vsmd_pids $n; done
	ps -o pid= -p "$workers"
}
no_workers() {
	local i
	for i in $(seq 100); do
		[ -n "$(vsmd_pids worker)" ] || return 0
		sleep 0.1
	done
	return 1
}
# Both have done all that is done once.
quiet() {
	no_workers
	sleep 1
	sample_phase "$1"
	sample
}
driver() {
	coproc DRIVER { exec "$BUILD/tests/soak/caas-overload" "$CLIENT_MODULE" load 123450 sign "$@" \
		2>"$WORK/driver.err"; }
	driver=$DRIVER_PID
	exec {from}<&"${DRIVER[0]}" {to}>&"${DRIVER[1]}"
}
driver_ends() { # its status; by force if it has to be
	[ $# = 0 ] || kill -9 -- "-$driver" 2>/dev/null
	[ -z "$driver" ] || wait "$driver"
	local rc=$?
	driver=
	return $rc
}
driver=
tidy '[ -z "$driver" ] || driver_ends now'
# hears WORD SECONDS: it says that, in $line. 1: something else, or has ended; 2: nothing yet.
hears() {
	local rc
	IFS= read -r -t "$2" -u "$from" line
	rc=$?
	[ $rc -le 128 ] || return 2
	[ $rc = 0 ] && [ "${line%% *}" = "$1" ]
}
load() {
	local until=$((SECONDS + 4 * seconds + 130)) rc=2
	hears ready 120 || { bad ready "${line:-nothing}"; return 1; }
	ok ready
	echo "# $line"
	workers=$(vsmd_pids worker | paste -sd,)
	lasting >"$WORK/before"
	sample_phase round1
	sample
	echo go >&"$to"
	while [ $rc = 2 ] && [ $SECONDS -lt $until ]; do
		sample
		hears 'done' "$every"
		rc=$?
	done
	if [ $rc = 0 ]; then ok 'done'; else bad 'done' "${line:-nothing}"; fi
	for rc in $(seq 100); do
		[ "$(vsmd_pids worker | wc -l)" -gt $((apps + 1)) ] || break
		sleep 0.1
	done
	sample
	lasting >"$WORK/after"
	if cmp -s "$WORK/before" "$WORK/after"; then
		ok none-ended
	else
		bad none-ended "$(diff "$WORK/before" "$WORK/after" | tr '\n' ' ')"
	fi
	echo end >&"$to"
	timeout 60 cat <&"$from" >"$WORK/figures" || driver_ends now
	tee "$BUILD/overload.txt" <"$WORK/figures" | sed 's/^/# /'
}

# Those that last, with the same applications before the newcomers and after them.  A worker may
# have made a thread, which has a descriptor.
judge_lasting() {
	local rc
	awk -v most=$WORKER_KB '
		NR == FNR { lasting[$1] = 1; next }
		$1 == "round1" && $3 in lasting {
			if (!($3 in name)) { name[$3] = $4; fds[$3] = $5; kb[$3] = $6 }
			last[$3] = $5
			left[$3] = $6
		}
		END {
			for (p in name) {
				if (name[p] == "vsmd-worker") {
					n++; f += fds[p]; l += last[p]; a += kb[p]; b += left[p]
					continue
				}
				printf "%s: %d -> %d descriptors\n", name[p], fds[p], last[p]
				if (last[p] > fds[p] + 2) failed = 1
			}
			if (n == 0) exit 1
			printf "%d workers: %.0f -> %.0f KiB on average, %d -> %d descriptors\n",
				n, a / n, b / n, f, l
			exit failed || b / n > a / n + most || l > f * 1.05
		}' "$WORK/before" "$SAMPLES" >"$WORK/judged"
	rc=$?
	if [ $rc = 0 ]; then ok lasting; else bad lasting; fi
	sed 's/^/# /' "$WORK/judged"
}

# The first time is for what is done once, and for the descriptors of the shell.
driver 20 "$sessions" 20 2
hears ready 60 && echo go >&"$to" && hears 'done' 60 && echo end >&"$to"
driver_ends || bad warm-up "$(tail -n 3 "$WORK/driver.err")"
quiet quiet0
t0=$SECONDS
driver "$apps" "$sessions" "$rate" "$seconds"
load
driver_ends
rc=$?
if [ $rc = 0 ]; then
	ok all-answered
else
	bad all-answered "exit $rc: $(head -n 5 "$WORK/driver.err" | tr '\n' ';')"
fi
echo "# $((SECONDS - t0)) s in all"
if no_workers; then ok no-workers; else bad no-workers "$(vsmd_pids worker | wc -l) left"; fi
quiet quiet1
not_logged log 'breach of protocol|signal (4|6|7|8|11|31)\b|Sanitizer|runtime error|malformed|too many|waited too long|does not read'
if ! sample_possible; then
	skip leaks "of another user's processes nothing is seen: needs root"
else
	judge_fds
	judge_memory
	judge_lasting
fi
check audit "$CAAS" audit verify
finish
