# The listening half, which has the tests; then a vsock, which in one machine is its own other side.
. /xen/vsmd.sh

suite() { # NAME ARGUMENTS...: the contract, each of its tests
	local name=$1 rc
	shift
	timeout 400 contract "$@" >/tmp/out 2>&1
	rc=$?
	# What failed is named twice by cmocka.
	sed -nE "s/^\[ +OK +\] (test_.*)/@ ok $name: \1/p
		s/^\[ +SKIPPED +\] (test_[a-z_]*)\$/@ skip $name: \1: XenStore knows no owners of a path/p
		s/^\[ +FAILED +\] (test_[a-z_]*)\$/@ bad $name: \1: failed/p" /tmp/out | sort -u
	if [ $rc = 0 ]; then
		ok "$name: the suite passes, after $(cut -d. -f1 /proc/uptime) s"
	else
		bad "$name: the suite passes" "exit $rc" && tail -n 40 /tmp/out
	fi
}

far=$(an_order)
suite vchan near "vchan:$far:data/control" "vchan:$far:data/contract" \
	"vchan:$DOMID:data/contract" "vchan:$DOMID:data/absent"

for m in vsock vmw_vsock_virtio_transport_common vsock_loopback; do
	check "the kernel takes $m" insmod "/xen/$m.ko"
done
suite vsock vsock

export GNUTLS_PIN=123456 CAAS_VSM_ADDRESS=vsock:1:47111
vsmd_at vsock:any:47111 "cid = 1"
vsmd_up "vsmd listens on a vsock"
check "an administrator makes a token by vsock" caas token create --label web --pin 123456 \
	--so-pin 12345678
check "p11tool makes a key by vsock" p11tool --provider "$CAAS_P11_MODULE" --batch --login \
	--generate-privkey=ecc --curve secp256r1 --label k --outfile /tmp/k.pem pkcs11:token=web
check "p11tool signs by vsock, and verifies" p11tool --provider "$CAAS_P11_MODULE" --batch --login \
	--test-sign 'pkcs11:token=web;object=k;type=private'
vsmd_log
