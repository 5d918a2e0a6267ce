#!/bin/bash
# bench.sh - scripts/bench can run every benchmark: as short as can be, no figure is looked at.
NAME=bench
. "$(dirname "$0")/../lib.sh"
LIMIT=240

check "every benchmark runs" "$ROOT/scripts/bench" --quick --rounds 1 --seconds 0.05 \
	--objects 400 --apps 12 --keys p256 --threads 2 --svg "$WORK/svg"
for t in "Signatures" "ods-hsmspeed" "The smallest remote call" "Where a signature's time goes" \
	"AES-256-GCM" "nginx" "Round trips" "Memory" "C_FindObjects" "first signature" \
	"Creating" "Many applications" "Bars"; do
	said "it shows: $t" "^## .*$t"
done
check "charts" test -s "$WORK/svg/signatures-2.svg" -a -s "$WORK/svg/layers.svg" \
	-a -s "$WORK/svg/tls.svg" -a -s "$WORK/svg/create.svg"
finish
