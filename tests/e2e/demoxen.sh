#!/bin/bash
# demoxen.sh - scripts/demo --xen as far as it needs no hypervisor: what it shows of what the domains
# say, and that a failure is one.  tests/xen/whole is what it runs.
NAME=demoxen
. "$(dirname "$0")/../lib.sh"

demo=("$WORK/demo.sh" "$WORK/log")
# demo.sh with another run.sh beside it, which prints what is on standard input and exits with CODE.
shows() { # CODE
	cp "$ROOT/tests/xen/demo.sh" "$WORK/" && cat >"$WORK/said"
	printf '#!/bin/sh\n[ "$*" = "--follow whole" ] || exit 9\ncat "%s/said"\nexit %d\n' \
		"$WORK" "$1" >"$WORK/run.sh"
	chmod 755 "$WORK/run.sh"
	rm -f "$WORK/log"
}

shows 0 <<'END'
# fetching Xen's packages
[dom0] up after 9 s
[dom0] @ chapter A pair: one command makes it: both
[dom0] @ ok it is made
[domc] info domc: serving ms=9
[domu] @ chapter nginx: it serves
[domu] @ ok no connection fails, of 14
[dom0] @ done
ok whole: it is made
ok whole: no connection fails, of 14
2 passed, 0 failed, 0 skipped
END
check "a run that holds" "${demo[@]}"
said "a chapter has its number, and what it proves" '^\[ +[0-9]+ s\] 1\. A pair: one command makes it: both$'
said "so has the next" ' 2\. nginx: it serves$'
said "each check is shown" ' ok +no connection fails, of 14$'
said "and how many there were" '^all of it holds: 2 checks, in [0-9]+ s'
check "all is in the log" grep -q 'serving ms=9' "$WORK/log"

shows 1 <<'END'
[domu] @ chapter nginx: it serves
[domu] @ ok both workers serve
[domu] @ bad no connection fails: 1 did
not ok whole: no connection fails: 1 did
1 passed, 1 failed, 0 skipped
END
refuses "a check that fails" 1 "${demo[@]}"
said "it is shown" ' FAILED  no connection fails: 1 did$'
said "and counted" '^1 failed, 1 ok'

shows 1 <<'END'
[domu] @ ok both workers serve
not ok whole: dom0 did not come to its end
1 passed, 1 failed, 0 skipped
END
refuses "a dom0 that comes to no end" 1 "${demo[@]}"
said "it is shown, too" ' FAILED  whole: dom0 did not come to its end: 1 passed'

shows 77 <<'END'
skip xen: there is no qemu-system-x86_64 (scripts/deps xen)
0 passed, 0 failed, 1 skipped
END
refuses "nothing that could be run" 1 "${demo[@]}"
said "it says what to install" 'not tried: xen: there is no qemu-system-x86_64 \(scripts/deps xen\)$'

shows 0 </dev/null
refuses "nothing that was checked" 1 "${demo[@]}"

check "scripts/demo --help" "$ROOT/scripts/demo" --help
said "tells of --xen" '^--xen: '
refuses "an option that is none" 2 "$ROOT/scripts/demo" --zen
finish
