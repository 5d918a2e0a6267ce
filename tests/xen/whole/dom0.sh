# The whole product: domtd makes a pair of the crypto domain's image and of a guest with a disk;
# p11tool, OpenSSL, nginx and OpenDNSSEC there have their keys in DomC, over vchan; vsmd is killed,
# and DomC destroyed, under a web server.
command -v domtd >/dev/null || {
	skip "domtd" "it was built without libxl"
	return
}
. /xen/pairs.sh
X=/xen/extra
insmod /xen/loop.ko && insmod /xen/xen-blkback.ko || bad "dom0 has disks to give" "no modules"
dd if=/dev/zero of=/tmp/store bs=1M count=0 seek=64 2>/dev/null
losetup /dev/loop0 /tmp/store && losetup /dev/loop1 $X/applications ||
	bad "dom0 has disks to give" "no loop devices"
disk() { echo "disk = vdev=xvda,access=w,backendtype=phy,script=$X/block,target=$1"; }

# A line of a description has 197 bytes at most.
{
	printf '%s\n' "[pair]" "on-domc-gone = keep" "serving-timeout = 300" "timeout = 400" \
		"[domc]" "name = domc" "kernel = $X/vmlinux" "ramdisk = $X/initramfs" "memory = 128" \
		"$(disk /dev/loop0)"
	fold -s -w 100 $X/cmdline | sed 's/^/cmdline = /; s/ *$//'
	printf '%s\n' "[domu]" "name = domu" "kernel = /xen/vmlinux" "ramdisk = /xen/guest.cpio" \
		"cmdline = console=hvc0 loglevel=3 name=domu" "memory = 320" "$(disk /dev/loop1)"
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
if grep -q 'formatting the disk, which is blank' $console; then
	ok "DomC has formatted its disk, which was blank"
else
	bad "DomC has formatted its disk, which was blank" "it does not say so"
fi

step domu loaded || return
for n in 1 2; do
	order domc kill-$n
	serves $((n + 1)) "vsmd was killed in DomC ($n): it serves again"
	if [ "$(grep -c 'vsmd was killed by signal 9' $console)" = $n ]; then
		ok "and killed it was"
	else
		bad "and killed it was" "DomC does not say so"
	fi
	order domu again-$n
	step domu more-$n || return
done

step domu serving || return
was=$domc_id
check "DomC is destroyed by xl" xl destroy domc
until_gone domc "it is gone"
check "the guest stays, as its description says: a new DomC is made" caas pair create web
there
domc_seen=0
[ "$domc_id" != "$was" ] || bad "it is another domain" "it has the domid of before"
check "it is listed" caas pair list
said "beside the same guest" "^web +up +$domc_id +$domu_id +[0-9a-f]{64}"
order domu new
finish domu
check "the pair is destroyed" caas pair destroy web
until_gone domc "DomC is gone"
until_gone domu "and its guest"
domtd_log
