# image.sh - for sourcing by ../image.sh: the crypto domain's image with a vsmd that can be killed, the
# guest's disk with its applications, and what makes it a network.
#
# The image is the one that is shipped, byte for byte, and behind it a second archive, which the
# kernel unpacks over the first: caas-xen-frail (../frail.c) for vsmd.  So no builder's option and
# no file of the product has to do with it.
. "$HERE/domc/image.sh"

scenario_image() { # DIR GUEST
	domc_image "$1" && frail "$1" && disk "$1/applications" && modules "$2" &&
		cp "$X"/lib/modules/*/kernel/drivers/net/xen-netback/xen-netback.ko "$HERE/whole/vif" "$1/" &&
		put "$1/client" /usr/bin/openssl openssl
}

frail() { # DIR
	local tree=$WORK/frail size
	mkdir -p "$tree/usr/sbin" && cp "$BUILD/tests/xen/caas-xen-frail" "$tree/usr/sbin/vsmd" &&
		strip "$tree/usr/sbin/vsmd" || return 1
	zstd -dcqf "$1/initramfs" | cpio -i --quiet --to-stdout usr/sbin/vsmd \
		>"$tree/usr/sbin/vsmd.image" && [ -s "$tree/usr/sbin/vsmd.image" ] || return 1
	chmod 755 "$tree"/usr/sbin/*
	# Each archive begins at a multiple of four.
	size=$(stat -c %s "$1/initramfs")
	head -c $(((4 - size % 4) % 4)) /dev/zero >>"$1/initramfs"
	(cd "$tree" && find usr/sbin -type f | cpio -o -H newc -R 0:0 --quiet) >>"$1/initramfs"
}

# What a web server and a DNSSEC signer have on their machine, as they are on this one.
disk() { # FILE
	local tree=$WORK/applications engine=$LIBS/engines-3/pkcs11.so
	put "$tree" /usr/sbin/nginx usr/sbin/nginx && put "$tree" /usr/bin/openssl usr/bin/openssl &&
		put "$tree" /usr/bin/ods-hsmspeed usr/bin/ods-hsmspeed &&
		put "$tree" "/usr/$engine" "$engine" 644 || return 1
	mkdir -p "$tree/usr/share/opendnssec" &&
		cp /usr/share/opendnssec/conf.rng "$tree/usr/share/opendnssec/" &&
		cp "$ROOT/examples/nginx/openssl.cnf.in" "$ROOT/examples/dnssec/conf.xml.in" "$tree/" ||
		return 1
	PATH=$PATH:/usr/sbin mke2fs -q -F -t ext4 -O ^has_journal,^metadata_csum,^resize_inode -m 0 \
		-d "$tree" "$1" 80M >/dev/null
}

modules() { # DIR: for the guest to have a disk and a network, in the order of loading
	local m
	for m in crypto/crc32c_generic lib/crc16 fs/mbcache fs/jbd2/jbd2 fs/ext4/ext4 \
		drivers/block/xen-blkfront drivers/net/xen-netfront; do
		cp "$X"/lib/modules/*/kernel/$m.ko "$1/" && echo "${m##*/}" >>"$1/modules" || return 1
	done
}
