#!/bin/bash
# xsm.sh - a hypervisor with XSM, which Debian's has not, from Debian's own source package.
#
#	tests/xen/xsm.sh FILE
#
# For tests/xen/run.sh flask, as $CAAS_XEN_XSM.  The newest source package of Xen 4.17 that the
# configured repositories have is fetched and built in a temporary directory, in some minutes;
# apt's configuration is not touched.  Needs dpkg-dev, flex, bison and a compiler.
set -u
die() {
	echo "xsm.sh: $*" >&2
	exit 1
}
[ $# = 1 ] && [[ $1 != -* ]] || die "usage: tests/xen/xsm.sh FILE"
for c in dpkg-source flex bison gcc make python3; do
	command -v $c >/dev/null || die "$c is not installed (apt-get install dpkg-dev flex bison build-essential python3)"
done
WORK=$(mktemp -d "${TMPDIR:-/tmp}/caas-xsm.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
trap 'exit 130' INT TERM
out=$(realpath "$1") || exit 1
cd "$WORK" || exit 1

# What is configured, as sources of source packages.
mkdir -p lists/partial sources
for f in /etc/apt/sources.list.d/*.sources; do
	[ ! -f "$f" ] || sed -E 's/^Types:.*/Types: deb-src/' "$f" >"sources/$(basename "$f")"
done
for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
	[ ! -f "$f" ] || sed -nE 's/^deb(-src)? /deb-src /p' "$f" >>sources/all.list
done
apt=(-o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$WORK/sources"
	-o Dir::State::lists="$WORK/lists" -o APT::Sandbox::User=root)
apt-get "${apt[@]}" -q update >log 2>&1 || die "apt-get update: $(tail -n 1 log)"
fetched=
# Old versions leave the repositories, whose lists may still have them.
for v in $(apt-cache "${apt[@]}" showsrc xen 2>/dev/null | sed -n 's/^Version: \(4\.17\..*\)/\1/p' | sort -rV); do
	echo "xsm.sh: fetching the source of Xen $v"
	if apt-get "${apt[@]}" -q source --download-only "xen=$v" >log 2>&1; then
		fetched=$v
		break
	fi
	rm -f ./*.dsc ./*.tar.*
done
[ -n "$fetched" ] || die "no source package of Xen 4.17 can be fetched: $(tail -n 1 log)"
dpkg-source --no-check -x ./*.dsc src >log 2>&1 || die "dpkg-source: $(tail -n 1 log)"

cd src/xen || exit 1
export XEN_TARGET_ARCH=x86_64
echo "xsm.sh: building it, in some minutes"
make defconfig >../../log 2>&1 || die "make defconfig: $(tail -n 1 ../../log)"
sed -i 's/^# CONFIG_XSM is not set$/CONFIG_XSM=y/' .config
# The policy comes from who boots it.
echo '# CONFIG_XSM_FLASK_POLICY is not set' >>.config
make olddefconfig >../../log 2>&1 </dev/null || die "make olddefconfig: $(tail -n 1 ../../log)"
grep -q '^CONFIG_XSM_FLASK=y' .config || die "FLASK could not be chosen"
make -j "$(nproc)" xen.gz >../../log 2>&1 || die "make: $(grep -m 1 'error:' ../../log || tail -n 1 ../../log)"
cp xen.gz "$out" && echo "xsm.sh: $out, of Xen $fetched"
