# A pair's guest is saved, and restored with another domid beside the DomC that stayed; then DomC goes.
command -v domtd >/dev/null || {
	skip "domtd" "it was built without libxl"
	return
}
. /xen/pairs.sh

forwarder
describe web
builder || return
CHECK_LIMIT=240
check "a pair is made" caas pair create web || { domtd_log && return; }
there
step domu signed
was=$domu_id
check "the guest is saved" caas pair save web /tmp/web.save
consoles
until_gone domu "it is gone"
check "the pair is listed" caas pair list
said "as saved, with its DomC" "^web +saved +$domc_id +-"
refuses "DomC is told of nobody" xenstore-read "/local/domain/$domc_id/caas/peer"
refuses "a new guest is not made meanwhile" caas pair create web
check "the guest is restored" caas pair restore web /tmp/web.save
said "DomC serves before it runs" 'DomC serves'
there
if [ "$domu_id" != "$was" ]; then ok "it has another domid"; else bad "it has another domid" "$was"; fi
check "the pair is listed again" caas pair list
said "as up" "^web +up +$domc_id +$domu_id"
refuses "it is not restored twice" caas pair restore web /tmp/web.save
order domu again
step domu again
check "DomC is destroyed by xl" xl destroy domc
until_gone domu "its guest goes with it"
no_pair "and the pair"
domtd_log
