. /xen/stays.sh
export CAAS_VSM_ADDRESS=vchan:coupled:data/caas GNUTLS_PIN=123456
check "another guest in the place of the first signs with its key" p11tool --provider "$CAAS_P11_MODULE" \
	--batch --login --test-sign 'pkcs11:token=web;object=stays;type=private'
stays direct "$CAAS_VSM_ADDRESS"
for c in init "token web" open "login user 123456" "find stays" "sign 5"; do
	ask direct "an application that stays: $c" "$c"
done
step signed
wait_order alone
fails direct "it is told that the crypto domain is gone" "sign 5" CKR_DEVICE_REMOVED
