# users.sh - for sourcing after lib.sh and vsmd.sh: applications of several users, and those that
# sign beside what is tested.
#
#	users_needed FILE       skip the whole test where other users cannot be had, or may not
#	                read FILE of the build
#	become USER command...  run it as that user; a program, so that others can start it
#	app_as USER     app (vsmd.sh) as that user
#	test_tokens LABEL...    tokens with PIN 123456, each with a P-256 key k
#	neighbour USER TOKEN    an application that signs and verifies with k from now on
#	neighbour_ends NAME USER        passes when nothing was refused to it, and nothing wrong
users_needed() {
	[ "$(id -u)" != 0 ] || ! setpriv --reuid bin --regid bin --clear-groups test -r "$1" || return 0
	echo "skip $NAME: needs root, to be several users, and a build that these may read"
	echo "$NAME: 0 passed, 0 failed, 1 skipped"
	exit 77
}
cat >"$WORK/become" <<'S'
#!/bin/sh
u=$1
shift
exec setpriv --reuid "$u" --regid "$(id -g "$u")" --clear-groups "$@"
S
chmod 755 "$WORK/become"
PATH=$WORK:$PATH
app_as() { app become "$1"; }

test_tokens() {
	local t
	for t in "$@"; do
		check "token-$t" "$CAAS" token create --label "$t" --pin 123456 --so-pin 12345678
		check "key-$t" pkcs11-tool --module "$MODULE" --token-label "$t" --login --pin 123456 \
			--keypairgen --key-type EC:prime256v1 --label k
	done
}

declare -A neighbours=()
neighbour() {
	become "$1" "$BUILD/tests/e2e/caas-e2e-steady" "$CLIENT_MODULE" "$2" 123456 k 86400 1 \
		>"$WORK/neighbour.$1" 2>&1 &
	neighbours[$1]=$!
}
neighbour_ends() {
	local p=${neighbours[$2]}
	unset "neighbours[$2]"
	kill "$p"
	if wait "$p"; then ok "$1"; else bad "$1" "$(tail -n 3 "$WORK/neighbour.$2")"; fi
	sed "s/^/# $1: /" "$WORK/neighbour.$2"
}
tidy 'kill "${neighbours[@]}" 2>/dev/null'
