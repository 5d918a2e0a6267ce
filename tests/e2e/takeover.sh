#!/bin/bash
# takeover.sh - a worker that was taken over: code of the test's own runs in it
# (tests/takeover/hook.h) and tries what docs/threat-model.md says that a worker cannot do.  Each
# attempt is one test, which says what stood against it.  Beside it two applications sign and
# verify, one with another token, one with the same: neither may notice.
NAME=takeover
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../vsmd.sh"
. "$(dirname "$0")/../users.sh"
HOOK=$BUILD/tests/takeover/caas-takeover-hook.so
for c in setpriv nsenter pkcs11-tool; do
	command -v $c >/dev/null || {
		echo "skip takeover: $c is not installed (scripts/deps test)"
		echo "takeover: 0 passed, 0 failed, 1 skipped"
		exit 77
	}
done
users_needed "$HOOK"
# Not lib.sh's: workers are killed here, and that is right.
LOG=$WORK/log
sanitized=
! ldd "$BUILD/vsmd/vsmd" | grep -q libasan || sanitized=1

# The worker that is taken over serves `bin' on the token mine.
settings "softhsm = $HOOK" "pin-tries = 0"
cat >>"$CONF" <<-C
	[principal admin]
	uid = root
	role = admin
	[grant admin *]
	allow = all
	[principal taken]
	uid = bin
	[grant taken mine]
	[principal same]
	uid = games
	[grant same mine]
	[principal next]
	uid = daemon
	[grant next other]
C
if vsmd_up; then ok up; else bad up "$(_since | tail -n 3)"; fi
test_tokens mine other
all_pids() { echo "$(vsmd_pids supervisor) $(vsmd_pids store) $(vsmd_pids tpm) $(vsmd_pids swtpm)"; }
store=$(vsmd_pids store) pids=$(all_pids) nursery=$(vsmd_pids nursery | head -n 1)


# attempt NAME PATTERN ATTEMPT [ARGUMENT...]: what stands against it is the whole of PATTERN.
number=0
session() {
	app_as "$1" && ask init && ask "token $2" && ask open && ask "login user 123456" &&
		ask "find k" && judge "$3" CKR_OK
}
attempt() {
	local name=$1 want=$2 said
	shift 2
	number=$((number + 1))
	ask "hook $number $*"
	said=$(sed -E 's/^CKR_OK ms=[0-9]+ ?//' <<<"$ANSWER")
	if grep -qE "^($want)\$" <<<"$said"; then
		ok "$name: ${said:0:100}"
	else
		bad "$name" "${said:0:300}, not $want"
	fi
}
killed() { # of which the log tells, and those that it says it left out
	_since | awk '/a worker was killed by signal 31/ { n++ }
		/ vsmd: [0-9]+ more lines of what peers did/ { n += $3 }
		END { print n + 0 }'
}
as_before() { # NAME: nobody but workers has ended
	if [ "$(all_pids)" = "$pids" ]; then ok "$1"; else bad "$1" "was $pids, is $(all_pids)"; fi
}

neighbour games mine
neighbour daemon other
session bin mine session

# A system call outside its confinement ends the worker, and nobody else; the application has
# the next one, with what it had.
ask "hook $((number += 1)) names"
names=$(sed -E 's/^CKR_OK ms=[0-9]+ //' <<<"$ANSWER")
want=0
for n in $names; do
	case $sanitized$n in
	# The sanitizers' own, and the dumpable process that they trace.
	1tgkill | 1ioctl | 1prlimit) continue ;;
	esac
	attempt "call-$n" killed "$n" "$store"
	want=$((want + 1))
done
[ $want -gt 80 ] || bad calls "only $want of them"
for _ in $(seq 100); do # a while after the last
	got=$(killed)
	[ "$got" != $want ] || break
	sleep 0.1
done
if [ "$got" = $want ]; then ok "log-tells-of-$want"; else bad log-tells "of $got, not $want"; fi
logged log-tells-whom 'signal 31 \(.*\): a system call outside its confinement pid=[0-9]+ slot=0 principal=taken'
expect session-goes-on 'CKR_OK' state
case $ANSWER in *state=1 | *state=3) ok still-logged-in ;; *) bad still-logged-in "$ANSWER" ;; esac
expect key-goes-on CKR_OK "sign 1"
as_before calls-end-nobody
if [ "$(vsmd_pids nursery | head -n 1)" = "$nursery" ]; then ok same-nursery; else bad same-nursery; fi

# Paths.  Who is of the same user, and not confined, can open them: it is not their modes.
memory=$DIR/run/memory
[ ! -L "$DIR/run/memory.link" ] || memory=$(readlink "$DIR/run/memory.link")
inside() { nsenter -m -t "$store" "$@"; }
other=$(inside sh -c "echo $memory/slots/1/*")
mine=$(inside sh -c "echo $memory/slots/0/*")
file=$(inside sh -c "ls $other/*.object | head -n 1")
own=$(inside sh -c "ls $mine/*.object | head -n 1")
log=$(ls "$DIR"/state/log* | head -n 1)
check control-other nsenter -m -t "$store" setpriv --reuid "$VSMD_USER" --clear-groups cat "$file"
check control-state nsenter -m -t "$store" setpriv --reuid "$VSMD_USER" --clear-groups cat "$log"
attempt own-directory OK list "$mine"
attempt other-list EACCES list "$other"
attempt other-read EACCES read "$file"
attempt other-write EACCES write "$file"
attempt other-create EACCES create "$other/new.object"
attempt other-unlink EACCES unlink "$file"
attempt other-mkdir EACCES mkdir "$other/new"
attempt other-rename-from 'EACCES|EXDEV' rename "$file" "$mine/stolen.object"
attempt other-rename-to 'EACCES|EXDEV' rename "$own" "$file"
attempt other-by-dots EACCES read "$mine/../../1/${other##*/}/${file##*/}"
attempt other-gate-read EACCES read "$memory/gates/1"
attempt other-gate-write EACCES write "$memory/gates/1"
attempt slots-list EACCES list "$memory/slots"
attempt gates-list EACCES list "$memory/gates"
attempt slots-mkdir EACCES mkdir "$memory/slots/9"
attempt state-list EACCES list "$DIR/state"
for f in "$DIR"/state/*; do
	[ ! -f "$f" ] || attempt "state-${f##*/}" EACCES read "$f"
done
attempt state-write EACCES write "$log"
attempt state-create EACCES create "$DIR/state/new"
attempt state-unlink EACCES unlink "$log"
attempt tpm-state EACCES list "$DIR/state/tpm"
for f in "$DIR"/run/*.sock; do attempt "socket-${f##*/}" EACCES write "$f"; done
for f in /dev/tpm0 /dev/tpmrm0 /dev/mem /dev/kmsg; do
	[ ! -e $f ] || attempt "device-${f##*/}" EACCES read $f
done
attempt configuration EACCES read "$CONF"
attempt root EACCES list /
attempt passwd EACCES read /etc/passwd
attempt shm EACCES list /dev/shm
attempt self-mem EACCES write /proc/self/mem
attempt self-fd EACCES list /proc/self/fd
worker_of() { ps -o pid=,args= -s "$VSMD" | grep "vsmd-worker: slot $1 $2 " | awk '{ print $1 }'; }
for who in supervisor store nursery worker-of-the-token worker-of-the-other tpm swtpm; do
	case $who in
	*-token) p=$(worker_of 0 same) ;;
	*-other) p=$(worker_of 1 next) ;;
	*) p=$(vsmd_pids $who | tail -n 1) ;;
	esac
	if [ -z "$p" ]; then
		bad "$who" "there is none"
		continue
	fi
	for f in mem maps environ; do attempt "$who-$f" EACCES read "/proc/$p/$f"; done
	attempt "$who-fd" EACCES list "/proc/$p/fd"
	[ -n "$sanitized" ] || attempt "$who-exe" EACCES readlink "/proc/$p/exe"
done
# What Landlock does not hold back: whether a path is there, and how large.
attempt documented-stat OK stat "$file"

# Descriptors: each is one of those in docs/threat-model.md.
ask "hook $((number += 1)) descriptors"
sed -E 's/^CKR_OK ms=[0-9]+ //' <<<"$ANSWER" | sed 's/ (deleted)//g' | tr ' ' '\n' | grep . >"$WORK/fds"
grep -vE "^[012]=|=socket:\[|=/memfd:softhsm2.conf|=$memory/gates/0\$" "$WORK/fds" >"$WORK/out"
if [ ! -s "$WORK/out" ]; then ok descriptors; else bad descriptors "$(tr '\n' ' ' <"$WORK/out")"; fi
n=$(grep -c socket: "$WORK/fds")
if [ "$n" = 2 ]; then ok descriptors-two-sockets; else bad descriptors-two-sockets "$n"; fi
sed 's/^/# /' "$WORK/fds"

# The store's pipe.
byte() { printf %02x "$1"; }
u32() { printf %08x "$1" | sed -E 's/(..)(..)(..)(..)/\4\3\2\1/'; }
u64() { printf '%s00000000' "$(u32 "$1")"; }
str() { printf %s "$(u64 ${#1})$(printf %s "$1" | od -An -v -tx1 | tr -d ' \n')"; }
attempt store-answers 'answered 0{32}' tell "$(byte 72)"
expect before-the-pipe CKR_OK "sign 1"
for k in 0 1 2 3 16 17 18 19 32 48 49 50 51 63 74 127 128 129 255; do
	attempt "store-kind-$k" closed tell "$(byte $k)$(u32 1)00"
done
for k in 64 65 66 67 69 70 71 73; do
	attempt "store-short-$k" closed tell "$(byte $k)"
done
for k in 68 72; do attempt "store-rest-$k" closed tell "$(byte $k)00"; done
attempt store-user-type closed tell "$(byte 66)07"
attempt store-string-length closed tell "$(byte 65)ffffffffffffffff41"
attempt store-events closed tell "$(byte 64)ff"
attempt store-event-name closed tell "$(byte 65)$(str "$(printf %080d 1)")$(str x)$(u64 0)"
attempt store-long closed tell-long 72 65536
attempt store-too-long 'closed|EMSGSIZE' tell-long 72 200000
attempt store-never-read closed tell-many 1000000
attempt store-empty closed tell
attempt store-names-a-token closed tell "$(byte 64)0001$(str other)$(str 0123456789abcdef)"
attempt store-channel-pin 'answered 0002000000000000' tell "$(byte 68)"
attempt store-ticket-garbage 'answered 0101000000000000' tell "$(byte 69)$(str "$(printf %0100d 1)")"
want=EPERM
[ "$(printf '%s\n6.16\n' "$(uname -r)" | sort -V | head -n 1)" = 6.16 ] || want='answered .*'
attempt store-descriptor "$want" tell-descriptor
logged store-says 'a worker of principal taken .* broke the protocol: its pipe is closed'
as_before store-lives
check store-status "$CAAS" status
expect after-the-pipe CKR_OK "sign 1"
neighbour_ends same-token-signs games

# A ticket of another token is none here.
session daemon other session-other
ask "hook $((number += 1)) tell $(byte 67)0101$(str 123456)$(str C_Login)$(str x)$(u64 0)"
ticket=$(grep -oE 'answered 0{16}[0-9a-f]+' <<<"$ANSWER" | cut -c26-)
[ ${#ticket} -gt 100 ] || bad ticket "$ANSWER"
attempt ticket-own 'answered 0{16}01.*' tell "$(byte 69)$ticket"
session bin mine session-again
attempt ticket-of-another-token 'answered 0101000000000000' tell "$(byte 69)$ticket"

# What is the token's own, a worker can spoil; for that token alone, and not for long.
spoil() { # NAME ATTEMPT...: then a commit, and the token as it was
	local name=$1
	shift
	# Nothing is said where the nursery, which keeps it, is among what was spoilt.
	attempt "$name" 'OK|killed|' "$@"
	ask "hook $((number += 1)) tell $(byte 64)0000"
	expect_again "$name-over" CKR_OK "sign 1"
	as_before "$name-store-lives"
}
spoil gate-full gate-fill "$memory/gates/0" 255
spoil gate-empty gate-fill "$memory/gates/0" 0
# SIGBUS ends the token's nursery and workers, of which a sanitizer tells.
[ -n "$sanitized" ] || spoil gate-cut gate-cut "$memory/gates/0"
spoil large large "$mine" 1000000000000
spoil deep deep "$mine" 100
spoil many many "$mine" 20000
attempt gate-held OK gate-hold "$memory/gates/0" 1
expect_again gate-held-over CKR_OK "sign 1"

neighbour_ends other-token-signs daemon
as_before end
if [ "$(inside sh -c "ls $other/*.object | wc -l")" = 3 ]; then ok other-as-it-was; else bad other-as-it-was; fi
check audit "$CAAS" audit verify
not_logged log 'Sanitizer|runtime error|signal (4|6|8|11)\b'
head -c 32 /dev/zero >"$WORK/digest"
vsmd_down
if vsmd_up; then ok reopened; else bad reopened "$(_since | tail -n 3)"; fi
for t in mine other; do
	check "reopened-$t" pkcs11-tool --module "$MODULE" --token-label $t --login --pin 123456 \
		--sign --mechanism ECDSA --label k --input-file "$WORK/digest" --output-file /dev/null
done
[ $_failed = 0 ] || tail -n 40 "$LOG" | sed 's/^/# vsmd: /'
finish
