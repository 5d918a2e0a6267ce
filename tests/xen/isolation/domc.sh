. /xen/vsmd.sh
peer=$(an_order)
vsmd_for "$peer"
vsmd_up && step serving
wait_order stop
check "the channel's entries are there" xenstore-ls -p data/caas
for key in ring-ref event-channel; do
	said "and $key is for its guest to read" "^ *$key = \"[0-9]+\"[ .]+\(n$DOMID,r$peer\)"
done
if [ "$(wc -l </tmp/out)" = 2 ]; then
	ok "and there is no other"
else
	bad "and there is no other" "there is" && show
fi
# It says of each administrator who that was, and of each whom it refuses.
met=$(grep -o 'domid [0-9]*' /tmp/vsmd.log | sort -u)
if [ "$met" = "domid $peer" ]; then
	ok "vsmd met its guest, and nobody else"
else
	bad "vsmd met its guest, and nobody else" "it met: $met"
fi
vsmd_log
