#!/bin/bash
# run.sh - real Xen with real domains, inside QEMU.
#
#	tests/xen/run.sh [--keep | --follow] [SCENARIO ...]	(default: all of them)
#
# A scenario is a directory here.  Its dom0.sh runs in dom0 and makes the guests; NAME.sh runs in
# the guest NAME (domain/dom0.sh and domain/guest.sh say with what).  Debian's packages are fetched
# into $CAAS_XEN_CACHE (default: caas-xen in $XDG_CACHE_HOME); nothing of Xen is installed here.
#
# A scenario with a file `tpm' has a machine with a TPM of the version in it, 2 or 1.2, an swtpm.  One
# with a file `policy' boots $CAAS_XEN_XSM instead, a hypervisor with XSM, which Debian's has not,
# enforcing the policy of that name in our build (xen-hooks/flask); without one it is skipped.
#
# --keep: afterwards a shell in dom0, on this terminal, Xen's console; `reboot -f' ends it.
#
# --follow: what the domains say is printed as they say it, `[NAME] ' before each line.
#
# $CAAS_XEN_WORDS are words for dom0's kernel command line, which a scenario may look
# for; without commas (QEMU).
#
# Ends with `N passed, N failed, N skipped'.  Exits 77, and says why, without QEMU or packages;
# where $CI is set, that is a failure.
#
# Always emulated (-accel tcg): KVM in a virtual machine may stop before Xen's first word.  The
# processor is qemu64: with -cpu max QEMU 7.2 corrupts the guests' memory.  $CAAS_XEN_CPU is another:
# PVH guests need one with nested pages, qemu64,+npt.
set -u
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
BUILD=${CAAS_BUILD:-$ROOT/build}
CACHE=${CAAS_XEN_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/caas-xen}
LIMIT=570 # seconds of this machine for a scenario; dom0 has a limit of its own
. "$HERE/packages.sh"
. "$HERE/image.sh"

passed=0 failed=0 skipped=0 keep= follow= qemu= tpm=
WORK=$(mktemp -d "${TMPDIR:-/tmp}/caas-xen.XXXXXX")
end() {
	[ -z "$qemu" ] || kill "$qemu" 2>/dev/null
	[ -z "$tpm" ] || kill "$tpm" 2>/dev/null
	rm -rf "$WORK"
}
trap end EXIT
trap 'exit 130' INT TERM

unavailable() {
	if [ -n "${CI:-}" ]; then
		echo "not ok xen: $*"
		echo "0 passed, 1 failed, 0 skipped"
		exit 1
	fi
	echo "skip xen: $*"
	echo "0 passed, 0 failed, 1 skipped"
	exit 77
}

# What a domain said of a check: `[NAME] @ ok WHAT', `[NAME] @ bad WHAT: why'.
judge() { # SCENARIO REPORT
	local verdict what before=$failed
	while read -r verdict what; do
		case $verdict in
		ok) passed=$((passed + 1)) && echo "ok $1: $what" ;;
		bad) failed=$((failed + 1)) && echo "not ok $1: $what" ;;
		skip) skipped=$((skipped + 1)) && echo "skip $1: $what" ;;
		esac
	done < <(sed -nE 's/^\[[a-z0-9]+\] @ (ok|bad|skip) /\1 /p' "$2")
	if ! grep -qx '\[dom0\] @ done' "$2"; then
		failed=$((failed + 1))
		echo "not ok $1: dom0 did not come to its end"
	fi
	[ "$failed" = "$before" ]
}

tails() { # DIR: what there is to see of a failure
	echo "# what the domains said:"
	tail -n 120 "$1/report" | cut -c1-300 | sed 's/^/#   /'
	[ -n "$keep" ] && return
	echo "# the console of Xen and dom0:"
	tr -d '\r' <"$1/console" | tail -n 40 | cut -c1-300 | sed 's/^/#   /'
	echo "# QEMU:"
	tail -n 5 "$1/qemu" | sed 's/^/#   /'
}

# The file with the policy that a scenario wants.
policy_of() { echo "$BUILD/xen-hooks/flask/$(cat "$HERE/$1/policy").policy"; }

# Whether a scenario can run: false when it wants a hypervisor that is not there.
bootable() { # NAME
	[ -f "$HERE/$1/policy" ] || return 0
	if [ -z "${CAAS_XEN_XSM:-}" ]; then
		skipped=$((skipped + 1))
		echo "skip $1: NOT TESTED, there is no hypervisor with XSM: set CAAS_XEN_XSM to one (docs/flask.md)"
		return 1
	fi
	if ! zcat -f "$CAAS_XEN_XSM" >"$WORK/xsm" || [ ! -s "$WORK/xsm" ]; then
		failed=$((failed + 1))
		echo "not ok $1: CAAS_XEN_XSM=$CAAS_XEN_XSM cannot be read"
		return 1
	fi
	if [ ! -f "$(policy_of "$1")" ]; then
		failed=$((failed + 1))
		echo "not ok $1: $(policy_of "$1") is not built (scripts/deps flask, then configure anew)"
		return 1
	fi
}

# An swtpm for QEMU at DIR/tpm.sock.  A TPM 1.2 can have an owner only once it has an endorsement
# key.
tpm_start() { # DIR VERSION
	local two=--tpm2 i=0
	mkdir -m 700 "$1/tpm"
	if [ "$2" != 2 ]; then
		two=
		swtpm_setup --tpm-state "dir://$1/tpm" --createek >"$1/swtpm" 2>&1 || return 1
	fi
	swtpm socket $two --tpmstate "dir=$1/tpm,mode=0600" \
		--ctrl "type=unixio,path=$1/tpm.sock,mode=0600" >>"$1/swtpm" 2>&1 &
	tpm=$!
	until [ -S "$1/tpm.sock" ] || [ $i = 100 ]; do i=$((i + 1)) && sleep 0.1; done
	[ -S "$1/tpm.sock" ]
}
tpm_stop() {
	[ -z "$tpm" ] || { kill "$tpm" && wait "$tpm"; } 2>/dev/null
	tpm=
}

boot() { # DIR [NAME of a scenario with a policy]
	local console="file:$1/console" args xen=$WORK/xen flask= policy=
	[ -z "$keep" ] || console=mon:stdio
	if [ -n "$2" ]; then
		xen=$WORK/xsm flask=" xsm=flask flask=${CAAS_XEN_FLASK:-enforcing}" policy=,$(policy_of "$2")
	fi
	args=(-machine q35 -accel tcg,thread=multi -cpu "${CAAS_XEN_CPU:-qemu64}" -smp 2 -m 3072
		-display none -nodefaults -no-reboot -serial "$console" -serial "file:$1/raw"
		-kernel "$xen" -append "console=com1 com1=115200,8n1 dom0_mem=1152M,max:1152M
 dom0_max_vcpus=1 dom0_vcpus_pin loglvl=warning guest_loglvl=warning$flask"
		-initrd "$WORK/vmlinux console=hvc0 loglevel=3 ${keep:+keep} ${CAAS_XEN_WORDS:-},$1/dom0.cpio$policy")
	args=("${args[@]//$'\n'/}")
	[ -z "$tpm" ] || args+=(-chardev "socket,id=tpm,path=$1/tpm.sock"
		-tpmdev emulator,id=tpm,chardev=tpm -device tpm-tis,tpmdev=tpm)
	if [ -n "$keep" ]; then
		qemu-system-x86_64 "${args[@]}"
		return
	fi
	timeout -k 5 "$LIMIT" qemu-system-x86_64 "${args[@]}" >"$1/qemu" 2>&1 </dev/null &
	qemu=$!
	if [ -n "$follow" ]; then
		tail -n +1 -f --pid="$qemu" "$1/raw" | sed -u 's/\r//g'
	fi
	wait "$qemu"
	qemu=
}

needs() { # NAME: programs and files, beside those of every scenario
	case $1 in
	whole) echo /usr/sbin/nginx openssl ods-hsmspeed /usr/sbin/mke2fs "/usr/$LIBS/engines-3/pkcs11.so" ;;
	esac
	case $(cat "$HERE/$1/tpm" 2>/dev/null) in
	2) echo swtpm ;;
	1.2) echo swtpm swtpm_setup /usr/sbin/tcsd /usr/sbin/tpm_takeownership ;;
	esac
}

scenario() { # NAME
	local dir=$WORK/$1 t0=$SECONDS need xsm=
	[ ! -f "$HERE/$1/policy" ] || xsm=$1
	for need in $(needs "$1"); do
		[ -e "$need" ] || command -v "$need" >/dev/null && continue
		if [ -n "${CI:-}" ]; then
			failed=$((failed + 1)) && echo "not ok $1: there is no $need"
		else
			skipped=$((skipped + 1)) && echo "skip $1: no $need (scripts/deps test)"
		fi
		return
	done
	mkdir "$dir" && touch "$dir/console" "$dir/raw" "$dir/swtpm"
	[ ! -f "$HERE/$1/tpm" ] || tpm_start "$dir" "$(cat "$HERE/$1/tpm")" ||
		{ echo "# no TPM:" && tail -n 5 "$dir/swtpm"; }
	if image_scenario "$1" "$dir"; then
		boot "$dir" "$xsm"
	else
		echo "# $1: its image cannot be made"
	fi
	tpm_stop
	tr -d '\r' <"$dir/raw" >"$dir/report"
	judge "$1" "$dir/report" || tails "$dir"
	echo "# $1: $((SECONDS - t0)) s"
	rm -rf "$dir"
}

case ${1:-} in
--keep) keep=1 && shift ;;
--follow) follow=1 && shift ;;
esac
[ $# != 0 ] || for s in "$HERE"/*/dom0.sh; do
	s=$(basename "$(dirname "$s")")
	[ "$s" = domain ] || set -- "$@" "$s"
done
for s in "$@"; do
	[ -f "$HERE/$s/dom0.sh" ] || { echo "run.sh: no scenario $s" >&2 && exit 2; }
done
scenarios=()
for s in "$@"; do bootable "$s" && scenarios+=("$s"); done
if [ ${#scenarios[@]} = 0 ]; then
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" = 0 ]
	exit
fi
for p in qemu-system-x86_64 cpio xz apt-get dpkg-deb; do
	command -v "$p" >/dev/null || unavailable "there is no $p (scripts/deps xen)"
done
X=$(packages) || unavailable "Xen's packages cannot be fetched into $CACHE"
if ! image_common; then
	echo "not ok image: it cannot be made"
	echo "0 passed, 1 failed, 0 skipped"
	exit 1
fi
for s in "${scenarios[@]}"; do scenario "$s"; done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
