#!/bin/bash
# dnssec.sh - OpenDNSSEC's ods-hsmutil and ods-hsmspeed.
NAME=dnssec
. "$(dirname "$0")/../clients.sh"
need ods-hsmutil ods-hsmspeed

client() {
	local u="ods-hsmutil -c $WORK/conf.xml" t
	sed -e "s|@MODULE@|$MODULE|" -e "s|@TOKEN@|$TOKEN|" -e "s|@PIN@|$PIN|" -e "s|@DIR@|$WORK|" \
		-e 's|<SkipPublicKey/>||' "$root/examples/dnssec/conf.xml.in" >conf.xml
	sh_step info "$u info | grep -q $TOKEN"
	sh_step generate-rsa "$u generate caas rsa 2048 | grep -i 'key generation successful'"
	sh_step generate-ecdsa "$u generate caas ecdsa 256 | grep -i 'key generation successful'"
	sh_step list "$u list caas | tee l | grep -q RSA/2048"
	sh_step dnskey "$u dnskey \$(sed -nE 's/^caas +([0-9a-f]{32}) +RSA.*/\\1/p' l | head -1) \
		example.org 257 8 | grep -q DNSKEY"
	# Its own test includes algorithms that SoftHSM2 lacks: count what works.
	sh_step own-test "$u test caas >t.log 2>&1; [ \$(grep -c OK t.log) -ge 40 ]"
	for t in 1 8; do
		sh_step "speed-$t-threads" "ods-hsmspeed -c conf.xml -r caas -i $((400 / t)) -s 1024 \
			-t $t 2>&1 | grep -q 'sig/s'"
	done
	sh_step remove "$u remove \$(sed -nE 's/^caas +([0-9a-f]{32}) +RSA.*/\\1/p' l | head -1)"
	sh_step purge "yes YES | $u purge caas; ! $u list caas | grep -qE '^caas +[0-9a-f]{32}'"
}
compare_sides
