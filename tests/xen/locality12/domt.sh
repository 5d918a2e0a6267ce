. /xen/tpm.sh
tpm_is 1.2
tcsd=tpm1.2:127.0.0.1:30003
export TCSD_TCP_DEVICE_HOSTNAME=127.0.0.1 TCSD_TCP_DEVICE_PORT=16545

raw "it uses the TPM by its page" $PAGE $GET_RANDOM 00000000
raw "it extends PCR 20" $PAGE $EXTEND_20 00000000
raw "it resets PCR 20" $PAGE $RESET_20 00000000
caas-tis-bridge --listen tcp:16545 --user tss >/tmp/bridge.log 2>&1 &
bridge=$!
listens 16545 && tcsd_up -e
check "it takes the TPM, by tcsd and the bridge" tpm_takeownership -y -z
check "it seals to locality 2" caas-xen-tpm seal $tcsd 2 /tmp/blob
check "it unseals" caas-xen-tpm unseal $tcsd /tmp/blob
refuses "it cannot seal to a locality that it has not" caas-xen-tpm seal $tcsd 3 /tmp/none
said "and is told so" 'TPM: 0x3d'
check "the bridge is another user, and cannot gain privileges" sh -c \
	"grep -q '^Uid:.101.101.101.101' /proc/$bridge/status &&
	grep -q '^NoNewPrivs:.1' /proc/$bridge/status && grep -q '^Seccomp:.2' /proc/$bridge/status"
xenstore-write data/blob "$(cat /tmp/blob)"
xenstore-write data/system "$(xxd -p /var/lib/tpm/system.data | tr -d '\n')"
step sealed
if wait_order go; then
	check "it still unseals, dom0 being denied the page" caas-xen-tpm unseal $tcsd /tmp/blob
	raw "it still resets PCR 20" $PAGE $RESET_20 00000000
	# By a socket with a mode, beside the bridge that is there.
	kill -9 $tcsd_pid
	mkdir -p /run/caas
	caas-tis-bridge --group tss --user tss >>/tmp/bridge.log 2>&1 &
	until [ -S /run/caas/tis.sock ] || ! kill -0 $!; do sleep 0.3; done
	export TCSD_UN_SOCKET_DEVICE_PATH=/run/caas/tis.sock TCSD_TCP_DEVICE_PORT=1
	tcsd_up -e
	check "it unseals by a second bridge" caas-xen-tpm unseal $tcsd /tmp/blob
	raw "and both have their turns" $PAGE $GET_RANDOM 00000000
fi
sed 's/^/# /' /tmp/bridge.log
