#!/bin/bash
# faults.sh - vsmd absent, refusing, killed, hung, while an application has sessions open;
# work that takes longer than the silence allowed; much data in one call.
NAME=faults
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../vsmd.sh"

# Codes for a vsmd that is away: the call was under way or not, of a slot or of a session.
AWAY='CKR_DEVICE_REMOVED|CKR_DEVICE_ERROR|CKR_TOKEN_NOT_PRESENT'
HANG=40
printf 'silence = 2000\nconnect_timeout = 2000\nreconnect = 1000\n' >"$WORK/p11.conf"
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
ready() { # the application has a session, a login and a key
	local c
	for c in init "token t" open "login user 123456" "find k" sign; do
		ask "$c" && [[ $ANSWER == CKR_OK\ * ]] || break
	done
	judge "$1" CKR_OK || echo "# at: $c"
	[[ $ANSWER == CKR_OK\ * ]]
}
# No answer may come later than silence, connecting and reconnecting together allow; beyond
# that, time for a busy machine.
in_time() {
	local ms=${ANSWER##*ms=}
	ms=${ms%% *}
	if [ "$ANSWER" != hangs ] && [ "${ms:-99999}" -le 20000 ]; then
		ok "$1-in-time"
	else
		bad "$1-in-time" "$ANSWER"
	fi
}

# Absent
app
expect absent-init CKR_OK init
expect absent-no-slots CKR_OK slots
expect absent-slotinfo CKR_DEVICE_ERROR slotinfo
expect absent-tokeninfo CKR_TOKEN_NOT_PRESENT tokeninfo
expect absent-open CKR_TOKEN_NOT_PRESENT open
in_time absent
expect absent-no-session CKR_SESSION_HANDLE_INVALID sign
if vsmd_up; then ok up; else bad up; fi
check token "$CAAS" token create --label t --pin 123456 --so-pin 12345678
expect came-slot CKR_OK "token t"
expect came-open CKR_OK open
expect came-login CKR_OK "login user 123456"
expect came-generate CKR_OK "genec k"
expect came-sign CKR_OK sign
expect finalize CKR_OK finalize
expect init-again CKR_OK init
expect finalize-again CKR_OK finalize

# Refusing
if [ "$(id -u)" = 0 ]; then
	app setpriv --reuid www-data --regid www-data --clear-groups
	expect refused-init CKR_OK init
	expect refused-slots CKR_OK slots
	case $ANSWER in *n=0*) ok refused-sees-nothing ;; *) bad refused-sees-nothing "$ANSWER" ;; esac
	expect refused-open CKR_TOKEN_NOT_PRESENT open
	in_time refused
	expect refused-tokeninfo CKR_TOKEN_NOT_PRESENT tokeninfo
else
	skip refused "needs root, to be another user"
fi

# Killed, each of its processes: what is under way fails, and all comes back by itself.
for p in worker nursery store; do
	app
	ready "$p-ready" || continue
	kill -9 $(vsmd_pids $p)
	expect "$p-killed" "CKR_OK|$AWAY" sign
	in_time "$p-killed"
	expect_again "$p-comes-back" CKR_OK sign
	# A worker may have signed that goes with its store a moment later.
	expect_again "$p-state" CKR_OK state
	case $ANSWER in *state=3) ok "$p-still-logged-in" ;; *) bad "$p-still-logged-in" "$ANSWER" ;; esac
	expect "$p-finalize" CKR_OK finalize
	# A slow machine's store may still be at opening; who comes meanwhile is turned away.
	[ $p != store ] || wait_logged 'the store is open again'
	ready "$p-anew"
done

# Killed, and its end not yet seen by the supervisor: a tracer sees it first.  Who comes
# meanwhile waits for the next store, it is not sent away.
if python3 "$ROOT/tests/e2e/unseen.py" true 2>/dev/null; then
	printf 'silence = 20000\nconnect_timeout = 20000\n' >"$WORK/patient.conf"
	app env CAAS_P11_CONF="$WORK/patient.conf"
	: >"$WORK/unseen"
	python3 "$ROOT/tests/e2e/unseen.py" kill "$(vsmd_pids store)" 2 >"$WORK/unseen" 2>&1 &
	for n in $(seq 100); do
		grep -q dead "$WORK/unseen" && break
		sleep 0.05
	done
	ready store-unseen-newcomer
	not_logged store-unseen-none-refused 'cannot tell the store'
else
	skip store-unseen "needs root, to trace"
fi

# Killed in the middle of a call: the next worker is asked.
app
ready under-way-ready
ask "bg genrsa 8192"
sleep 0.7
kill -9 $(vsmd_pids worker)
HANG=300 next_answer # two primes of 4096 bits, beside whatever else runs
ANSWER=${ANSWER#bg }
judge under-way-killed CKR_OK
printf 'join\n' >&"${APP[1]}"
expect_again under-way-after CKR_OK sign

# All of it killed
app
ready supervisor-ready
kill -9 $(vsmd_pids supervisor)
expect supervisor-killed "CKR_OK|$AWAY" sign
vsmd_kill
expect all-gone "$AWAY" sign
in_time all-gone
expect all-gone-tokeninfo "$AWAY" tokeninfo
expect all-gone-close "CKR_OK|$AWAY" close
expect all-gone-closed CKR_SESSION_HANDLE_INVALID state
expect all-gone-slots CKR_OK slots
if vsmd_up; then ok up-again; else bad up-again; fi
expect_again reopened CKR_OK open
expect reopened-finalize CKR_OK finalize
ready reopened-anew

# Hung, each of them.  A call that needs the one that hangs fails in time; one that does not
# works.  Afterwards all works, after C_Finalize and C_Initialize at the latest.
hung() { # PROCESS COMMAND CODES: the command of an application that was there before
	local pids
	app
	ready "hung-$1-ready" || return
	pids=$(vsmd_pids "$1")
	kill -STOP $pids
	stopped $pids
	expect "hung-$1" "$3" "$2"
	in_time "hung-$1"
	[ "$1" = worker ] || fresh "$1"
	kill -CONT $pids
	expect_again "hung-$1-after" "CKR_OK|CKR_SESSION_HANDLE_INVALID|CKR_USER_NOT_LOGGED_IN" sign
	expect "hung-$1-finalize" CKR_OK finalize
	ready "hung-$1-anew"
}
stopped() { # wait until every thread of these is
	local i
	for i in $(seq 100); do
		ps -L -o stat= -p "$(tr ' ' ',' <<<"$*")" | grep -qv '^[Tt]' || return 0
		sleep 0.02
	done
}
fresh() { # an application that comes now
	local t0=$SECONDS
	HANG=40 calls init slots slotinfo tokeninfo open finalize
	if [ $? != 124 ] && [ "$(grep -c ms= "$WORK/out")" = 6 ]; then
		ok "hung-$1-newcomer"
	else
		bad "hung-$1-newcomer" "$(tr '\n' ';' <"$WORK/out") $((SECONDS - t0)) s"
	fi
}
hung worker sign "$AWAY"
hung supervisor sign CKR_OK
hung store "genec late" "$AWAY"
hung nursery sign CKR_OK

# Longer than the silence: vsmd beats.  Meanwhile another session of the same application works.
app
ready long-ready
ask "bg genrsa 8192"
n=0 HANG=300
while printf 'sign 20\n' >&"${APP[1]}" && next_answer; do
	case $ANSWER in
	'bg '*) break ;;
	CKR_OK*) n=$((n + 20)) ;;
	*) break ;;
	esac
done
ANSWER=${ANSWER#bg }
judge long-generation CKR_OK
echo "# RSA-8192: $ANSWER; $n signatures meanwhile"
if [ "$n" -ge 20 ]; then ok long-others-work; else bad long-others-work "$n signatures"; fi
printf 'join\n' >&"${APP[1]}"
next_answer
judge long-last-signature CKR_OK

# Much data
app
ready bulk-ready
M=$((1 << 20))
for k in digest hmac aes; do
	for n in $((64 * M)) $((64 * M + 1021)); do
		ask "$k $n"
		ANSWER=$(sed 's/ ms=[0-9]*//' <<<"$ANSWER")
		judge "bulk-$k-$n" 'CKR_OK same'
	done
	ask "$k $((64 * M + 4099)) $((M + 13))"
	ANSWER=$(sed 's/ ms=[0-9]*//' <<<"$ANSWER")
	judge "bulk-$k-in-parts" 'CKR_OK same'
done
expect bulk-after CKR_OK sign
finish
