# tpms.sh - for sourcing after lib.sh and vsmd.sh: TPMs of the test's own.
#
#	tpm2_needed             skip the whole test where swtpm or tpm2-tools are missing
#	tpm_start DIR           a swtpm (TPM 2.0) with its state in DIR, listening at DIR/s; its
#	                process is in $tpm_pid;  tpm_stop [-SIGNAL]
#	tpm2 TOOL arguments...  tpm2_TOOL on the one in $tpm
#	tpm12_new               a TPM 1.2, without an owner, not started; 1: cannot be had, and
#	                $TPM12_MISSING says why
#	tpm12_start, tpm12_stop, tpm12_restart  it and its tcsd, at port $TSS_TCSD_PORT
tpm2_needed() {
	local c
	for c in swtpm tpm2_pcrextend; do
		command -v $c >/dev/null || {
			echo "skip $NAME: $c is not installed (scripts/deps test)"
			echo "$NAME: 0 passed, 0 failed, 1 skipped"
			exit 77
		}
	done
}

tpm_pid=
tpm_start() {
	mkdir -p "$1"
	rm -f "$1/s"
	swtpm socket --tpm2 --tpmstate "dir=$1,mode=0600" --server "type=unixio,path=$1/s,mode=0600" \
		--ctrl "type=unixio,path=$1/s.ctrl,mode=0600" \
		--flags not-need-init,startup-clear >>"$WORK/swtpm.log" 2>&1 &
	tpm_pid=$!
	local i
	# It listens; without taking its one connection.
	for i in $(seq 600); do grep -q " 00010000 .* $1/s\$" /proc/net/unix && break || sleep 0.05; done
}
tpm_stop() { [ -z "$tpm_pid" ] || { kill "${1:--TERM}" "$tpm_pid" && wait "$tpm_pid"; } 2>/dev/null; tpm_pid=; }
tidy tpm_stop
tpm2() { "tpm2_$1" -T "swtpm:path=$tpm/s" "${@:2}" >>"$WORK/tpm2.log" 2>&1; }

tpm12_new() {
	local r=$WORK/tpm12 i
	TPM12_MISSING=
	[ "$(id -u)" = 0 ] || TPM12_MISSING="tcsd must be started by root"
	for i in /usr/sbin/tcsd /usr/sbin/tpm_takeownership /usr/bin/swtpm_setup; do
		[ -x "$i" ] || TPM12_MISSING="$i is not installed (scripts/deps test)"
	done
	[ -z "$TPM12_MISSING" ] || return 1
	export TCSD_TCP_DEVICE_HOSTNAME=127.0.0.1 TCSD_TCP_DEVICE_PORT TSS_TCSD_PORT
	TCSD_TCP_DEVICE_PORT=$(freeport) TSS_TCSD_PORT=$(freeport)
	mkdir -p "$r/tpm" "$r/ps"
	chmod 700 "$r/tpm"
	swtpm_setup --tpm-state "dir://$r/tpm" --createek >>"$WORK/swtpm.log" 2>&1 || {
		TPM12_MISSING="swtpm_setup makes no TPM 1.2: $(tail -n 1 "$WORK/swtpm.log")"
		return 1
	}
	printf 'port = %s\nsystem_ps_file = %s/system.data\n' "$TSS_TCSD_PORT" "$r/ps" >"$r/tcsd.conf"
	chown root:tss "$r/tcsd.conf" && chmod 640 "$r/tcsd.conf"
	chown tss:tss "$r/ps" && chmod 700 "$r/ps"
}
tcsd_pid='' tpm12_pid=''
tpm12_start() {
	local r=$WORK/tpm12
	swtpm socket --tpmstate "dir=$r/tpm,mode=0600" --server \
		"type=tcp,port=$TCSD_TCP_DEVICE_PORT,bindaddr=127.0.0.1" \
		--ctrl "type=unixio,path=$r/ctrl,mode=0600" \
		--flags not-need-init,startup-clear >>"$WORK/swtpm.log" 2>&1 &
	tpm12_pid=$!
	disown $tpm12_pid
	listens "$TCSD_TCP_DEVICE_PORT"
	/usr/sbin/tcsd -e -f -c "$r/tcsd.conf" >>"$WORK/tcsd.log" 2>&1 &
	tcsd_pid=$!
	disown $tcsd_pid
	listens "$TSS_TCSD_PORT"
}
listens() { # without taking swtpm's one connection
	local i
	for i in $(seq 200); do
		grep -qi "0100007F:$(printf %04X "$1") 00000000:0000 0A" /proc/net/tcp && return
		sleep 0.05
	done
}
tpm12_stop() {
	[ -z "$tcsd_pid" ] || kill -9 "$tcsd_pid" 2>/dev/null # it would wait for its clients
	[ -z "$tpm12_pid" ] || kill "$tpm12_pid" 2>/dev/null
	while kill -0 ${tcsd_pid:-x} 2>/dev/null || kill -0 ${tpm12_pid:-x} 2>/dev/null; do sleep 0.05; done
	tcsd_pid='' tpm12_pid=''
}
tidy tpm12_stop
tpm12_restart() { tpm12_stop && tpm12_start; }
