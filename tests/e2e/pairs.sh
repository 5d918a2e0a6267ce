#!/bin/bash
# pairs.sh - caas pair, domt-forward and domtd, on a hypervisor that is a file: who may ask, what
# becomes of a pair when one of the three ends, and where a save is written.  On real Xen:
# tests/xen/couple.
NAME=pairs
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../vsmd.sh"
. "$(dirname "$0")/../users.sh"
DOMTD=$BUILD/tests/e2e/caas-e2e-domtd FORWARD=$BUILD/xen-hooks/forward/domt-forward
users_needed "$FORWARD"
export CAAS_FAKE_XEN=$WORK/xen
SOCKET=$WORK/forward/sock
mkdir "$WORK/pairs" "$WORK/forward" "$WORK/run"
chown bin "$WORK/forward"
printf '%s\n' "[domc]" "kernel = /proc/self/exe" "memory = 64" "[domu]" "kernel = /u" \
	"memory = 64" >"$WORK/pairs/web.conf"
chmod 644 "$WORK/pairs/web.conf"

# Programs, so that lib.sh can start them.
printf '#!/bin/sh\nc=$1\nshift\nexec %s pair "$c" --socket %s "$@"\n' "$CAAS" "$SOCKET" \
	>"$WORK/pair"
printf '#!/bin/sh\nexec setpriv --reuid games --regid games --groups bin "$@"\n' >"$WORK/member"
chmod 755 "$WORK/pair" "$WORK/member"
wait_socket() {
	local i
	for i in $(seq 200); do
		[ ! -S "$1" ] || return 0
		sleep 0.05
	done
	return 1
}
domtd_up() { # [OPTION...]
	"$DOMTD" --pairs "$WORK/pairs" --runtime "$WORK/run" --forward-user bin "$@" \
		>>"$WORK/domtd.log" 2>&1 &
	domtd=$!
	for _ in $(seq 200); do
		pair list >/dev/null 2>&1 && return
		sleep 0.05
	done
	bad domtd-up "$(tail -n 3 "$WORK/domtd.log")"
}
forward_up() {
	become bin "$FORWARD" --listen "$SOCKET" --domtd "$WORK/run/domtd.sock" --group bin \
		>>"$WORK/forward.log" 2>&1 &
	forward=$!
	wait_socket "$SOCKET" || bad forward-up "$(tail -n 3 "$WORK/forward.log")"
}
domtd= forward=
down() {
	[ -z "$domtd$forward" ] || kill $domtd $forward 2>/dev/null
	wait $domtd $forward 2>/dev/null
	domtd= forward=
}
tidy down

refuses forward-as-root 1 "$FORWARD" --listen "$WORK/none" --group bin
said as-root "needs no privilege"
forward_up
refuses without-domtd 1 pair list
said no-domtd "domtd cannot be reached"
domtd_up
check list pair list
said unprotected "^not protected: .*no XSM"
check create pair create web
said in-order "DomU runs"
check listed pair list
said up "^web +up +1 +2 +[0-9a-f]{64}$"
refuses again 1 pair create web
said one-domc "one DomC for a DomU"
refuses unknown 1 pair create other
said no-file "other.conf: No such file"
check json python3 -c "import json, subprocess
l = json.loads(subprocess.check_output(['$CAAS', 'pair', 'list', '--json', '--socket', '$SOCKET']))
assert l['pairs'][0]['domu']['domid'] == 2 and len(l['not_protected']) == 1, l"

# Who may ask: root and the group.  domtd itself hears the forwarder and root alone.
refuses stranger 1 become games pair list
refuses stranger-at-domtd 1 become games "$CAAS" pair list --socket "$WORK/run/domtd.sock"
check member member pair list

# domtd is killed: the world is the same.
kill -9 "$domtd" && wait "$domtd" 2>/dev/null
domtd_up
check after-kill pair list
said same "^web +up +1 +2 "
refuses second-domtd 1 "$DOMTD" --pairs "$WORK/pairs" --runtime "$WORK/run" --forward-user bin
said locked "another domtd runs"

# The file is opened by who asks.
mkdir "$WORK/mine" && chown games "$WORK/mine"
refuses save-where-he-may-not 1 member pair save web "$WORK/web.save"
check still-up pair list
said not-saved "^web +up "
check save member pair save web "$WORK/mine/web.save"
if [ "$(stat -c %U:%a "$WORK/mine/web.save")" = games:600 ]; then ok its-own; else bad its-own; fi
check saved pair list
said is-saved "^web +saved +1 +-"
check restore member pair restore web "$WORK/mine/web.save"
check restored pair list
said re-coupled "^web +up +1 +3 "
if [ "$(ls "$WORK/mine")" = web.save ]; then ok nothing-else; else bad nothing-else "$(ls "$WORK/mine")"; fi

# Somebody destroys DomU; domtd hears of it.
check destroyed-by-another "$DOMTD" gone web-domu
kill -HUP "$domtd"
for _ in $(seq 100); do
	pair list | grep -q ^web || break
	sleep 0.05
done
check gone pair list
if grep -q ^web "$WORK/out"; then bad policy "it is listed"; else ok policy; fi

# The forwarder is killed, and started again.
check create-again pair create web
kill -9 "$forward" && wait "$forward" 2>/dev/null
refuses without-forward 1 pair list
rm -f "$SOCKET"
forward_up
check with-forward pair list
check destroy pair destroy web
refuses forget-without-domt 1 pair forget web --yes
said forget-without-domt-why "there is no DomT"
kill $domtd && wait $domtd 2>/dev/null

# With a domain that has the TPM of all crypto domains: its service is a script here, which shows
# whom it was told of.
cat >"$WORK/service" <<'PYTHON'
import socket, struct, sys
path, heard = sys.argv[1:]
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen()
while True:
    c, _ = listener.accept()
    n, = struct.unpack("<I", c.recv(4, socket.MSG_WAITALL))
    m = c.recv(n, socket.MSG_WAITALL)
    count, = struct.unpack_from("<I", m, 6)
    at, pairs = 10, []
    for _ in range(count):
        length, = struct.unpack_from("<Q", m, at)
        name = m[at + 8:at + 8 + length].decode()
        at += 8 + length
        domid, uuid, digest = struct.unpack_from("<I16s32s", m, at)
        at += 52
        pairs.append("%s=%d %s" % (name, domid, digest.hex()))
    length, = struct.unpack_from("<Q", m, at)
    forget = m[at + 8:].decode()
    assert len(forget) == length
    if forget:
        pairs.append("without " + forget)
    with open(heard, "a") as f:
        print("world", *pairs, file=f)
    text = b"three of its rows are left"
    answer = struct.pack("<HBQ", 2, 1, len(text)) + text + struct.pack("<II", 2 * bool(forget), 77)
    c.sendall(struct.pack("<I", len(answer)) + answer)
    c.close()
PYTHON
told() { # NAME PATTERN: of the last world that it was told, soon
	for _ in $(seq 100); do
		tail -n 1 "$WORK/heard" | grep -qE "$2" && ok "$1" && return
		sleep 0.05
	done
	bad "$1" "$(tail -n 1 "$WORK/heard")"
}
service_up() {
	rm -f "$WORK/builder"
	python3 "$WORK/service" "$WORK/builder" "$WORK/heard" 2>"$WORK/service.log" &
	service=$!
	wait_socket "$WORK/builder" || bad service-up "$(tail -n 3 "$WORK/service.log")"
}
tidy 'kill $service 2>/dev/null'
service=
: >"$WORK/heard"
refuses at-without-name 1 "$DOMTD" --domt-at "unix:$WORK/builder"
said which "which domain is DomT"
domtd_up --domt domt --domt-at "unix:$WORK/builder"
check no-domt-listed pair list
said no-domt "^TPM service: .*no domain domt"
refuses no-domt-create 1 pair create web
said no-domt-why "no domain domt, which is to be DomT"
check domt-comes "$DOMTD" new domt
refuses no-service-create 1 pair create web
said no-service-why "cannot be reached at unix:.*does domt-tpmd run there"
service_up
check create-with-domt pair create web
said told-first "DomT is told of DomC"
digest=$(pair list | sed -nE 's/^web .* ([0-9a-f]{64})$/\1/p')
domc=$(pair list | awk '/^web/ { print $3 }')
told whom "^world web=$domc $digest$"
check domt-listed pair list
said domt-serves "^TPM service: domt, domain [0-9]+, serves 1 crypto domain, keeps 77 of 4096 rows: three of its rows are left$"
check domt-json pair list --json
said domt-in-json '"tpm_service": "domt, domain'
: >"$WORK/heard"
kill -9 "$domtd" && wait "$domtd" 2>/dev/null
domtd_up --domt domt --domt-at "unix:$WORK/builder"
told after-restart "^world web=$domc $digest$"
refuses forget-unasked 2 pair forget web
said forget-asks "confirm, or give --yes"
refuses forget-there 1 pair forget web --yes
said forget-there-why "the pair web is there: caas pair destroy comes first"
check destroyed pair destroy web
told nobody-left "^world$"
: >"$WORK/heard"
check forget pair forget web --yes
said forgotten "DomT has forgotten web: 2 rows"
if grep -qx "world without web" "$WORK/heard"; then ok forget-heard; else bad forget-heard "$(cat "$WORK/heard")"; fi
down
if grep -E "Sanitizer|runtime error" "$WORK/domtd.log" "$WORK/forward.log"; then bad sanitizer; fi
finish
