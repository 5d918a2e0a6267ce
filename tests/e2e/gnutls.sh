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
	sh_step init-another "$tool --list-token-urls >before
		u=\$($tool --list-tokens | sed -n 's/.*URL: \\(.*\\)/\\1/p' | grep -v 'token=$TOKEN' | head -1)
		$tool --initialize \"\$u\" --label second --set-so-pin $SO_PIN </dev/null &&
		$tool --list-tokens | grep -q token=second"
	mkdir -p modules
	printf 'module: %s\ncritical: no\n' "$MODULE" >modules/one.module
	cp /usr/lib/x86_64-linux-gnu/p11-kit-proxy.so . 2>/dev/null ||
		cp /usr/lib/*/libp11-kit.so.0 p11-kit-proxy.so
	sh_step proxy-list-tokens "p11tool --provider /usr/lib/$(uname -m)-linux-gnu/p11-kit-proxy.so \
		--list-tokens >/dev/null"
}
compare_sides
