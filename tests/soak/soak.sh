#!/bin/bash
# soak.sh - a real vsmd with a dozen applications (soak.h) for a long time: no wrong result and
# no unexpected code, ever; nothing leaks; what was acknowledged is there when it is reopened.
#
#	CAAS_SOAK_SECONDS=N     how long (25)
#	CAAS_SEED=N             the same choices again; what the processors make of them differs
#
# The time is cut into rounds.  In a round all applications work at once, and now and then
# one of them is killed and started anew.  After it all end, vsmd has to be as it was:
#
#	between two quiet points   descriptors of each process of vsmd: QUIET_FDS more at most;
#	                           private memory: a tenth and QUIET_KB more at most
#	within a round             the last third of a process's samples beside the first:
#	                           RUN_FDS; a quarter and RUN_KB, and for a worker three times
#	                           what the same application grew with SoftHSM2 in-process, as
#	                           which some run beside (NAME0): it does not free all it takes
NAME=soak
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../vsmd.sh"
. "$(dirname "$0")/samples.sh"
seconds=${CAAS_SOAK_SECONDS:-25}
seed=${CAAS_SEED:-$((RANDOM * 32768 + RANDOM))}
RANDOM=$((seed % 32768))
SOAK=$BUILD/tests/soak/caas-soak
rounds=2
[ "$seconds" -lt 120 ] || rounds=4
every=1
[ "$seconds" -lt 120 ] || every=5
# Even a long round may end before all threads have had a large message.
BULK_KB=16384
echo "# seed $seed, $seconds s in $rounds rounds"

# NAME TOKEN ROLE, k when it may be killed.  The token `soak' gets new PINs all the time, with
# which no child of fork can take up a login that was there before; the workers of `calm' live
# as long as their application.
apps="
sign1 soak sign k
objects1 soak objects k
keygen1 soak keygen k
bulk1 soak bulk k
login1 soak login k
cycle1 soak cycle k
fork1 calm fork k
pin1 soak pin -
sign2 calm sign -
objects2 calm objects -
keygen2 calm keygen -
bulk2 calm bulk -
cycle2 calm cycle k
"
declare -A pid life token role mortal
names=()
while read -r n t r k; do
	[ -n "$n" ] || continue
	names+=("$n")
	token[$n]=$t role[$n]=$r mortal[$n]=$k life[$n]=0
done <<<"$apps"

task() { # NAME TOKEN ROLE: one that ends
	check "$1" "$SOAK" --module "$CLIENT_MODULE" --dir "$WORK/soak" --token "$2" --name "$3" --seed "$seed" "$3"
}
start() {
	local n=$1
	life[$n]=$((life[$n] + 1))
	setsid "$SOAK" --module "$CLIENT_MODULE" --dir "$WORK/soak" --token "${token[$n]}" --name "$n" \
		--seed "$seed" --life "${life[$n]}" "${role[$n]}" >>"$WORK/said" 2>&1 &
	pid[$n]=$!
}
differential() { # with tokens of its own
	setsid "$BUILD/tests/differential/caas-differential" --judge "$SOFTHSM" \
		--module "$CLIENT_MODULE" --until-term --label "diff $1" --seed "$((seed + $1))" >>"$WORK/differential" 2>&1 &
	pid[differential]=$!
}
# SoftHSM2 in-process, each with a token of its own
SOFTHSM=${CAAS_SOFTHSM2:-/usr/lib/softhsm/libsofthsm2.so}
controls="sign objects keygen bulk"
softhsm() { # DIR: its configuration
	mkdir -p "$1/tokens"
	printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$1/tokens" >"$1/conf"
	export SOFTHSM2_CONF=$1/conf
}
control_make() {
	(
		softhsm "$WORK/$1"
		softhsm2-util --init-token --free --label calm --pin 123450 --so-pin 12345678 &&
			"$SOAK" --module "$SOFTHSM" --dir "$WORK/$1" --token calm --name make --seed "$seed" make
	) >"$WORK/out" 2>&1
}
# SoftHSM2 loses objects of its own when two threads write: they have one.
control() { # ROLE ROUND
	local threads=1
	[ "$1" != sign ] || threads=4
	SOFTHSM2_CONF=$WORK/$1/conf setsid "$SOAK" --module "$SOFTHSM" --dir "$WORK/$1" --token calm \
		--name "${1}0" --seed "$seed" --life "$2" --threads $threads "$1" >>"$WORK/control" 2>&1 &
	pid[${1}0]=$!
}
everybody() { printf '%s\n' "${!pid[@]}"; }
end_all() {
	local n
	for n in $(everybody); do kill -9 -- "-${pid[$n]}" 2>/dev/null; done
	wait 2>/dev/null
}
tidy end_all
[ -z "${KEEP:-}" ] || tidy "cp $WORK/samples $KEEP"

# Has anybody ended?  143: before it began to listen.  SoftHSM2's own mistakes are its own.
broken=
ended() { # STATUS...: that are fine
	local n rc
	for n in $(everybody); do
		kill -0 "${pid[$n]}" 2>/dev/null && continue
		wait "${pid[$n]}"
		rc=$?
		unset "pid[$n]"
		case " $* " in *" $rc "*) continue ;; esac
		case $n in
		*0) echo "# SoftHSM2 in-process: $n ended with $rc: $(tail -n 1 "$WORK/control")" ;;
		*) broken="$broken $n($rc)" ;;
		esac
	done
	[ -z "$broken" ]
}
kills=0
kill_one() {
	local n=${names[RANDOM % ${#names[@]}]}
	[ "${mortal[$n]}" = k ] || return
	kill -9 -- "-${pid[$n]}"
	wait "${pid[$n]}" 2>/dev/null
	kills=$((kills + 1))
	start "$n"
}
# Everybody ends by itself, with status 0.
stop_all() {
	local n i
	for n in $(everybody); do kill "${pid[$n]}" 2>/dev/null; done
	for i in $(seq 600); do
		ended 0 143
		[ ${#pid[@]} != 0 ] || return 0
		sleep 0.1
	done
	broken="$broken$(printf ' %s(hangs)' $(everybody))"
	end_all
	pid=()
}
no_workers() {
	local i
	for i in $(seq 100); do
		[ -n "$(vsmd_pids worker)" ] || return 0
		sleep 0.1
	done
	return 1
}
verdict() { # what the applications said, and vsmd
	if [ -z "$broken" ]; then
		ok "$1-applications"
	else
		bad "$1-applications" "ended:$broken, seed $seed"
		grep -h 'FAIL\|DIFFERENCE\|Sanitizer\|runtime error' "$WORK/said" "$WORK/differential" | head -n 20 | sed 's/^/# /'
		broken=
	fi
	# Which signal ended whom: nothing of vsmd may die by one, and nobody breaks the protocol.
	not_logged "$1-log" 'breach of protocol|signal (4|6|7|8|11|31)\b|Sanitizer|runtime error|malformed'
}
round() {
	local r=$1 until=$((SECONDS + seconds / rounds)) n
	sample_phase "round$r"
	for n in "${names[@]}"; do start "$n"; done
	differential "$r"
	for n in $controls; do control "$n" "$r"; done
	while [ $SECONDS -lt $until ]; do
		sleep "$every"
		ended || break
		sample
		kill_one
	done
	stop_all
	verdict "round-$r"
	if no_workers; then ok "round-$r-no-workers"; else bad "round-$r-no-workers" "$(vsmd_pids worker | wc -l) left"; fi
	check "round-$r-delete" "$CAAS" token delete --yes --label "diff $r"
	for n in soak calm; do
		task "round-$r-objects-$n" $n check && sed 's/^/# /' "$WORK/out"
		[ "$r" = $rounds ] || task "round-$r-sweep-$n" $n sweep
	done
	no_workers
	sleep 1
	sample_phase "quiet$r"
	sample
}

settings "pin-tries = 0" "log-level = info"
cat >>"$CONF" <<-C
	[principal me]
	uid = $(id -un)
	role = admin
	[grant me *]
	allow = all
	extract = allow
C
mkdir -p "$WORK/soak"
: >"$WORK/said"
softhsm "$WORK/judge"
# SoftHSM2 in the differential driver leaks by itself.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
if vsmd_up; then ok up; else bad up "$(_since | tail -n 3)"; fi
for t in soak calm; do
	check "token-$t" "$CAAS" token create --label $t --pin 123450 --so-pin 12345678
	task "keys-$t" $t make
done
for n in $controls; do control_make "$n" || bad "control-$n" "$(tail -n 1 "$WORK/out")"; done
for r in $(seq $rounds); do
	[ $_failed = 0 ] || break
	round "$r"
done

task count calm count
cp "$WORK/out" "$WORK/count"
sed 's/^/# /' "$WORK/count"
echo "# $kills applications killed"
if awk '$NF == 0 { exit 1 }' "$WORK/count"; then ok all-worked; else bad all-worked "$(awk '$NF == 0' "$WORK/count")"; fi
if ! sample_possible; then
	skip leaks "of another user's processes nothing is seen: needs root"
elif [ -n "$(sanitized)" ]; then
	judge_fds
	skip leaks-memory "a sanitizer keeps what was freed"
else
	judge_fds
	judge_memory
fi
check audit "$CAAS" audit verify

# Stopped and reopened: what was acknowledged, and nothing else
vsmd_down
if vsmd_up; then ok reopened; else bad reopened "$(_since | tail -n 3)"; fi
for t in soak calm; do task "reopened-objects-$t" $t check; done
check reopened-audit "$CAAS" audit verify
vsmd_kill
if vsmd_up; then ok reopened-killed; else bad reopened-killed "$(_since | tail -n 3)"; fi
for t in soak calm; do task "reopened-killed-objects-$t" $t check; done
[ $_failed = 0 ] || echo "# CAAS_SEED=$seed CAAS_SOAK_SECONDS=$seconds"
finish
