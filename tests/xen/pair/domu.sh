. /xen/stays.sh
vchan=vchan:$(word vsm):data/caas
export CAAS_VSM_ADDRESS=$vchan GNUTLS_PIN=123456
tool() {
	local name=$1
	shift
	check "$name" p11tool --provider "$CAAS_P11_MODULE" --batch "$@"
}

check "an administrator makes a token" caas token create --label web --pin 123456 --so-pin 12345678
tool "p11tool lists the tokens" --list-tokens
said "the token is listed" 'Label: web'
tool "p11tool makes a key" --login --generate-privkey=rsa --bits 2048 --label direct \
	--outfile /tmp/direct.pem pkcs11:token=web
tool "p11tool signs, and verifies" --login --test-sign 'pkcs11:token=web;object=direct;type=private'

# Applications that are not root, by the agent, which is not root either.
mkdir -p /run/caas
caas-agent --upstream "$vchan" --mode 0666 --user caas >/tmp/agent.log 2>&1 &
until [ -S /run/caas/agent.sock ]; do sleep 0.3; done
as_user() { # NAME ADDRESS p11tool's arguments...
	local name=$1 address=$2
	shift 2
	check "$name" su user -c "export CAAS_VSM_ADDRESS=$address GNUTLS_PIN=123456
		exec p11tool --provider $CAAS_P11_MODULE --batch $*"
}
as_user "another user sees nothing without the agent" "$vchan" --list-tokens
if grep -q 'Label: web' /tmp/out; then bad "and that is so" "it sees the token"; fi
agent=unix:/run/caas/agent.sock
as_user "another user makes a key by the agent" "$agent" --login --generate-privkey=ecc \
	--curve secp256r1 --label by-agent --outfile /tmp/agent.pem pkcs11:token=web
as_user "another user signs by the agent" "$agent" --login --test-sign \
	"'pkcs11:token=web;object=by-agent;type=private'"

# Over a vsmd that is killed.
stays it "$vchan"
for c in init "token web" open "login user 123456" "genec stays" "sign 5"; do
	ask it "an application that stays: $c" "$c"
done
step signed
wait_order go
ask it "it signs after vsmd was killed" "sign 5"
ask it "and knows what it has" state
tool "p11tool signs after vsmd was killed" --login --test-sign \
	'pkcs11:token=web;object=direct;type=private'
as_user "the agent goes on after vsmd was killed" "$agent" --login --test-sign \
	"'pkcs11:token=web;object=by-agent;type=private'"
sed 's/^/# /' /tmp/agent.log
