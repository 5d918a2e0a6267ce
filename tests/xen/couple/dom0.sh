# A pair that domtd makes: DomC serves before its guest runs, both are told of each other and nobody
# else is, and what becomes of one when the other is gone, or domtd is killed.
command -v domtd >/dev/null || {
	skip "domtd" "it was built without libxl"
	return
}

describe() { # PAIR [LINE...]: of [pair]
	local pair=$1
	shift
	printf '%s\n' "[pair]" "$@" "[domc]" "name = domc" "kernel = /xen/vmlinux" \
		"ramdisk = /xen/guest.cpio" "cmdline = console=hvc0 loglevel=3 name=domc" \
		"memory = 320" "[domu]" "name = domu" "kernel = /xen/vmlinux" \
		"ramdisk = /xen/guest.cpio" "cmdline = console=hvc0 loglevel=3 name=domu" \
		"memory = 320" >"/etc/caas/pairs/$pair.conf"
}
builder() { # domtd, and wait until it listens
	domtd >>/tmp/domtd.log 2>&1 &
	builder=$!
	until caas pair list >/dev/null 2>&1; do
		kill -0 $builder 2>/dev/null || return 1
		sleep 0.5
	done
}
there() { # the pair's domains, after it was made
	domc_id=$(xl domid domc) domu_id=$(xl domid domu)
}
until_gone() { # DOMAIN WHAT
	local i=0
	while xl domid "$1" >/dev/null 2>&1; do
		if [ $((i = i + 1)) -gt 60 ]; then
			bad "$2" "it is there after 60 s"
			return 1
		fi
		sleep 1
	done
	ok "$2"
}
no_pair() { # WHAT
	check "$1" caas pair list
	if grep -q '^web' /tmp/out; then bad "$1, and not listed" "it is" && show; fi
}

guests="domc domu"
domc_seen=0 domu_seen=0
mkdir -p /run/caas-forward && chown caas-forward /run/caas-forward
su caas-forward -c 'exec domt-forward' >>/tmp/forward.log 2>&1 &
describe web
if builder; then ok "domtd runs"; else bad "domtd runs" "it does not" && tail /tmp/domtd.log; fi
said_not() { if grep -q "$2" /tmp/out; then bad "$1" "it is said: $2"; else ok "$1"; fi; }

CHECK_LIMIT=240
check "a pair is made" caas pair create web
consoles
said "DomC serves before the guest runs" 'DomC serves'
[ "$(grep -nE 'DomC serves|DomU runs' /tmp/out | sed 's/.*: //' | tr '\n' ' ')" = "DomC serves DomU runs " ] ||
	bad "that in this order" "$(tr '\n' ' ' </tmp/out)"
there
check "the pair is listed" caas pair list
cat /tmp/out
said "with its domains" "^web +up +$domc_id +$domu_id "
said "and what is not protected" '^not protected: .*no XSM'
for d in "domc $domu_id" "domu $domc_id"; do
	set -- $d
	[ "$(xenstore-read "/local/domain/$(id_of "$1")/caas/peer")" = "$2" ] ||
		bad "$1 is told of its peer" "it is not"
	xenstore-ls -p "/local/domain/$(id_of "$1")/caas" >/tmp/out 2>&1
	said "what $1 is told is its own to read" "^peer = \"$2\" +\(n0,r$(id_of "$1")\)"
done
xenstore-ls -p /caas >/tmp/out 2>&1
said "records are nobody else's to read" '^ web = .*\(n0\)'
step domu signed

refuses "a second pair of that name is refused" caas pair create web
said "since there is one DomC for a DomU" 'one DomC for a DomU'
describe other
refuses "a second DomC for the guest is refused" caas pair create other
check "an administrator who is not root lists" su admin -c 'caas pair list'
refuses "who is none does not" su user -c 'caas pair list'

caas pair list --json >/tmp/before
kill -9 $builder
wait $builder 2>/dev/null
builder || bad "domtd starts again" "it does not"
check "domtd was killed: it lists" caas pair list --json
if cmp /tmp/before /tmp/out; then ok "and the same"; else bad "and the same" "it differs" && show; fi

check "the guest is destroyed by xl" xl destroy domu
until_gone domc "its DomC goes with it"
no_pair "and the pair"
consoles
sed 's/^/# /' /tmp/domtd.log
sed 's/^/# /' /tmp/forward.log
