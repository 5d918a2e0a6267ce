# What the crypto domain's image does not take: each of these domains powers itself off.
#
# With a word memories=N:N:... for dom0, also: whether it serves with so many MiB.
. /xen/domc.sh

memories() { # MIB...
	local m n=0
	for m; do
		n=$((n + 1))
		blank "/tmp/m$n"
		if domc "m$n" "$m" "/tmp/m$n" && peer "m$n" 99 && start "m$n" && is "m$n" serving; then
			ok "it serves with $m MiB,$(sed -n 's/.* serving ms=/ after ms=/p' "$(log "m$n")")$(xl list "m$n" | awk 'NR == 2 { print " processor s=" $6 }')"
		else
			skip "it serves with $m MiB" "$(tail -n 1 "$(log "m$n")" 2>/dev/null || echo "xl cannot make it")"
		fi
		xl destroy "m$n" 2>/dev/null
	done
}

refused() { # NAME WHAT PATTERN DISK [CMDLINE]
	domc "$1" $MEMORY "$4" ${5:+"$5"} && peer "$1" 99 && start "$1"
	gone "$1" "it does not go on with $2"
	wrote "$1" "it says why, of $2" "$3"
}

refusals() {
	local sum
	blank /tmp/other && echo x | dd of=/tmp/other bs=1 seek=20000000 conv=notrunc 2>/dev/null
	sum=$(md5sum </tmp/other)
	refused other "a disk of somebody else's" 'neither domc.s disk nor blank' /tmp/other
	if [ "$(md5sum </tmp/other)" = "$sum" ]; then
		ok "it has written nothing there"
	else
		bad "it has written nothing there" "the disk is not what it was"
	fi
	blank /tmp/line
	refused line "another command line" "command line is not this image's" /tmp/line \
		"$(cat $EXTRA/cmdline) module.sig_enforce=0"
	blank /tmp/zero && domc zero $MEMORY /tmp/zero && peer zero 0 && start zero
	serves zero "it is there when no guest is named"
	sleep 3
	if xenstore-read "/local/domain/$(id_of zero)/data/caas/ring-ref" >/dev/null 2>&1; then
		bad "it does not take dom0 for a guest" "it offers it a ring"
	else
		ok "it does not take dom0 for a guest"
	fi
	xl destroy zero
}

# Saved and restored, which nothing of ours does to a DomC, it may run twice: what its generators
# would say next is then said by two.
restored() {
	blank /tmp/kept && domc kept $MEMORY /tmp/kept && peer kept 99 && start kept
	serves kept "it serves, before it is saved"
	if xl save kept /tmp/kept.memory >/tmp/xl 2>&1 && xl restore /tmp/kept.memory >>/tmp/xl 2>&1; then
		ok "it is saved and restored"
	else
		bad "it is saved and restored" "$(tail -n 2 /tmp/xl)"
	fi
	rm -f /tmp/kept.memory
	gone kept "it does not go on from what was saved"
	wrote kept "it says why, of having been restored" 'restored: what was saved may run twice'
	domc anew $MEMORY /tmp/kept && peer anew 99 && start anew
	serves anew "it serves anew, from its disk"
	xl destroy anew
}

refusals
restored
tried=$(tr ' ' '\n' </proc/cmdline | sed -n 's/^memories=//p' | tr ':' ' ')
memories $tried
