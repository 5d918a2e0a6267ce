# The one whom the channel is for: what is refused to others is granted to it.
vsm=$(word vsm)
export CAAS_VSM_ADDRESS=vchan:$vsm:data/caas GNUTLS_PIN=123456
sign="p11tool --provider $CAAS_P11_MODULE --batch --login --test-sign
 pkcs11:token=web;object=k;type=private"

check "its guest makes a token" caas token create --label web --pin 123456 --so-pin 12345678
check "its guest makes a key" p11tool --provider "$CAAS_P11_MODULE" --batch --login \
	--generate-privkey=ecc --curve secp256r1 --label k --outfile /tmp/k.pem pkcs11:token=web
check "its guest administers" caas token list --address "$CAAS_VSM_ADDRESS"
check "its guest reads the entry" xenstore-read "/local/domain/$vsm/data/caas/ring-ref"
# Of channels that it has closed DomC has the pages until it has noticed.
i=0
until caas-xen-grab "$vsm" | grep -q 'pages=9 events=1$' || [ $i = 20 ]; do i=$((i + 1)) && sleep 0.5; done
check "its guest maps the ring in waiting" caas-xen-grab "$vsm"
said "and that is nine pages and an event" 'pages=9 events=1$'
check "its guest signs" $sign
step signed
wait_order go
check "its guest signs afterwards" $sign
