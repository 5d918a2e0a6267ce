#!/bin/bash
# admin.sh - caas against a real vsmd: status, tokens, backups, policy, audit, TPM.
NAME=admin
. "$(dirname "$0")/../lib.sh"

sh_check() { check "$1" bash -c "$2"; }
# json EXPRESSION command...: the expression is true of the command's JSON, as `j`.
json() {
	local name=$1 expression=$2
	shift 2
	"$@" >"$WORK/json" 2>"$WORK/err" || cat "$WORK/err" >&2
	check "$name" python3 -c "import json
j = json.load(open('$WORK/json'))
assert $expression, j"
}
objects() { pkcs11-tool --module "$MODULE" --token-label "$1" -l --pin "$2" --list-objects; }

if sandbox_up web 123456 12345678; then ok up; else bad up; fi
export CAAS_VSM_ADDRESS
check key pkcs11-tool --module "$MODULE" --token-label web -l --pin 123456 --keypairgen \
	--key-type rsa:2048 --id 01 --label k1

json status "type(j) is dict and j" "$CAAS" status --json
sh_check status-text "$CAAS status | grep -q ':'"
json list "[(t['label'], bool(t['serial']), type(t['slot'])) for t in j] == [('web', True, int)]" \
	"$CAAS" token list --json
sh_check list-text "$CAAS token list | grep -q 'web'"

# Tokens
printf '4321\n' >"$WORK/pin"
json create "j['label'] == 'dns' and type(j['slot']) is int and j['serial']" "$CAAS" token create \
	--label dns --pin-file "$WORK/pin" --so-pin 87654321 --json
sh_check pin-from-file "pkcs11-tool --module $MODULE --token-label dns -l --pin 4321 -O"
sh_check pins-from-stdin "printf '2222\n33333333\n' |
	$CAAS token create --label std --pin-file - --so-pin-file -"
sh_check pins-from-stdin-work "pkcs11-tool --module $MODULE --token-label std -l --pin 2222 -O"
check no-pin "$CAAS" token create --label nopin --no-pin --so-pin 87654321
refuses label-taken 1 "$CAAS" token create --label dns --pin 4321 --so-pin 87654321
refuses no-pin-given 2 "$CAAS" token create --label more </dev/null
json four-tokens "len(j) == 4" "$CAAS" token list --json
refuses delete-unconfirmed 2 "$CAAS" token delete --label std </dev/null
check delete "$CAAS" token delete --label std --yes
refuses delete-again 1 "$CAAS" token delete --label std --yes
json three-tokens "'std' not in [t['label'] for t in j]" "$CAAS" token list --json

# Backups
printf 'correct horse\n' >"$WORK/pass"
refuses never-in-clear 2 "$CAAS" token backup --label web --out "$WORK/b" </dev/null
check backup "$CAAS" token backup --label web --out "$WORK/b" --passphrase-file "$WORK/pass"
sh_check backup-private "[ \"\$(stat -c %a $WORK/b)\" = 600 ]"
# Two or three letters are in any ciphertext, now and then.
sh_check backup-not-clear "! grep -aqE 'web  |123456|[.]object' $WORK/b"
refuses backup-of-none 1 "$CAAS" token backup --label none --out "$WORK/n" --sealed
sh_check no-file-left "! ls $WORK/n* 2>/dev/null"
check backup-sealed "$CAAS" token backup --label dns --out "$WORK/s" --sealed
check delete-web "$CAAS" token delete --label web --yes
printf 'wrong\n' >"$WORK/wrong"
refuses wrong-passphrase 1 "$CAAS" token restore --in "$WORK/b" --passphrase-file "$WORK/wrong" \
	--so-pin 12345678
refuses wrong-so-pin 1 "$CAAS" token restore --in "$WORK/b" --passphrase-file "$WORK/pass" \
	--so-pin 11111111
sh_check flipped "python3 - <<'E'
b = bytearray(open('$WORK/b', 'rb').read())
b[len(b) // 2] ^= 1
open('$WORK/f', 'wb').write(b)
open('$WORK/t', 'wb').write(b[:-1])
E"
refuses flipped-refused 1 "$CAAS" token restore --in "$WORK/f" --passphrase-file "$WORK/pass" \
	--so-pin 12345678
refuses truncated-refused 1 "$CAAS" token restore --in "$WORK/t" --passphrase-file "$WORK/pass" \
	--so-pin 12345678
check restore "$CAAS" token restore --in "$WORK/b" --passphrase-file "$WORK/pass" \
	--so-pin 12345678
sh_check restored-key "pkcs11-tool --module $MODULE --token-label web -l --pin 123456 -O \
	--type privkey | grep -q k1"
refuses restore-beside 1 "$CAAS" token restore --in "$WORK/b" --passphrase-file "$WORK/pass" \
	--so-pin 12345678
check delete-dns "$CAAS" token delete --label dns --yes
check restore-sealed "$CAAS" token restore --in "$WORK/s" --sealed --so-pin 87654321
sh_check restored-sealed "pkcs11-tool --module $MODULE --token-label dns -l --pin 4321 -O"

# Policy
check policy-good "$CAAS" policy check "$DIR/vsmd.conf"
printf '[vsmd]\nlisten = unix:/x\nnonsense = 1\n' >"$WORK/conf"
refuses policy-bad 1 "$CAAS" policy check "$WORK/conf"
said policy-bad-line 'conf:3: '
json policy-json "j['ok'] is False and len(j['errors']) == 1" "$CAAS" policy check --json \
	"$WORK/conf"
refuses policy-absent 1 "$CAAS" policy check "$WORK/absent"

# Audit
json audit-records "len(j) > 5 and [r['seq'] for r in j] == list(range(1, len(j) + 1))" \
	"$CAAS" audit show --json
json audit-part "[r['seq'] for r in j] == [2, 3]" "$CAAS" audit show --json --from 2 --count 2
sh_check audit-text "$CAAS audit show | grep -qi 'restore'"
sh_check audit-no-pins "! $CAAS audit show --json | grep -qE '123456|12345678|correct horse'"
check audit-verify "$CAAS" audit verify
json audit-verify-json "j['ok'] is True" "$CAAS" audit verify --json

# TPM
check reseal "$CAAS" tpm reseal
openssl ecparam -name prime256v1 -genkey -noout -out "$WORK/key.pem" 2>/dev/null
digest=$(printf '%064d' 7)
check approve "$CAAS" tpm approve --key "$WORK/key.pem" --pcrs 0,13 --digest "$digest" \
	--ref vsmd-use:test --out "$WORK/approval"
sh_check approval-file "[ -s $WORK/approval ]"
check approve-asks "$CAAS" tpm approve --key "$WORK/key.pem" --pcrs 0 --digest "$digest" \
	--out "$WORK/approval2"
sh_check approval-names-the-store "grep -qE 'vsmd-use:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}' \
	$WORK/approval2"
refuses approve-nobody-to-ask 2 "$CAAS" tpm approve --key "$WORK/key.pem" --pcrs 0 \
	--digest "$digest" --address unix:/nonexistent --out "$WORK/a"
refuses approve-both 2 "$CAAS" tpm approve --key "$WORK/key.pem" --pcrs 0 --digest "$digest" \
	--tpm tpm2:x --ref r --out "$WORK/a"
refuses approve-descending 2 "$CAAS" tpm approve --key "$WORK/key.pem" --pcrs 7,0 \
	--digest "$digest" --ref r --out "$WORK/a"
refuses approve-short-digest 2 "$CAAS" tpm approve --key "$WORK/key.pem" --pcrs 7 --digest 00 \
	--ref r --out "$WORK/a"
refuses approve-registers-of-domt 2 "$CAAS" tpm approve --key "$WORK/key.pem" --pcrs 7 \
	--tpm domt:coupled --ref r --out "$WORK/a"
check approve-image "$CAAS" tpm approve --key "$WORK/key.pem" --image "$digest" \
	--ref vsmd-use:test --out "$WORK/approval3"
sh_check approval-of-image "grep -q '\"pcrs\": \[\]' $WORK/approval3"
refuses approve-image-and-pcrs 2 "$CAAS" tpm approve --key "$WORK/key.pem" --image "$digest" \
	--pcrs 7 --ref r --out "$WORK/a"
refuses approve-short-image 2 "$CAAS" tpm approve --key "$WORK/key.pem" --image 00 --ref r \
	--out "$WORK/a"
refuses approve-nothing 2 "$CAAS" tpm approve --key "$WORK/key.pem" --ref r --out "$WORK/a"
refuses predict-on-tpm2 1 "$CAAS" tpm predict --values "13=$digest"

# What is no command
refuses nothing 2 "$CAAS"
refuses unknown 2 "$CAAS" frobnicate
refuses unknown-option 2 "$CAAS" token list --frobnicate
refuses nobody-there 1 "$CAAS" status --address unix:/nonexistent/s
refuses no-address 1 "$CAAS" status --address pigeon:1

# The PIN that nobody knows is for those whose channel may log in.
refuses no-pin-unknown 1 pkcs11-tool --module "$MODULE" --token-label nopin -l --pin 123456 -O
printf '[grant all nopin]\nallow = all\nlogin = channel\n' >>"$DIR/vsmd.conf"
"$CAAS" sandbox down --dir "$DIR" && sandbox_up
check no-pin-login pkcs11-tool --module "$MODULE" --token-label nopin -l --keypairgen \
	--key-type EC:prime256v1 --id 01 --label k

# An administrator is one by policy.
sed -i 's/^role = admin/#&/' "$DIR/vsmd.conf"
"$CAAS" sandbox down --dir "$DIR" && sandbox_up
refuses no-role 1 "$CAAS" status
said no-role-says-so 'role admin'
finish
