# image.sh - for sourcing by ../image.sh: the images of DomC and of DomT, as their builder makes them,
# a DomC of another digest, and for dom0 what domtd's vchan takes, and what reads a file off DomT's disk.
# Both images are compiled where those of the other scenarios are.
scenario_image() { # DIR
	local kind made lib
	for kind in domc domt; do
		made=$BUILD/tests/xen/domt-$kind
		"$ROOT/xen-hooks/domc/build" --image $kind -o "$made" --cache "$CACHE/domc" \
			--build "$BUILD/tests/xen/domc/build" || return 1
		mkdir "$1/$kind" && cp "$made/initramfs" "$made/cmdline" "$1/$kind/" || return 1
		# One kernel, where it is the same.
		cmp -s "$made/vmlinux" "$1/domc/vmlinux" && ln "$1/domc/vmlinux" "$1/$kind/vmlinux" ||
			cp "$made/vmlinux" "$1/$kind/" || return 1
	done
	# The same files for the kernel: it skips zeroes.
	cp "$1/domc/initramfs" "$1/domc/initramfs.other" && head -c 512 /dev/zero >>"$1/domc/initramfs.other" &&
		cp "$HERE/domc/block" "$ROOT/dist/domt.cfg" "$1/" &&
		put "$WORK/dom0" /usr/sbin/debugfs usr/sbin/debugfs || return 1
	for lib in /usr/$LIBS/libxenvchan.so.*; do
		put "$WORK/dom0" "$lib" "$LIBS/$(basename "$lib")" 644 || return 1
	done
}
