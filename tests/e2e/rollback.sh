#!/bin/bash
# rollback.sh - older copies of the sealed store beside a TPM that knows the last state: none is
# served, the right one put back is; an anchor that was removed; the way out; a TPM that fails.
# TPM 2.0 on a swtpm of the test's own, TPM 1.2 on swtpm and tcsd, the embedded TPM.
NAME=rollback
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../vsmd.sh"
. "$(dirname "$0")/../tpms.sh"
tpm2_needed
VSMD_USER=$(id -un) # who may open the TPM's socket
STATE=$DIR/state
SO_T=12345678 SO_U=87654321

config() { # TPM [LINE...]
	settings "tpm = $1" "pin-tries = 3" "${@:2}"
	cat >>"$CONF" <<-C
		[principal me]
		uid = $(id -un)
		role = admin
		[grant me *]
		allow = all
		extract = allow
	C
}
keep() { rm -rf "${WORK:?}/$1" && cp -a "$STATE" "$WORK/$1"; }
# The files of that copy in the place of the present ones; of an embedded TPM it keeps its own.
put() {
	rm -rf "$WORK/tpm-now"
	[ ! -d "$STATE/tpm" ] || mv "$STATE/tpm" "$WORK/tpm-now"
	rm -rf "$STATE" && cp -a "$WORK/$1" "$STATE"
	[ ! -d "$WORK/tpm-now" ] || { rm -rf "$STATE/tpm" && mv "$WORK/tpm-now" "$STATE/tpm"; }
}
up() { if vsmd_up; then ok "$1"; else bad "$1" "$(_since | tail -n 3)"; fi; }
anchor() { "$CAAS" status --json | python3 -c 'import json, sys
print(json.load(sys.stdin)["anchor"].get(sys.argv[1]))' "$1"; }
login() { app && ask init && ask "token ${2:-t}" && ask open && ask "login user 123456" && judge "$1-login" CKR_OK; }
value() { # NAME LABEL VALUE
	expect "$1" CKR_OK "get $2"
	case $ANSWER in *" value=$3") ok "$1-value" ;; *) bad "$1-value" "$ANSWER, not $3" ;; esac
}
# The store is the last state, and has this object.
fresh() { # NAME LABEL VALUE
	up "$1"
	if [ "$(anchor state)" = fresh ]; then ok "$1-fresh"; else bad "$1-fresh" "$(anchor state) $(anchor why)"; fi
	login "$1" && value "$1" "$2" "$3"
	app_end
	vsmd_down
}
# It is not: the administrator is served, and nobody else, and nothing is written.
rolled_back() { # NAME [PATTERN]
	keep before
	up "$1"
	logged "$1-said" "ROLLED BACK: .*${2:-older copy}"
	if [ "$(anchor state)" = rolled-back ]; then ok "$1-state"; else bad "$1-state" "$(anchor state)"; fi
	refuses "$1-backup" 1 "$CAAS" token backup --label t --out "$WORK/b" --sealed
	said "$1-backup-says" 'rolled back'
	calls init slots "token t"
	if grep -q 'n=0' "$WORK/out" && grep -q '^CKR_TOKEN_NOT_PRESENT' "$WORK/out"; then
		ok "$1-no-slots"
	else
		bad "$1-no-slots" "$(cat "$WORK/out")"
	fi
	vsmd_down
	if diff -r --exclude=tpm --exclude=vsmd.lock "$STATE" "$WORK/before" >"$WORK/diff" 2>&1; then
		ok "$1-not-written"
	else
		bad "$1-not-written" "$(head -n 2 "$WORK/diff")"
	fi
}
refused() { # NAME PATTERN: does not start, and says this
	if vsmd_up; then
		bad "$1" "it started: $(anchor state)"
		vsmd_down
	else
		logged "$1" "$2"
	fi
}
cat >"$WORK/accept" <<A
#!/bin/sh
exec '$CAAS' token accept-rollback --label "\$1" --so-pin "\$2"
A
chmod +x "$WORK/accept"
accept=$WORK/accept

# A store with tokens t and u; copies: `old`, `right` (the last state, with an object more).
make_store() { # NAME
	rm -rf "$STATE"
	up "$1-up"
	"$CAAS" token create --label t --pin 123456 --so-pin $SO_T >/dev/null || bad "$1-t"
	"$CAAS" token create --label u --pin 123456 --so-pin $SO_U >/dev/null || bad "$1-u"
	login "$1" && expect "$1-made" CKR_OK "create a one"
	app_end
	vsmd_down
	keep old
	up "$1-again"
	login "$1-again" && expect "$1-changed" CKR_OK "create b two"
	app_end
	vsmd_down
	keep right
}

# What holds with every kind of TPM.
older_copies() { # NAME
	make_store "$1"
	put old
	rolled_back "$1-older"
	rolled_back "$1-older-again"
	put right
	fresh "$1-right-put-back" b two
	# A head that is older than its log: the log is the last state, and nothing is lost.
	keep right && cp -p "$WORK/old/head" "$STATE/head"
	fresh "$1-older-head" b two
	keep right
	cp -p "$WORK"/old/log.* "$STATE/"
	refused "$1-older-log" 'log\.[0-9]+: the log is shorter'
	put right
	cp -p "$WORK/old/head" "$STATE/head" && cp -p "$WORK"/old/log.* "$STATE/"
	rolled_back "$1-mixture"
	put right
	fresh "$1-right-again" b two
	keep right
}
way_out() { # NAME
	put old
	up "$1-up"
	refuses "$1-wrong-pin" 1 $accept t 00000000
	said "$1-tries" '2 tries left'
	refuses "$1-other-tokens-pin" 1 $accept t $SO_U
	vsmd_kill
	up "$1-after-a-kill"
	refuses "$1-none" 1 $accept none $SO_T
	check "$1-accepted" $accept t $SO_T
	said "$1-others" 'rolled_back_tokens: *1'
	check "$1-list" "$CAAS" token list
	said "$1-list-t" ' t .* served'
	said "$1-list-u" ' u .* rolled-back'
	login "$1" && value "$1-old-state" a one
	expect "$1-works" CKR_OK "create c three"
	app_end
	calls init "token u"
	if [ "$(grep -c '^CKR_OK' "$WORK/out")" = 1 ]; then ok "$1-u-is-not-there"; else bad "$1-u-is-not-there" "$(cat "$WORK/out")"; fi
	vsmd_kill
	up "$1-lasts"
	logged "$1-u-said" 'slot 1: this token is rolled back'
	check "$1-u-accepted" $accept u $SO_U
	said "$1-no-others" 'rolled_back_tokens: *0'
	check "$1-audited" bash -c "'$CAAS' audit show | grep -c 'rollback-accepted' | grep -qx 2"
	check "$1-audit" "$CAAS" audit verify
	vsmd_down
	keep accepted
	put right # what was given up is the older one now
	rolled_back "$1-given-up"
	put accepted
	fresh "$1-accepted-lasts" c three
}
locked() { # NAME
	make_store "$1"
	put old
	for left in 2 1; do
		up "$1-$left"
		refuses "$1-wrong-$left" 1 $accept t 00000000
		said "$1-left-$left" "$left tries left"
		vsmd_kill
	done
	up "$1-3"
	refuses "$1-wrong-3" 1 $accept u 00000000
	refuses "$1-right-pin" 1 $accept t $SO_T
	said "$1-says" 'locked'
	vsmd_down
	put right
	fresh "$1-right-put-back" b two
}

tpm=$WORK/tpm2
address="tpm2:swtpm:path=$tpm/s"
tpm_start "$tpm"
openssl ecparam -name prime256v1 -genkey -noout -out "$WORK/authority.key" 2>/dev/null
openssl pkey -in "$WORK/authority.key" -pubout -out "$WORK/authority.pub" 2>/dev/null
mkdir "$WORK/approvals"
tpm2_config=("$address" "pcrs = 8, 14" "authority = $WORK/authority.pub" "approvals = $WORK/approvals")
config "${tpm2_config[@]}"
older_copies tpm2
way_out tpm2-accept
locked tpm2-locked

# Another store on the same TPM has a place of its own; its files mix with nothing.
make_store tpm2-one
cp -a "$WORK/right" "$WORK/one"
make_store tpm2-other
for f in head master.sealed log.1; do
	put one
	cp -p "$WORK/right/$f" "$STATE/$f"
	refused "foreign-$f" 'head|log|master.sealed'
done
put one
fresh both-1 b two
put right
fresh both-2 b two
keep right

# While it runs: the kind, the place, a budget.
up status-up
for m in type writes budget sequence; do
	case $m:$(anchor $m) in
	"type:NV index 0x01"* | writes:[0-9]* | budget:200 | sequence:[1-9]*) ok "status-$m" ;;
	*) bad "status-$m" "$(anchor $m)" ;;
	esac
done
index=$(anchor type | sed -n 's/NV index //p')
# PCRs may change meanwhile; so may the software, with an approval.
zeros=$(printf '%064d' 0)
tpm2 pcrextend "14:sha256=${zeros/0/1}" || bad extend
login pcr-changed && expect pcr-changed CKR_OK "create d four"
app_end
vsmd_down
refused pcr-refused 'PCR 14 .*differs'
ref=$(_since | sed -nE "s/.*--ref '([^']+)'.*/\1/p" | head -n 1)
check approve "$CAAS" tpm approve --key "$WORK/authority.key" --pcrs 8,14 --tpm "$address" \
	--ref "$ref" --out "$WORK/approvals/1"
fresh approved d four
rm "$WORK"/approvals/*
fresh sealed-again d four
keep right

# Removed by the owner; made again by the owner, in the same form, and written.
if tpm2 nvundefine "$index"; then ok nv-removed; else bad nv-removed "$(tail -n 1 "$WORK/tpm2.log")"; fi
rolled_back removed "anchor was removed"
tpm2 nvdefine "$index" -s 32 -a 'authread|authwrite|no_da|nt=extend' || bad nvdefine
rolled_back redefined "anchor was removed or replaced"
tpm2 nvextend "$index" -i "$WORK/authority.pub" || bad nvextend "$(tail -n 1 "$WORK/tpm2.log")"
rolled_back redefined-written "anchor was removed or replaced"
up removed-way-out
refuses removed-wrong-pin 1 $accept t 00000000
vsmd_kill
rolled_back removed-made-again "lost, and made again"
up removed-accept
refuses removed-wrong-pin-2 1 $accept t 00000000
said removed-tries '1 tries left'
check removed-accepted $accept t $SO_T
check removed-accepted-u $accept u $SO_U
vsmd_down
fresh removed-works d four

# The TPM goes and comes back in the middle; it hangs.  Nothing acknowledged is lost.
up tpm-lost-up
login tpm-lost && expect tpm-lost-before CKR_OK "create g before"
tpm_stop -KILL
expect tpm-lost CKR_DEVICE_ERROR "create g2 lost"
logged tpm-lost-says 'commit failed: .*(does not answer|no TPM answers)'
expect_again tpm-lost-still CKR_DEVICE_ERROR "create g3 lost"
tpm_start "$tpm"
tpm2 pcrextend "14:sha256=${zeros/0/1}"
expect_again tpm-back CKR_OK "create g4 after"
value tpm-back-before g before
expect tpm-back-lost CKR_KEY_HANDLE_INVALID "get g2"
kill -STOP "$tpm_pid"
expect tpm-hangs CKR_DEVICE_ERROR "create g5 lost"
logged tpm-hangs-says 'the TPM (does not answer|has not answered)'
kill -CONT "$tpm_pid"
expect_again tpm-goes-on CKR_OK "create g6 after"
app_end
vsmd_kill
fresh tpm-came-back g6 after

# Each process killed while keys are made, again and again: what was acknowledged is there,
# and of the rest at most one for each.
: >"$WORK/acknowledged"
kills=0
for who in store tpm store tpm supervisor; do
	up "kill-$who-up"
	{
		printf '%s\n' init 'token t' open 'login user 123456'
		for i in $(seq 150); do echo "genec k$kills-$i"; done
	} >"$WORK/commands"
	"$CLIENT" "$CLIENT_MODULE" <"$WORK/commands" >"$WORK/answers" 2>&1 &
	generator=$!
	for i in 1 2 3; do
		sleep "0.$((RANDOM % 5 + 2))"
		kill -9 $(vsmd_pids $who) 2>/dev/null
	done
	wait $generator 2>/dev/null
	# Answers come in the order of the commands.
	awk -v r="$kills" 'NR > 4 && /^CKR_OK/ { print "k" r "-" (NR - 4) }' "$WORK/answers" >>"$WORK/acknowledged"
	kills=$((kills + 3))
	vsmd_kill
done
up kill-opens
if [ "$(anchor state)" = fresh ]; then ok kill-fresh; else bad kill-fresh "$(anchor why)"; fi
{
	printf '%s\n' init 'token t' open 'login user 123456'
	sed 's/^/find /' "$WORK/acknowledged"
	echo count
} >"$WORK/commands"
timeout 300 "$CLIENT" "$CLIENT_MODULE" <"$WORK/commands" >"$WORK/answers" 2>&1
want=$(wc -l <"$WORK/acknowledged") got=$(sed '1,4d;$d' "$WORK/answers" | grep -c '^CKR_OK')
all=$(sed -n '$s/.*n=\([0-9]*\).*/\1/p' "$WORK/answers")
if [ "$want" = "$got" ] && [ "$want" -gt 20 ]; then ok "kill-acknowledged ($want keys)"; else bad kill-acknowledged "$got of $want"; fi
if [ "${all:-0}" -ge "$want" ] && [ "${all:-0}" -le $((want + kills)) ]; then
	ok "kill-no-more ($((all - want)) more, $kills kills)"
else
	bad kill-no-more "$all keys, $want acknowledged, $kills kills"
fi
vsmd_down

# Switched off it is as it was before there were anchors, and says so.
config "${tpm2_config[@]}" "anchor = off"
put old
if vsmd_up; then
	bad off-old "of the time before the PCRs changed, and the key opened"
	vsmd_down
fi
make_store off
put old
up off-opens
logged off-says 'anchor = off'
if [ "$(anchor state)" = off ]; then ok off-state; else bad off-state "$(anchor state)"; fi
login off && value off a one
app_end
vsmd_down
# Switched on, the store of now is the last state, and copies of before are not.
put right
config "${tpm2_config[@]}"
up on
logged on-says 'from now on the TPM says'
login on && expect on CKR_OK "create f five"
app_end
vsmd_down
fresh on-again f five
put right
rolled_back on-before 'before its anchor'
tpm_stop

# The embedded TPM: against mistakes, as all that it does.
config embedded
older_copies embedded
cp -a "$WORK/old/tpm" "$WORK/old-tpm"
rm -rf "$STATE/tpm" && cp -a "$WORK/old-tpm" "$STATE/tpm"
rolled_back embedded-older-tpm 'older than the store|older copy'
rm -rf "$STATE" && cp -a "$WORK/old" "$STATE"
fresh embedded-both-older a one

# TPM 1.2
tpm12() {
	tpm12_new || { skip tpm12 "$TPM12_MISSING" && return; }
	config "tpm1.2:127.0.0.1:$TSS_TCSD_PORT" "pcrs = 8"
	tpm12_start
	tpm_takeownership -y -z >>"$WORK/tcsd.log" 2>&1 || bad tpm12-ownership "$(tail -n 2 "$WORK/tcsd.log")"
	older_copies tpm12
	way_out tpm12-accept
	locked tpm12-locked
	up tpm12-status
	index=$(anchor type | sed -n 's/NV index //p')
	vsmd_down
	tpm_nvrelease -i "$index" -y >>"$WORK/tcsd.log" 2>&1 || bad tpm12-release "$(tail -n 2 "$WORK/tcsd.log")"
	rolled_back tpm12-removed "anchor was removed"
	up tpm12-removed-up
	check tpm12-removed-accepted $accept t $SO_T
	vsmd_down
	fresh tpm12-removed-works b two
	tpm12_stop
}
tpm12
finish
