# The guest's root: it owns the token by its SO PIN, and no PIN passes dom0.
# Where it is says XenStore, at each connection: caas/peer.
export GNUTLS_PIN=123456 CAAS_VSM_ADDRESS=vchan:coupled:data/caas
tool() {
	local name=$1
	shift
	check "$name" p11tool --provider "$CAAS_P11_MODULE" --batch "$@"
}
key() { tool "$1" --login --generate-privkey=ecc --curve secp256r1 --label "$2" \
	--outfile "/tmp/$2.pem" pkcs11:token=web; }
sign() { tool "$1" --login --test-sign "pkcs11:token=web;object=$2;type=private"; }

wait_order first
check "root makes a token, with its SO PIN" caas token create --label web --pin 123456 \
	--so-pin 12345678
check "and lists it as an administrator" caas token list --address "$CAAS_VSM_ADDRESS"
said "which shows it" 'web'
key "it makes a key" k1
sign "and signs" k1
step signed
if wait_order again; then
	sign "the key is there again, and signs" k1
	key "it makes another key" k2
	sign "which signs" k2
fi
step more
if wait_order old; then
	sign "on an older disk the first key signs" k1
	refuses "the second is not there" p11tool --provider "$CAAS_P11_MODULE" --batch --login \
		--test-sign "pkcs11:token=web;object=k2;type=private"
fi
