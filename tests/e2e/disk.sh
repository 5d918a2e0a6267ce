#!/bin/bash
# disk.sh - the store's disk is full, read-only, hostile; vsmd is killed between commits.
# Nothing acknowledged is lost, nothing that failed stays, nothing altered is opened.
#
#	CAAS_TEST_LONG=1        more bytes of every file, and more kills; every byte is for
#	                        tests/unit/vsmd/store/
NAME=disk
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../vsmd.sh"
long=${CAAS_TEST_LONG:-}
FAILED='CKR_DEVICE_MEMORY|CKR_DEVICE_ERROR'
STATE=$DIR/state
tidy "umount -l $STATE 2>/dev/null"
printf 'silence = 15000\nreconnect = 5000\n' >"$WORK/p11.conf"
export CAAS_P11_CONF=$WORK/p11.conf

settings "pin-tries = 0"
cat >>"$CONF" <<-C
	[principal me]
	uid = $(id -un)
	role = admin
	[grant me *]
	allow = all
	extract = allow
C
ready() { ask init && ask "token t" && ask open && ask "login user 123456" && judge "$1" CKR_OK; }
value() { # NAME LABEL VALUE: the object has it
	expect_again "$1" CKR_OK "get $2"
	case $ANSWER in *" value=$3") ok "$1-value" ;; *) bad "$1-value" "$ANSWER, not $3" ;; esac
}
new_token() {
	"$CAAS" token create --label t --pin 123456 --so-pin 12345678 >/dev/null || return 1
	app
	ready "$1-ready" && ask "create a one" && ask "create b two" && ask "genec k" && judge "$1-made" CKR_OK
}

changes=("create new x" "destroy b" "set a other" "setpin 123456 654321" "genec new")

# fails NAME COMMAND: on the broken disk, and nothing of it is to be seen
fails() {
	expect "$1-fails" "$FAILED" "$2"
	value "$1-taken-back" a one
	expect_again "$1-still-there" CKR_OK "get b"
	expect_again "$1-nothing-new" CKR_KEY_HANDLE_INVALID "get new"
	expect_again "$1-nothing-else" CKR_KEY_HANDLE_INVALID "get other"
	expect_again "$1-no-new-key" CKR_KEY_HANDLE_INVALID "find new"
}
# What was acknowledged, and nothing else, is there after a restart too.
as_before() {
	if vsmd_up; then ok "$1-restart"; else bad "$1-restart" "$(_since | tail -n 3)"; fi
	app
	ready "$1-restart-pin" || return
	value "$1-restart-a" a one
	value "$1-restart-b" b two
	expect "$1-restart-key" CKR_OK "find k"
	expect "$1-restart-count" CKR_OK count
	case $ANSWER in *n=1) ok "$1-restart-one-key" ;; *) bad "$1-restart-one-key" "$ANSWER" ;; esac
	expect "$1-restart-works" CKR_OK "set a a"
	check "$1-audit" "$CAAS" audit verify
}

# Full, until something is removed: commits go on by themselves.
full() {
	local what op
	for what in "${changes[@]}"; do
		op=full-${what%% *}
		app
		ready "$op-ready" || continue
		cat /dev/zero >"$STATE/filler" 2>/dev/null
		fails "$op" "$what"
		rm "$STATE/filler"
		value "$op-after" a one
		expect_again "$op-works-again" CKR_OK "set a a"
	done
	check full-commits bash -c "$CAAS status | grep -q 'commits_possible: *yes'"
	app_end
	vsmd_kill
	as_before full
}

if [ "$(id -u)" = 0 ] && mkdir -p "$STATE" &&
	mount -t tmpfs -o "size=1m,mode=0700,uid=$(id -u $VSMD_USER)" none "$STATE" 2>"$WORK/mount"; then
	if vsmd_up; then ok full-up; else bad full-up; fi
	new_token full && full
	vsmd_down
	umount "$STATE" || bad full-umount
else
	skip full "no file system can be mounted: $(tail -n 1 "$WORK/mount" 2>/dev/null || echo 'needs root')"
fi

# A file system that turns read-only by itself, as one does whose disk fails.  The kernel lets
# it be written again only when it was mounted anew.
read_only() {
	local name what op
	command -v mkfs.ext4 >/dev/null || { skip read-only "mkfs.ext4 is not installed" && return; }
	dd if=/dev/zero of="$WORK/image" bs=1M count=8 status=none
	mkfs.ext4 -q "$WORK/image" 2>"$WORK/mount" && attach_disk ||
		{ skip read-only "no loop device: $(tail -n 1 "$WORK/mount")" && return; }
	chown "$VSMD_USER" "$STATE" && chmod 700 "$STATE"
	name=/sys/fs/ext4/$(basename "$(findmnt -no SOURCE "$STATE")")/trigger_fs_error
	if [ ! -w "$name" ]; then
		skip read-only "the kernel offers no trigger_fs_error"
		umount "$STATE"
		return
	fi
	if vsmd_up; then ok read-only-up; else bad read-only-up; fi
	new_token read-only || return
	for what in "${changes[@]}"; do
		op=read-only-${what%% *}
		echo 1 >"/sys/fs/ext4/$(basename "$(findmnt -no SOURCE "$STATE")")/trigger_fs_error"
		fails "$op" "$what"
		app_end
		vsmd_kill
		detach_disk && attach_disk || bad "$op-mount"
		as_before "$op"
	done
	app_end
	vsmd_down
	mount -o remount,ro "$STATE"
	if vsmd_up; then
		bad read-only-start "it started"
		vsmd_down
	else
		logged read-only-start 'Read-only file system'
	fi
	umount "$STATE" || bad read-only-umount
}
# Processes that are just being ended, in a mount namespace of their own, may have it for a
# moment more; mounted before that, it would be the same as before, and read-only.
detach_disk() {
	local fs i
	fs=/sys/fs/ext4/$(basename "$(findmnt -no SOURCE "$STATE")")
	umount "$STATE" || return
	for i in $(seq 100); do
		[ -e "$fs" ] || return 0
		sleep 0.1
	done
	return 1
}
attach_disk() { mount -o loop,errors=remount-ro "$WORK/image" "$STATE" 2>"$WORK/mount"; }
if [ "$(id -u)" = 0 ]; then
	# Loop devices are the machine's: of two runs at once one's error met the other's files.
	exec {lock}>"${TMPDIR:-/tmp}/caas-loop.lock"
	flock -w 120 "$lock"
	read_only
	flock -u "$lock" # whoever has inherited it
else
	skip read-only "needs root"
fi

# The embedded TPM cannot write its state: it fails for good, and is started anew.
rm -rf "$STATE"
if vsmd_up; then ok tpm-state-up; else bad tpm-state-up; fi
new_token tpm-state
if [ "$VSMD_USER" != "$(id -un)" ]; then
	chmod 500 "$STATE/tpm"
	expect_again tpm-state "CKR_OK|$FAILED" "create c three"
	wait_logged 'in failure mode: starting it anew'
	logged tpm-state-failed 'in failure mode: starting it anew'
	expect_again tpm-state-works-again CKR_OK "set a a"
	value tpm-state-after b two
	app_end
	vsmd_kill
	vsmd_up && app && ready tpm-state-restart && value tpm-state-restart b two
fi
app_end
vsmd_down

# Killed at any moment: what was acknowledged is there.
kill_fresh() { # each key is looked for among all: they are not to be too many
	vsmd_down
	rm -rf "$STATE"
	if vsmd_up; then ok kill-up; else bad kill-up; fi
	new_token kill
	app_end
	: >"$WORK/acknowledged"
	fresh_since=0
}
rounds=4
[ -z "$long" ] || rounds=40
for r in $(seq $rounds); do
	[ $((r % 5)) != 1 ] || kill_fresh
	{
		printf '%s\n' init 'token t' open 'login user 123456'
		for i in $(seq 200); do echo "genec r$r-$i"; done
	} >"$WORK/commands"
	"$CLIENT" "$CLIENT_MODULE" <"$WORK/commands" >"$WORK/answers" 2>&1 &
	generator=$!
	sleep "0.$((RANDOM % 6 + 3))"
	# One of its processes first, between any two steps of a commit; vsmd-tpm's part of it is
	# the anchor.
	case $((r % 4)) in
	1) first='' ;;
	2) first=store ;;
	3) first=tpm ;;
	0) first=swtpm ;;
	esac
	if [ -n "$first" ]; then
		kill -9 $(vsmd_pids $first)
		sleep 0.3
	fi
	vsmd_kill
	kill -9 $generator
	wait $generator 2>/dev/null
	awk -v r="$r" 'NR > 4 && /^CKR_OK/ { print "r" r "-" (NR - 4) }' "$WORK/answers" >>"$WORK/acknowledged"
	if ! vsmd_up; then
		bad "kill-$r-restart" "$(_since | tail -n 3)"
		break
	fi
	{
		printf '%s\n' init 'token t' open 'login user 123456'
		sed 's/^/find /' "$WORK/acknowledged"
		echo count
	} >"$WORK/commands"
	timeout 300 "$CLIENT" "$CLIENT_MODULE" <"$WORK/commands" >"$WORK/answers" 2>&1
	rc=$?
	want=$(wc -l <"$WORK/commands") got=$(grep -c '^CKR_OK' "$WORK/answers")
	keys=$((want - 5)) all=$(sed -n '$s/.* n=\([0-9]*\).*/\1/p' "$WORK/answers")
	fresh_since=$((fresh_since + 2)) # a call under way for each kill
	if [ "$want" != "$got" ]; then
		bad "kill-$r" "exit $rc, $((want - got)) of $keys acknowledged keys are gone"
	elif [ "${all:-0}" -lt $((keys + 1)) ] || [ "$all" -gt $((keys + 1 + fresh_since)) ]; then
		bad "kill-$r" "$all keys, of which $keys were acknowledged, and one made before"
	else
		ok "kill-$r ($keys keys acknowledged so far, $((all - keys - 1)) more)"
	fi
done
if [ -s "$WORK/acknowledged" ]; then ok kill-meant-something; else bad kill-meant-something; fi
check kill-audit "$CAAS" audit verify
vsmd_down

# Hostile: each file flipped, cut, emptied, removed, exchanged.
rm -rf "$STATE" # a small one
vsmd_up || bad hostile-up
new_token hostile && app_end
vsmd_down
cp -a "$STATE" "$WORK/good"
vsmd_up && app && ready hostile-more && ask "create later x" && app_end
vsmd_down
cp -a "$STATE" "$WORK/later"
back() { rm -rf "$STATE" && cp -a "$WORK/${1:-later}" "$STATE"; }
crashed() { _since | grep -E 'signal|AddressSanitizer|runtime error|core dumped'; }
# start NAME PATTERN: does not open, names the file, does not crash
start() {
	local name=$1 up=0
	vsmd_up && up=1
	if crashed; then
		bad "$name" crashed
	elif [ $up = 1 ]; then
		bad "$name" "it was opened"
		vsmd_down
	elif ! _since | grep -E '^error vsmd-store' | grep -qE "$2"; then
		bad "$name" "not said: $2: $(_since | grep error | head -n 2)"
	else
		return 0
	fi
	return 1
}
flip() { # FILE OFFSET
	python3 -c 'import sys
f = open(sys.argv[1], "r+b"); n = int(sys.argv[2])
f.seek(n); b = f.read(1)[0]; f.seek(n); f.write(bytes([b ^ (1 << n % 8)]))' "$1" "$2"
}
log=$(cd "$STATE" && echo log.*)
for f in master.sealed head "$log"; do
	size=$(stat -c %s "$STATE/$f") n=0 fine=0
	step=$((size / ${long:+10}9 + 1))
	for at in $(seq 0 $step $((size - 1))) $((size - 1)); do
		back
		flip "$STATE/$f" "$at"
		n=$((n + 1))
		start "flip-$f-$at" "$f" && fine=$((fine + 1))
	done
	[ $fine != $n ] || ok "flip-$f ($n places of $size)"
	fine=0 n=0
	for at in 0 1 $((size / 2)) $((size - 1)); do
		back
		truncate -s "$at" "$STATE/$f"
		n=$((n + 1))
		start "cut-$f-$at" "$f" && fine=$((fine + 1))
	done
	[ $fine != $n ] || ok "cut-$f"
	back
	rm "$STATE/$f"
	start "removed-$f" "${f/$log/log}" && ok "removed-$f"
	back
	printf 'x%.0s' $(seq 3000) >"$STATE/$f"
	start "nonsense-$f" "$f" && ok "nonsense-$f"
done
back
mv "$STATE/head" "$STATE/h" && mv "$STATE/master.sealed" "$STATE/head" && mv "$STATE/h" "$STATE/master.sealed"
start exchanged 'head|master' && ok exchanged
back
cp -p "$WORK/good/$log" "$STATE/$log"
start older-log "$log" && ok older-log
# Of another store, under another master key
rm -rf "$STATE"
vsmd_up && new_token other && app_end
vsmd_down
cp -a "$STATE" "$WORK/other"
for f in master.sealed head "$log"; do
	back
	cp -p "$WORK/other/$f" "$STATE/$f"
	start "foreign-$f" 'master.sealed|head|log' && ok "foreign-$f"
done
# What stands behind the head was never acknowledged: cut off, with a line on the log.
back
printf 'half a record' >>"$STATE/$log"
if vsmd_up; then logged torn "$log.*cut"; else bad torn "$(_since | tail -n 3)"; fi
crashed && bad torn crashed
vsmd_down
# The diary damaged: said, but keys do not depend on it.
back
flip "$STATE/audit/audit.log.1" 40
if vsmd_up; then
	ok audit-flipped-opens
	refuses audit-flipped-verify 1 "$CAAS" audit verify
	said audit-flipped-names 'record|line'
	app
	ready audit-flipped-key
	value audit-flipped a one
	app_end
else
	bad audit-flipped-opens "$(_since | tail -n 3)"
fi
vsmd_down
back
if vsmd_up; then ok as-it-was; else bad as-it-was "$(_since | tail -n 3)"; fi
app
ready as-it-was-ready && value as-it-was later x
finish
