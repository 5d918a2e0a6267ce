#!/bin/bash
# hostile.sh - guests that break the protocol on purpose (tests/hostile/), by the hundred thousand
# frames: no process of vsmd but a worker ends by it, none by a signal, nothing leaks, and who
# signs and verifies meanwhile, on the same token and on another one, does not notice.
#
#	CAAS_HOSTILE_FRAMES=N   mutated frames (100,000; in the long run 10,000,000)
#	CAAS_SEED=N             the same choices again; what the processors make of them differs
NAME=hostile
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../vsmd.sh"
. "$ROOT/tests/users.sh"
. "$ROOT/tests/soak/samples.sh"
HOSTILE=$BUILD/tests/hostile/caas-hostile
users_needed "$HOSTILE"
frames=${CAAS_HOSTILE_FRAMES:-${CAAS_TEST_LONG:+10000000}}
frames=${frames:-100000}
rounds=4
[ "$frames" -lt 1000000 ] || rounds=10
# In so long a run others make and destroy objects enough that a neighbour's worker grows, until
# the next one goes on (vsmd/worker/retire.h).
[ "$frames" -lt 1000000 ] || WORKER_KB=12288
seed=${CAAS_SEED:-$((RANDOM * 32768 + RANDOM))}
guests=3
echo "# seed $seed, $frames frames in $rounds rounds"
declare -A pid=()
controls=
LIMIT=3000

settings "pin-tries = 0" "metrics = unix:$DIR/run/metrics.sock"
cat >>"$CONF" <<-C
	[principal admin]
	uid = root
	role = admin
	[grant admin *]
	allow = all
	extract = allow
	[principal guest]
	uid = bin
	[grant guest waste]
	allow = all
	extract = allow
	[grant guest shared]
	allow = read use random login object generate import wrap destroy
	extract = allow
	[key guest shared theirs]
	label = k
	hide = yes
	[principal same]
	uid = games
	[grant same shared]
	[principal next]
	uid = daemon
	[grant next other]
C
if vsmd_up; then ok up; else bad up "$(_since | tail -n 3)"; fi
test_tokens waste shared other
for t in waste shared; do
	check "key-rsa-$t" pkcs11-tool --module "$MODULE" --token-label $t --login --pin 123456 \
		--keypairgen --key-type rsa:1024 --label r
	check "key-aes-$t" pkcs11-tool --module "$MODULE" --token-label $t --login --pin 123456 \
		--keygen --key-type AES:32 --label a
done

neighbour games shared
neighbour daemon other
for i in $(seq 100); do
	[ "$(vsmd_pids worker | wc -l)" = 2 ] && break
	sleep 0.1
done
# SoftHSM2 ends its process after an exception of its own.  Where another thread of that worker
# was writing to the token just then, it is taken back to its last commit, by another nursery.
# The log leaves lines out; the page of metrics counts all.
counted() {
	curl -sS --max-time 20 --unix-socket "$DIR/run/metrics.sock" http://localhost/metrics |
		awk -v name="caas_$1_total" '$1 == name { n = $2 } END { print n + 0 }'
}
gave_up() { counted workers_gave_up; }
taken_back() { _since | grep -c 'rebuilt from the last commit'; }
processes() { for n in "$@"; do vsmd_pids $n | sort -n | tr '\n' ' '; done; }
# A slot without a token has a nursery from when somebody asks for it.
blank=$("$CAAS" token list --json | python3 -c 'import json, sys
print(1 + max(t["slot"] for t in json.load(sys.stdin)))')
of_tokens() { processes nursery | tr ' ' '\n' | grep -vxF -e "$(pgrep -f "^vsmd-nursery: slot $blank\$")" -e ''; }
same_processes() { # a worker that is just made is called as its nursery is
	local i
	for i in $(seq 50); do
		[ "$(processes supervisor store tpm swtpm)" = "$pids" ] || return 1
		[ "$(taken_back)" = 0 ] && [ "$(of_tokens)" != "$nurseries" ] || return 0
		sleep 0.1
	done
	return 1
}
pids=$(processes supervisor store tpm swtpm) nurseries=$(of_tokens)
only_neighbours() {
	local i
	for i in $(seq 200); do
		[ "$(vsmd_pids worker | wc -l)" != 2 ] || return 0
		sleep 0.1
	done
	return 1
}

for r in $(seq $rounds); do
	if check "round-$r" become bin "$HOSTILE" "$DIR/run/vsmd.sock" $((seed + r)) $guests \
		$((frames / rounds)) 0:123456:12345678:waste 1:123456; then
		grep -v '^never' "$WORK/out" | sed 's/^/# /'
	fi
	cat "$WORK/out" >>"$WORK/said"
	if only_neighbours; then ok "round-$r-workers"; else bad "round-$r-workers" "$(vsmd_pids worker | wc -l)"; fi
	if same_processes; then
		ok "round-$r-same-processes"
	else
		bad "round-$r-same-processes" "$pids $nurseries, now $(processes supervisor store tpm swtpm nursery)"
	fi
	[ $_failed = 0 ] || break
	sample_phase "quiet$r"
	sample
done

# Each call that a worker serves was answered, and more than half of them once with CKR_OK.
if awk -v rounds="$rounds" '
	{ gsub(/[:,]/, "") }
	/^never answered/ { unanswered[$3]++; unsuccessful[$3]++ }
	/^never CKR_OK/ { unsuccessful[$3]++ }
	/^calls=/ { split($1, served, "="); seen++ }
	END {
		for (k in unanswered) if (unanswered[k] == rounds) missing++
		for (k in unsuccessful) if (unsuccessful[k] == rounds) failing++
		print "# " served[2] " calls, " failing + 0 " never with CKR_OK"
		few = '"$frames"' < 100000
		exit !(seen == rounds && (missing == 0 || few) && failing < served[2] / 2)
	}' "$WORK/said"; then
	ok all-calls
else
	bad all-calls "$(grep '^never' "$WORK/said" | sort | uniq -c | sort -rn | head -n 5)"
fi
neighbour_ends same-token-signs games
neighbour_ends other-token-signs daemon
not_logged nobody-killed 'signal (4|6|7|8|11|31)\b|Sanitizer|runtime error'
sleep 1 # a page may be a second old
breaches=$(counted worker_breaches) told=$(_since | grep -c 'breach of protocol')
echo "# $breaches breaches, $(_since | wc -l) lines of log," \
	"$(gave_up) times SoftHSM2 gave up, $(taken_back) tokens taken back"
# Of one principal on two tokens, and each has 20 lines and one more in 5 s.
if [ "$told" -gt 0 ] && [ "$told" -le "$breaches" ] &&
	[ "$told" -le $((2 * (20 + SECONDS / 5 + 1))) ]; then
	ok log-is-bounded
else
	bad log-is-bounded "$told lines of $breaches breaches in $SECONDS s"
fi
# Channels that no breach has ended
unasked=$(grep -oE 'unasked=[0-9]+' "$WORK/said" | awk -F= '{ n += $2 } END { print n + 0 }')
if [ "$unasked" -le "$(gave_up)" ] || [ "$(taken_back)" != 0 ]; then
	ok ended-for-a-reason
else
	bad ended-for-a-reason "$unasked channels, and SoftHSM2 gave up $(gave_up) times"
fi
if ! sample_possible; then
	skip leaks "of another user's processes nothing is seen"
elif [ -n "$(sanitized)" ]; then
	judge_fds
	skip leaks-memory "a sanitizer keeps what was freed"
else
	judge_fds
	judge_memory
fi
check audit "$CAAS" audit verify
vsmd_down
if vsmd_up; then ok reopened; else bad reopened "$(_since | tail -n 3)"; fi
for t in shared other; do
	calls init "token $t" open "login user 123456" "find k" "sign 1"
	if [ "$(grep -c '^CKR_OK' "$WORK/out")" = 6 ]; then
		ok "reopened-$t"
	else
		bad "reopened-$t" "$(tr '\n' ' ' <"$WORK/out")"
		_since | tail -n 20 | sed 's/^/# /'
	fi
done
[ $_failed = 0 ] || echo "# CAAS_SEED=$seed CAAS_HOSTILE_FRAMES=$frames"
finish
