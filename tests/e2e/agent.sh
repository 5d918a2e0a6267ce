#!/bin/bash
# agent.sh - who stands behind an agent: what it says of that takes away of what its guest may,
# and gives nothing.
NAME=agent
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../vsmd.sh"
. "$(dirname "$0")/../users.sh"
for c in setpriv p11tool; do
	command -v $c >/dev/null || {
		echo "skip agent: $c is not installed (scripts/deps test)"
		echo "agent: 0 passed, 0 failed, 1 skipped"
		exit 77
	}
done
users_needed "$CLIENT"

# `sync' is the guest: its agent runs as it, and its applications are `games', `bin' and root.
settings "log-level = info"
cat >>"$CONF" <<C
[principal admin]
uid = daemon
role = admin
[grant admin *]
allow = all
[principal guest]
uid = sync
role = admin
agent-uid = 0, $(id -u games), $(id -u bin)
admin-agent-uid = 0
[grant guest *]
allow = all
[grant guest web]
allow = all
agent-uid = $(id -u games)
C
check conf-good "$CAAS" policy check "$CONF"
if vsmd_up; then ok up; else bad up "$(_since | tail -n 3)"; fi
for t in web zones; do
	check "token-$t" become daemon "$CAAS" token create --label $t --pin 123456 --so-pin 12345678
done
mkdir -m 711 "$WORK/agent"
chown sync "$WORK/agent"
socket=$WORK/agent/agent.sock
become sync "$BUILD/vchan-transport/caas-agent" --upstream "$CAAS_VSM_ADDRESS" --listen "unix:$socket" \
	--mode 0666 >"$WORK/agent.log" 2>&1 &
agent=$!
tidy "kill $agent 2>/dev/null"
i=0
until [ -S "$socket" ] || [ $i = 200 ]; do i=$((i + 1)) && sleep 0.05; done

behind=(env "CAAS_VSM_ADDRESS=unix:$socket")
tokens() { become "$1" "${behind[@]}" p11tool --provider "$MODULE" --list-token-urls >"$WORK/tokens" 2>&1; }
sees() { # USER TOKEN...: those, of the two
	local t user=$1 want have
	shift
	tokens "$user"
	for t in web zones; do
		want=no have=no
		[[ " $* " != *" $t "* ]] || want=yes
		! grep -q "token=$t" "$WORK/tokens" || have=yes
		if [ $want = $have ]; then
			ok "$user-$t-$want"
		else
			bad "$user-$t-$want" "$(head -c 300 "$WORK/tokens")"
		fi
	done
}
sees games web zones
sees bin zones
sees root zones
sees man
# By itself, without an agent between, the guest may what it may.
become sync p11tool --provider "$MODULE" --list-token-urls >"$WORK/tokens" 2>&1
check guest-itself grep -q token=web "$WORK/tokens"
check admin-root become root "${behind[@]}" "$CAAS" status
refuses admin-games 1 become games "${behind[@]}" "$CAAS" status
check admin-guest-itself become sync "$CAAS" status

# A web server that is there is served, by name in the audit.
app become games "${behind[@]}"
expect init CKR_OK init
expect token CKR_OK "token web"
expect open CKR_OK open
expect login CKR_OK "login user 123456"
expect generate CKR_OK "genec k"
app_end
become daemon "$CAAS" audit show >"$WORK/audit" 2>&1
check audit-says-who grep -q "agent-uid $(id -u games)" "$WORK/audit"
_since >"$WORK/said"
check log-says-who grep -q "refused: no principal.*uid $(id -u sync) .*agent-uid $(id -u man)" "$WORK/said"
check agent-lives kill -0 $agent
finish
