#!/bin/bash
# limits.sh - who exhausts something is told so, and whoever uses another token, under another
# name, goes on signing: sessions, objects, memory, applications, connections, quotas, PINs.
NAME=limits
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../vsmd.sh"
. "$(dirname "$0")/../users.sh"
GREEDY=$BUILD/tests/e2e/caas-e2e-greedy
users_needed "$GREEDY"
admin() { become daemon "$CAAS" "$@"; }

# `bin' is greedy, with a token of its own; `games' is the neighbour.
settings "pin-tries = 50" "max-applications = 12" "max-per-principal = 4" "max-sessions = 20" \
	"max-objects = 8" "max-memory = 128" "log-level = info"
cat >>"$CONF" <<'C'
[principal admin]
uid = daemon
role = admin
[grant admin *]
allow = all
[principal greedy]
uid = bin
[grant greedy its]
allow = read use random login pin object generate import destroy
mechanism-quota = CKM_SHA256 1/s burst 7
[principal neighbour]
uid = games
[grant neighbour other]
allow = all
[grant neighbour its]
C
if vsmd_up; then ok up; else bad up "$(_since | tail -n 3)"; fi
check token-its become daemon "$CAAS" token create --label its --pin 123456 --so-pin 12345678
check token-other become daemon "$CAAS" token create --label other --pin 654321 --so-pin 12345678

app become games
ask init && ask "token other" && ask open && ask "login user 654321" && ask "genec key"
judge neighbour CKR_OK
signs() { expect "$1-neighbour-signs" CKR_OK "sign 3"; }
used() { # NAME LIMIT MOST USED: as caas status --json has it
	admin status --json >"$WORK/status" 2>&1
	check "$1-shown" python3 -c "import json
l = json.load(open('$WORK/status'))['vsmd']['limits']['$2']
assert l['limit'] == $3 and l['used'] is not None and $4, l" || cat "$WORK/out"
}

greedy=()
# takes NAME THING PATTERN: holds it until let_go
takes() {
	local fifo=$WORK/fifo.${#greedy[@]} out=$WORK/greedy.${#greedy[@]} i
	rm -f "$fifo" "$out"
	mkfifo "$fifo"
	become bin "$GREEDY" "$CLIENT_MODULE" its 123456 "$2" <"$fifo" >"$out" 2>&1 &
	greedy+=($!)
	disown $!
	eval "exec $((20 + ${#greedy[@]}))>$fifo"
	for i in $(seq 400); do
		[ -s "$out" ] && break
		sleep 0.05
	done
	if grep -qE "^$3\$" "$out"; then ok "$1"; else bad "$1" "$(head -c 200 "$out"), not $3"; fi
}
let_go() {
	local n=${#greedy[@]} p i
	for i in $(seq "$n"); do eval "exec $((20 + i))>&-"; done
	for p in "${greedy[@]}"; do
		while kill -0 "$p" 2>/dev/null; do sleep 0.02; done
	done
	greedy=()
}

# One session is open before it counts.
takes sessions sessions 'sessions=19 CKR_SESSION_COUNT'
signs sessions
used threads threads-per-application 65 "1 < l['used'] <= 65"
used processes processes "$((12 + 3 + 16 + 5))" "5 <= l['used'] <= 15"
used descriptors descriptors-per-process "l['limit']" "3 < l['used'] < l['limit']"
used sessions sessions-per-application 20 "l['used'] == 20"
let_go

takes objects objects 'objects=8 CKR_DEVICE_MEMORY'
signs objects
used objects objects-per-token 8 "l['used'] == 8"
let_go
# What is destroyed makes room, and a restart knows how many there are.
expect objects-neighbour-makes CKR_OK "create note text"
vsmd_down
if vsmd_up; then ok objects-restart; else bad objects-restart "$(_since | tail -n 3)"; fi
takes objects-after-restart objects 'objects=0 CKR_DEVICE_MEMORY'
let_go

# A sanitizer maps terabytes, so that a worker built with one has no such limit.
if grep -q '^CAAS_SANITIZE:STRING=..*' "$BUILD/CMakeCache.txt"; then
	skip memory "built with a sanitizer"
	takes memory-none sessions 'sessions=19 CKR_SESSION_COUNT'
else
	takes memory memory 'memory=[1-9][0-9]* CKR_DEVICE_MEMORY'
	signs memory
	used memory memory-per-application-mib 128 "l['used'] <= 128"
	workers=$(vsmd_pids worker | wc -l)
	takes memory-again memory 'memory=[1-9][0-9]* CKR_DEVICE_MEMORY'
	signs memory-again
	check memory-no-worker-died test "$(vsmd_pids worker | wc -l)" = $((workers + 1))
fi
not_logged memory-no-signal 'killed by signal'
check descriptors-limited awk '/^Max open files/ { n++; bad += $5 > 1024 } END { exit bad || !n }' \
	$(vsmd_pids worker | sed 's|^ *\([0-9]*\).*|/proc/\1/limits|')
let_go

takes digests digests 'digests=[7-9] CKR_FUNCTION_REJECTED'
signs digests
for i in $(seq 3); do takes "digests-$i" digests 'digests=[0-9] CKR_FUNCTION_REJECTED'; done
# As many applications as it may have: the next one is told to wait, and gives up.
used applications applications-per-principal 4 "l['used'] == 4"
become bin "$CLIENT" "$CLIENT_MODULE" >"$WORK/out" 2>&1 <<<$'init\ntoken its'
if grep -qE '^(CKR_DEVICE_ERROR|CKR_TOKEN_NOT_PRESENT)' <(tail -n 1 "$WORK/out"); then
	ok applications-refused
else
	bad applications-refused "$(cat "$WORK/out")"
fi
signs applications
let_go

# Connections that say nothing.
cat >"$WORK/silent.py" <<'P'
import socket, sys, time
held = []
for i in range(40):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    held.append(s)
time.sleep(0.3)
refused = 0
for s in held:
    s.setblocking(False)
    try:
        refused += len(s.recv(1)) >= 0
    except BlockingIOError:
        pass
print("refused", refused, flush=True)
time.sleep(30)
P
become bin /usr/bin/python3 "$WORK/silent.py" "${CAAS_VSM_ADDRESS#unix:}" >"$WORK/silent" 2>&1 &
silent=$!
disown $silent
for i in $(seq 200); do
	[ -s "$WORK/silent" ] && break
	sleep 0.05
done
answer=$(cat "$WORK/silent")
if [ "$answer" = "refused 8" ]; then ok connections; else bad connections "$answer"; fi
used connections connections-waiting-per-identity 32 "l['used'] == 32"
signs connections
printf '%s\n' init "token other" open | become games "$CLIENT" "$CLIENT_MODULE" >"$WORK/out" 2>&1
if tail -n 1 "$WORK/out" | grep -q '^CKR_OK'; then
	ok connections-neighbour-comes
else
	bad connections-neighbour-comes "$(tail -n 1 "$WORK/out")"
fi
kill "$silent" 2>/dev/null

# PINs: after some wrong ones the pause is two seconds, also when vsmd was started anew
# between them, and for whoever gives the right one under that name.
guess() { # NAME CODE PIN [LEAST ms]
	app become bin
	ask init && ask "token its" && ask open
	expect "$1" "$2" "login user $3"
	if [ -n "${4:-}" ]; then
		local ms=${ANSWER##*ms=}
		ms=${ms%% *}
		if [ "${ms:-0}" -ge "$4" ]; then ok "$1-waits"; else bad "$1-waits" "$ANSWER"; fi
	fi
	app_end
}
for i in 1 2 3 4; do guess "guess-$i" CKR_PIN_INCORRECT 111111; done
vsmd_kill
if vsmd_up; then ok guess-restart; else bad guess-restart; fi
guess guess-5 CKR_PIN_INCORRECT 111111 400
app become games
ask init && ask "token its" && ask open
expect guess-neighbour-same-token CKR_OK "login user 123456"
guess guess-right CKR_OK 123456
guess guess-forgotten CKR_PIN_INCORRECT 111111

admin audit show --json >"$WORK/audit.json" 2>&1
check quota-records python3 -c "import json
r = [x for x in json.load(open('$WORK/audit.json')) if 'why=quota' in x['detail']]
assert 1 <= len(r) <= 4 and all('of=mechanism' in x['detail'] and 'refused=' in x['detail'] for x in r), r"
finish
