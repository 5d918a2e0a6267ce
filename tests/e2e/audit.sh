#!/bin/bash
# audit.sh - the audit log as evidence: rotated, exported, checked by who has its public key
# alone; whatever is done to it is named, with record, line and file.
NAME=audit
. "$(dirname "$0")/../lib.sh"

AUDIT=$DIR/state/audit
sh_check() { check "$1" bash -c "$2"; }
# edited NAME WHAT RECORD PYTHON: of the exported lines `l' (record N is l[N - 1])
edited() {
	python3 -c "
l = open('$WORK/log').readlines()
n = len(l)
$4
open('$WORK/bad', 'w').writelines(l)"
	refuses "$1" 1 "$CAAS" audit verify --key "$WORK/key" --log "$WORK/bad"
	said "$1-named" "record $3 is $2: line [0-9]+ of $WORK/bad"
}

if sandbox_up web 123456 12345678; then ok up; else bad up; fi
export CAAS_VSM_ADDRESS
check key "$CAAS" audit key --out "$WORK/key"
sh_check key-is-public "python3 -c \"
import json; k = json.load(open('$WORK/key'))
assert sorted(k) == ['epoch', 'hash', 'key', 'seq', 'store'], k\""
check keypair pkcs11-tool --module "$MODULE" --token-label web -l --pin 123456 --keypairgen \
	--key-type EC:prime256v1 --id 01 --label k
for i in 1 2 3 4; do
	pkcs11-tool --module "$MODULE" --token-label web -l --pin 123456 -O >/dev/null 2>&1
	[ $((i % 2)) = 1 ] || "$CAAS" audit key >>"$WORK/keys"
done

# Exported, and checked without vsmd
check export "$CAAS" audit export --out "$WORK/log"
sh_check export-is-json-lines "python3 -c \"
import json
l = [json.loads(x) for x in open('$WORK/log')]
assert [r['seq'] for r in l] == list(range(1, len(l) + 1)) and len(l) > 10
assert l[0]['event'] == 'audit-begin' and l[-1]['event'] == 'audit-seal'\""
sh_check export-as-it-lies "cmp $WORK/log $AUDIT/audit.log.1"
check offline "$CAAS" audit verify --key "$WORK/key" --log "$WORK/log"
said offline-all "good: $(wc -l <"$WORK/log") records"
check offline-later-keys "$CAAS" audit verify --key "$WORK/keys" --log "$WORK/log"
refuses offline-no-key 2 "$CAAS" audit verify --log "$WORK/log"
refuses offline-no-file 1 "$CAAS" audit verify --key "$WORK/key" --log "$WORK/none"
refuses key-no-log 2 "$CAAS" audit verify --key "$WORK/key"
sh_check export-to-a-pipe "$CAAS audit export | cmp -n 500 - $WORK/log"
sh_check verify-from-a-pipe "$CAAS audit export | $CAAS audit verify --key $WORK/key --log /dev/stdin"
sh_check export-from "[ \"\$($CAAS audit export --from 5 | head -n 1)\" = \"\$(sed -n 5p $WORK/log)\" ]"
sh_check export-since "t=\$(sed -n 's/.*\"time\":\"\\([^\"]*\\)\".*/\\1/p' $WORK/log | sed -n 7p)
	$CAAS audit export --since \$t | head -n 1 | grep -q \"\\\"time\\\":\\\"\$t\\\"\""
refuses export-since-what 2 "$CAAS" audit export --since yesterday
sh_check export-since-then "[ -z \"\$($CAAS audit export --since 2999)\" ]"

edited altered altered 5 "l[4] = l[4].replace('\"rv\":\"0x0\"', '\"rv\":\"0x1\"')"
edited altered-last altered '[0-9]+' "l[n - 1] = l[n - 1].replace('\"rv\":\"0x0\"', '\"rv\":\"0x1\"')"
edited removed missing 6 "del l[5]"
edited exchanged reordered 6 "l[5], l[6] = l[6], l[5]"
edited doubled duplicated 6 "l.insert(6, l[5])"
edited cut torn '[0-9]+' "l[n - 1] = l[n - 1][:-9]"
edited ended missing 2 "del l[1:]"
edited filled foreign 4 "l.insert(3, 'hello\\n')"

# Written anew, in the chain, by who has no secret: the next signature is not right.
edited chained altered '[0-9]+' "
import hashlib, re
l[4] = l[4].replace('\"rv\":\"0x0\"', '\"rv\":\"0x1\"')
for i in range(5, n):
    h = hashlib.sha256(l[i - 1].rstrip('\\n').encode()).hexdigest()
    l[i] = re.sub('\"prev\":\"[0-9a-f]*\"', '\"prev\":\"' + h + '\"', l[i])"

# Rotated and retired
"$CAAS" sandbox down --dir "$DIR"
sed -i 's/^\[vsmd\]/&\naudit-rotate = 64K\naudit-keep = 4/' "$DIR/vsmd.conf"
printf 'audit-use = yes\n' >>"$DIR/vsmd.conf"
if sandbox_up; then ok rotating-up; else bad rotating-up; fi
check signatures "$BUILD/tests/e2e/caas-e2e-steady" "$MODULE" web 123456 k 1 2
sleep 0.5
check rotated-verify "$CAAS" audit verify
said rotated-verify-says 'good: records [0-9]+ to [0-9]+'
sh_check few-files "[ \$(ls $AUDIT | grep -c '^audit.log') -le 5 ] && [ ! -e $AUDIT/audit.log.1 ]"
sh_check retired-is-recorded "$CAAS audit show --json | grep -q 'file=audit.log.[0-9]* records='"
check later-key "$CAAS" audit key --out "$WORK/later"
check rotated-export "$CAAS" audit export --out "$WORK/log2"
check rotated-offline "$CAAS" audit verify --key "$WORK/later" --log "$WORK/log2"
# The key of the first day is no longer in what is left; with what was exported, it is.
refuses first-key-alone 1 "$CAAS" audit verify --key "$WORK/key" --log "$WORK/log2"
cp "$AUDIT"/audit.log.* "$WORK"
check copies-in-any-order "$CAAS" audit verify --key "$WORK/later" --log $(ls -r "$WORK"/audit.log.*)

# Killed at any time: it goes on.
"$BUILD/tests/e2e/caas-e2e-steady" "$MODULE" web 123456 k 1 2 >/dev/null 2>&1 &
sleep 0.4
kill -9 "$(pgrep -f "vsmd-store: $DIR/state" | head -n 1)"
wait $!
for i in $(seq 50); do "$CAAS" status >/dev/null 2>&1 && break || sleep 0.1; done
check killed-verify "$CAAS" audit verify

# In the files themselves; no use of a key is recorded, so none of them is retired now.
mapfile -t files < <(ls -v "$AUDIT" | grep '^audit.log')
tampered() { # NAME WHAT FILE
	refuses "$1" 1 "$CAAS" audit verify
	said "$1-named" "record [0-9]+ is $2: line [0-9]+ of $3: "
}
exchange() { (cd "$AUDIT" && mv "$1" x && mv "$2" "$1" && mv x "$2"); }
mv "$AUDIT/${files[1]}" "$WORK/away"
tampered file-removed missing "${files[1]}"
mv "$WORK/away" "$AUDIT/${files[1]}"
exchange "${files[0]}" "${files[1]}"
tampered files-exchanged reordered "${files[0]}"
exchange "${files[0]}" "${files[1]}"
check as-it-was "$CAAS" audit verify
"$CAAS" sandbox down --dir "$DIR"
rm "$AUDIT/keys"
if sandbox_up; then ok secrets-removed-up; else bad secrets-removed-up; fi
tampered secrets-removed rekeyed "${files[-1]}"
# What follows can be checked by itself.
n=$("$CAAS" audit verify --json 2>/dev/null |
	python3 -c 'import json, sys; print(json.load(sys.stdin)["first_bad"])')
check rekeyed-key "$CAAS" audit key --out "$WORK/rekeyed"
check rekeyed-export "$CAAS" audit export --from "$n" --out "$WORK/log3"
check rekeyed-from-there "$CAAS" audit verify --key "$WORK/rekeyed" --log "$WORK/log3"
said rekeyed-from-there-says "good: records $n to "
finish
