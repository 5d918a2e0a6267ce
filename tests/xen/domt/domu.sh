# The guest's root: its token, whose PINs pass neither dom0 nor DomT.
export GNUTLS_PIN=123456 CAAS_VSM_ADDRESS=vchan:coupled:data/caas
tool() {
	local name=$1
	shift
	check "$name" p11tool --provider "$CAAS_P11_MODULE" --batch "$@"
}
key() { tool "$1" --login --generate-privkey=ecc --curve secp256r1 --label "$2" \
	--outfile "/tmp/$2.pem" pkcs11:token=web; }
sign() { tool "$1" --login --test-sign "pkcs11:token=web;object=$2;type=private"; }

case $(an_order) in
first)
	check "root makes a token, with its SO PIN" caas token create --label web --pin 123456 \
		--so-pin 12345678
	key "it makes a key" k1
	sign "and signs" k1
	step signed
	wait_order stop
	return
	;;
esac
sign "the key is there again, and signs" k1
key "it makes another key" k2
step more
wait_order old || return
check "from an older copy, the administrator is answered" caas status
said "and told that it is rolled back" 'rolled-back'
printf '%s\n' init slots "token web" | caas-e2e-client "$CAAS_P11_MODULE" >/tmp/out 2>&1
said "applications are shown no slot" 'n=0'
said "and no token" '^CKR_TOKEN_NOT_PRESENT'
refuses "the key does not sign" p11tool --provider "$CAAS_P11_MODULE" --batch --login --test-sign \
	"pkcs11:token=web;object=k1;type=private"
step refused
wait_order today || return
sign "from today's store the first key signs" k1
sign "and the second" k2
step goes-on
wait_order restarted || return
key "DomT was made again: a key is made" k3
sign "and signs" k3
step kept
wait_order newest || return
key "DomT has its newest state again: a key is made" k4
step back
wait_order last || return
key "dom0 is denied the page: a key is made" k5
sign "and signs" k5
