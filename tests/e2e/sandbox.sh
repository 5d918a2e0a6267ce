#!/bin/bash
# sandbox.sh - caas sandbox: up, again, seen by other users, down, and what may go wrong.
NAME=sandbox
. "$(dirname "$0")/../lib.sh"

sh_check() { check "$1" bash -c "$2"; }
daemons() { ps -o pid=,args= -s "$(cut -d' ' -f1 "$DIR/vsmd.pid")" 2>/dev/null; }

if sandbox_up first 123456 12345678; then ok up; else bad up; fi
sh_check exports-only "! grep -vE '^export [A-Z0-9_]+=[^ ]+\$' $WORK/exports"
sh_check module-loads "[ -f '${CAAS_P11_MODULE:-none}' ]"
check token-usable pkcs11-tool --module "$MODULE" --token-label first -l --pin 123456 \
	--keypairgen --key-type EC:prime256v1 --id 01 --label k
# A nursery that has just ended, for the token was made, is none of them any more.
sh_check names "[ -n '$(daemons)' ] && ! echo '$(daemons)' | grep -v ' <defunct>$' | grep -vE '^ *[0-9]+ +([^ ]*/)?vsmd'"
cp "$WORK/exports" "$WORK/exports.1"
pid=$(cat "$DIR/vsmd.pid")

sandbox_up first 123456 12345678 || bad up-again
sh_check same-lines "cmp $WORK/exports $WORK/exports.1"
sh_check same-daemon "[ '$pid' = \"\$(cat $DIR/vsmd.pid)\" ]"
sandbox_up second 654321 87654321 || bad second-token
sh_check two-tokens "$CAAS token list --json |
	python3 -c 'import json,sys; t = json.load(sys.stdin)
assert sorted(x[\"label\"] for x in t) == [\"first\", \"second\"], t
assert all(x[\"serial\"] and type(x[\"slot\"]) is int for x in t)'"
check wrong-pin-of-an-existing-token-is-not-asked "$CAAS" sandbox up --dir "$DIR" --token first \
	--pin 999999 --so-pin 99999999
refuses token-without-pins 2 "$CAAS" sandbox up --dir "$DIR" --token x </dev/null
refuses label-too-long 2 "$CAAS" sandbox up --dir "$DIR" --pin 1234 --so-pin 1234 --token \
	123456789012345678901234567890123
refuses short-pin 1 "$CAAS" sandbox up --dir "$DIR" --token x --pin 1 --so-pin 12345678
sh_check no-half-token "! $CAAS token list --json | grep -q '\"x\"'"

check status "$CAAS" sandbox status --dir "$DIR"
sh_check status-json "$CAAS sandbox status --dir $DIR --json |
	python3 -c 'import json,sys; assert json.load(sys.stdin)[\"running\"] is True'"
sh_check closed-below "[ \"\$(stat -c %a $DIR/state)\" = 700 ]"
if [ "$(id -u)" = 0 ] && id www-data >/dev/null 2>&1; then
	sh_check other-users "setpriv --reuid www-data --regid www-data --clear-groups \
		env CAAS_VSM_ADDRESS=$CAAS_VSM_ADDRESS pkcs11-tool --module $MODULE -L | grep -q first"
else
	skip other-users "needs root and www-data"
fi

# Killed, it is up again with all that was acknowledged.
kill -9 "${pid%% *}"
refuses status-of-killed 1 "$CAAS" sandbox status --dir "$DIR"
sandbox_up || bad up-after-kill
sh_check key-survives "pkcs11-tool --module $MODULE --token-label first -l --pin 123456 \
	--list-objects --type privkey | grep -q 'label: *k\$'"

session=$(cut -d' ' -f1 "$DIR/vsmd.pid")
check down "$CAAS" sandbox down --dir "$DIR"
# A container's first process may not reap what it inherits: a zombie is not left running.
sh_check nothing-left "! ps -o stat= -s $session | grep -v Z"
check down-again "$CAAS" sandbox down --dir "$DIR"
check down-of-nothing "$CAAS" sandbox down --dir "$WORK/none"
refuses status-down 1 "$CAAS" sandbox status --dir "$DIR"
refuses module-without-vsmd 1 "$CAAS" status --timeout 5

# Directories that give trouble.
long=$WORK/$(printf '%0100d' 1)
check long-name "$CAAS" sandbox up --dir "$long" --token t --pin 1234 --so-pin 1234
check long-name-down "$CAAS" sandbox down --dir "$long"
mkdir -m 700 "$WORK/shut"
check closed-parent "$CAAS" sandbox up --dir "$WORK/shut/vsm"
sh_check closed-parent-elsewhere "grep -q 'listen = unix:/tmp/' $WORK/shut/vsm/vsmd.conf"
check closed-parent-down "$CAAS" sandbox down --dir "$WORK/shut/vsm"
check space "$CAAS" sandbox up --dir "$WORK/a b"
sh_check space-quoted "eval \"\$($CAAS sandbox up --dir '$WORK/a b')\" &&
	[ \"\$CAAS_VSM_ADDRESS\" = 'unix:$WORK/a b/vsmd.sock' ] && $CAAS status >/dev/null"
check space-down "$CAAS" sandbox down --dir "$WORK/a b"
refuses file-in-the-way 1 "$CAAS" sandbox up --dir "$WORK/exports"
mkdir "$WORK/bad" && echo 'nonsense = 1' >"$WORK/bad/vsmd.conf"
refuses bad-configuration 1 "$CAAS" sandbox up --dir "$WORK/bad"
said bad-configuration-names-line 'vsmd.conf:1:'
finish
