# dom0.sh - run by init in dom0: what a scenario's dom0.sh has, and then that.
#
#	guest NAME MEMORY [WORD...]	makes the guest NAME with so many MiB, paused, and sets
#			NAME_id to its domid.  Its kernel's command line has the words, and its
#			configuration the lines of $settings
#	start NAME	lets it run
#	couple DOMC DOMU	tells each the domid of the other, for good
#	uncouple NAME	it is coupled with nobody any more
#	save NAME FILE, restore NAME FILE	by way of FILE; afterwards it is paused.  Its caas-agent
#			has closed its channels first
#	order NAME WORD		tells it a word, which it waits for (guest.sh)
#	step NAME WORD	waits until it says `step WORD'; fails when it ended or the time is up
#	finish NAME...	waits until each has come to the end of its script; bad if one does not
#	chapter NAME WHAT	what follows is about that; WHAT it proves (scripts/demo shows it)
#	ok, bad, skip NAME [why]	and what check.sh has
#
# All that guests write to their consoles is copied here, with the guest's name before it.
LIMIT=480 # seconds for all of it
guests=
settings=

say() { echo "[dom0] $*"; }
ok() { say "@ ok $1"; }
bad() { say "@ bad $1: $2"; }
skip() { say "@ skip $1: $2"; }
chapter() { say "@ chapter $1: $2"; }
. /xen/check.sh
uptime_s() { cut -d. -f1 /proc/uptime; }
over() { [ "$(uptime_s)" -ge "$LIMIT" ]; }
# As in every run of all tests: what a scenario has beside its core is left out.
short() { grep -qw short /proc/cmdline; }

guest() {
	local name=$1 memory=$2
	shift 2
	printf '%s\n' "name='$name'" "type='pv'" "memory=$memory" "vcpus=1" \
		"kernel='/xen/vmlinux'" "ramdisk='/xen/guest.cpio'" \
		"extra='console=hvc0 loglevel=3 name=$name $*'" "on_poweroff='destroy'" \
		"on_crash='preserve'" "vif=[]" "$settings" >"/tmp/$name.cfg"
	if ! xl create -q -p "/tmp/$name.cfg"; then
		bad "the guest $name is made" "xl create failed"
		return 1
	fi
	guests="$guests $name"
	eval "${name}_id=$(xl domid "$name") ${name}_seen=0"
	say "$name is made, after $(uptime_s) s"
}
start() { xl unpause "$1"; }
id_of() { eval "echo \$$1_id"; }

order() {
	local path
	path=/local/domain/$(id_of "$1")/order
	xenstore-write "$path" "$2" && xenstore-chmod "$path" n0 "r$(id_of "$1")"
}

# As who makes pairs does (docs/xen.md).
_peer() {
	local path
	path=/local/domain/$(id_of "$1")/caas
	xenstore-write "$path/peer" "$(id_of "$2")" &&
		xenstore-chmod -r "$path" n0 "r$(id_of "$1")"
}
couple() { _peer "$1" "$2" && _peer "$2" "$1"; }
uncouple() { xenstore-rm "/local/domain/$(id_of "$1")/caas/peer"; }

save() {
	local path i=0
	path=/local/domain/$(id_of "$1")/data/caas-agent
	uncouple "$1"
	while [ "$(xenstore-read "$path" 2>/dev/null)" != none ]; do
		i=$((i + 1)) && [ $i -lt 60 ] || return 1
		sleep 0.5
	done
	xl save "$1" "$2"
}
restore() { xl restore -p "$2" && eval "$1_id=$(xl domid "$1")"; }

# Whole lines that are new.
consoles() {
	local g log n seen
	for g in $guests; do
		log=/var/log/xen/console/guest-$g.log
		[ -f "$log" ] || continue
		n=$(wc -l <"$log")
		eval "seen=\$${g}_seen ${g}_seen=$n"
		[ "$n" = "$seen" ] || sed -n "$((seen + 1)),${n}{s/\r//g;s/^/[$g] /;p}" "$log"
	done
}
ended() { grep -q '^@ end' "/var/log/xen/console/guest-$1.log" 2>/dev/null; }
# It crashed, or is not there.  Asked seldom: dom0 has xenstored to run, which all wait for.
lost() {
	[ $((_looks = (${_looks:-0} + 1) % 15)) = 0 ] || return 1
	xl list "$1" >/tmp/list 2>&1 || return 0
	awk 'NR == 2 && $5 ~ /c/ { crashed = 1 } END { exit !crashed }' /tmp/list
}

step() {
	local path
	path=/local/domain/$(id_of "$1")/data/step
	until [ "$(xenstore-read "$path" 2>/dev/null)" = "$2" ]; do
		consoles
		if over || ended "$1" || lost "$1"; then
			bad "$1 comes to the step $2" "it does not, after $(uptime_s) s"
			return 1
		fi
		sleep 1
	done
	consoles
}

finish() {
	local g
	for g; do
		until ended "$g"; do
			consoles
			if over || lost "$g"; then
				bad "$g comes to its end" "it does not, after $(uptime_s) s"
				break
			fi
			sleep 1
		done
	done
	sleep 1
	consoles
}

say "up after $(uptime_s) s"
. /xen/scenario/dom0.sh
consoles
say "ends after $(uptime_s) s"
say "@ done"
