# vsmd.sh - for sourcing after lib.sh: a vsmd of the test's own, with the test's configuration.
#
#	CONF, LOG       its configuration, which the test writes, and its log
#	settings [LINE...]      the usual [vsmd] section, with further lines of it, to $CONF
#	vsmd_up         start it ($VSMD_BINARY, if set) and wait until it listens; fails when
#	                it ends instead
#	vsmd_held       from now on its socket is held by another process, as by systemd
#	vsmd_down       stop it in order;  vsmd_kill: by SIGKILL
#	vsmd_pids NAME  its processes of that name (supervisor, store, nursery, worker, swtpm)
#	logged NAME PATTERN     passes when it has said so since it was last started
#	not_logged NAME PATTERN
#	wait_logged PATTERN     wait for that, at most ten seconds
#	app [command...]        (start anew) an application (tests/e2e/client.h) by that command
#	ask COMMAND     its answer is in $ANSWER; "hangs" when none came in $HANG seconds
#	expect NAME PATTERN COMMAND     passes when the whole answer is that (grep -E)
#	expect_again NAME PATTERN COMMAND       the same, asked until it is, for twenty seconds
#	calls COMMAND...        a fresh application's answers to these, in $WORK/out
#	tidy command... at the end of the script, before its directory is removed
CONF=$DIR/vsmd.conf
LOG=$DIR/vsmd.log
VSMD=
VSMD_VIA=()
_log_from=0 _tidy=()
mkdir -p "$DIR" && chmod 755 "$DIR"
export CAAS_VSM_ADDRESS=unix:$DIR/run/vsmd.sock
export MODULE=${CAAS_P11_MODULE:-$BUILD/libcaas-p11/libcaas-p11.so}
export CAAS_P11_MODULE=$MODULE
CLIENT_MODULE=${CAAS_CLIENT_MODULE:-$MODULE}
# Whom vsmd becomes when root starts it.
VSMD_USER=$(id -un)
[ "$(id -u)" != 0 ] || VSMD_USER=nobody

_end() {
	local t
	vsmd_kill
	for t in "${_tidy[@]}"; do eval "$t"; done
	rm -rf "$WORK"
}
trap _end EXIT
tidy() { _tidy=("$*" "${_tidy[@]}"); }

settings() {
	printf '%s\n' "[vsmd]" "listen = unix:$DIR/run/vsmd.sock" "state = $DIR/state" \
		"runtime = $DIR/run" "user = $VSMD_USER" "$@" >"$CONF"
}

vsmd_up() {
	local i
	[ ${#VSMD_VIA[@]} != 0 ] || rm -f "$DIR/run/vsmd.sock"
	touch "$LOG"
	_log_from=$(stat -c %s "$LOG")
	setsid "${VSMD_VIA[@]}" "${VSMD_BINARY:-$BUILD/vsmd/vsmd}" -c "$CONF" >>"$LOG" 2>&1 </dev/null &
	VSMD=$!
	disown "$VSMD" # bash has nothing to say when it is killed
	for i in $(seq 600); do
		_since | grep -q 'listening address' && return 0
		if ! kill -0 "$VSMD" 2>/dev/null; then
			VSMD=
			return 1
		fi
		sleep 0.05
	done
	vsmd_kill
	return 1
}
_gone() { # wait until no process of the session is left
	local i
	for i in $(seq 600); do
		ps -o stat= -s "$1" | grep -qv Z || return 0
		sleep 0.05
	done
	return 1
}
vsmd_held() {
	mkdir -p "$DIR/run"
	python3 "$ROOT/tests/e2e/holder.py" hold "$DIR/run/vsmd.sock" "$DIR/holder" >"$WORK/holder" &
	tidy "kill $! 2>/dev/null"
	VSMD_VIA=(python3 "$ROOT/tests/e2e/holder.py" exec "$DIR/holder")
	until grep -q held "$WORK/holder"; do sleep 0.05; done
}
vsmd_down() {
	local p=$VSMD
	[ -n "$p" ] || return 0
	kill "$p" 2>/dev/null
	_gone "$p" || vsmd_kill
	VSMD=
}
vsmd_kill() {
	local p=$VSMD
	[ -n "$p" ] || return 0
	kill -9 $(ps -o pid= -s "$p") 2>/dev/null
	_gone "$p"
	VSMD=
}
vsmd_pids() {
	local n=vsmd-$1
	[ "$1" != supervisor ] || n=vsmd
	# The TPM has a session of its own.
	ps -eo pid=,ppid=,sid=,args= | awk -v n="$n" -v s="$VSMD" \
		'($2 == s || $3 == s) && ($4 == n || $4 == n ":") { print $1 }'
}
_since() { tail -c +$((_log_from + 1)) "$LOG"; }
logged() {
	if _since | grep -qE -- "$2"; then
		ok "$1"
	else
		bad "$1" "not in the log: $2"
		_since | tail -n 10 | sed 's/^/# /'
	fi
}
not_logged() {
	if _since | grep -E -- "$2"; then bad "$1" "in the log: $2"; else ok "$1"; fi
}
wait_logged() {
	local i
	for i in $(seq 200); do
		_since | grep -qE -- "$1" && return 0
		sleep 0.05
	done
	return 1
}

CLIENT=$BUILD/tests/e2e/caas-e2e-client
HANG=${HANG:-60}
app() {
	app_end
	coproc APP { exec "$@" "$CLIENT" "$CLIENT_MODULE" 2>&1; }
	app_pid=$APP_PID
}
app_end() {
	[ -n "${app_pid:-}" ] || return 0
	kill -9 "$app_pid" 2>/dev/null
	wait "$app_pid" 2>/dev/null
	app_pid=
}
app_pid=
tidy app_end
ask() {
	ANSWER=ended
	printf '%s\n' "$1" >&"${APP[1]}" && next_answer
}
next_answer() {
	local rc
	IFS= read -r -t "$HANG" ANSWER <&"${APP[0]}"
	rc=$?
	[ $rc = 0 ] && return 0
	if [ $rc -gt 128 ]; then ANSWER=hangs; else ANSWER=ended; fi
	return 1
}
expect() {
	ask "$3"
	judge "$1" "$2"
}
judge() {
	if grep -qE "^($2)( ms=[0-9]+|\$)" <<<"$ANSWER"; then
		ok "$1"
	else
		bad "$1" "$ANSWER, not $2"
		return 1
	fi
}
expect_again() {
	local i
	for i in $(seq 100); do
		ask "$3" || break
		grep -qE "^($2)( ms=|\$)" <<<"$ANSWER" && break
		sleep 0.2
	done
	judge "$1" "$2"
}
calls() { printf '%s\n' "$@" | timeout -k 5 "$HANG" "$CLIENT" "$CLIENT_MODULE" >"$WORK/out" 2>&1; }
