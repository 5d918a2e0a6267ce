# Signs, and once more after it was saved and restored: by an application that stayed open, whose
# channel caas-agent has closed meanwhile, and by a new one.
. /xen/stays.sh
export CAAS_VSM_ADDRESS=vchan:coupled:data/caas GNUTLS_PIN=123456
check "the guest makes a token" caas token create --label web --pin 123456 --so-pin 12345678
mkdir -p /run/caas
caas-agent --upstream "$CAAS_VSM_ADDRESS" --mode 0666 --user caas >/tmp/agent.log 2>&1 &
until [ -S /run/caas/agent.sock ]; do sleep 0.3; done
stays it unix:/run/caas/agent.sock
for c in init "token web" open "login user 123456" "genec stays" "sign 5"; do
	ask it "an application that stays: $c" "$c"
done
step signed
if wait_order again; then
	ask it "it signs after the guest was restored" "sign 5"
	check "another one makes a channel of its own, and signs" p11tool \
		--provider "$CAAS_P11_MODULE" --batch --login --test-sign \
		'pkcs11:token=web;object=stays;type=private'
	step again
	wait_order stop
fi
