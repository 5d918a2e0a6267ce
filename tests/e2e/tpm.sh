#!/bin/bash
# tpm.sh - vsmd's start on a TPM whose state changes: refused, approved, opened; a TPM that is
# absent, busy, another one.  TPM 2.0 on an swtpm of the test's own, TPM 1.2 on swtpm and tcsd.
NAME=tpm
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../vsmd.sh"
. "$(dirname "$0")/../tpms.sh"
tpm2_needed
VSMD_USER=$(id -un) # who may open the TPM's socket

config() { # TPM [LINE...]
	settings "tpm = $1" "pin-tries = 0" "${@:2}"
	cat >>"$CONF" <<-C
		[principal me]
		uid = $(id -un)
		role = admin
		[grant me *]
		allow = all
	C
}
opens() { if vsmd_up; then ok "$1"; else bad "$1" && _since | tail -n 5 | sed 's/^/# /'; fi; }
refused() { # NAME PATTERN: does not start, and says this
	if vsmd_up; then
		bad "$1" "it started"
		vsmd_down
	else
		logged "$1" "$2"
	fi
}
key_is_there() {
	check "$1" pkcs11-tool --module "$MODULE" --token-label t -l --pin 123456 --sign \
		-m ECDSA --id 01 -i "$WORK/hash" -o "$WORK/sig"
}
make_key() {
	"$CAAS" token create --label t --pin 123456 --so-pin 12345678 >/dev/null
	check "$1" pkcs11-tool --module "$MODULE" --token-label t -l --pin 123456 --keypairgen \
		--key-type EC:prime256v1 --id 01 --label k
}
head -c 32 /dev/zero >"$WORK/hash"

tpm=$WORK/tpm2
address="tpm2:swtpm:path=$tpm/s"
openssl ecparam -name prime256v1 -genkey -noout -out "$WORK/authority.key" 2>/dev/null
openssl pkey -in "$WORK/authority.key" -pubout -out "$WORK/authority.pub" 2>/dev/null
openssl ecparam -name prime256v1 -genkey -noout -out "$WORK/other.key" 2>/dev/null
mkdir "$WORK/approvals"
config "$address" "pcrs = 8, 14" "authority = $WORK/authority.pub" "approvals = $WORK/approvals"

refused absent 'no TPM answers at the configured address: start it, or correct'
tpm_start "$tpm"
opens opens
make_key makes-a-key
vsmd_down
opens opens-again
key_is_there has-the-key
check status-names-tpm bash -c "$CAAS status | grep -q 'tpm.is: .*TPM 2.0'"
vsmd_down

# The machine changes.
zeros=$(printf '%064d' 0)
tpm2 pcrextend "14:sha256=${zeros/0/1}" || bad extend
refused pcr-names-it 'PCR 14 .*differs .*caas tpm approve --ref'
ref=$(_since | sed -nE "s/.*--ref '([^']+)'.*/\1/p" | head -n 1)
if [ -n "$ref" ]; then ok ref-is-said; else bad ref-is-said; fi

# Another key than the authority's approves nothing.
check approve-by-other "$CAAS" tpm approve --key "$WORK/other.key" --pcrs 8,14 --tpm "$address" \
	--ref "$ref" --out "$WORK/approvals/1"
refused unapproved 'not signed by the authority|authority has not signed'
# Nor does an approval of another state, or one that was altered.
check approve-other-state "$CAAS" tpm approve --key "$WORK/authority.key" --pcrs 8,14 \
	--digest "$zeros" --ref "$ref" --out "$WORK/approvals/1"
refused other-state 'PCR 14 .*differs'
check approve "$CAAS" tpm approve --key "$WORK/authority.key" --pcrs 8,14 --tpm "$address" \
	--ref "$ref" --out "$WORK/right"
python3 - "$WORK" <<'P'
import sys, re
w = sys.argv[1]
t = open(w + '/right').read()
i = max(m.start() for m in re.finditer(r'[0-9a-f]{40,}', t))
open(w + '/approvals/1', 'w').write(t[:i] + ('0' if t[i] != '0' else '1') + t[i + 1:])
P
refused altered-approval 'PCR 14|not signed|authority'
cp "$WORK/right" "$WORK/approvals/1"
opens approved
logged sealed-again 'opened in a state that was approved ahead, sealed again'
key_is_there approved-has-the-key
vsmd_down
rm "$WORK"/approvals/*
opens without-the-approval
key_is_there without-the-approval-key
not_logged needs-none 'approv'

# While it runs the TPM may go: signatures do not need it, sealing says so.
tpm_stop -KILL
key_is_there tpm-killed-meanwhile
refuses reseal-without-tpm 1 "$CAAS" tpm reseal
said reseal-says-why 'TPM.*(start it|correct the address)'
vsmd_down
refused killed 'no TPM answers'

# Back, with its registers as at a start.
tpm_start "$tpm"
refused reset 'PCR 14 .*differs'
tpm2 pcrextend "14:sha256=${zeros/0/1}"
opens in-its-state-again
check reseal "$CAAS" tpm reseal
vsmd_down
opens after-reseal
vsmd_down

# Busy: others hold its slots, one connection is all that an swtpm takes.
python3 - "$tpm/s" "$WORK/held" <<'P' &
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
open(sys.argv[2], 'w').close()
time.sleep(600)
P
holder=$!
disown $holder
tidy "kill $holder 2>/dev/null"
for i in $(seq 100); do [ -f "$WORK/held" ] && break || sleep 0.1; done
(
	VSMD=
	sleep 15
	kill $holder 2>/dev/null
) &
if vsmd_up; then
	ok busy-waits-until-free
	vsmd_down
else
	logged busy-says-so 'busy|does not answer|no TPM answers'
fi
kill $holder 2>/dev/null

# Another TPM at the same address, and one that was cleared.
tpm_stop
mv "$tpm" "$WORK/mine"
tpm_start "$tpm"
refused foreign 'sealed by another TPM .*(correct the address|restore a backup)'
tpm_stop
rm -rf "$tpm" && mv "$WORK/mine" "$tpm"
tpm_start "$tpm"
tpm2 pcrextend "14:sha256=${zeros/0/1}"
opens own-tpm-again
key_is_there own-tpm-key
vsmd_down
tpm2 clear -c p || tpm2 clear
refused cleared 'sealed by another TPM|was cleared'
tpm_stop

# Without an authority there is nothing to approve, and the refusal does not offer it.
rm -rf "$DIR/state" "$tpm"
tpm_start "$tpm"
config "$address" "pcrs = 8"
opens plain
vsmd_down
tpm2 pcrextend "8:sha256=$zeros"
refused plain-refused 'PCR 8 .*without an authority'
tpm_stop

config tpm2:device:/dev/no-such-tpm "pcrs = 8"
refused no-device '/dev/no-such-tpm: No such file.*(firmware|address right)'

# The embedded TPM
rm -rf "$DIR/state"
config embedded
opens embedded
logged embedded-warns 'protects against nothing but mistakes'
make_key embedded-key
old=$(vsmd_pids swtpm)
kill -9 $old
key_is_there embedded-killed
if wait_logged 'embedded TPM was killed' && wait_logged 'embedded TPM is up again'; then
	ok embedded-restarted
else
	bad embedded-restarted
fi
new=$(vsmd_pids swtpm)
if [ -n "$new" ] && [ "$new" != "$old" ]; then ok embedded-new-process; else bad embedded-new-process "$new"; fi
check embedded-reseal "$CAAS" tpm reseal
vsmd_down
opens embedded-again
key_is_there embedded-again-key
vsmd_down
printf 'x' | dd of="$DIR/state/tpm/tpm2-00.permall" bs=1 seek=100 conv=notrunc status=none
refused embedded-damaged 'swtpm|embedded TPM|tpm2-00'

# TPM 1.2
tpm12() {
	tpm12_new || { skip tpm12 "$TPM12_MISSING" && return; }
	config "tpm1.2:127.0.0.1:$TSS_TCSD_PORT" "pcrs = 8"
	rm -rf "$DIR/state"
	refused tpm12-absent 'no TPM answers|no TPM 1.2 answers'
	tpm12_start
	tpm_takeownership -y -z >>"$WORK/tcsd.log" 2>&1 || bad tpm12-ownership "$(tail -n 2 "$WORK/tcsd.log")"
	opens tpm12-opens
	make_key tpm12-key
	vsmd_down
	opens tpm12-again
	key_is_there tpm12-again-key
	vsmd_down
	# An update without, then with a prediction: the TPM is started anew for each.
	tpm12_restart
	extend12 update-1
	refused tpm12-refused 'PCR 8 .*'
	tpm12_restart
	opens tpm12-former-state
	check tpm12-predict "$CAAS" tpm predict --values "8=$(after12 update-1)"
	vsmd_down
	extend12 update-1
	opens tpm12-predicted
	logged tpm12-sealed 'approved ahead, sealed again'
	key_is_there tpm12-predicted-key
	vsmd_down
	opens tpm12-sealed-again
	vsmd_down
	tpm12_restart
	refused tpm12-former-state-is-over 'PCR 8'
	tpm12_stop
}
# What PCR 8 is after TEXT was measured into it: SHA-1 over what it was, and the text's.
after12() {
	python3 -c 'import hashlib, sys
print(hashlib.sha1(bytes(20) + hashlib.sha1(sys.argv[1].encode()).digest()).hexdigest())' "$1"
}
extend12() { # by TPM_Extend itself, since tcsd's tools have none
	python3 - "$TSS_TCSD_PORT" "$1" <<'P'
import ctypes as c, hashlib, sys
tspi = c.CDLL('libtspi.so.1')
context, tpm, n, out = c.c_uint32(), c.c_uint32(), c.c_uint32(), c.c_void_p()
def do(rc):
    if rc:
        sys.exit('tspi: 0x%x' % rc)
do(tspi.Tspi_Context_Create(c.byref(context)))
do(tspi.Tspi_Context_Connect(context, None))
do(tspi.Tspi_Context_GetTpmObject(context, c.byref(tpm)))
digest = hashlib.sha1(sys.argv[2].encode()).digest()
do(tspi.Tspi_TPM_PcrExtend(tpm, 8, 20, digest, None, c.byref(n), c.byref(out)))
tspi.Tspi_Context_Close(context)
P
	[ $? = 0 ] || bad "extend12-$1"
}
tpm12
finish
