#!/bin/bash
# valgrind.sh BUILD - the guest module under valgrind, from load to unload, with threads.
set -eu
build=$(cd "$1" && pwd)
command -v valgrind >/dev/null || { echo "valgrind is not installed" && exit 77; }
work=$(mktemp -d)
chmod 755 "$work"
stop() {
	"$build/caas/caas" sandbox down --dir "$work/vsm" >/dev/null 2>&1 || true
	rm -rf "$work"
}
trap stop EXIT
eval "$("$build/caas/caas" sandbox up --dir "$work/vsm" --token bench --pin 123456 --so-pin 12345678)"
for key in rsa1024 none; do
	valgrind -q --leak-check=full --show-leak-kinds=definite,indirect,possible \
		--errors-for-leak-kinds=definite,indirect,possible --error-exitcode=9 \
		"$build/bench/caas-bench" --module "$CAAS_P11_MODULE" --token bench --key $key \
		--threads 4 --seconds 2
done
