#!/bin/bash
# canary.sh - keys and PINs that are known are planted in a token and used in every way; then
# they are looked for in all of the memory of each process, and on the disk: as they are,
# reversed, in hex, in Base64, and parts of them (seek.c, planted.h).
#
#	the guest                       nothing, once a call has returned
#	worker and store of the token   what they keep, in memory that is locked: lists below
#	every other process, files      nothing
NAME=canary
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../vsmd.sh"
FILE=$WORK/planted
SEEK=$BUILD/tests/e2e/caas-e2e-seek
CANARY=$BUILD/tests/e2e/caas-e2e-canary
OTHER_CLIENT=$CLIENT
if [ "$(id -u)" != 0 ] || grep -q '^CAAS_SANITIZE:STRING=..*' "$BUILD/CMakeCache.txt"; then
	skip canary "reading the memory of others needs root, and a build without sanitizers"
	echo "0 passed, 0 failed, 1 skipped"
	exit 77
fi
# What a program may leave there is looked at.
export TMPDIR=$WORK/tmp CANARY_FILE=$FILE CANARY_TOKEN=canary
mkdir "$TMPDIR"
touch "$WORK/begun"
"$CANARY" make "$FILE" || exit 1

# seek NAME [-a|-u] ALLOWED PID|PATH...: nothing there, but what is allowed
seek() {
	local name=$1 rc
	shift
	"$SEEK" "$FILE" "$@" >"$WORK/found" 2>&1
	rc=$?
	if [ $rc = 0 ] && grep -q '^searched [1-9][0-9]* bytes' "$WORK/found"; then
		ok "$name"
	else
		bad "$name" "exit $rc, $(grep -c ^FOUND "$WORK/found") finds"
		grep -v ^allowed "$WORK/found" | head -n 20 | sed 's/^/# /'
	fi
	cat "$WORK/found" >>"$WORK/all-found"
}
# finds NAME WHAT...: the search itself works
finds() {
	"$SEEK" "$FILE" "${@:2}" >"$WORK/found" 2>&1
	if [ $? = 1 ]; then ok "$1"; else bad "$1" "not found: $(tail -n 1 "$WORK/found")"; fi
}
worker_of() { # PID of an application
	ps -eo pid=,args= | awk -v p="$1" '$2 == "vsmd-worker:" && $NF == p { print $1 }'
}
others() {
	local n
	for n in supervisor admin tpm swtpm nursery; do vsmd_pids $n; done
	worker_of "$other"
	[ -z "${agent:-}" ] || echo "$agent"
}
# everywhere NAME STORE WORKER: what the store and the canary's worker may hold.  Of a worker
# only some is locked where not all can be; the store's PINs are small.
everywhere() {
	seek "$1-guest" -a '' "$app_pid"
	seek "$1-others" -a '' $(others)
	seek "$1-store" -a "$2" $(vsmd_pids store)
	! grep '^allowed' "$WORK/found" | grep -v ' dd' || bad "$1-store-dumped"
	[ -z "$(worker_of "$peer")" ] || seek "$1-worker" "$locked" "$3" $(worker_of "$peer")
}
fed() { # NAME 'SECRETS' COMMAND...: with these on its standard input
	local secrets=$2
	check "$1" bash -c '"$0" tell "$1" $2 | "${@:3}"' "$CANARY" "$FILE" "$secrets" "${@:3}"
	cat "$WORK/out" >>"$WORK/caas.log"
}
holder() { # WORD COMMAND...: until it says the word; its end of input is $WORK/input
	rm -f "$WORK/input"
	mkfifo "$WORK/input"
	"${@:2}" <"$WORK/input" >"$WORK/holds" 2>&1 &
	held=$!
	exec {input}>"$WORK/input"
	local i
	for i in $(seq 200); do
		grep -q "^$1" "$WORK/holds" && return 0
		sleep 0.05
	done
	return 1
}
let_go() {
	exec {input}>&-
	wait "$held"
}

# A process, and files, that have some
holder held "$CANARY" hold "$FILE" token.rsa.p pin.user || bad holds "$(tail -n 1 "$WORK/holds")"
finds control-memory "$held"
let_go
"$CANARY" tell "$FILE" passphrase | base64 >"$WORK/control"
finds control-base64 "$WORK/control"
"$CANARY" tell "$FILE" pin.so | tr -d '\n' | od -An -v -tx1 | tr -d ' \n' >"$WORK/control"
finds control-hex "$WORK/control"
"$CANARY" tell "$FILE" pin.user | rev >"$WORK/control"
finds control-reversed "$WORK/control"
{ head -c 1048570 /dev/zero && "$CANARY" tell "$FILE" pin.user | cut -c 5-14; } >"$WORK/control"
finds control-part "$WORK/control"
rm "$WORK/control"

settings "log-level = debug"
cat >>"$CONF" <<-C
	[principal me]
	uid = $(id -un)
	role = admin
	[grant me *]
	allow = all
	extract = allow
C
if vsmd_up; then ok up; else bad up "$(_since | tail -n 3)"; fi
locked=-a
if ! grep -q '^Max locked memory  *unlimited' /proc/$VSMD/limits; then
	locked=-u
	skip workers-locked "not all memory may be locked here (LimitMEMLOCK=infinity)"
fi
fed create 'pin.user pin.so' "$CAAS" token create --label canary --pin-file - --so-pin-file -
fed create-spare 'pin.spare pin.so' "$CAAS" token create --label spare --pin-file - --so-pin-file -
check create-other "$CAAS" token create --label other --pin 123450 --so-pin 12345678

# An application of another token, all the time
mkfifo "$WORK/other"
"$OTHER_CLIENT" "$CLIENT_MODULE" <"$WORK/other" >"$WORK/other.out" 2>&1 &
other=$!
tidy "kill $other 2>/dev/null"
exec {others_input}>"$WORK/other"
printf '%s\n' init 'token other' open 'login user 123450' 'genec sign' 'sign 2' >&"$others_input"
CLIENT=$CANARY
app
peer=$app_pid
expect init CKR_OK init
everywhere made pin.user,pin.spare ''

keys=token.,session.,wrapping,unwrapped
expect wrong-pin 'CKR_PIN_INCORRECT in C_Login' 'login pin.wrong'
expect login CKR_OK 'login pin.user'
everywhere logged-in pin.user,pin.spare ''
expect plant CKR_OK 'plant token'
expect plant-session CKR_OK 'plant session'
expect use CKR_OK use
everywhere used pin.user,pin.spare $keys
expect destroy CKR_OK destroy
everywhere destroyed pin.user,pin.spare ''
expect plant-again CKR_OK 'plant token'
expect plant-session-again CKR_OK 'plant session'
expect use-again CKR_OK use
expect logout CKR_OK logout
everywhere logged-out pin.user,pin.spare ''

# PINs of both, changed and set
expect wrong-old-pin 'CKR_PIN_INCORRECT in C_SetPIN' 'setpin pin.wrong pin.next'
expect setpin CKR_OK 'setpin pin.user pin.next'
everywhere pin-changed pin.next,pin.spare ''
expect wrong-so-pin 'CKR_PIN_INCORRECT in C_Login' 'login pin.so.next'
expect so-login CKR_OK 'login pin.so'
expect so-setpin CKR_OK 'setpin pin.so pin.so.next'
expect initpin CKR_OK 'initpin pin.user'
expect so-logout CKR_OK logout
everywhere pin-set pin.user,pin.spare ''

# The next worker, and the next vsmd, which log in by a ticket
expect login-again CKR_OK 'login pin.user'
expect find CKR_OK find
kill -9 $(worker_of "$app_pid")
expect use-by-next-worker CKR_OK use
everywhere next-worker pin.user,pin.spare $keys
vsmd_down
if vsmd_up; then ok up-again; else bad up-again "$(_since | tail -n 3)"; fi
printf '%s\n' 'sign 2' >&"$others_input"
expect_again use-by-next-vsmd CKR_OK use
everywhere next-vsmd pin.user,pin.spare $keys

# The administrator's commands, and what they say when they fail
fed backup passphrase "$CAAS" token backup --label spare --out "$WORK/backup" --passphrase-file -
check delete-spare "$CAAS" token delete --yes --label spare
everywhere deleted pin.user $keys
"$CANARY" tell "$FILE" pin.so passphrase | "$CAAS" token restore --in "$WORK/backup" \
	--passphrase-file - --so-pin-file - >>"$WORK/caas.log" 2>&1
"$CANARY" tell "$FILE" passphrase pin.wrong | "$CAAS" token restore --in "$WORK/backup" \
	--passphrase-file - --so-pin-file - >>"$WORK/caas.log" 2>&1
"$CANARY" tell "$FILE" pin.user pin.so | "$CAAS" token create --label canary --pin-file - \
	--so-pin-file - >>"$WORK/caas.log" 2>&1
if holder restored "$CANARY" restore "$FILE" "$WORK/backup"; then ok restore; else bad restore "$(tail -n 1 "$WORK/holds")"; fi
if [ -n "$(vsmd_pids admin)" ]; then ok admin-is-there; else bad admin-is-there; fi
everywhere restored pin.user,pin.spare $keys
let_go

expect finalize CKR_OK finalize
everywhere finalized pin.user,pin.spare ''

# Without shared memory, and through another process
"$BUILD/vchan-transport/caas-agent" --upstream "$CAAS_VSM_ADDRESS" --listen "unix:$WORK/agent.sock" \
	>"$WORK/agent.log" 2>&1 &
agent=$!
tidy "kill $agent 2>/dev/null"
until [ -S "$WORK/agent.sock" ]; do sleep 0.05; done
app env "CAAS_VSM_ADDRESS=unix:$WORK/agent.sock"
peer=$agent
expect agent-init CKR_OK init
expect agent-wrong-pin 'CKR_PIN_INCORRECT in C_Login' 'login pin.wrong'
expect agent-login CKR_OK 'login pin.user'
expect agent-plant CKR_OK 'plant session'
expect agent-use CKR_OK use
everywhere agent-used pin.user,pin.spare $keys
expect agent-logout CKR_OK logout
everywhere agent-logged-out pin.user,pin.spare ''
expect agent-finalize CKR_OK finalize

# None is dumped, whatever the limit of whoever starts it; swtpm is a program of its own.
for p in $(others) $(vsmd_pids store); do
	core=$(awk '/^Max core file size/ { print $5 }' "/proc/$p/limits")
	name=$(cat "/proc/$p/comm")
	if [ "$core" = 0 ] && { [ "$(stat -c %U "/proc/$p/mem")" = root ] || [ "$name" = vsmd-swtpm ]; }; then
		ok "not-dumped-$name"
	else
		bad "not-dumped-$name" "limit $core, $(stat -c %U "/proc/$p/mem")"
	fi
done
seek files -a '' "$WORK" "/proc/$VSMD/root$DIR/run"
vsmd_down
seek files-after -a '' "$WORK"
find /tmp /var/tmp /var/log -newer "$WORK/begun" -type f -size -4096k 2>/dev/null | grep -v "^$WORK/" |
	head -n 1000 >"$WORK/newer"
mapfile -t newer <"$WORK/newer"
seek other-files -a '' "$WORK/newer" "${newer[@]}"
echo "# kept where it may be:"
sed -nE 's/^allowed ([a-z-]+)\[[0-9]+\] ([a-z.]+) .*/\1 \2/p' "$WORK/all-found" | sort | uniq -c | sed 's/^/# /'
finish
