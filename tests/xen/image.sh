# image.sh - for sourcing by run.sh: the initramfs of each domain.
#
#	image_common	what all scenarios share: $WORK/xen, $WORK/vmlinux, a tree for dom0 and
#			one for guests
#	image_scenario NAME DIR		DIR/dom0.cpio, with the guests' in it
#
# A scenario with an image.sh has its function scenario_image put what else is to be there into two
# directories that it is given: dom0's /xen/extra, and the guests'.
#
# A tree holds busybox, Xen's modules and its tools out of $X (packages.sh), and of this machine and
# our build what is named below, with the libraries that it is linked to.  All libraries lie in
# one directory.
LIBS=lib/x86_64-linux-gnu

# The file, under that name, and the libraries that it needs.
put() { # TREE SOURCE TARGET [MODE]
	local lib
	mkdir -p "$1/$(dirname "$3")" "$1/$LIBS"
	cp -L "$2" "$1/$3" && chmod "${4:-755}" "$1/$3" || return 1
	LD_LIBRARY_PATH=$X/usr/lib/x86_64-linux-gnu:$X/usr/lib/xen-4.17/lib/x86_64-linux-gnu \
		ldd "$2" >"$WORK/ldd" 2>/dev/null || return 0
	if grep 'not found' "$WORK/ldd"; then
		echo "not ok image: $2 lacks libraries"
		return 1
	fi
	while read -r lib; do
		[ -e "$1/$LIBS/${lib##*/}" ] || cp -L "$lib" "$1/$LIBS/" || return 1
	done < <(sed -nE 's/.* => (\/[^ ]+) .*/\1/p' "$WORK/ldd")
}

tree() { # DIR: what every domain has
	local busybox=$X/bin/busybox applet m
	mkdir -p "$1"/{bin,sbin,dev,proc,sys,run,tmp,etc,root,xen,lib64,usr/bin,usr/sbin,usr/lib} \
		"$1/$LIBS" "$1"/var/{lib,log}
	chmod 1777 "$1/tmp"
	ln -s /run "$1/var/run"
	ln -s "../../$LIBS" "$1/usr/$LIBS"
	cp "$busybox" "$1/bin/busybox"
	for applet in $("$busybox" --list); do
		[ "$applet" = busybox ] || ln -s busybox "$1/bin/$applet"
	done
	cp -L /lib64/ld-linux-x86-64.so.2 "$1/lib64/"
	# pthread_cancel(3) looks for it when it is called.
	cp -L "/$LIBS/libgcc_s.so.1" "$1/$LIBS/"
	for m in xen-privcmd xenfs/xenfs xen-evtchn xen-gntdev xen-gntalloc; do
		cp "$X"/lib/modules/*/kernel/drivers/xen/$m.ko "$1/xen/" || return 1
	done
	for m in ls read write chmod rm exists list; do
		put "$1" "$X/usr/bin/xenstore-$m" "usr/bin/xenstore-$m" || return 1
	done
	printf '%s\n' root:x:0:0::/root:/bin/sh caas:x:100:100::/:/bin/false \
		tss:x:101:101::/:/bin/false user:x:1000:1000::/:/bin/sh \
		caas-forward:x:102:102::/:/bin/sh admin:x:1001:1001::/:/bin/sh >"$1/etc/passwd"
	printf '%s\n' root:x:0: caas:x:100: tss:x:101: caas-forward:x:102: \
		caas-admin:x:103:caas-forward,admin user:x:1000: admin:x:1001: >"$1/etc/group"
	echo '127.0.0.1 localhost' >"$1/etc/hosts"
	# A TPM's clients; libtspi writes names in UTF-16.
	for m in "$BUILD/tests/xen/caas-xen-tpm" /usr/sbin/tcsd; do
		[ ! -e "$m" ] || put "$1" "$m" "usr/sbin/${m##*/}" || return 1
	done
	for m in UTF-16.so gconv-modules.cache; do
		put "$1" "/usr/$LIBS/gconv/$m" "$LIBS/gconv/$m" 644 || return 1
	done
	install -m 755 "$HERE/domain/init" "$1/init"
	cp "$HERE"/domain/*.sh "$1/xen/"
}

# Not compressed, the kernel neither: to expand it takes an emulated processor seconds.
pack() { # TREE FILE
	(cd "$1" && find . | cpio -o -H newc -R 0:0 --quiet) >"$2"
}

# The ELF file in a bzImage that is compressed by xz (Linux' Documentation/x86/boot.rst).
kernel() { # BZIMAGE FILE
	local setup offset length
	setup=$(od -An -tu1 -j497 -N1 "$1")
	offset=$(od -An -tu4 -j584 -N4 "$1")
	length=$(od -An -tu4 -j588 -N4 "$1")
	# Behind the stream stands its length: xz has something to say about that.
	tail -c +$(((setup + 1) * 512 + offset + 1)) "$1" | head -c "$length" |
		xz -dc --single-stream >"$2" 2>/dev/null
	[ "$(head -c 4 "$2" | od -An -c | tr -d ' ')" = '177ELF' ]
}

dom0_tree() { # DIR
	local b bin=$X/usr/lib/xen-4.17/bin
	tree "$1" || return 1
	for b in xl xenstored xenconsoled xen-init-dom0 flask-getenforce flask-setenforce \
		flask-loadpolicy flask-set-bool; do
		put "$1" "$bin/$b" "usr/sbin/$b" || return 1
	done
	# libxl runs it by this path.
	put "$1" "$bin/libxl-save-helper" usr/lib/xen-4.17/bin/libxl-save-helper || return 1
	for b in xen-hooks/flask/caas-flask-drop tests/xen/caas-xen-map tests/xen/caas-xen-iomem \
		xen-hooks/domtd/domtd xen-hooks/forward/domt-forward; do
		[ ! -e "$BUILD/$b" ] || put "$1" "$BUILD/$b" "usr/sbin/${b##*/}" || return 1
	done
	b=libtss2-tcti-device.so.0
	put "$1" "/usr/$LIBS/$b" "$LIBS/$b" 644 || return 1
	put "$1" "$BUILD/caas/caas" usr/bin/caas || return 1
	cp "$X"/lib/modules/*/kernel/drivers/block/{loop,xen-blkback/xen-blkback}.ko "$1/xen/" ||
		return 1
	mkdir -p "$1/etc/xen" "$1/etc/caas/pairs" "$1/var/log/xen/console" "$1/var/lib/xen"
	touch "$1/etc/xen/xl.conf"
}

guest_tree() { # DIR
	local module=usr/$LIBS/pkcs11/libcaas-p11.so f
	tree "$1" || return 1
	# The crypto domain.
	put "$1" "$BUILD/vsmd/vsmd" usr/sbin/vsmd &&
		put "$1" /usr/lib/softhsm/libsofthsm2.so usr/lib/softhsm/libsofthsm2.so 644 &&
		put "$1" /usr/bin/swtpm usr/bin/swtpm || return 1
	for f in /usr/$LIBS/libtss2-tcti-swtpm.so.0 /usr/$LIBS/libxenvchan.so.*; do
		put "$1" "$f" "$LIBS/$(basename "$f")" 644 || return 1
	done
	# Who gives it the devices.
	put "$1" "$X/bin/udevadm" usr/sbin/udevadm && ln -s udevadm "$1/usr/sbin/udevd" &&
		mkdir -p "$1/usr/lib/udev/rules.d" &&
		cp "$ROOT/dist/udev/70-caas.rules" "$1/usr/lib/udev/rules.d/" || return 1
	# The applications' domain.
	put "$1" "$BUILD/libcaas-p11/libcaas-p11.so" "$module" 644 &&
		put "$1" "$BUILD/caas/caas" usr/bin/caas &&
		put "$1" "$BUILD/vchan-transport/caas-agent" usr/sbin/caas-agent &&
		put "$1" /usr/bin/p11tool usr/bin/p11tool || return 1
	# A domain that is both sides of a vsock.
	for f in vsock vmw_vsock_virtio_transport_common vsock_loopback; do
		cp "$X"/lib/modules/*/kernel/net/vmw_vsock/$f.ko "$1/xen/" || return 1
	done
	# The domain that has a locality of the TPM.
	put "$1" "$BUILD/tpm/caas-tis-bridge" usr/sbin/caas-tis-bridge || return 1
	[ ! -e /usr/sbin/tpm_takeownership ] ||
		put "$1" /usr/sbin/tpm_takeownership usr/sbin/tpm_takeownership || return 1
	for f in contract/contract e2e/caas-e2e-client xen/caas-xen-grab; do
		[ ! -e "$BUILD/tests/$f" ] || put "$1" "$BUILD/tests/$f" "usr/bin/${f##*/}" || return 1
	done
}

image_common() {
	zcat "$X"/boot/xen-4.17-amd64.gz >"$WORK/xen" && kernel "$X"/boot/vmlinuz-* "$WORK/vmlinux" &&
		dom0_tree "$WORK/dom0" && guest_tree "$WORK/guest"
}

image_scenario() { # NAME DIR
	local dom0=$WORK/dom0/xen guest=$WORK/guest/xen
	rm -rf "$dom0"/{scenario,extra} "$guest"/{scenario,extra}
	cp -r "$HERE/$1" "$dom0/scenario" && cp -r "$HERE/$1" "$guest/scenario" || return 1
	if [ -f "$HERE/$1/image.sh" ]; then
		. "$HERE/$1/image.sh"
		mkdir "$dom0/extra" "$guest/extra" && scenario_image "$dom0/extra" "$guest/extra" ||
			return 1
	fi
	pack "$WORK/guest" "$dom0/guest.cpio" && cp "$WORK/vmlinux" "$dom0/vmlinux" &&
		pack "$WORK/dom0" "$2/dom0.cpio"
}
