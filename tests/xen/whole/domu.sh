# The guest: its root makes the token, by its SO PIN; all else an ordinary user does, by caas-agent.
# Of the keys there is nothing here but what is public.
upstream=vchan:coupled:data/caas
as_user() { # NAME COMMAND: of sh
	check "$1" su user -c "export GNUTLS_PIN=123456 OPENSSL_CONF=/tmp/openssl.cnf
		$2"
}
tool() { # NAME ARGUMENTS
	as_user "$1" "exec p11tool --provider $CAAS_P11_MODULE --batch $2"
}

until_there() { # COMMAND: some seconds at most
	local i=0
	until "$@" >/dev/null 2>&1 || [ $i = 100 ]; do i=$((i + 1)) && sleep 0.3; done
}
# The disk's files at their places, where there is none yet.
applications() {
	local m f
	while read -r m; do
		insmod "/xen/extra/$m.ko" || bad "the guest loads $m" "it does not"
	done </xen/extra/modules
	mkdir /disk
	until_there [ -b /dev/xvda ]
	check "the guest has a disk of its own" mount -t ext4 /dev/xvda /disk || return 1
	until_there ip link show eth0
	check "and a network interface" sh -c \
		'ip addr add 10.0.0.2/24 dev eth0 && ip link set eth0 up'
	(cd /disk && find . -type f) | while read -r f; do
		[ -e "/$f" ] || { mkdir -p "/$(dirname "$f")" && ln -s "/disk/$f" "/$f"; }
	done
	sed "s|@MODULE@|$CAAS_P11_MODULE|" /openssl.cnf.in >/tmp/openssl.cnf
	sed -e "s|@MODULE@|$CAAS_P11_MODULE|" -e 's|@TOKEN@|web|' -e 's|@PIN@|123456|' \
		-e 's|@DIR@|/tmp|' /conf.xml.in >/tmp/conf.xml
	: >/tmp/written && cp /tmp/written /disk/written && sync ||
		bad "and writes there" "it cannot"
}

# An emulated processor that others use too takes its time to start a vsmd, or a DomC.
begin_agent() {
	mkdir -p /run/caas /etc/caas
	printf '%s\n' 'address = unix:/run/caas/agent.sock' 'reconnect = 100000' \
		>/etc/caas/libcaas-p11.conf
	caas-agent --upstream $upstream --mode 0666 --user caas >/tmp/agent.log 2>&1 &
	until [ -S /run/caas/agent.sock ]; do sleep 0.3; done
}

# A connection of a client who verifies the certificate: prints the page.
visit() { # NUMBER
	printf 'GET / HTTP/1.0\r\n\r\n' | openssl s_client -connect 127.0.0.1:8443 -quiet \
		-CAfile /tmp/tls.crt -verify_return_error -verify_hostname localhost 2>"/tmp/visit.$1" |
		grep 'served by worker'
}
# One after the other, until there is /tmp/stop.
browse() { # NUMBER
	while [ ! -e /tmp/stop ]; do
		visit "$1" >>/tmp/pages && continue
		{ echo "failed at $(cut -d. -f1 /proc/uptime) s:" && cat "/tmp/visit.$1"; } >>/tmp/failed
		sleep 1
	done
}
browsers() {
	rm -f /tmp/stop
	: >/tmp/pages && : >/tmp/failed
	browse 1 &
	_one=$!
	browse 2 &
	_two=$!
}
# Waits for so many pages more; bad if they do not come.
pages() { # COUNT
	local want i=0
	want=$(($(wc -l </tmp/pages) + $1))
	while [ "$(wc -l </tmp/pages)" -lt $want ] && [ $i -lt 800 ]; do
		i=$((i + 1)) && sleep 0.3
	done
	[ "$(wc -l </tmp/pages)" -ge $want ] ||
		bad "nginx serves $1 pages more" "it does not, after $(wc -l </tmp/pages)"
}
# ok when no connection has failed since browsers, and both workers have served.
settle() {
	local i=0
	while [ "$(sort -u /tmp/pages | wc -l)" -lt 2 ] && [ $i -lt 200 ]; do
		i=$((i + 1)) && sleep 0.3
	done
	touch /tmp/stop
	wait $_one $_two
	if [ -s /tmp/failed ]; then
		bad "no connection fails" "$(grep -c '^failed' /tmp/failed) did, and $(wc -l </tmp/pages) did not"
		tail -n 20 /tmp/failed /tmp/nginx.err | sed 's/^/# /'
	else
		ok "no connection fails, of $(wc -l </tmp/pages)"
	fi
	i=$(sort -u /tmp/pages | wc -l)
	if [ "$i" = 2 ]; then ok "both workers serve"; else bad "both workers serve" "$i do"; fi
}

applications || return
chapter "The token" "its owner makes it with an SO PIN, over the vchan: dom0 passes no secret"
check "root makes a token, with its SO PIN" env CAAS_VSM_ADDRESS=$upstream \
	caas token create --label web --pin 123456 --so-pin 12345678
check "and lists it, as an administrator" env CAAS_VSM_ADDRESS=$upstream caas token list
said "by its name" web
begin_agent

chapter "p11tool" "an ordinary user's PKCS#11 application makes keys in DomC, by caas-agent"
tool "p11tool lists the tokens" --list-tokens
said "the token is there" 'Label: web'
tool "it makes an RSA key" "--login --generate-privkey=rsa --bits 2048 --label mail \
	--outfile /tmp/mail.pub pkcs11:token=web"
tool "it makes an EC key" "--login --generate-privkey=ecc --curve secp256r1 --label tls \
	--outfile /tmp/tls.pub pkcs11:token=web"
tool "it lists what is there" "--login --list-all pkcs11:token=web"
said "the RSA key" 'Private key \(RSA-2048\)'
said "and the EC key" 'Private key \(EC/ECDSA'

chapter "OpenSSL" "by its engine it signs with keys that it cannot read; the public key says so"
uri() { echo "pkcs11:token=web;object=$1;type=private;pin-value=123456"; }
for k in mail tls; do
	as_user "openssl signs by the engine, with $k" "exec openssl dgst -sha256 -engine pkcs11 \
		-keyform engine -sign '$(uri $k)' -out /tmp/$k.sig /etc/passwd"
	check "OpenSSL verifies that with the public key" openssl dgst -sha256 \
		-verify /tmp/$k.pub -signature /tmp/$k.sig /etc/passwd
done
refuses "and of something else it does not" openssl dgst -sha256 -verify /tmp/tls.pub \
	-signature /tmp/tls.sig /etc/group

chapter "nginx" "an unmodified web server, two workers, serves TLS with a key that is in DomC"
as_user "openssl makes a certificate with the key" "exec openssl req -x509 -new -engine pkcs11 \
	-keyform engine -key '$(uri tls)' -subj /CN=localhost \
	-addext subjectAltName=DNS:localhost -days 30 -out /tmp/tls.crt"
as_user "nginx starts" "mkdir -p /tmp/nginx && exec nginx -p /tmp -c /xen/scenario/nginx.conf"
browsers
pages 6
settle
if grep -l 'PRIVATE KEY' /tmp/* /disk/* 2>/dev/null; then
	bad "there is no private key in the guest's files" "there is"
else
	ok "there is no private key in the guest's files"
fi

xenstore-write -- data/certificate "$(cat /tmp/tls.crt)"
step reachable
wait_order reached || return

chapter "OpenDNSSEC" "ods-hsmspeed, of a DNSSEC signer, makes a key in DomC and signs with two threads"
as_user "ods-hsmspeed runs" "exec ods-hsmspeed -c /tmp/conf.xml -r caas -i 20 -s 1024 -t 2"
said "it tells its speed" 'sig/s'

chapter "vsmd is killed" "while nginx serves: it waits for the next vsmd, and no client notices"
browsers
pages 4
step loaded
enough=
for n in 1 2; do
	wait_order again-$n || { enough=1 && break; }
	pages 4
	step more-$n
done
settle
[ -z "$enough" ] || { step "done" && return; }

chapter "DomC is destroyed" "the pair gets a new DomC, of the old one's disk, and no client notices"
browsers
pages 4
step serving
wait_order new || return
pages 4
settle
check "it is the same nginx" kill -0 "$(cat /tmp/nginx.pid)"
tool "p11tool makes another key" "--login --generate-privkey=ecc --curve secp256r1 --label later \
	--outfile /tmp/later.pub pkcs11:token=web"
sign() { tool "$1" "--login --test-sign 'pkcs11:token=web;object=$2;type=private'"; }
sign "and signs with it" later
step later

wait_order old || return
sign "a key of then signs" mail
tool "p11tool lists what is there" "--login --list-all pkcs11:token=web"
said "the keys of then" 'Label: tls'
if grep -q 'Label: later' /tmp/out; then
	bad "and not the one that was made later" "it is there"
else
	ok "and not the one that was made later"
fi
tail -n 20 /tmp/agent.log /tmp/nginx.err | sed 's/^/# /'
free -m | sed 's/^/# /'
step done
wait_order stop
