#!/bin/bash
# ssh.sh - OpenSSH: list keys with ssh-keygen -D, log in with one, through the agent too.
NAME=ssh
. "$(dirname "$0")/../clients.sh"
need ssh ssh-keygen pkcs11-tool

client() {
	local port o
	p11 --keypairgen --key-type rsa:2048 --id 5501 --label s-rsa >/dev/null 2>&1
	p11 --keypairgen --key-type EC:prime256v1 --id 5502 --label s-ec >/dev/null 2>&1
	printf '#!/bin/sh\necho %s\n' "$PIN" >ask
	chmod +x ask
	export SSH_ASKPASS=$WORK/ask SSH_ASKPASS_REQUIRE=force DISPLAY=:9
	sh_step keygen-D "ssh-keygen -D $MODULE >pubs && grep -q ssh-rsa pubs && grep -q ecdsa pubs"
	[ -x /usr/sbin/sshd ] || return
	mkdir -p /run/sshd
	cp pubs authorized
	ssh-keygen -q -t ed25519 -N '' -f hostkey
	port=$(freeport)
	cat >sshd.conf <<-C
		Port $port
		ListenAddress 127.0.0.1
		HostKey $WORK/hostkey
		AuthorizedKeysFile $WORK/authorized
		PidFile $WORK/sshd.pid
		StrictModes no
		PasswordAuthentication no
		KbdInteractiveAuthentication no
		UsePAM no
		PermitRootLogin yes
	C
	background /usr/sbin/sshd -D -e -f sshd.conf
	waitport "$port"
	o="-F /dev/null -p $port -o StrictHostKeyChecking=no -o UserKnownHostsFile=$WORK/known
		-o NumberOfPasswordPrompts=1 -o ConnectTimeout=10"
	o=$(echo $o)
	sh_step login "ssh $o -I $MODULE $(id -un)@127.0.0.1 echo it-works </dev/null | grep it-works"
	sh_step login-ec "grep ecdsa pubs >authorized
		ssh $o -I $MODULE $(id -un)@127.0.0.1 echo it-works </dev/null | grep it-works
		rc=\$?; cp pubs authorized; exit \$rc"
	sh_step agent "eval \$(ssh-agent -P '/usr/lib/*,$(realpath "$MODULE")') >/dev/null
		trap 'kill \$SSH_AGENT_PID' EXIT
		ssh-add -s $MODULE </dev/null && ssh-add -L | grep -q ecdsa &&
		ssh-add -L >l && grep rsa l >k.pub && ssh-add -T k.pub &&
		seq 10 | xargs -P 4 -I{} ssh -n $o $(id -un)@127.0.0.1 true"
}
compare_sides
