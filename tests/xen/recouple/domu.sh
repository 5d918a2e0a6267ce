# Signs, and once more after it was saved and restored.
export GNUTLS_PIN=123456 CAAS_VSM_ADDRESS=vchan:coupled:data/caas
sign() {
	check "$1" p11tool --provider "$CAAS_P11_MODULE" --batch --login --test-sign \
		'pkcs11:token=web;object=key;type=private'
}
check "the guest makes a token" caas token create --label web --pin 123456 --so-pin 12345678
check "the guest makes a key" p11tool --provider "$CAAS_P11_MODULE" --batch --login \
	--generate-privkey=ecc --curve secp256r1 --label key --outfile /tmp/key.pem pkcs11:token=web
sign "the guest signs by its DomC"
step signed
if wait_order again; then
	sign "the guest signs after it was restored"
	step again
	wait_order stop
fi
