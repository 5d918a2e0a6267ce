# Asks whom it is coupled with, and tries what it may not.
export GNUTLS_PIN=123456 CAAS_VSM_ADDRESS=vchan:coupled:data/caas
domc=$(xenstore-read caas/peer)
sign() {
	check "$1" p11tool --provider "$CAAS_P11_MODULE" --batch --login --test-sign \
		'pkcs11:token=web;object=key;type=private'
}
if caas token list 2>/dev/null | grep -qw web; then
	sign "the guest signs after it has rebooted"
	step rebooted
	wait_order stop
	return
fi
check "the guest makes a token" caas token create --label web --pin 123456 --so-pin 12345678
check "the guest makes a key" p11tool --provider "$CAAS_P11_MODULE" --batch --login \
	--generate-privkey=ecc --curve secp256r1 --label key --outfile /tmp/key.pem pkcs11:token=web
sign "the guest signs by its DomC"
refuses "the guest does not read what DomC is told" xenstore-read "/local/domain/$domc/caas/peer"
refuses "the guest does not change what it is told" xenstore-write caas/peer 0
refuses "the guest does not remove what it is told" xenstore-rm caas/peer
refuses "the guest does not add to what it is told" xenstore-write caas/other 0
refuses "the guest does not see domtd's records" xenstore-ls /caas
step signed
wait_order reboot && reboot -f
