# samples.sh - for sourcing by soak.sh and overload.sh: descriptors and private memory of vsmd's
# processes.
#
#	sample_phase NAME       roundN, or quietN: no application is there
#	sample          one line for each process: PHASE SECOND PID CLASS FDS KB; the class of a
#	                worker is that of its application (names of pid[])
#	judge_fds, judge_memory         ok or bad, with the worst of them
QUIET_FDS=2 QUIET_KB=2048 RUN_FDS=16 RUN_KB=4096
# More for a worker that is sent large messages, as long as not all of its threads may have had
# some: each of 64 keeps room for 128 KiB of a request and of a reply (vsmd/worker/loop.c).
BULK_KB=0
# More for a worker between two quiet points.
WORKER_KB=0
SAMPLES=$WORK/samples
_phase=

sample_phase() { _phase=$1; }
sample_possible() { [ -s "$SAMPLES" ]; }
sanitized() { grep -l '^CAAS_SANITIZE:STRING=..*' "$BUILD/CMakeCache.txt"; }
sample() {
	local name
	local -A of=()
	for name in "${!pid[@]}"; do of[${pid[$name]}]=/$name; done
	# The TPM has a session of its own.
	{
		ps -eo pid=,ppid=,sid=,args= | awk -v s="$VSMD" '$2 == s || $3 == s { print $1, $4, $NF }'
		for name in $controls; do echo "${pid[${name}0]:-0} control/$name none"; done
	} |
		while read -r p name app; do echo "$p ${name%:}${of[$app]:-}"; done |
		python3 "$ROOT/tests/soak/samples.py" "$_phase $SECONDS" >>"$SAMPLES"
}

# compare COLUMN QUIET RUN PERCENT-QUIET PERCENT-RUN: each process with itself, earlier.
_compare() {
	awk -v c="$1" -v quiet="$2" -v run="$3" -v pq="$4" -v pr="$5" -v bulk="$BULK_KB" -v worker="$WORKER_KB" '
	function role(name) {
		sub(/^.*\//, "", name)
		sub(/[0-9]+$/, "", name)
		return name
	}
	function grew(what, from, to, percent, slack) {
		seen[what]++
		if (!(what in worst) || to - from > worst[what]) {
			worst[what] = to - from
			text[what] = from " -> " to
		}
		if (to > from * (1 + percent / 100) + slack) {
			print "GREW " what ": " from " -> " to
			failed = 1
		}
	}
	$1 ~ /^quiet/ {
		if (!($3 in first)) first[$3] = $c
		last[$3] = $c
		class[$3] = $4
		next
	}
	{
		if ($1 !~ /^round/) next
		key = $1 " " $3
		name[key] = $4
		value[key, ++n[key]] = $c
	}
	END {
		for (p in first)
			grew("quiet " class[p], first[p], last[p], pq,
			    quiet + (c == 6 && class[p] ~ /worker/ ? worker : 0))
		for (k in n) {
			third = int(n[k] / 3)
			if (third < 2) continue
			a = b = 0
			for (i = 1; i <= third; i++) {
				if (value[k, i] > a) a = value[k, i]
				b += value[k, n[k] - i + 1]
			}
			b = int(b / third)
			if (name[k] ~ /^control/) {
				if (c == 6 && b - a > natural[role(name[k])]) natural[role(name[k])] = b - a
				print "# " name[k] ": " a " -> " b
				continue
			}
			from[k] = a
			to[k] = b
		}
		for (k in from) {
			slack = run + 3 * natural[role(name[k])]
			if (c == 6 && role(name[k]) == "bulk") slack += bulk
			grew("working " name[k], from[k], to[k], pr, slack)
		}
		for (w in worst) print "# " w " (" seen[w] "): at most " text[w]
		exit failed
	}' "$SAMPLES" >"$WORK/grew"
}
_judge() {
	local name=$1 rc
	shift
	_compare "$@"
	rc=$?
	grep '^#' "$WORK/grew" | sort | sed "s/^#/# $name/"
	if [ $rc = 0 ]; then ok "$name"; else bad "$name" "$(grep -v '^#' "$WORK/grew" | tr '\n' ';')"; fi
}
# The highest of the first third beside the average of the last.
judge_fds() { _judge leaks-descriptors 5 $QUIET_FDS $RUN_FDS 0 0; }
judge_memory() { _judge leaks-memory 6 $QUIET_KB $RUN_KB 10 25; }
