#!/bin/bash
# openssl.sh - OpenSSL's command line through the pkcs11 engine: requests, signatures, TLS, curl.
NAME=openssl
. "$(dirname "$0")/../clients.sh"
need openssl curl pkcs11-tool

one_key() { # NAME TYPE ID
	local n=$1 key="pkcs11:token=$TOKEN;object=$1;type=private;pin-value=$PIN" v port
	local engine="-engine pkcs11 -keyform engine"

	step "$n-keygen" pkcs11-tool --module "$MODULE" --token-label $TOKEN --login --pin $PIN \
		--keypairgen --key-type "$2" --id "$3" --label "$n"
	echo data >data
	step "$n-request" openssl req -new $engine -key "$key" -subj /CN=localhost -out "$n.csr"
	step "$n-request-verifies" openssl req -verify -noout -in "$n.csr"
	step "$n-certificate" openssl req -x509 -new $engine -key "$key" -subj /CN=localhost \
		-addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:TRUE \
		-days 30 -out "$n.crt"
	openssl x509 -in "$n.crt" -pubkey -noout >"$n.pub"
	sh_step "$n-sign-sha256" "openssl dgst $engine -sha256 -sign '$key' -out s data &&
		openssl dgst -sha256 -verify $n.pub -signature s data"
	if [ "$n" = rsa ]; then
		sh_step rsa-pss "openssl dgst $engine -sha256 -sigopt rsa_padding_mode:pss \
			-sign '$key' -out s data && openssl dgst -sha256 \
			-sigopt rsa_padding_mode:pss -verify rsa.pub -signature s data"
		sh_step rsa-decrypt "openssl pkeyutl -encrypt -pubin -inkey rsa.pub -in data -out c &&
			openssl pkeyutl -decrypt $engine -inkey '$key' -in c -out p && cmp data p"
	fi
	for v in tls1_2 tls1_3; do
		port=$(freeport)
		background openssl s_server $engine -key "$key" -cert "$n.crt" \
			-accept "127.0.0.1:$port" -$v -www -Verify 1 -CAfile "$n.crt"
		waitport "$port"
		sh_step "$n-$v-s_client" "echo Q | openssl s_client -connect 127.0.0.1:$port -$v \
			$engine -key '$key' -cert $n.crt -CAfile $n.crt -verify_return_error \
			-servername localhost"
		sh_step "$n-$v-curl-client-certificate" "for i in 1 2 3 4 5; do
			curl -sS -o /dev/null --engine pkcs11 --key-type ENG --key '$key' \
			--cert $n.crt --cacert $n.crt https://localhost:$port/ || exit 1; done"
		stop_background
	done
}

client() {
	engine_config
	one_key rsa rsa:2048 e001
	one_key ec EC:prime256v1 e002
}
compare_sides
