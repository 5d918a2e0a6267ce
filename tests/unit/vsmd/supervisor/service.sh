#!/bin/bash
# service.sh UNIT VSMD SOCKET - the unit files are such that systemd accepts, and stay hardened.
set -u
unit=$1 vsmd=$2 socket=$3
most=25 # tenths of systemd's exposure level; lower is better
command -v systemd-analyze >/dev/null || { echo "systemd-analyze is not installed" && exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# verify wants the program to be there: the one of this build.
sed "s#=[^ ]*/vsmd #=$vsmd #" "$unit" >"$dir/vsmd.service"
cp "$socket" "$dir/vsmd.socket"
said=$(systemd-analyze verify --man=no "$dir/vsmd.service" "$dir/vsmd.socket" 2>&1)
rc=$?
# What is said of other units of this machine is not ours.
said=$(grep -E 'vsmd\.(service|socket)' <<<"$said")
[ $rc = 0 ] && [ -z "$said" ] || { echo "verify: $said" >&2 && exit 1; }

systemd-analyze security --offline=yes --no-pager --threshold=$most "$dir/vsmd.service" \
	>"$dir/said" 2>&1 || { cat "$dir/said" >&2 && exit 1; }
tail -1 "$dir/said"

# Its directories are those of vsmd's defaults, and of tmpfiles.d.
grep -qx 'StateDirectory=caas' "$unit" && grep -qx 'RuntimeDirectory=caas' "$unit" || exit 1
# The socket is that of vsmd's defaults, too, and stays while vsmd is restarted.
grep -qx 'ListenStream=/run/caas/vsmd.sock' "$socket" &&
	grep -qx 'RuntimeDirectoryPreserve=yes' "$unit" || exit 1
