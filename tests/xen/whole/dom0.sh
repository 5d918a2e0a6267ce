# The whole product: domtd makes a pair of the crypto domain's image and of a guest with a disk and a
# network; p11tool, OpenSSL, nginx and OpenDNSSEC there have their keys in DomC, over vchan; vsmd is
# killed, and DomC destroyed, under a web server; DomC is shut down; and an older disk is put back.
# Short: vsmd is killed once, and that is all.
#
# With the word type=pvh for dom0 both are PVH, which needs CAAS_XEN_CPU=qemu64,+npt.
command -v domtd >/dev/null || {
	skip "domtd" "it was built without libxl"
	return
}
. /xen/pairs.sh
X=/xen/extra
insmod /xen/loop.ko && insmod /xen/xen-blkback.ko && insmod $X/xen-netback.ko ||
	bad "dom0 has disks and a network to give" "no modules"
dd if=/dev/zero of=/tmp/store bs=1M count=0 seek=64 2>/dev/null
losetup /dev/loop0 /tmp/store && losetup /dev/loop1 $X/applications ||
	bad "dom0 has disks to give" "no loop devices"
disk() { echo "disk = vdev=xvda,access=w,backendtype=phy,script=$X/block,target=$1"; }

type=$(tr ' ' '\n' </proc/cmdline | sed -n 's/^type=//p')
type="type = ${type:-pv}"
# A line of a description has 197 bytes at most.
{
	printf '%s\n' "[pair]" "on-domc-gone = keep" "serving-timeout = 300" "timeout = 400" \
		"[domc]" "name = domc" "$type" "kernel = $X/vmlinux" "ramdisk = $X/initramfs" \
		"memory = 128" "$(disk /dev/loop0)"
	fold -s -w 100 $X/cmdline | sed 's/^/cmdline = /; s/ *$//'
	printf '%s\n' "[domu]" "name = domu" "$type" "kernel = /xen/vmlinux" \
		"ramdisk = /xen/guest.cpio" "cmdline = console=hvc0 loglevel=3 name=domu" \
		"memory = 256" "$(disk /dev/loop1)" "vif = script=$X/vif,mac=00:16:3e:00:00:01"
} >/etc/caas/pairs/web.conf

console=/var/log/xen/console/guest-domc.log
# How often vsmd has come to serve.
served() { grep -c 'info domc: serving' $console; }
serves() { # COUNT NAME
	until [ "$(served)" -ge "$1" ]; do
		consoles
		if over; then
			bad "$2" "it does not, after $(uptime_s) s"
			return 1
		fi
		sleep 0.5
	done
	ok "$2"
}

wrote() { # NAME PATTERN: DomC on its console
	if grep -qE -- "$2" $console; then ok "$1"; else bad "$1" "not written: $2"; fi
}

chapter "A pair" "one command makes DomC, of its image, and DomU, which runs only once DomC serves"
forwarder
builder || return
CHECK_LIMIT=420
check "domtd makes the pair" caas pair create web || { domtd_log && return; }
said "DomC serves" 'DomC serves'
there
consoles
check "it is listed" caas pair list
said "with both domids" "^web +up +$domc_id +$domu_id +[0-9a-f]{64}"
wrote "DomC has formatted its disk, which was blank" 'formatting the disk, which is blank'

step domu reachable || return
xenstore-read -R "/local/domain/$domu_id/data/certificate" >/tmp/tls.crt
check "a client on another machine is served, over the guest's network interface" sh -c \
	"printf 'GET / HTTP/1.0\r\n\r\n' | LD_LIBRARY_PATH=$X/client/lib/x86_64-linux-gnu \
		$X/client/openssl s_client -connect 10.0.0.2:8443 -quiet -CAfile /tmp/tls.crt \
		-verify_return_error -verify_hostname localhost"
said "with the page" 'served by worker'
order domu reached

step domu loaded || return
short && kills=1 || kills="1 2"
for n in $kills; do
	order domc kill-$n
	serves $((n + 1)) "vsmd was killed in DomC ($n): it serves again"
	[ "$(grep -c 'vsmd was killed by signal 9' $console)" = $n ] ||
		bad "and killed it was" "DomC does not say so"
	order domu again-$n
	step domu more-$n || return
done

end_pair() {
	check "the pair is destroyed" caas pair destroy web
	until_gone domc "DomC is gone"
	until_gone domu "and its guest"
	domtd_log
}
if short; then
	order domu stop
	step domu "done" && end_pair
	return
fi

# A DomC in the place of one that is gone: DomU has stayed, as the description says.
another() { # WHAT
	local was=$domc_id
	if ! check "$1" caas pair create web; then
		consoles
		domtd_log
		return 1
	fi
	there
	[ "$domc_id" != "$was" ] || bad "it is another domain" "it has the domid of before"
}
step domu serving || return
check "DomC is destroyed by xl" xl destroy domc
until_gone domc "it is gone"
cp /tmp/store /tmp/old
another "a new one is made, beside the same guest" || return
check "the pair is listed" caas pair list
said "with the new one's domid" "^web +up +$domc_id +$domu_id +[0-9a-f]{64}"
order domu new
step domu later || return

chapter "DomC is shut down" "in order, when dom0 wants that: vsmd first"
check "it is told to" xl shutdown domc
until_gone domc "it stops"
wrote "and says so" 'info domc: power off'
if grep -E 'must be installed|killed by signal|ended with status' $console |
	grep -v 'vsmd was killed by signal 9' >/tmp/died; then
	bad "none of its processes has died but for those that were killed" "$(head -n 1 /tmp/died)"
else
	ok "none of its processes has died but for those that were killed"
fi

# The embedded TPM lies on the same disk, and is as old.
chapter "An older disk" "what is not protected: with the embedded TPM nobody can tell (docs/tcb.md)"
dd if=/tmp/old of=/tmp/store bs=1M conv=notrunc 2>/dev/null
another "a DomC is made of it" || return
order domu old
step domu "done"
end_pair
