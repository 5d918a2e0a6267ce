. /xen/tpm.sh
tpm_is 2
tis=tpm2:tis:$PAGE

vsmd_starts() {
	local i=0
	vsmd -c /etc/caas/vsmd.conf >/tmp/vsmd.log 2>&1 &
	vsmd=$!
	until grep -q 'listening address' /tmp/vsmd.log; do
		if [ $i = 200 ] || ! kill -0 $vsmd 2>/dev/null; then
			bad "$1" "it does not" && tail -n 15 /tmp/vsmd.log | sed 's/^/# /'
			return
		fi
		i=$((i + 1)) && sleep 0.3
	done
	ok "$1"
	kill $vsmd && wait $vsmd
}

raw "it uses the TPM by its page" $PAGE $GET_RANDOM 00000000
raw "it extends PCR 20" $PAGE $EXTEND_20 00000000
raw "it resets PCR 20" $PAGE $RESET_20 00000000
for page in 0 1 3 4; do
	refuses "it cannot use the page of locality $page" \
		caas-xen-tpm raw /dev/mem:0xfed4${page}000 $GET_RANDOM
	said "and that is since it is not its" "$NOBODYS"
done
check "it seals to locality 2" caas-xen-tpm seal $tis 2 /tmp/blob
check "it unseals" caas-xen-tpm unseal $tis /tmp/blob
refuses "it cannot seal to a locality that it has not" caas-xen-tpm seal $tis 3 /tmp/none
said "and is told so" 'speaks at locality 2'
mkdir -p /etc/caas
printf '%s\n' "[vsmd]" "listen = unix:/run/caas/vsmd.sock" "state = /var/lib/caas" \
	"runtime = /run/caas" "user = root" "tpm = $tis" "locality = 2" >/etc/caas/vsmd.conf
vsmd_starts "vsmd seals its master key to locality 2"
xenstore-write data/blob "$(cat /tmp/blob)"
step sealed
wait_order go || return
check "it still unseals, dom0 being denied the page" caas-xen-tpm unseal $tis /tmp/blob
raw "it still resets PCR 20" $PAGE $RESET_20 00000000
vsmd_starts "vsmd opens its master key again"
