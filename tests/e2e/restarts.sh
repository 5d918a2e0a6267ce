#!/bin/bash
# restarts.sh - vsmd, or one kind of its processes, is killed every other second while nginx
# serves, ods-hsmspeed signs, a program signs and verifies, another one makes objects, and two
# hold session objects, busy and idle: nobody may notice, and each object be there once, as it
# was.  Then vsmd is stopped and another binary of it started, while nginx loads its
# configuration anew and is replaced by another nginx.
#
#	restarts.sh [KIND...]
#
# CAAS_RESTARTS_SECONDS (8, in the long run 60) says how long, for each kind.
NAME=restarts
LIMIT=200
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../vsmd.sh"
SECONDS_EACH=${CAAS_RESTARTS_SECONDS:-${CAAS_TEST_LONG:+60}}
SECONDS_EACH=${SECONDS_EACH:-8}
EVERY=2
for c in ods-hsmutil ods-hsmspeed nginx ab pkcs11-tool openssl; do
	command -v $c >/dev/null || {
		echo "skip restarts: $c is not installed (scripts/deps test)"
		echo "restarts: 0 passed, 0 failed, 1 skipped"
		exit 77
	}
done
if [ "$(id -u)" != 0 ]; then
	echo "skip restarts: needs root, for nginx to have workers of another uid"
	echo "restarts: 0 passed, 0 failed, 1 skipped"
	exit 77
fi

settings
cat >>"$CONF" <<-C
	[principal me]
	uid = root
	role = admin
	[grant me *]
	allow = all
	[grant me web]
	allow = all
	login = channel
	[principal web]
	uid = www-data
	[grant web web]
	login = channel
C
# Who starts while vsmd is away waits for it at a socket that is there.
vsmd_held
if vsmd_up; then ok up; else bad up "$(tail -n 3 "$LOG")"; fi
logged socket-held 'listening address=.* socket=passed'
check token-web "$CAAS" token create --label web --no-pin --so-pin 12345678
check token-make "$CAAS" token create --label make --pin 123456 --so-pin 12345678
check token-sign "$CAAS" token create --label sign --pin 123456 --so-pin 12345678

# nginx: the master logs in as root, its workers are www-data.
check key-web pkcs11-tool --module "$MODULE" --token-label web --login --keypairgen \
	--key-type rsa:2048 --label tls --id 01
sed "s|@MODULE@|$MODULE|" "$ROOT/examples/nginx/openssl.cnf.in" >"$WORK/openssl.cnf"
printf 'commonName = CN\n' >>"$WORK/openssl.cnf"
mkdir -p "$WORK/ng/tmp"
check certificate env OPENSSL_CONF="$WORK/openssl.cnf" openssl req -x509 -new -engine pkcs11 \
	-keyform engine -key 'pkcs11:token=web;object=tls;type=private' -subj /CN=localhost \
	-days 9 -out "$WORK/ng/tls.crt"
port=$(freeport)
sed -e "s|@DIR@|$WORK/ng|g" -e "s|@PORT@|$port|g" "$ROOT/examples/nginx/nginx.conf.in" \
	>"$WORK/ng/nginx.conf"
nginx_up() {
	# As a daemon, by its whole name: only such a one lets itself be replaced.
	OPENSSL_CONF=$WORK/openssl.cnf "$(command -v nginx)" -p "$WORK/ng" -c "$WORK/ng/nginx.conf" \
		>>"$WORK/ng/out" 2>&1 </dev/null && waitport "$port" &&
		NGINX=$(ps -o sid= -p "$(cat "$WORK/ng/nginx.pid")" | tr -d ' ')
}
# All that it became is of one session.
tidy '[ -z "${NGINX:-}" ] || kill -9 $(ps -o pid= -s "$NGINX") 2>/dev/null'
if nginx_up; then ok nginx-up; else bad nginx-up "$(tail -n 3 "$WORK/ng/nginx.err")"; fi

# The signers
check key-sign pkcs11-tool --module "$MODULE" --token-label sign --login --pin 123456 \
	--keypairgen --key-type EC:prime256v1 --label steady --id 01
sed -e "s|@MODULE@|$MODULE|" -e "s|@TOKEN@|sign|" -e "s|@PIN@|123456|" -e "s|@DIR@|$WORK|" \
	"$ROOT/examples/dnssec/conf.xml.in" >"$WORK/conf.xml"

serve() { # SECONDS: full handshakes only, each connection is new
	ab -q -t "$1" -n 10000000 -c 4 "https://127.0.0.1:$port/" >"$WORK/ab.out" 2>&1
	echo "rc=$?" >>"$WORK/ab.out"
}
speed() { # SECONDS
	local end=$((SECONDS + $1)) n=0
	while [ "$SECONDS" -lt "$end" ]; do
		if ! ods-hsmspeed -c "$WORK/conf.xml" -r caas -i 500 -s 1024 -t 4; then
			echo failed
		fi
		n=$((n + 1))
	done >"$WORK/ods.out" 2>&1
	echo "runs=$n" >>"$WORK/ods.out"
}
# The next master is there, and serves: the last one may go.
nginx_replace() {
	local old new i
	old=$(cat "$WORK/ng/nginx.pid")
	kill -USR2 "$old"
	for i in $(seq 200); do
		new=$(cat "$WORK/ng/nginx.pid" 2>/dev/null)
		[ -z "$new" ] || [ "$new" = "$old" ] || break
		sleep 0.05
	done
	[ -n "$new" ] && [ "$new" != "$old" ] || return 1
	sleep 0.3
	kill -QUIT "$old"
}
disturb() { # NAME
	case $1 in
	vsmd) vsmd_kill && vsmd_up ;;
	upgrade)
		kill -HUP "$(cat "$WORK/ng/nginx.pid")"
		vsmd_down && VSMD_BINARY=$WORK/vsmd-new vsmd_up && nginx_replace
		;;
	*)
		kill -9 $(vsmd_pids "$1") 2>/dev/null
		# When it gives up, the service manager starts it anew.
		kill -0 "$VSMD" 2>/dev/null || vsmd_up
		;;
	esac
}

# What each of the three saw of that.
undisturbed() { # NAME
	local name=$1 end=$((SECONDS + SECONDS_EACH)) kills=0 jobs=()
	serve "$SECONDS_EACH" & jobs+=($!)
	speed "$SECONDS_EACH" & jobs+=($!)
	"$BUILD/tests/e2e/caas-e2e-steady" "$CLIENT_MODULE" sign 123456 steady "$SECONDS_EACH" 4 \
		>"$WORK/steady.out" 2>&1 & jobs+=($!)
	"$BUILD/tests/e2e/caas-e2e-maker" "$CLIENT_MODULE" make 123456 "$SECONDS_EACH" 4 \
		>"$WORK/maker.out" 2>&1 & jobs+=($!)
	# The idle one where others make objects all the time.
	local k
	for k in busy idle; do
		"$BUILD/tests/e2e/caas-e2e-keeper" "$CLIENT_MODULE" \
			$([ $k = busy ] && echo sign || echo make) 123456 "$SECONDS_EACH" $k \
			>"$WORK/keeper-$k.out" 2>&1 & jobs+=($!)
	done
	while [ "$SECONDS" -lt "$end" ]; do
		sleep $EVERY
		disturb "$name" && kills=$((kills + 1))
	done
	wait "${jobs[@]}"
	echo "# $name $kills times: $(tail -n 1 "$WORK/steady.out"), $(tail -n 1 "$WORK/maker.out")," \
		"$(tail -n 1 "$WORK/keeper-busy.out"), ods-hsmspeed" \
		"$(tail -n 1 "$WORK/ods.out"), nginx $(sed -n 's/^Complete requests: */handshakes=/p' "$WORK/ab.out")"
	if [ "$kills" -ge $(((SECONDS_EACH + 9) / 10)) ]; then ok "$name-often"; else bad "$name-often" "$kills times"; fi
	cp "$WORK/maker.out" "$WORK/out"
	said "$name-maker" '^made=[1-9][0-9]* destroyed=[0-9]+ refused=0 missing=0 twice=0$'
	check "$name-maker-tidy" "$CAAS" token delete --label make --yes
	check "$name-maker-anew" "$CAAS" token create --label make --pin 123456 --so-pin 12345678
	for k in busy idle; do
		cp "$WORK/keeper-$k.out" "$WORK/out"
		said "$name-keeper-$k" '^used=[1-9][0-9]* refused=0 wrong=0 changed=0 left=0$'
	done
	cp "$WORK/steady.out" "$WORK/out"
	said "$name-signer" '^signed=[1-9][0-9]* refused=0 wrong=0 '
	cp "$WORK/ods.out" "$WORK/out"
	if ! grep -qiE 'failed|error' "$WORK/out"; then
		said "$name-ods-hsmspeed" '^runs=[1-9]'
	else
		bad "$name-ods-hsmspeed" "$(grep -iE -B 6 'failed|error' "$WORK/out" | head -n 12)"
	fi
	cp "$WORK/ab.out" "$WORK/out"
	if grep -qE '^rc=0' "$WORK/out" && ! grep -qi 'ssl.*fail' "$WORK/out" &&
		grep -qE '^Complete requests: +[1-9]' "$WORK/out"; then
		said "$name-nginx" '^Failed requests: +0$'
	else
		bad "$name-nginx" "$(tail -n 5 "$WORK/out")"
	fi
}
cp "$BUILD/vsmd/vsmd" "$WORK/vsmd-new"
for victim in ${*:-vsmd worker nursery store upgrade}; do undisturbed $victim; done
finish
