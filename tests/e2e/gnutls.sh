#!/bin/bash
# gnutls.sh - p11tool: init, generate, import a certificate, list by PKCS#11 URI, delete; and
# p11-kit's proxy module.
NAME=gnutls
. "$(dirname "$0")/../clients.sh"
need p11tool certtool p11-kit openssl

client() {
	local tool="p11tool --provider $MODULE --batch" uri="pkcs11:token=$TOKEN"
	export GNUTLS_PIN=$PIN GNUTLS_SO_PIN=$SO_PIN

	sh_step tokens "$tool --list-tokens | grep -q 'token=$TOKEN'"
	sh_step mechanisms "$tool --list-mechanisms '$uri' | grep -c CKM_ >n && [ \$(cat n) -ge 60 ]"
	step rsa $tool --login --generate-rsa --bits 2048 --label g-rsa --id 0a01 "$uri"
	step ecc $tool --login --generate-ecc --curve secp256r1 --label g-ec --id 0a02 "$uri"
	# p11tool 3.7.9 cannot make one on SoftHSM2 either; pkcs11-tool can (opensc.sh).
	step ed25519 $tool --login --generate-privkey=ed25519 --label g-ed --id 0a03 "$uri"
	sh_step list-privkeys "$tool --login --list-privkeys '$uri' | grep -q 'Label: g-rsa'"
	openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -subj /CN=x -days 9 -out c.pem 2>/dev/null
	step import-certificate $tool --login --write --load-certificate c.pem --label g-crt \
		--id 0a04 "$uri"
	sh_step list-by-uri "$tool --list-all '$uri;object=g-crt;type=cert' | grep -q 'Label: g-crt'"
	sh_step export-certificate "$tool --export '$uri;object=g-crt;type=cert' >out.pem &&
		openssl x509 -in out.pem -noout -fingerprint >a && openssl x509 -in c.pem -noout \
		-fingerprint >b && cmp a b"
	sh_step test-sign "$tool --login --test-sign '$uri;object=g-rsa;type=private'"
	step set-label $tool --login --set-label renamed "$uri;object=g-crt;type=cert"
	sh_step delete "$tool --login --delete '$uri;object=g-ec' &&
		! $tool --login --list-all '$uri' | grep -q 'Label: g-ec'"
	sh_step random "[ \$($tool --generate-random 32 '$uri' --outfile r; stat -c %s r) = 32 ]"
	# "serial=" is the token without a serial: the one that is not initialized yet.
	sh_step init-another "$tool --initialize 'pkcs11:serial=' --label second &&
		$tool --list-tokens | grep -q 'Label: second'"
	sh_step init-pin "$tool --initialize-pin 'pkcs11:token=second' &&
		$tool --login --generate-rsa --bits 2048 --label k 'pkcs11:token=second'"
	# The proxy module, as an application sees it that lists every registered module.
	mkdir -p home/.config/pkcs11/modules
	printf 'module: %s\ncritical: yes\n' "$MODULE" >home/.config/pkcs11/modules/caas.module
	printf 'user-config: only\n' >home/.config/pkcs11/pkcs11.conf
	# p11-kit reads a user's configuration for ordinary users only.
	local user=
	[ "$(id -u)" != 0 ] || user="setpriv --reuid 65534 --regid 65534 --clear-groups"
	[ "$side" = ours ] || chmod -R a+rwX "$top/tokens"
	sh_step proxy-list-tokens "export HOME=$WORK/home
		$user p11-kit list-modules | grep -q 'token: $TOKEN' && $user pkcs11-tool --module \
		/usr/lib/$(uname -m)-linux-gnu/p11-kit-proxy.so -L | grep -q $TOKEN"
}
compare_sides
