# The pair works, before and after what dom0 tries.
export CAAS_VSM_ADDRESS=vchan:coupled:data/caas GNUTLS_PIN=123456
sign="p11tool --provider $CAAS_P11_MODULE --batch --login --test-sign
 pkcs11:token=web;object=k;type=private"

wait_order go
check "its guest makes a token" caas token create --label web --pin 123456 --so-pin 12345678
check "its guest makes a key" p11tool --provider "$CAAS_P11_MODULE" --batch --login \
	--generate-privkey=ecc --curve secp256r1 --label k --outfile /tmp/k.pem pkcs11:token=web
check "its guest signs" $sign
step signed
wait_order again
check "its guest signs when dom0 has tried everything" $sign
