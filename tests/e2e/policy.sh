#!/bin/bash
# policy.sh - who may do what: principals by uid, hidden keys, login by the channel, mechanisms,
# quotas, extraction, lock-out, reload, and the audit of it all.
NAME=policy
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../vsmd.sh"
. "$(dirname "$0")/../users.sh"
for c in setpriv pkcs11-tool p11tool nginx ods-hsmutil curl; do
	command -v $c >/dev/null || {
		echo "skip policy: $c is not installed (scripts/deps test)"
		echo "policy: 0 passed, 0 failed, 1 skipped"
		exit 77
	}
done
users_needed "$CLIENT"

session() { # NAME TOKEN [PIN]
	ask init && ask "token $2" && ask open && ask "login user ${3:-}"
	judge "$1" CKR_OK
}
sh_check() { check "$1" bash -c "$2"; }

# The administrator is `daemon', nginx is root and www-data, the zone signer is `games', and
# `bin' is kept short.  `mail' is nobody to vsmd.
settings "pin-tries = 4" "log-level = info"
cat >>"$CONF" <<'C'
[principal admin]
uid = daemon
role = admin
[grant admin *]
allow = all
extract = allow
[grant admin web]
allow = all
login = channel
extract = allow
[principal nginx]
uid = root, www-data
[grant nginx web]
login = channel
mechanisms = CKM_RSA_PKCS CKM_RSA_PKCS_PSS CKM_ECDSA CKM_EC_KEY_PAIR_GEN
[key nginx web no-ed25519]
type = ed25519
class = private-key
hide = yes
[principal signer]
uid = games
[grant signer zones]
login = channel
allow = all
[principal short]
uid = bin
[grant short lim]
allow = read use random login pin object generate import destroy wrap
audit-use = yes
[key short lim tls]
label = tls*
mechanisms = CKM_RSA_PKCS
[key short lim slow]
label = slow
quota = 1/s burst 3
C
cp "$CONF" "$WORK/conf.1"
check conf-good "$CAAS" policy check "$CONF"
if vsmd_up; then ok up; else bad up "$(_since | tail -n 3)"; fi
admin() { become daemon "$CAAS" "$@"; }
check token-web become daemon "$CAAS" token create --label web --no-pin --so-pin 12345678
check token-zones become daemon "$CAAS" token create --label zones --no-pin --so-pin 12345678
check token-lim become daemon "$CAAS" token create --label lim --pin 123456 --so-pin 12345678

# Who sees what
sees() { # NAME USER LABELS
	printf '%s\n' init slots | become "$2" timeout 30 "$CLIENT" "$CLIENT_MODULE" >"$WORK/out"
	if grep -qE "labels=$3,?\$" "$WORK/out"; then ok "$1"; else bad "$1" "$(tail -n 1 "$WORK/out"), not $3"; fi
}
sees sees-admin daemon 'web,zones,lim,'
sees sees-nginx-root root web
sees sees-nginx-worker www-data web
sees sees-signer games 'zones,'
sees sees-short bin lim
sees sees-stranger mail ''
refuses not-admin 1 become bin "$CAAS" status
said not-admin-says-so 'role admin'
refuses stranger-not-admin 1 become mail "$CAAS" status

# Login by the channel
app_as www-data
expect channel-init CKR_OK init
expect channel-token CKR_OK "token web"
expect channel-path CKR_OK tokeninfo
case $ANSWER in *' path'*) ok channel-path-shown ;; *) bad channel-path-shown "$ANSWER" ;; esac
expect channel-open CKR_OK open
expect channel-null CKR_OK "login user"
expect channel-logged-in CKR_OK state
case $ANSWER in *state=3) ok channel-state ;; *) bad channel-state "$ANSWER" ;; esac
expect channel-logout CKR_OK logout
expect channel-empty CKR_OK 'login user ""'
expect channel-logout-again CKR_OK logout
expect channel-wrong-pin CKR_PIN_INCORRECT "login user 999999"
expect channel-still CKR_OK "login user"
app_as bin
expect pin-token CKR_OK init
ask "token lim" && ask tokeninfo
case $ANSWER in *' path'*) bad pin-no-path "$ANSWER" ;; *) ok pin-no-path ;; esac
ask open
expect pin-null-refused 'CKR_ARGUMENTS_BAD|CKR_PIN_INCORRECT' "login user"
expect pin-empty-refused 'CKR_ARGUMENTS_BAD|CKR_PIN_INCORRECT' 'login user ""'
expect pin-right CKR_OK "login user 123456"
sh_check pinpad-shown "become www-data pkcs11-tool --module $MODULE -L | grep -q 'PIN pad present'"
sh_check pinpad-of-that-principal-only "! become bin pkcs11-tool --module $MODULE -L | grep -q 'PIN pad'"

# A TLS key and, beside it, an Ed25519 key that nginx does not get to see
tool="pkcs11-tool --module $MODULE --token-label web"
check web-rsa become daemon $tool -l --keypairgen --key-type rsa:2048 --label tls --id 01
check web-ed25519 become daemon $tool -l --keypairgen --key-type EC:edwards25519 --label ed --id 02
sh_check admin-sees-both "become daemon $tool -l -O --type privkey | grep -c 'label: *\(tls\|ed\)\$' | grep -qx 2"
sh_check nginx-sees-one "become www-data $tool -l -O --type privkey >$WORK/o && grep -q 'label: *tls\$' $WORK/o &&
	! grep -q 'label: *ed\$' $WORK/o"
sh_check p11tool-without-pin "become www-data p11tool --provider $MODULE --batch --login \
	--list-privkeys 'pkcs11:token=web' | grep -q 'Label: tls'"
sed "s|@MODULE@|$MODULE|" "$ROOT/examples/nginx/openssl.cnf.in" >"$WORK/openssl.cnf"
printf 'commonName = CN\n' >>"$WORK/openssl.cnf"
key='pkcs11:token=web;object=tls;type=private'
check certificate env OPENSSL_CONF="$WORK/openssl.cnf" openssl req -x509 -new -engine pkcs11 \
	-keyform engine -key "$key" -subj /CN=localhost -addext subjectAltName=DNS:localhost \
	-days 9 -out "$WORK/tls.crt"
port=$(freeport)
mkdir -p "$WORK/ng/tmp"
cp "$WORK/tls.crt" "$WORK/openssl.cnf" "$WORK/ng"
sed -e "s|@DIR@|$WORK/ng|g" -e "s|@PORT@|$port|g" -e 's|^env CAAS.*|&\nenv CAAS_P11_CONF;|' \
	"$ROOT/examples/nginx/nginx.conf.in" >"$WORK/ng/nginx.conf"
env -i PATH="$PATH" OPENSSL_CONF="$WORK/ng/openssl.cnf" CAAS_VSM_ADDRESS="$CAAS_VSM_ADDRESS" \
	setsid nginx -p "$WORK/ng" -c "$WORK/ng/nginx.conf" -g 'daemon off;' >"$WORK/ng/out" 2>&1 &
nginx=$!
disown $nginx
tidy "kill $nginx 2>/dev/null"
waitport "$port" || cat "$WORK/ng/nginx.err" "$WORK/ng/out"
sh_check nginx-serves "seq 20 | xargs -P 5 -I{} curl -sS -o /dev/null --max-time 20 --cacert $WORK/tls.crt \
	https://localhost:$port/"
sh_check nginx-files-hold-no-pin "! grep -riE 'pin-value|pin-source|12345678|PIN *=' $WORK/ng --include='*.c*nf' &&
	! grep -rlE 'BEGIN .*PRIVATE KEY' $WORK/ng"
sh_check nginx-processes-hold-no-pin "ps -o pid= -s $nginx | while read p; do
	! tr '\\0' '\\n' </proc/\$p/environ | grep -iE 'pin' || exit 1; done"
kill "$nginx"

# The zone signer: an empty PIN element
mkdir -m 777 "$WORK/ods"
sed -e "s|@MODULE@|$MODULE|" -e 's|@TOKEN@|zones|' -e 's|@PIN@||' -e "s|@DIR@|$WORK/ods|" \
	"$ROOT/examples/dnssec/conf.xml.in" >"$WORK/ods/conf.xml"
sh_check ods-generate "cd $WORK/ods && become games ods-hsmutil -c conf.xml generate caas rsa 2048 2>&1 |
	grep -i 'key generation successful'"
sh_check ods-list "cd $WORK/ods && become games ods-hsmutil -c conf.xml list caas | grep -q RSA/2048"

# nginx may use its key, and nothing else
app_as www-data
session nginx-session web
expect nginx-key CKR_OK "find tls"
expect nginx-signs CKR_OK "sign 1 rsa"
expect nginx-other-mechanism CKR_MECHANISM_INVALID "sign 1 sha"
expect nginx-digest CKR_MECHANISM_INVALID "digest 10"
expect nginx-mechanism CKR_OK "mech CKM_RSA_PKCS"
expect nginx-no-mechanism CKR_MECHANISM_INVALID "mech CKM_AES_CBC"
expect nginx-hidden CKR_KEY_HANDLE_INVALID "find ed"
expect nginx-no-generate CKR_TOKEN_WRITE_PROTECTED "genec mine"
expect nginx-no-import CKR_TOKEN_WRITE_PROTECTED "import mine"
expect nginx-no-destroy CKR_ACTION_PROHIBITED "destroy tls"
expect nginx-no-init CKR_TOKEN_WRITE_PROTECTED "inittoken 12345678 mine"
expect nginx-no-pin-change CKR_TOKEN_WRITE_PROTECTED 'setpin "" 123456'

# Mechanisms of a key, quota, extraction
app_as bin
session short-session lim 123456
expect mech-key CKR_OK "genrsa 2048 tls1"
expect mech-allowed CKR_OK "sign 1 rsa"
expect mech-refused CKR_MECHANISM_INVALID "sign 1 sha"
expect mech-other-key CKR_OK "genrsa 2048 free"
expect mech-other-key-allowed CKR_OK "sign 1 sha"
expect quota-key CKR_OK "genec slow"
expect quota-over CKR_FUNCTION_REJECTED "sign 10"
case $ANSWER in *done=[34]) ok quota-burst ;; *) bad quota-burst "$ANSWER" ;; esac
sleep 1.2
expect quota-refills CKR_OK "sign 1"
expect extract-no-key CKR_TEMPLATE_INCONSISTENT "genaes out extractable"
expect extract-no-import CKR_TEMPLATE_INCONSISTENT "import out extractable"
expect import CKR_OK "import in"
expect import-works CKR_OK decrypt
expect import-not-read 'CKR_ATTRIBUTE_SENSITIVE|CKR_ATTRIBUTE_TYPE_INVALID' value
expect wrapper CKR_OK "genaes wrapper"
ask "find in"
expect extract-no-wrap CKR_KEY_UNEXTRACTABLE "wrap wrapper"
expect short-destroy CKR_OK "destroy in"
expect short-no-init CKR_TOKEN_WRITE_PROTECTED "inittoken 12345678 lim"
app_as daemon
session admin-session lim 123456
expect admin-key CKR_OK "genaes out extractable"
expect admin-wrap CKR_OK "wrap wrapper"
ask "find tls1"
expect admin-other-mechanism CKR_OK "sign 1 sha"
ask close
expect admin-init-wrong-pin CKR_PIN_INCORRECT "inittoken 87654321 lim"
app_end

# Lock-out: the fourth wrong PIN, counted over restarts
flags() { # NAME WANT: what pkcs11-tool shows to `bin'
	become bin pkcs11-tool --module "$MODULE" -L >"$WORK/out" 2>&1
	if grep 'token flags' "$WORK/out" | grep -qE "$2"; then ok "$1"; else bad "$1" "$(grep 'token flags' "$WORK/out")"; fi
}
wrong() {
	app_as bin
	ask init && ask "token lim" && ask open
	expect "$1" "${2:-CKR_PIN_INCORRECT}" "login user 111111"
	app_end
}
wrong lock-1
flags lock-low 'user PIN count low'
wrong lock-2
vsmd_down
if vsmd_up; then ok lock-restart; else bad lock-restart; fi
flags lock-low-after-restart 'user PIN count low'
wrong lock-3
flags lock-final 'final user PIN try'
vsmd_kill
vsmd_up || bad lock-killed
wrong lock-4 'CKR_PIN_INCORRECT|CKR_PIN_LOCKED'
flags lock-locked 'user PIN locked'
app_as bin
ask init && ask "token lim" && ask open
expect lock-right-pin CKR_PIN_LOCKED "login user 123456"
expect lock-so CKR_OK "login so 12345678"
expect lock-unlock CKR_OK "initpin 123456"
expect lock-logout CKR_OK logout
expect lock-free CKR_OK "login user 123456"
app_end
sh_check lock-no-flags "! become bin pkcs11-tool --module $MODULE -L | grep -qE 'count low|final|locked'"
app_as www-data
session lock-others-free web

# Reload: for new channels, and not at all when the file is broken.
expect reload-before CKR_TOKEN_WRITE_PROTECTED "genec mine"
sed -i '/^\[grant nginx web\]/a allow = all' "$CONF"
kill -HUP "$VSMD"
if wait_logged 'reloaded'; then ok reloaded; else bad reloaded; fi
expect reload-old-channel CKR_TOKEN_WRITE_PROTECTED "genec mine"
app_as www-data
session reload-session web
expect reload-new-channel CKR_OK "genec mine"
sed -i -e '/^allow = all$/d' -e '/^\[grant nginx web\]/a nonsense = 1' "$CONF"
kill -HUP "$VSMD"
if wait_logged 'going on with the configuration as it was'; then ok reload-broken; else bad reload-broken; fi
logged reload-broken-line 'vsmd.conf:[0-9]+:'
app_as www-data
session reload-kept-session web
expect reload-kept CKR_OK "destroy mine"
app_end
cp "$WORK/conf.1" "$CONF"

# The audit of all that
admin audit show --json >"$WORK/audit.json" 2>"$WORK/err" || cat "$WORK/err"
recorded() { # NAME EXPRESSION of a record r
	check "$1" python3 -c "import json
records = json.load(open('$WORK/audit.json'))
assert any($2 for r in records), sorted(set((r['event'], r['principal']) for r in records))"
}
recorded audit-login "r['event'] == 'C_Login' and r['principal'] == 'nginx' and 'uid 33' in r['peer']"
recorded audit-login-wrong "r['event'] == 'C_Login' and r['principal'] == 'short' and int(str(r['rv']), 0) == 0xa0"
recorded audit-generate "r['event'] == 'C_GenerateKeyPair' and 'tls1' in r['detail'] and r['token'] == 'lim'"
recorded audit-import "r['event'] == 'C_CreateObject' and r['principal'] == 'short'"
recorded audit-destroy "r['event'] == 'C_DestroyObject' and r['principal'] == 'short'"
recorded audit-wrap "r['event'] == 'C_WrapKey' and r['principal'] == 'admin'"
recorded audit-unlock "r['event'] == 'C_InitPIN' and r['principal'] == 'short'"
recorded audit-init "r['event'] == 'C_InitToken' and r['principal'] == 'admin'"
recorded audit-signature "r['event'] == 'C_Sign' and r['principal'] == 'short'"
recorded audit-refused-class "r['event'] == 'policy-refusal' and r['principal'] == 'nginx' and 'why=class' in r['detail']"
recorded audit-refused-quota "r['event'] == 'policy-refusal' and 'why=quota' in r['detail']"
recorded audit-refused-mechanism "r['event'] == 'policy-refusal' and 'why=mechanism' in r['detail']"
recorded audit-refused-extraction "r['event'] == 'policy-refusal' and 'why=extract' in r['detail']"
recorded audit-signature-only-where-asked "not any(x['event'] == 'C_Sign' and x['principal'] == 'nginx' for x in records)"
sh_check audit-no-pins "! grep -E '123456|12345678|111111' $WORK/audit.json"
check audit-verify become daemon "$CAAS" audit verify
vsmd_down
log=$DIR/state/audit/audit.log.1
cp -p "$log" "$WORK/audit.good"
altered() { # NAME LINE PYTHON: of the list of lines `l'
	cp -p "$WORK/audit.good" "$log"
	python3 -c "
l = open('$log').readlines()
$3
open('$log', 'w').writelines(l)"
	vsmd_up || bad "$1-up" "$(_since | tail -n 3)"
	refuses "$1" 1 become daemon "$CAAS" audit verify
	said "$1-names-it" "(^|[^0-9])$2([^0-9]|\$)"
	vsmd_down
}
altered audit-altered 7 "l[6] = l[6].replace('\"rv\":0', '\"rv\":1', 1) if '\"rv\":0' in l[6] else l[6].replace('peer', 'poor', 1)"
altered audit-removed 9 "del l[8]"
altered audit-exchanged 5 "l[4], l[5] = l[5], l[4]"
finish
