#!/bin/bash
# domc.sh - the images of the crypto domain and of DomT (xen-hooks/domc/build): the same bytes twice,
# and nothing in them that does not belong there.  tests/xen/whole and tests/xen/domt boot them.
#
# It fetches Debian's packages, into domc of $CAAS_XEN_CACHE, and compiles vsmd and domt-tpmd twice.
NAME=domc
LIMIT=1800
. "$(dirname "$0")/lib.sh"
shopt -s lastpipe # `nothing' counts in this shell
BUILDER=$ROOT/xen-hooks/domc/build
CACHE=${CAAS_XEN_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/caas-xen}
ONE=$WORK/one TWO=$WORK/two/of/another/depth TREE=$WORK/elsewhere

same() { # NAME FILE FILE
	if cmp "$2" "$3" >"$WORK/out" 2>&1; then ok "$1"; else bad "$1" "$(cat "$WORK/out")"; fi
}
nothing() { # NAME: what is on standard input should not be
	local found
	found=$(cat)
	if [ -z "$found" ]; then ok "$1"; else bad "$1" "$(head -n 5 <<<"$found" | tr '\n' ' ')"; fi
}

if ! (cd "$WORK" && apt-get -qq -o APT::Sandbox::User=root download libinih1 >/dev/null 2>&1); then
	skip "the image" "Debian's packages cannot be fetched"
	finish
	exit 77
fi

# Whose word another image takes.
openssl ecparam -name prime256v1 -genkey -noout 2>/dev/null | openssl ec -pubout >"$WORK/pem" 2>/dev/null

# The sources at another place, and at another time, under another umask, in another language.
mkdir -p "$TREE"
(cd "$ROOT" && tar -c --exclude='./build*' --exclude=./.git .) | tar -x -C "$TREE" --touch
check "it is built" env LC_ALL=C TZ=UTC "$BUILDER" -o "$ONE" --authority "$WORK/pem" --cache "$CACHE/domc" || { finish; exit; }
said "it says how large it is" 'initramfs [0-9.]+ MiB'
said "and how many lines of it are ours" '[0-9]+ lines of our own code'
check "it is built again, elsewhere" bash -c 'umask 077; exec "$@"' - \
	env LC_ALL=de_DE.UTF-8 TZ=Asia/Tokyo JOBS=1 "$TREE/xen-hooks/domc/build" --output="$TWO" \
	--authority="$WORK/pem" --cache "$CACHE/domc" --lock "$ONE/packages.lock"
alike() { # IMAGE DIR DIR
	local f
	for f in vmlinux initramfs cmdline files packages.lock; do
		same "both builds of $1 have the same $f" "$2/$f" "$3/$f"
	done
	(cd "$2" && sha256sum --quiet -c sha256sums 2>&1) | nothing "the sums of $1 are right"
}
alike domc "$ONE" "$TWO"
# What both need is compiled already.
check "DomT's is built" "$BUILDER" --image domt -o "$ONE-domt" --build "$ONE/build" --cache "$CACHE/domc"
check "and again, elsewhere" env JOBS=1 "$TREE/xen-hooks/domc/build" --image=domt --output="$TWO-domt" \
	--build "$TWO/build" --cache "$CACHE/domc" --lock "$ONE-domt/packages.lock"
alike domt "$ONE-domt" "$TWO-domt"

# What is in each.
belongs() { # IMAGE DIR MODULES PROGRAM...
	local image=$1 dir=$2 modules=$3 tree=$WORK/image-$1 loaded
	shift 3
	mkdir "$tree"
	zstd -dcq "$dir/initramfs" >"$WORK/cpio" && (cd "$tree" && cpio -idm --quiet <"$WORK/cpio") ||
		bad "$image can be unpacked"
	cpio -tvn --quiet <"$WORK/cpio" 2>/dev/null >"$WORK/listing"
	awk '{ print substr($1, 1, 1) }' "$WORK/listing" | grep -vE '^[-dl]$' |
		nothing "$image has files, folders and links only: no device"
	awk '$1 ~ /[sStT]/ && $1 !~ /^-rwxr-xr-x$/' "$WORK/listing" |
		nothing "nothing in $image is setuid or setgid"
	awk '$1 ~ /^.....w|^........w/ && $1 !~ /^l/' "$WORK/listing" |
		nothing "nobody but root may write anything in $image"
	awk '$3 != 0 || $4 != 0' "$WORK/listing" | nothing "all of $image is root's"
	find "$tree" -type f -newermt '1970-01-02' | nothing "$image has no time"
	find "$tree" -type f | while read -r f; do
		[ "$(head -c 2 "$f" | tr -d '\0')" != '#!' ] || echo "$f"
	done | nothing "there is no script in $image"
	find "$tree" | grep -E '/(sh|bash|dash|ash|busybox|login|getty|agetty|su|sudo|sshd|perl|python[0-9.]*|env|modprobe|mke2fs)$' |
		nothing "there is no shell, no login, no interpreter in $image"
	find "$tree" -type f -perm /111 ! -name '*.so*' | sed "s|^$tree||" | sort >"$WORK/programs"
	same "the programs of $image are those that it should have" "$WORK/programs" \
		<(printf '%s\n' "$@" | sort)
	find "$tree" -name '*.ko' | grep -vE "/($modules|ext4|jbd2|mbcache|crc16|crc32c_generic)\.ko\$" |
		nothing "of the kernel's modules $image has those for disk and vchan"
	awk '{ print $1 }' "$dir/files" | sort >"$WORK/want"
	(cd "$tree" && find . -type f -o -type l) | sed 's/^\.//' | sort >"$WORK/have"
	same "the list of files is what is in $image" "$WORK/want" "$WORK/have"

	# Every library is needed by something, and what is needed is there.
	loaded=$(sed -nE 's/^LOADED="(.*)"/\1/p' "$ROOT/xen-hooks/$image/contents.sh")
	{
		find "$tree" -type f \( -name '*.so*' -o -perm /111 \) -exec readelf -d {} + 2>/dev/null |
			sed -nE 's/.*\(NEEDED\).*\[(.*)\]$/\1/p'
		printf '%s\n' $loaded
		[ "$image" != domc ] || echo libsofthsm2.so
	} | sort -u >"$WORK/needed"
	find "$tree" -name '*.so*' -printf '%f\n' | sort -u >"$WORK/libraries"
	comm -13 "$WORK/needed" "$WORK/libraries" | nothing "$image has no library that nothing needs"
	comm -23 "$WORK/needed" "$WORK/libraries" | nothing "$image lacks none"
}
belongs domc "$ONE" 'xen-(blkfront|evtchn|gntalloc|gntdev)' /init /usr/sbin/vsmd
belongs domt "$ONE-domt" 'xen-(blkfront|evtchn|gntalloc)' /init /usr/sbin/domt-tpmd
IMAGE=$WORK/image-domc
if [ "$(id -u)" = 0 ]; then
	# Without Xen there is nobody to be coupled with, and no DomT.
	sed -E 's/^tpm = .*/tpm = domt:unix:\/run\/x/; s/coupled/5/' "$IMAGE/etc/caas/vsmd.conf" \
		>"$IMAGE/run/vsmd.conf"
	check "vsmd starts on what is there, and takes its configuration" \
		chroot "$IMAGE" /usr/sbin/vsmd --check -c /run/vsmd.conf
	check "and so does domt-tpmd" chroot "$WORK/image-domt" /usr/sbin/domt-tpmd --check \
		-c /etc/caas/domt-tpmd.conf
else
	skip "vsmd starts on what is there" "chroot needs root"
fi

# The variant for a machine without DomT.
check "the image with the embedded TPM is built" "$BUILDER" --tpm embedded -o "$WORK/embedded" \
	--build "$ONE/build" --cache "$CACHE/domc"
cut -d' ' -f1 "$WORK/embedded/files" >"$WORK/out"
said "which has swtpm in it" '^/usr/bin/swtpm$'
refuses "nobody approves images for that" 1 "$BUILDER" --tpm embedded --authority "$WORK/pem" \
	-o "$WORK/embedded"

# A package that is not the one of the lock.
sed -E 's/^(libinih1 [^ ]* ).*/\1'"$(printf '0%.0s' {1..64})"'/' "$ONE/packages.lock" >"$WORK/lock"
refuses "it takes no other package than the lock's" 1 "$BUILDER" -o "$WORK/three" --cache "$CACHE/domc" \
	--build "$ONE/build" --lock "$WORK/lock"
said "and says which" 'libinih1.*has not the hash'
grep -v '^libinih1 ' "$ONE/packages.lock" >"$WORK/lock"
refuses "nor one that the lock has not" 1 "$BUILDER" -o "$WORK/three" --cache "$CACHE/domc" \
	--build "$ONE/build" --lock "$WORK/lock"
said "and says that" 'has no libinih1'
refuses "an option that is none" 2 "$BUILDER" --frob
finish
