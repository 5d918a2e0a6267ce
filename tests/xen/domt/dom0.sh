# DomC without a TPM of its own: DomT has the machine's, by its locality 2, and serves the crypto
# domains that domtd built, from the images it measured.  DomC is destroyed and made again from its
# sealed store, from an older one, for another pair, and of another image; and so is DomT.  Short:
# without the last three.
command -v domtd >/dev/null || {
	skip "domtd" "it was built without libxl"
	return
}
. /xen/pairs.sh
. /xen/domc.sh
. /xen/tpm.sh
tpm_is 2
CHECK_LIMIT=240
STORE=/tmp/store STATE=/tmp/state # disks, of DomC and of DomT
n=0

# The pair, whose DomC has another name each time, $domc, so that its console is a file of its own.
pair() { # NAME DOMU [RAMDISK]
	domc=domc$((n = n + 1))
	eval "${domc}_seen=0"
	guests="domt $2 $domc"
	printf '%s\n' "[pair]" "on-domc-gone = keep" "[domc]" "name = $domc" \
		"kernel = $EXTRA/domc/vmlinux" "ramdisk = $EXTRA/domc/${3:-initramfs}" \
		"cmdline = $(cat $EXTRA/domc/cmdline)" "memory = $MEMORY" \
		"disk = vdev=xvda,access=w,backendtype=phy,script=$EXTRA/block,target=/dev/loop0" \
		"[domu]" "name = $2" "kernel = /xen/vmlinux" "ramdisk = /xen/guest.cpio" \
		"cmdline = console=hvc0 loglevel=3 name=$2" "memory = 320" >"/etc/caas/pairs/$1.conf"
}
fill() { dd if="$1" of="$2" bs=1M conv=notrunc 2>/dev/null; } # FROM TO, a disk that is attached
listed() { # NAME PATTERN: soon
	local i=0
	until caas pair list >/tmp/out 2>&1 && grep -qE -- "$2" /tmp/out; do
		if [ $((i = i + 1)) -gt 120 ] || over; then
			bad "$1" "not said: $2" && show
			return 1
		fi
		consoles
		sleep 0.5
	done
	ok "$1"
}
domt_seen=0 domu_seen=0 other_seen=0
domt_starts() { # NAME: as an administrator has it, on the disks of this machine
	sed -E "s|/var/lib/caas|$EXTRA|; s|^disk =.*|disk = [ 'vdev=xvda,access=w,backendtype=phy,script=$EXTRA/block,target=/dev/loop1' ]|" \
		$EXTRA/domt.cfg >/tmp/domt.cfg
	xl create -q /tmp/domt.cfg || { bad "$1" "xl create failed" && return 1; }
	domt_id=$(xl domid domt)
	say "domt is made, after $(uptime_s) s"
}

device=/dev/tpm0
[ -c $device ] || { bad "dom0 has the TPM" "there is no $device" && return; }
bus=$(basename "$(readlink -f /sys/class/tpm/tpm0/device)")
driver=$(readlink -f /sys/class/tpm/tpm0/device/driver)
# Else it keeps a mapping of all localities' pages.
echo "$bus" >"$driver/unbind"

blank $STORE 24 && losetup /dev/loop0 $STORE && blank $STATE 16 && losetup /dev/loop1 $STATE
guests=domt
domt_starts "DomT is made" || return
if ! is domt serving data/domt; then
	bad "DomT serves, from a disk that was blank" "it does not, after $(uptime_s) s"
	return
fi
ok "DomT serves, from a disk that was blank"
forwarder
builder --domt domt || return
listed "the TPM service is listed" "^TPM service: domt, domain $domt_id, serves 0 crypto domains"

pair web domu
check "a pair is made" caas pair create web
said "DomT is told of DomC before that runs" 'DomT is told of DomC'
domu_id=$(xl domid domu)
xenstore-ls -p "/local/domain/$(xl domid $domc)/caas" >/tmp/out 2>&1
said "DomC is told who DomT is, and nobody else" "^tpm = \"$domt_id\"[ .]+\(n0,r$(xl domid $domc)\)"
order domu first && step domu signed
listed "DomT serves it" 'serves 1 crypto domain'
check "the pair is destroyed" caas pair destroy web
cp $STORE /tmp/old

pair web domu
check "it is made again, from its sealed store" caas pair create web
domu_id=$(xl domid domu)
order domu again && step domu more

# A guest that stays, and DomC made anew beside it.
xl destroy $domc && cp $STORE /tmp/today && fill /tmp/old $STORE
pair web domu
check "DomC is made from an older copy of its store" caas pair create web
order domu old && step domu refused
wrote $domc "it says that this is an older copy" 'ROLLED BACK'
xl destroy $domc && fill /tmp/today $STORE

strangers() {
	pair mail other
	refuses "a pair of another name has no use for that store" caas pair create mail
	wrote $domc "since what is sealed there is another pair's" 'sealed for another pair'
	pair web domu initramfs.other
	refuses "neither has a DomC of another image" caas pair create web
	wrote $domc "since it was sealed for another image" 'sealed to another image'
}
short || strangers

pair web domu
check "DomC is made from today's store" caas pair create web
order domu today && step domu goes-on

# DomT again.
domt_again() {
	# The same state, another domid.
	xl destroy domt && cp $STATE /tmp/older
	domt_starts "DomT is made again"
	listed "it serves as before" "^TPM service: domt, domain $domt_id, serves 1 crypto domain"
	order domu restarted && step domu kept
	# An older state: what DomC did since then DomT does not know.
	xl destroy domt && cp $STATE /tmp/newest && fill /tmp/older $STATE
	from=$(wc -l <"$(log domt)")
	domt_starts "DomT is made from an older copy of its state" && gone domt "an older copy of its state DomT does not serve"
	listed "which is listed" '^TPM service: not to be had'
	tail -n +$((from + 1)) "$(log domt)" | tr -d '\r' >/tmp/out
	said "and it says why" 'olled back|older copy'
	fill /tmp/newest $STATE
	domt_starts "DomT is made from its newest state"
	listed "it serves again" "^TPM service: domt, domain $domt_id, serves 1 crypto domain"
	order domu newest && step domu back
}
short || domt_again

# The page is taken from dom0, whose driver is given locality 0.
check "the pages of localities 1 to 4 are taken from dom0" sh -c \
	'caas-xen-iomem 0 fed41 1 deny && caas-xen-iomem 0 fed42 1 deny && caas-xen-iomem 0 fed43 2 deny'
refuses "dom0 cannot use the page of locality 2" caas-xen-tpm raw $PAGE $GET_RANDOM
echo "$bus" >"$driver/bind"
i=0
until device=$(ls /dev/tpm[0-9]* 2>/dev/null) || [ $i = 60 ]; do i=$((i + 1)) && sleep 0.5; done
raw "dom0's driver has locality 0" "$device" $GET_RANDOM 00000000
order domu "$(short && echo stop || echo last)" && finish domu
# The tenant has left: what there is of the store opens never again.
no_pair "the pair is gone"
check "it is forgotten" caas pair forget web --yes
said "and DomT says how much that was" 'DomT has forgotten web: [1-9][0-9]* rows'
listed "DomT keeps nothing" 'serves 0 crypto domains, keeps 0 of [0-9]+ rows'
forgotten() {
	pair web domu
	refuses "its store is of no use to a pair of that name" caas pair create web
	wrote $domc "since DomT keeps nothing of it" 'keeps no such key'
}
short || forgotten
# By what all of DomT's state is sealed.  DomTs that were destroyed have left their sessions in the TPM.
xl shutdown domt && gone domt "DomT stops when dom0 wants that"
for h in 02000000 02000001 02000002 80000000 80000001 80000002; do
	caas-xen-tpm raw "$device" 80010000000e00000165$h >/dev/null
done
check "dom0 has DomT's sealed secret, off its disk" \
	debugfs -R "dump /tpmd/root.sealed /tmp/root.sealed" $STATE
xxd -p /tmp/root.sealed | tr -d '\n' >/tmp/blob
refuses "dom0 cannot open it" caas-xen-tpm unseal "tpm2:device:/dev/tpmrm${device#/dev/tpm}" /tmp/blob
said "and that is since it is at locality 0" 'TPM: 0x907'
domtd_log
