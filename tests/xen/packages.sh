# packages.sh - for sourcing: Debian's Xen and kernel, fetched and unpacked in $CACHE.
#
#	packages	prints the directory that has them; fails when they cannot be had
#
# Of the kernel its image and Xen's modules alone, since all of it takes 400 MB.  The kernel is the
# newest, by its name: older ones leave the mirrors.  What is there already is not fetched again;
# without a network what was there last is good enough.
XEN_PACKAGES="xen-hypervisor-4.17-amd64 xen-utils-4.17 xen-utils-common xenstore-utils
 libxenmisc4.17 libxencall1 libxendevicemodel1 libxenevtchn1 libxenforeignmemory1 libxengnttab1
 libxenhypfs1 libxenstore4 libxentoolcore1 libxentoollog1 libyajl2 libnl-3-200 libnl-route-3-200
 busybox-static udev"
# As patterns of tar; what is here is part of the name that the unpacked files lie under.
XEN_MODULES="./lib/modules/*/kernel/drivers/xen/* ./lib/modules/*/kernel/drivers/block/loop.ko
 ./lib/modules/*/kernel/drivers/block/xen-blkback/*
 ./lib/modules/*/kernel/drivers/block/xen-blkfront.ko ./lib/modules/*/kernel/fs/ext4/*
 ./lib/modules/*/kernel/fs/jbd2/* ./lib/modules/*/kernel/fs/mbcache.ko
 ./lib/modules/*/kernel/drivers/net/xen-net* ./lib/modules/*/kernel/net/vmw_vsock/*
 ./lib/modules/*/kernel/lib/crc16.ko ./lib/modules/*/kernel/crypto/crc32c_generic.ko"

_fetch() ( # DIR FILE...: into DIR what is not there yet
	cd "$1" || exit 1
	shift
	missing=
	for f; do
		[ -f "$f" ] || missing="$missing ${f%%_*}"
	done
	[ -z "$missing" ] || apt-get -qq download $missing >&2
)

_unpack() { # DEBS DIR FILE...
	local debs=$1 dir=$2 f
	shift 2
	for f; do
		case $f in
		linux-image-*)
			dpkg-deb --fsys-tarfile "$debs/$f" | tar -x -C "$dir" --wildcards \
				'./boot/vmlinuz-*' $XEN_MODULES
			;;
		*) dpkg-deb -x "$debs/$f" "$dir" ;;
		esac || return 1
	done
}

# Those that are the newest now; false: they cannot be had.
_newest() {
	local kernel wanted files name tmp
	kernel=$(apt-cache depends linux-image-amd64 2>/dev/null |
		sed -nE 's/.*Depends: (linux-image-[0-9].*-amd64)$/\1/p' | head -n 1)
	[ -n "$kernel" ] || return 1
	wanted="$XEN_PACKAGES $kernel"
	# Lines of: 'URI' FILE SIZE HASH
	files=$(apt-get --print-uris -qq download $wanted 2>/dev/null | awk '{ print $2 }')
	[ "$(wc -w <<<"$files")" = "$(wc -w <<<"$wanted")" ] || return 1
	name=$(sort <<<"$files$XEN_MODULES" | sha256sum | cut -c1-16)
	if [ ! -d "$CACHE/$name" ]; then
		echo "# fetching Xen's packages and $kernel into $CACHE" >&2
		tmp=$(mktemp -d "$CACHE/new.XXXXXX") || return 1
		if _fetch "$CACHE/debs" $files && _unpack "$CACHE/debs" "$tmp" $files; then
			mv -T "$tmp" "$CACHE/$name"
			# A kernel of last month has 70 MB.
			(cd "$CACHE/debs" && ls | grep -vxF "$files" | xargs -r rm -f)
		fi
		rm -rf "$tmp"
	fi
	[ -d "$CACHE/$name" ] && ln -sfn "$name" "$CACHE/last"
}

packages() {
	mkdir -p "$CACHE/debs" || return 1
	# A list that is old, or not there, names packages that the mirror has no more.
	_newest || { apt-get -qq update >&2 && _newest; }
	[ -d "$CACHE/last/" ] && (cd -P "$CACHE/last" && pwd)
}
