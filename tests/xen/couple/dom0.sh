# A pair that domtd makes: DomC serves before its guest runs, both are told of each other and nobody
# else is; there is one DomC for a guest; the guest reboots; and domtd is killed,
# between and in the middle.
command -v domtd >/dev/null || {
	skip "domtd" "it was built without libxl"
	return
}
. /xen/pairs.sh

forwarder
describe web
builder || return
CHECK_LIMIT=240
check "a pair is made" caas pair create web
said "DomC serves before the guest runs" 'DomC serves'
[ "$(sed -n 's/.*\(DomC serves\|DomU runs\)$/\1/p' /tmp/out | tr '\n' ' ')" = "DomC serves DomU runs " ] ||
	bad "and in that order" "$(tr '\n' ' ' </tmp/out)"
there
consoles
check "the pair is listed" caas pair list
said "with its domains, and the digest of DomC's image" "^web +up +$domc_id +$domu_id +[0-9a-f]{64}"
said "and what is not protected" '^not protected: .*no XSM'
digest=$(sed -nE 's/^web .* ([0-9a-f]{64})$/\1/p' /tmp/out)
for f in /xen/vmlinux /xen/guest.cpio; do sha256sum <$f; done >/tmp/sums
printf '%s' "console=hvc0 loglevel=3 name=domc" | sha256sum >>/tmp/sums
# shellcheck disable=SC2046
printf "$(cut -c1-64 /tmp/sums | tr -d '\n' | sed 's/../\\x&/g')" | sha256sum >/tmp/out
said "the digest is that of what DomC was made of" "^$digest "
for d in "domc $domu_id" "domu $domc_id"; do
	set -- $d
	xenstore-ls -p "/local/domain/$(id_of "$1")/caas" >/tmp/out 2>&1
	said "what $1 is told is the other's domid, and its own to read" \
		"^peer = \"$2\"[ .]+\(n0,r$(id_of "$1")\)"
done
xenstore-ls -p /caas >/tmp/out 2>&1
said "records are nobody else's to read" '^ web = .*\(n0\)'
step domu signed

refuses "a second pair of that name is refused" caas pair create web
said "since there is one DomC for a DomU" 'one DomC for a DomU'
describe other
refuses "a second DomC for the guest is refused" caas pair create other
said "and said why" 'domain already|one DomC for a DomU'
check "an administrator who is not root lists" su admin -c 'caas pair list'
refuses "who is none does not" su user -c 'caas pair list'

caas pair list --json >/tmp/before
kill_builder
builder
check "domtd was killed: it lists" caas pair list --json
if cmp /tmp/before /tmp/out; then ok "the same pair"; else bad "the same pair" "it differs" && show; fi

was=$domu_id
order domu reboot
while [ "$(xl domid domu 2>/dev/null || echo "$was")" = "$was" ] && ! over; do sleep 0.5; done
there
step domu rebooted
check "the guest has rebooted: the pair is listed" caas pair list
said "with the same DomC, and another domid" "^web +up +$domc_id +$domu_id +$digest"

check "the guest is destroyed by xl" xl destroy domu
until_gone domc "its DomC goes with it"
no_pair "and the pair"

caas pair create web >/tmp/second 2>&1 &
until xl domid domu >/dev/null 2>&1 || over; do sleep 0.5; done
kill_builder
builder
until_gone domc "domtd was killed while it made a pair: DomC goes"
until_gone domu "and its guest"
no_pair "and the pair, which was not whole"
domtd_log
