# domc.sh - for sourcing by a scenario's dom0.sh: crypto domains of the image that its image.sh has
# put into /xen/extra.  dom0 does here what domtd is for: it writes caas/peer.
#
#	domc NAME MEMORY DISK [CMDLINE]		paused, with the file DISK for its store; sets NAME_id
#	peer NAME DOMID		who the other half of that domain is
#	couple NAME		it and domu are a pair
#	serves NAME WHAT	ok when it comes to serve
#	gone NAME WHAT		ok when it powers itself off
#	wrote NAME WHAT PATTERN		ok when that is on its console
#	blank FILE [MIB]	a disk of zeroes
EXTRA=/xen/extra
MEMORY=96
loops=0
insmod /xen/loop.ko && insmod /xen/xen-blkback.ko || bad "dom0 has disks to give" "no modules"

log() { echo "/var/log/xen/console/guest-$1.log"; }

domc() { # NAME MEMORY DISK [CMDLINE]: paused, with NAME_id
	local name=$1 memory=$2 disk=$3 line=${4:-$(cat $EXTRA/cmdline)} loop=/dev/loop$loops
	loops=$((loops + 1))
	losetup "$loop" "$disk" || return 1
	printf '%s\n' "name='$name'" "type='pv'" "memory=$memory" "vcpus=1" \
		"kernel='$EXTRA/vmlinux'" "ramdisk='$EXTRA/initramfs'" "cmdline='$line'" \
		"on_poweroff='destroy'" "on_reboot='destroy'" "on_crash='destroy'" "vif=[]" \
		"disk=['vdev=xvda,access=w,backendtype=phy,script=$EXTRA/block,target=$loop']" \
		>"/tmp/$name.cfg"
	if ! xl create -q -p "/tmp/$name.cfg"; then
		[ -n "${tried:-}" ] || bad "$name is made" "xl create failed"
		return 1
	fi
	guests="$guests $name"
	eval "${name}_id=$(xl domid "$name") ${name}_seen=0"
	say "$name is made, after $(uptime_s) s"
}
peer() { # NAME DOMID: as domtd does
	local dir
	dir=/local/domain/$(id_of "$1")/caas
	xenstore-write "$dir/peer" "$2" &&
		xenstore-chmod "$dir" n0 "r$(id_of "$1")" && xenstore-chmod "$dir/peer" n0 "r$(id_of "$1")"
}
is() { # NAME WORD [KEY]: waits until it says so in data/domc, or KEY; fails when it has gone
	local path
	path=/local/domain/$(id_of "$1")/${3:-data/domc}
	until [ "$(xenstore-read "$path" 2>/dev/null)" = "$2" ]; do
		consoles
		if over || lost "$1"; then return 1; fi
		sleep 0.5
	done
	consoles
}
serves() { # NAME WHAT
	if is "$1" serving; then ok "$2"; else bad "$2" "it does not, after $(uptime_s) s"; fi
}
gone() { # NAME WHAT
	while xl domid "$1" >/dev/null 2>&1; do
		consoles
		if over; then
			bad "$2" "it is still there, after $(uptime_s) s"
			return 1
		fi
		sleep 1
	done
	consoles
	ok "$2"
}
wrote() { # NAME WHAT PATTERN
	if grep -qE -- "$3" "$(log "$1")"; then ok "$2"; else bad "$2" "not written: $3"; fi
}
blank() { dd if=/dev/zero of="$1" bs=1M count=0 seek="${2:-48}" 2>/dev/null; }

# The guest and this one are a pair now, and the guest may go on.
couple() { peer "$1" "$(id_of domu)" && peer domu "$(id_of "$1")"; }
