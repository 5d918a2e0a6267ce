#!/bin/bash
# demo.sh - for scripts/demo --xen: the scenario `whole', for a person.
#
#	tests/xen/demo.sh LOG
#
# Prints each chapter as it begins, with what it proves, and each check, after how many seconds.
# Everything that run.sh and the domains say is written to the file LOG.  Exits 1 when something failed or
# could not be run.
set -u
HERE=$(cd "$(dirname "$0")" && pwd)
log=$1 chapter=0 passed=0 failed=0 said_failed= rc=1 sum=
bold=$'\033[1m' red=$'\033[31m' plain=$'\033[0m'
[ -t 1 ] || bold='' red='' plain=''

after() { printf '[%4d s]' "$SECONDS"; }
failure() {
	failed=$((failed + 1))
	printf '%s   %sFAILED%s  %s\n' "$(after)" "$red" "$plain" "$1"
}

# A line of a domain's: [NAME] @ WORD REST; or of run.sh.
line() {
	local what=${1#*\] @ }
	case $1 in
	"[dom0] up after"*) echo "$(after)   Xen and dom0 are up" ;;
	"["*"] @ chapter "*)
		chapter=$((chapter + 1)) what=${what#chapter }
		printf '\n%s %s%d. %s%s: %s\n' "$(after)" "$bold" $chapter "${what%%: *}" "$plain" "${what#*: }"
		;;
	"["*"] @ ok "*) passed=$((passed + 1)) && echo "$(after)   ok      ${what#ok }" ;;
	"["*"] @ bad "*) failure "${what#bad }" ;;
	"["*"] @ skip "*) failure "not tried: ${what#skip }" ;;
	"not ok "*) said_failed=${1#not ok } ;;
	"skip "*) failure "not tried: ${1#skip }" ;;
	"build: "* | "# fetching"*) echo "$(after)   ${1#\# }" ;;
	*" passed, "*" failed, "*) sum=$1 ;;
	"exit "*) rc=${1#exit } ;;
	esac
}

echo "$(after)   images of the domains are made"
while IFS= read -r l; do
	printf '%s\n' "$l" >>"$log"
	line "$l"
done < <("$HERE/run.sh" --follow whole 2>&1; echo "exit $?")

# What run.sh alone knows: that there is no image, that dom0 came to no end.
[ "$failed" != 0 ] || [ "$rc" = 0 ] || failure "${said_failed:-run.sh ends with $rc}: ${sum:-nothing was run}"
echo
if [ "$failed" != 0 ] || [ "$passed" = 0 ]; then
	echo "$bold$failed failed$plain, $passed ok; what the domains said: $log"
	exit 1
fi
echo "${bold}all of it holds$plain: $passed checks, in $SECONDS s; what the domains said: $log"
