#!/bin/bash
# tpmd.sh - domt-tpmd over unix sockets, on an swtpm: who gets what, older disks, kill -9 at any
# moment, hostile crypto domains, a TPM that goes and comes back.  On real Xen: tests/xen.
NAME=tpmd
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../vsmd.sh"
. "$(dirname "$0")/../tpms.sh"
tpm2_needed
TPMD=$BUILD/xen-hooks/tpmd/domt-tpmd DOMC=$BUILD/tests/e2e/caas-e2e-domt
S=$WORK/sockets STATE=$WORK/state TCONF=$WORK/tpmd.conf TLOG=$WORK/tpmd.log
WRITES=unlimited EXTENSIONS=unlimited

ADDRESS=tpm2:swtpm:path=$WORK/tpm/s LOCALITY=2
conf() {
	printf '%s\n' "[domt-tpmd]" "tpm = $ADDRESS" "locality = $LOCALITY" \
		"state = $STATE" "listen = unix:$S" "user = $VSMD_USER" "writes = $WRITES" \
		"extensions = $EXTENSIONS" >"$TCONF"
}
tpm_up() {
	tpm_start "$WORK/tpm"
	chmod 755 "$WORK/tpm" && chmod 666 "$WORK/tpm/s" "$WORK/tpm/s.ctrl"
}
tpmd=
up() {
	local i
	cat "$TLOG" >>"$WORK/tpmd.all" 2>/dev/null
	: >"$TLOG"
	# Who is confined cannot be looked through for leaks.
	ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 "$TPMD" -c "$TCONF" >>"$TLOG" 2>&1 &
	tpmd=$!
	for i in $(seq 400); do
		grep -q ' serving ' "$TLOG" && return 0
		kill -0 $tpmd 2>/dev/null || return 1
		sleep 0.05
	done
	return 1
}
down() {
	[ -n "$tpmd" ] || return 0
	{ kill "${1:--TERM}" "$tpmd" && wait "$tpmd"; } 2>/dev/null
	tpmd=
}
tidy down
starts() { if up; then ok "$1"; else bad "$1" "$(tail -n 3 "$TLOG")"; fi; }
tells() { # NAME [PAIR DOMID IMAGE]...
	local name=$1
	shift
	check "$name" "$DOMC" world "unix:$S/builder" "$@"
}
# What DOMID hears to these questions, a line each, in $WORK/out.
asks() {
	local d=$1
	shift
	printf '%s\n' "$@" | timeout -k 5 "$LIMIT" "$DOMC" ask "unix:$S/$d" >"$WORK/out" 2>&1
}
hears() { # NAME DOMID QUESTION PATTERN: the whole answer
	asks "$2" "$3"
	if grep -qE "^($4)\$" "$WORK/out"; then ok "$1"; else bad "$1" "$(tail -n 2 "$WORK/out")"; fi
}

conf
tpm_up
check configuration "$TPMD" -c "$TCONF" --check
starts up
refuses twice 1 timeout 10 "$TPMD" -c "$TCONF"
said twice-why "another domt-tpmd has it"
tells world web 7 1 ca 8 2
said world-without-note "^ok \$"

# A pair's domain gets what is its own.
hears image 7 image "ok (01){32}"
hears image-ca 8 image "ok (02){32}"
hears random 7 "random 32" "ok [0-9a-f]{64}"
hears seal 7 "seal $WORK/b1 vsmd-use:1" "ok [0-9]+"
hears unseal 7 "unseal $WORK/b1" "ok updated=0 secret=767.*"
hears another-pair 8 "unseal $WORK/b1" "4 this key was sealed for another pair"
hears anchor 7 "define 5" "ok"
hears read 7 "read 5" "ok [0-9a-f]{64} 0"
hears another-anchor 8 "read 5" "8 .*no anchor.*"
hears sealed-again 7 "seal $WORK/b2 vsmd-use:1" "ok [0-9]+"
hears not-written 7 "unseal $WORK/b1" "ok updated=0 .*"
hears seal-third 7 "seal $WORK/b3 vsmd-use:1" "ok [0-9]+"
hears unseal-third 7 "unseal $WORK/b3" "ok updated=0 .*"
hears older 7 "unseal $WORK/b1" "5 .*an older copy.*"

check log-given grep -q "pair=web domid=7 was given a key" "$TLOG"
check log-refused grep -q "refused pair=ca domid=8: this key was sealed for another pair" "$TLOG"

# Another image of the same pair: only with the authority's approval, and then for good.
openssl ecparam -name prime256v1 -genkey -noout -out "$WORK/tenant.key" 2>/dev/null
openssl pkey -in "$WORK/tenant.key" -pubout -out "$WORK/tenant.pem" 2>/dev/null
hears sealed-with-authority 8 "seal $WORK/c1 vsmd-use:2 $WORK/tenant.pem" "ok [0-9]+"
tells upgraded web 7 1 ca 9 3
hears unapproved 9 "unseal $WORK/c1" "3 .*--image (03){32} .*"
hears seals-not 9 "seal $WORK/c2 vsmd-use:2 $WORK/tenant.pem" "3 .*another image.*"
mkdir "$WORK/approvals"
check approve "$CAAS" tpm approve --key "$WORK/tenant.key" --image "$(printf '03%.0s' $(seq 32))" \
	--ref vsmd-use:2 --out "$WORK/approvals/a"
hears approved 9 "unseal $WORK/c1 $WORK/approvals" "ok updated=1 secret=.*"
hears reseals 9 "seal $WORK/c2 vsmd-use:2 $WORK/tenant.pem" "ok [0-9]+"
hears its-own-now 9 "unseal $WORK/c2" "ok updated=0 secret=.*"
tells back-to-the-old-image web 7 1 ca 10 2
hears old-image-old-blob 10 "unseal $WORK/c1" "5 .*an older copy.*"
hears old-image-new-blob 10 "unseal $WORK/c2" "3 .*"

# Who is not in the world any more has no channel, and whoever is new has.
coproc OLD { exec "$DOMC" ask "unix:$S/7" 2>&1; }
old_pid=$OLD_PID
echo "read 5" >&"${OLD[1]}"
IFS= read -r -t 20 answer <&"${OLD[0]}"
[[ $answer == ok* ]] && ok old-connected || bad old-connected "$answer"
tells moved web 17 1
echo "read 5" >&"${OLD[1]}"
IFS= read -r -t 20 answer <&"${OLD[0]}"
[[ $answer != ok* ]] && ok old-is-cut-off || bad old-is-cut-off "$answer"
kill $old_pid 2>/dev/null
[ ! -e "$S/7" ] && ok old-address-gone || bad old-address-gone
hears moved-keeps 17 "read 5" "ok [0-9a-f]{64} 0"
hears moved-keeps-key 17 "unseal $WORK/b3" "ok updated=0 .*"

# It is started anew: the builder tells again; nothing else is needed.
down
[ ! -e "$S/17" ] && ok leaves-no-socket || bad leaves-no-socket
starts up-again
tells told-again web 7 1
hears kept 7 "unseal $WORK/b3" "ok updated=0 .*"

# An older disk is refused, the right one is not.
down
cp -a "$STATE" "$WORK/older"
starts up-before
tells told-before web 7 1
hears goes-on 7 "extends 5 3" "ok"
down
cp -a "$STATE" "$WORK/right"
rm -rf "$STATE" && cp -a "$WORK/older" "$STATE"
refuses rolled-back 1 timeout 20 "$TPMD" -c "$TCONF"
said rolled-back-why "neither state.0 nor state.1 is what the TPM says"
rm "$STATE"/state.?
refuses without-state 1 timeout 20 "$TPMD" -c "$TCONF"
rm "$STATE/root.sealed" && cp -a "$WORK/right/state.0" "$STATE"
refuses without-root 1 timeout 20 "$TPMD" -c "$TCONF"
said without-root-why "nothing is made anew beside it"
rm -rf "$STATE" && cp -a "$WORK/right" "$STATE"
starts the-right-one
tells told-right web 7 1

# Killed at any moment: what was acknowledged is there, and nothing twice.
hears anew 7 "define 6" "ok"
next=1 lost=0 kills=${KILLS:-15}
value_after() { # of the first N extensions
	python3 - "$1" <<'P'
import hashlib, sys
h = lambda b: hashlib.sha256(b).digest()
v = h(bytes(64))
for i in range(1, int(sys.argv[1]) + 1):
    v = h(v + i.to_bytes(8, "little") + bytes(24))
print(v.hex())
P
}
for k in $(seq "$kills"); do
	seq -f "extend 6 %.0f" $next $((next + 4000)) >"$WORK/questions"
	timeout 60 "$DOMC" ask "unix:$S/7" <"$WORK/questions" >"$WORK/acks" 2>/dev/null &
	asker=$!
	sleep "0.$((RANDOM % 4))$((RANDOM % 10))"
	down -KILL
	kill $asker 2>/dev/null
	wait $asker 2>/dev/null
	acked=$((next - 1 + $(grep -c '^ok' "$WORK/acks")))
	up || { bad "up-after-kill-$k" "$(tail -n 2 "$TLOG")"; break; }
	"$DOMC" world "unix:$S/builder" web 7 1 >/dev/null || bad "told-after-kill-$k"
	asks 7 "read 6"
	is=$(awk '{ print $2 }' "$WORK/out")
	if [ "$is" = "$(value_after $acked)" ]; then
		next=$((acked + 1))
	elif [ "$is" = "$(value_after $((acked + 1)))" ]; then
		next=$((acked + 2)) # done, and not told
	else
		lost=1
		bad "after-kill-$k" "acknowledged $acked, found $(cat "$WORK/out")"
		break
	fi
done
[ $lost = 0 ] && [ $next -gt "$kills" ] && ok "nothing-lost-by-$kills-kills" || bad nothing-lost "next=$next"
echo "# $((next - 1)) extensions acknowledged over $kills kills"

# Hostile crypto domains do not get in the way of the other.
tells two web 7 1 evil 8 2
cat >"$WORK/evil.py" <<'P'
import os, random, socket, sys, time
path, seconds = sys.argv[1], float(sys.argv[2])
random.seed(1)
until, kept = time.time() + seconds, []
def connect():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(2)
    s.connect(path)
    return s
hello = (38).to_bytes(4, "little") + bytes(38)
while time.time() < until:
    try:
        s = connect()
        k = random.randrange(6)
        if k == 0:
            s.sendall(os.urandom(random.randrange(1, 5000)))
        elif k == 1:
            s.sendall((random.randrange(1, 2**32)).to_bytes(4, "little") + os.urandom(100))
        elif k == 2:
            s.sendall(hello[: random.randrange(len(hello))])
        elif k == 3:
            s.sendall(hello + os.urandom(200))
        elif k == 4:
            kept.append(s)  # says nothing
            kept = kept[-40:]
            continue
        else:
            s.sendall((200).to_bytes(4, "little"))
            for _ in range(20):
                s.sendall(b"x")
        s.close()
    except OSError:
        pass
P
python3 "$WORK/evil.py" "$S/8" 6 &
evil=$!
while kill -0 $evil 2>/dev/null; do asks 8 "random 1024" "define 9" "extends 9 50"; done &
noise=$!
asks 7 "extends 6 200"
tail -n 1 "$WORK/out" | grep -qx ok && ok neighbour-undisturbed || bad neighbour-undisturbed "$(tail -n 1 "$WORK/out")"
kill $noise 2>/dev/null
wait $evil $noise 2>/dev/null
hears evil-is-served 8 "random 8" "ok [0-9a-f]{16}"
kill -0 $tpmd && ok alive || bad alive
echo "# memory: $(awk '/VmHWM|VmRSS/ { printf "%s %s kB ", $1, $2 }' /proc/$tpmd/status)"

# The builder's place: nonsense is hung up on, and the newest connection is the one.
python3 - "$S/builder" <<'P' && ok builder-nonsense || bad builder-nonsense
import socket, sys
def connect():
    s = socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect(sys.argv[1]); return s
for bad in (b"\xff\xff\xff\xff", (10).to_bytes(4, "little") + bytes(10)):
    s = connect(); s.sendall(bad); assert s.recv(1) == b"", bad
first = connect(); second = connect()
assert first.recv(1) == b""
P
hears world-as-before 7 "read 6" "ok .*"

# The TPM goes, and comes back.
tpm_stop -KILL
hears without-tpm 7 "extend 6 1" "[0-9] .*"
hears still-without 7 "read 6" "[0-9] .*"
tpm_up
sleep 1.2
asks 7 "read 6"
before=$(cat "$WORK/out")
[[ $before == ok* ]] && ok tpm-is-back || bad tpm-is-back "$before"
hears goes-on-again 7 "extend 6 1" "ok"
kill -0 $tpmd && ok same-process || bad same-process

# A pair that changes more than it may waits, and nobody else.
down
WRITES=10 LOCALITY=any
conf
starts up-limited
tells told-limited web 7 1 ca 8 2
said world-note "not bound to locality 2"
hears limited-anchor 7 "define 11" "ok"
hears other-anchor 8 "define 11" "ok"
asks 7 "extends 11 400" &
limited=$!
sleep 1
start=$(date +%s%N)
hears not-limited 8 "extends 11 20" "ok"
hears reads-are-free 7 "read 11" "ok .*"
kill -0 $limited 2>/dev/null && ok waits || bad waits "400 changes are done"
kill $limited 2>/dev/null

# Another TPM opens nothing.
down
tpm_stop
rm -rf "$WORK/tpm"
tpm_up
refuses another-tpm 1 timeout 20 "$TPMD" -c "$TCONF"
said another-tpm-why "the TPM does not open it"

# Each that is killed leaves a session in the TPM, which has room for three; to a TPM that is reached
# by registers, as this address looks to us, nobody else gives it back.
down
(
	ADDRESS=tpm2:libtss2-tcti-swtpm.so.0:path=$WORK/tpm/s LOCALITY=any STATE=$WORK/left
	conf
)
for i in 1 2 3 4 5; do
	starts left-$i
	down -KILL
done
if grep -q 'slots are held by who has died' "$WORK/tpmd.all" "$TLOG"; then ok left-freed; else bad left-freed; fi

# A TPM 1.2 does as well.
tpm_stop
if tpm12_new; then
	ADDRESS=tpm1.2:127.0.0.1:$TSS_TCSD_PORT STATE=$WORK/state12
	conf
	tpm12_start
	tpm_takeownership -y -z >>"$WORK/tcsd.log" 2>&1 || bad tpm12-ownership "$(tail -n 2 "$WORK/tcsd.log")"
	starts tpm12-up
	tells tpm12-told web 7 1
	hears tpm12-seal 7 "seal $WORK/d1 vsmd-use:1" "ok [0-9]+"
	hears tpm12-anchor 7 "define 5" "ok"
	asks 7 "extends 5 5"
	hears tpm12-random 7 "random 8" "ok .*"
	down
	cp -a "$STATE" "$WORK/older12"
	starts tpm12-again
	tells tpm12-told-again web 7 1
	hears tpm12-unseal 7 "unseal $WORK/d1" "ok updated=0 .*"
	asks 7 "extends 5 3"
	down
	rm -rf "$STATE" && cp -a "$WORK/older12" "$STATE"
	refuses tpm12-rolled-back 1 timeout 20 "$TPMD" -c "$TCONF"
	said tpm12-rolled-back-why "neither state.0 nor state.1"
else
	skip tpm12 "$TPM12_MISSING"
fi
cat "$TLOG" >>"$WORK/tpmd.all"
sanitizer_silent "$WORK/tpmd.all" || bad tpmd-sanitizer "see above"
finish
