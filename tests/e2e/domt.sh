#!/bin/bash
# domt.sh - vsmd whose TPM is DomT's: domt-tpmd beside a swtpm, over unix sockets, without Xen.
# Keys survive restarts of everything; older copies of the store, and of DomT's own state, are
# refused; another pair and another image are, until it is approved; domt-tpmd is killed in use.
NAME=domt
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../vsmd.sh"
. "$(dirname "$0")/../tpms.sh"
tpm2_needed
VSMD_USER=$(id -un) # who may open the TPM's socket, and DomT's
STATE=$DIR/state
SO=12345678
DOMT=$BUILD/tests/e2e/caas-e2e-domt
tpmd_pid=

# The pair web is domain 7, from an image whose digest is 32 bytes of that number.
world() { # IMAGE [PAIR DOMID IMAGE]...
	"$DOMT" world "unix:$WORK/tpmd/builder" web 7 "$@" >>"$WORK/world.log" 2>&1
}
tpmd_start() {
	local i
	rm -f "$WORK/tpmd/builder"
	"$BUILD/xen-hooks/tpmd/domt-tpmd" -c "$WORK/domt-tpmd.conf" >>"$WORK/tpmd.log" 2>&1 </dev/null &
	tpmd_pid=$!
	disown $tpmd_pid
	for i in $(seq 200); do
		[ -S "$WORK/tpmd/builder" ] && return 0
		kill -0 $tpmd_pid 2>/dev/null || return 1
		sleep 0.05
	done
	return 1
}
tpmd_end() { # SIGNAL
	[ -n "$tpmd_pid" ] || return 0
	kill "-$1" $tpmd_pid 2>/dev/null
	while kill -0 $tpmd_pid 2>/dev/null; do sleep 0.02; done
	tpmd_pid=
}
tidy tpmd_end KILL
tpmd() { # NAME IMAGE [PAIR DOMID IMAGE]...
	if tpmd_start && world "${@:2}"; then ok "$1"; else bad "$1" "$(tail -n 3 "$WORK/tpmd.log")"; fi
}
up() { if vsmd_up; then ok "$1"; else bad "$1" "$(_since | tail -n 3)"; fi; }
refused() { # NAME PATTERN: does not start, and says this
	if vsmd_up; then
		bad "$1" "it started"
		vsmd_down
	else
		logged "$1" "$2"
	fi
}
login() { app && ask init && ask "token t" && ask open && ask "login user 123456" && judge "$1-login" CKR_OK; }
value() { # NAME LABEL VALUE
	expect "$1" CKR_OK "get $2"
	case $ANSWER in *" value=$3") ok "$1-value" ;; *) bad "$1-value" "$ANSWER, not $3" ;; esac
}
has() { # NAME LABEL VALUE: it starts, and has it
	up "$1"
	login "$1" && value "$1" "$2" "$3"
	app_end
	vsmd_down
}
status() { "$CAAS" status --json | python3 -c 'import json, sys
print(json.load(sys.stdin)[sys.argv[1]].get(sys.argv[2]))' "$@"; }
keep() { rm -rf "${WORK:?}/$1" && cp -a "$2" "$WORK/$1"; }
put() { rm -rf "${2:?}" && cp -a "$WORK/$1" "$2"; }
config() { # DOMID [LINE...]
	settings "tpm = domt:unix:$WORK/tpmd/$1" "pin-tries = 3" "authority = $WORK/authority.pub" \
		"approvals = $WORK/approvals" "log-level = debug" "${@:2}"
	cat >>"$CONF" <<-C
		[principal me]
		uid = $(id -un)
		role = admin
		[grant me *]
		allow = all
	C
}
digest() { printf "%02x" $(yes "$1" | head -n 32); } # of an image

openssl ecparam -name prime256v1 -genkey -noout -out "$WORK/authority.key" 2>/dev/null
openssl pkey -in "$WORK/authority.key" -pubout -out "$WORK/authority.pub" 2>/dev/null
openssl ecparam -name prime256v1 -genkey -noout -out "$WORK/other.key" 2>/dev/null
mkdir "$WORK/approvals" "$WORK/tpmd"
tpm=$WORK/tpm2
tpm_start "$tpm"
cat >"$WORK/domt-tpmd.conf" <<-C
	[domt-tpmd]
	tpm = tpm2:swtpm:path=$tpm/s
	locality = any
	state = $WORK/domt
	listen = unix:$WORK/tpmd
	user = $(id -un)
	writes = unlimited
	extensions = unlimited
C

# Nobody there; then DomT, which does not know this domain; then it does.
config 7
refused absent 'no TPM service of DomT answers'
if tpmd_start; then ok domt; else bad domt "$(tail -n 3 "$WORK/tpmd.log")"; fi
refused not-in-the-world 'no TPM service of DomT answers'
if world 1; then ok world; else bad world "$(tail -n 1 "$WORK/world.log")"; fi
config 7 "pcrs = 13"
refused no-pcrs 'pcrs: with tpm = domt:'
config 7 "locality = 2"
refused no-locality 'locality: with tpm = domt:'

config 7
up first
logged mixed-in 'random bytes of the TPM were mixed in'
check token "$CAAS" token create --label t --pin 123456 --so-pin $SO
login first && expect made CKR_OK "create a one"
case $(status tpm is) in "TPM of DomT "*) ok status-is ;; *) bad status-is "$(status tpm is)" ;; esac
case $(status anchor type) in "domt:place 0x"*) ok status-anchor ;; *) bad status-anchor "$(status anchor type)" ;; esac
ref=$(status tpm ref)
check reseal "$CAAS" tpm reseal
check reseal-again "$CAAS" tpm reseal
refuses predict 1 "$CAAS" tpm predict --values "13=$(digest 1)"
app_end
vsmd_down

# Everything is started anew; the TPM too.
tpmd_end TERM
tpm_stop
tpm_start "$tpm"
tpmd domt-again 1
has after-restarts a one

# An older copy of the store is not served, whatever of it is older.
keep old "$STATE"
up change
login change && expect changed CKR_OK "create b two"
app_end
vsmd_down
keep right "$STATE"
put old "$STATE"
up older
logged older-said 'ROLLED BACK: .*older copy'
calls init slots "token t"
if grep -q 'n=0' "$WORK/out"; then ok older-no-slots; else bad older-no-slots "$(cat "$WORK/out")"; fi
vsmd_down
put right "$STATE"
has right-put-back b two
# The way out, by the SO.
put old "$STATE"
up way-out
refuses way-out-wrong-pin 1 "$CAAS" token accept-rollback --label t --so-pin 00000000
said way-out-tries '2 tries left'
check way-out-accepted "$CAAS" token accept-rollback --label t --so-pin $SO
login way-out && value way-out a one
expect way-out-works CKR_OK "create c three"
app_end
vsmd_down
keep accepted "$STATE"
put right "$STATE"
up given-up
logged given-up-said 'ROLLED BACK'
vsmd_down
put accepted "$STATE"
has accepted c three

# Another pair has the disk: neither its name nor its domid opens it.
if world 1 other 8 1; then ok two-pairs; else bad two-pairs; fi
config 8
refused another-pair 'another pair|not of this pair|belongs to'
config 7

# Another image, which nobody approved; then approved by somebody else, for another store, and
# right.
world 2
refused another-image "sealed to another image .*--image $(digest 2) --ref '$ref'"
check approve-by-other "$CAAS" tpm approve --key "$WORK/other.key" --image "$(digest 2)" \
	--ref "$ref" --out "$WORK/approvals/1"
refused by-other 'sealed to another image|signed'
check approve-other-store "$CAAS" tpm approve --key "$WORK/authority.key" --image "$(digest 2)" \
	--ref "vsmd-use:else" --out "$WORK/approvals/1"
refused other-store 'sealed to another image'
check approve-other-image "$CAAS" tpm approve --key "$WORK/authority.key" --image "$(digest 3)" \
	--ref "$ref" --out "$WORK/approvals/1"
refused other-image 'sealed to another image'
check approve-registers "$CAAS" tpm approve --key "$WORK/authority.key" --pcrs 13 \
	--digest "$(digest 2)" --ref "$ref" --out "$WORK/approvals/1"
refused registers 'sealed to another image'
check approve "$CAAS" tpm approve --key "$WORK/authority.key" --image "$(digest 2)" \
	--ref "$ref" --out "$WORK/approvals/1"
keep before "$STATE"
has approved c three
rm "$WORK/approvals/1"
has sealed-again c three
# The former image, and the former blob with it, open nothing any more.
world 1
refused former-image 'sealed to another image'
cp "$WORK/before/master.sealed" "$WORK/former" && keep now "$STATE"
cp "$WORK/former" "$STATE/master.sealed"
refused former-blob 'older copy of the sealed key'
put now "$STATE"
world 2
has present-image c three

# DomT is killed while objects are made: what was acknowledged is there, and it goes on.
up killed
login killed
(
	for i in 1 2 3 4; do
		sleep 1.5
		read -r pid <"$WORK/pid"
		kill -9 "$pid"
		while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
		tpmd_start && world 2 && echo "$tpmd_pid" >"$WORK/pid.new" && mv "$WORK/pid.new" "$WORK/pid"
	done
	touch "$WORK/killed"
) &
killer=$!
echo "$tpmd_pid" >"$WORK/pid"
n=0 made=() failed=0
while [ ! -e "$WORK/killed" ] && [ $n -lt 5000 ]; do
	n=$((n + 1))
	ask "create k$n $n"
	case $ANSWER in CKR_OK*) made+=("$n") ;; *) failed=$((failed + 1)) ;; esac
done
wait $killer
read -r tpmd_pid <"$WORK/pid"
echo "# $n made, $failed refused, while domt-tpmd was killed $(grep -c 'serving tpm' "$WORK/tpmd.log") starts in all"
if [ -e "$WORK/killed" ] && [ ${#made[@]} -gt 10 ]; then ok killed-made; else bad killed-made "${#made[@]} of $n"; fi
expect killed-goes-on CKR_OK "create after after"
app_end
vsmd_kill
up killed-again
login killed-again
lost=0
for i in "${made[@]}"; do
	ask "get k$i"
	case $ANSWER in *" value=$i") ;; *) lost=$((lost + 1)) ;; esac
done
if [ $lost = 0 ]; then ok killed-nothing-lost; else bad killed-nothing-lost "$lost of ${#made[@]}"; fi
value killed-after after after
# It hangs: signatures and reads do not need it, a change says so, and then it goes on.
kill -STOP "$tpmd_pid"
value hangs c three
expect hangs CKR_DEVICE_ERROR "create h lost"
kill -CONT "$tpmd_pid"
expect_again hangs-goes-on CKR_OK "create h2 found"
# The store's processes are killed: store and vsmd-tpm come again.
kill -9 $(vsmd_pids store)
wait_logged 'the store is open again'
expect_again store-killed 'CKR_OK.*' "get h2"
app_end
vsmd_down

# DomT's own state is put back: it does not serve, and so nobody does.
keep domt-right "$WORK/domt"
up domt-change
login domt-change && expect domt-changed CKR_OK "create d four"
app_end
vsmd_down
keep domt-now "$WORK/domt"
tpmd_end TERM
put domt-right "$WORK/domt"
if tpmd_start; then bad domt-older "it serves"; else ok domt-older; fi
if tail -n 3 "$WORK/tpmd.log" | grep -qiE 'rolled back|older|put back'; then
	ok domt-older-says
else
	bad domt-older-says "$(tail -n 1 "$WORK/tpmd.log")"
fi
refused domt-older-refused 'no TPM service of DomT answers'
put domt-now "$WORK/domt"
tpmd domt-right-put-back 2
has domt-right-again d four

# The pair is forgotten once it is gone: what was on its disk opens never again, also where it was
# copied, and DomT's older state does not help.  Another store of the same name is as good as new.
keep forgotten "$STATE"
if "$DOMT" forget "unix:$WORK/tpmd/builder" web web 7 2 >"$WORK/out" 2>&1; then
	bad forget-there "$(cat "$WORK/out")"
else
	ok forget-there
fi
has not-forgotten d four
check forget "$DOMT" forget "unix:$WORK/tpmd/builder" web
said forgot "ok forgotten=[1-9][0-9]* rows=0"
world 2
refused forgotten 'keeps no such key'
tpmd_end TERM
keep domt-forgot "$WORK/domt"
put domt-now "$WORK/domt"
if tpmd_start; then bad forgotten-older "it serves"; else ok forgotten-older; fi
put domt-forgot "$WORK/domt"
tpmd forgotten-domt 2
rm -rf "$STATE"
up forgotten-new
check forgotten-token "$CAAS" token create --label t --pin 123456 --so-pin $SO
login forgotten-new && expect forgotten-made CKR_OK "create e five"
app_end
vsmd_down
has forgotten-has e five
keep new "$STATE"
put forgotten "$STATE"
refused forgotten-for-ever 'keeps no such key'
put new "$STATE"

# Another DomT in its place: nothing is said to it.
tpmd_end TERM
mv "$WORK/domt" "$WORK/domt-first"
tpmd another-domt 2
refused another-domt-refused 'another DomT answers'
tpmd_end TERM
rm -rf "$WORK/domt" && mv "$WORK/domt-first" "$WORK/domt"
finish
