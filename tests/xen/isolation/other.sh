# It knows all numbers, and is root in its domain.
vsm=$(word vsm)
domu=$(word domu)
domc=/local/domain/$vsm
export CAAS_VSM_ADDRESS=vchan:$vsm:data/caas CAAS_P11_DEBUG=1

check "it can read XenStore, what is for all" xenstore-read "/local/domain/$DOMID/name"
refuses "it cannot list the crypto domain's entries" xenstore-ls "$domc/data"
refuses "it cannot list the channel's entries" xenstore-ls "$domc/data/caas"
for key in ring-ref event-channel; do
	refuses "it cannot read $key" xenstore-read "$domc/data/caas/$key"
	refuses "it cannot write $key" xenstore-write "$domc/data/caas/$key" 8
	refuses "it cannot remove $key" xenstore-rm "$domc/data/caas/$key"
	refuses "it cannot take $key for itself" xenstore-chmod "$domc/data/caas/$key" "n$DOMID"
done
refuses "it cannot add an entry" xenstore-write "$domc/data/caas/x" 1
refuses "it cannot say who the guest is" xenstore-write "$domc/order" "$DOMID"
refuses "it cannot list the guest's entries" xenstore-ls "/local/domain/$domu/data"
refuses "it cannot write the guest's entries" xenstore-write "/local/domain/$domu/data/step" x
check "it maps no page of the crypto domain" caas-xen-grab "$vsm"
said "and binds to none of its events" 'pages=0 events=0$'
check "it maps no page of the guest" caas-xen-grab "$domu"
said "and binds to none of the guest's events" 'pages=0 events=0$'
check "it asks for tokens" p11tool --provider "$CAAS_P11_MODULE" --batch --list-tokens
if grep -q Label /tmp/out; then
	bad "it sees no token" "it does" && show
else
	ok "it sees no token"
fi
refuses "it cannot administer" caas token list --address "$CAAS_VSM_ADDRESS"
