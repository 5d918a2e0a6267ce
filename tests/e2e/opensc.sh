#!/bin/bash
# opensc.sh - pkcs11-tool: its own test suite, keys of every type, signatures that OpenSSL checks.
NAME=opensc
. "$(dirname "$0")/../clients.sh"
need pkcs11-tool openssl

key_pair() { # NAME TYPE ID
	local n=$1 s="pkcs11-tool --module $MODULE --token-label $TOKEN -l --pin $PIN --id $3" h
	step "$n-keygen" $s --keypairgen --key-type "$2" --label "k-$n" --usage-sign \
		--usage-decrypt --usage-derive
	step "$n-read" pkcs11-tool --module "$MODULE" --token-label $TOKEN --read-object \
		--type pubkey --id "$3" -o "$n.der"
	openssl pkey -pubin -inform DER -in "$n.der" -out "$n.pem" 2>/dev/null
	echo "hello $n" >"$n.txt"
	case $2 in
	rsa*)
		for h in SHA1 SHA256 SHA512; do
			sh_step "$n-$h" "$s -s -m $h-RSA-PKCS -i $n.txt -o s && openssl dgst -$h \
				-verify $n.pem -signature s $n.txt"
			sh_step "$n-pss-$h" "$s -s -m $h-RSA-PKCS-PSS -i $n.txt -o s && openssl dgst \
				-$h -sigopt rsa_padding_mode:pss -verify $n.pem -signature s $n.txt"
		done
		sh_step "$n-oaep" "openssl pkeyutl -encrypt -pubin -inkey $n.pem -pkeyopt \
			rsa_padding_mode:oaep -in $n.txt -out c && $s --decrypt -m RSA-PKCS-OAEP \
			--hash-algorithm SHA-1 --mgf MGF1-SHA1 -i c -o d && cmp $n.txt d"
		;;
	*edwards*)
		sh_step "$n-eddsa" "$s -s -m EDDSA -i $n.txt -o s && [ \$(stat -c %s s) = 64 ]"
		;;
	*)
		sh_step "$n-ecdsa" "openssl dgst -sha256 -binary $n.txt >h && $s -s -m ECDSA \
			-f openssl -i h -o s && openssl dgst -sha256 -verify $n.pem -signature s $n.txt"
		sh_step "$n-ecdh" "openssl ecparam -name ${2#EC:} -genkey -noout -out o.pem &&
			openssl ec -in o.pem -pubout -outform DER -out o.der 2>/dev/null &&
			$s --derive -m ECDH1-DERIVE -i o.der -o z &&
			openssl pkeyutl -derive -inkey o.pem -peerkey $n.pem -out z2 && cmp z z2"
		;;
	esac
}

client() {
	local s="pkcs11-tool --module $MODULE --token-label $TOKEN -l --pin $PIN"
	step list-slots pkcs11-tool --module "$MODULE" -L
	sh_step mechanisms "[ \$(pkcs11-tool --module $MODULE --token-label $TOKEN -M |
		grep -c '^  ') -ge 69 ]"
	key_pair rsa2048 rsa:2048 a1
	key_pair rsa3072 rsa:3072 a2
	key_pair p256 EC:prime256v1 a3
	key_pair p521 EC:secp521r1 a4
	key_pair ed25519 EC:edwards25519 a5
	sh_step aes "$s --keygen --key-type AES:32 --label aes --id b1"
	head -c 32 /dev/urandom >raw
	sh_step import-aes "$s --write-object raw --type secrkey --key-type AES:32 --id b2 --label imp \
		--usage-decrypt"
	head -c 4096 /dev/urandom >pt
	sh_step aes-cbc "$s --encrypt --id b2 -m AES-CBC-PAD --iv 00112233445566778899aabbccddeeff \
		-i pt -o ct && openssl enc -d -aes-256-cbc -K \$(od -An -tx1 raw | tr -d ' \n') \
		-iv 00112233445566778899aabbccddeeff -in ct -out pt2 && cmp pt pt2"
	sh_step wrong-pin "! pkcs11-tool --module $MODULE --token-label $TOKEN -l --pin 99999999 -O"
	sh_step random "pkcs11-tool --module $MODULE --token-label $TOKEN --generate-random 1000 -o r &&
		[ \$(stat -c %s r) = 1000 ]"
	sh_step hash "pkcs11-tool --module $MODULE --token-label $TOKEN -h -m SHA256 -i pt -o h &&
		openssl dgst -sha256 -binary pt | cmp - h"
	LIMIT=120 step own-test $s --test
	LIMIT=120 step own-test-ec $s --test-ec --key-type EC:prime256v1 --id c9 --label ectest
	step own-test-fork pkcs11-tool --module "$MODULE" --token-label $TOKEN --test-fork
	sh_step change-pin "$s --change-pin --new-pin 7654321 && pkcs11-tool --module $MODULE \
		--token-label $TOKEN -l --pin 7654321 -O"
	step init-pin pkcs11-tool --module "$MODULE" --token-label $TOKEN --login --login-type so \
		--so-pin $SO_PIN --init-pin --new-pin $PIN
	sh_step delete "$s -b --type privkey --id a1 && ! $s -s -m SHA256-RSA-PKCS --id a1 -i pt -o s"
}
compare_sides
