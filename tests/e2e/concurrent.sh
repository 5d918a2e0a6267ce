#!/bin/bash
# concurrent.sh - many processes at once on one token.  SoftHSM2 itself loses signatures
# here, because its files are truncated before they are locked; ours must lose none.
NAME=concurrent
. "$(dirname "$0")/../clients.sh"
need pkcs11-tool openssl

one() {
	pkcs11-tool --module "$MODULE" --token-label "$TOKEN" -l --pin "$PIN" -s -m SHA256-RSA-PKCS \
		--id c001 -i d -o "s-$1" >"l-$1" 2>&1 &&
		openssl dgst -sha256 -verify pub.pem -signature "s-$1" d >/dev/null 2>&1
}
generate() {
	pkcs11-tool --module "$MODULE" --token-label "$TOKEN" -l --pin "$PIN" --keypairgen \
		--key-type EC:prime256v1 --label "n-$1" --id "d0$(printf %02x "$1")" >"g-$1" 2>&1
}
export -f one generate

client() {
	local n
	p11 --keypairgen --key-type rsa:2048 --id c001 --label c-rsa >/dev/null 2>&1
	p11 --read-object --type pubkey --id c001 -o pub.der >/dev/null 2>&1
	openssl pkey -pubin -inform DER -in pub.der -out pub.pem 2>/dev/null
	echo data >d
	for n in 2 8 32; do
		sh_step "sign-$n" "seq $((n * 2)) | xargs -P $n -I{} bash -c 'one {} || exit 255'"
	done
	for n in 2 8; do
		sh_step "keygen-$n" "seq $((n * 2)) | xargs -P $n -I{} bash -c 'generate {} || exit 255'"
	done
	sh_step all-there "[ \$(pkcs11-tool --module $MODULE --token-label $TOKEN -l --pin $PIN -O \
		--type privkey | grep -c 'Private Key') -ge 17 ]"
}
compare_sides
