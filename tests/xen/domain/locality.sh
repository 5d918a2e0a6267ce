# locality.sh - for sourcing by a scenario's dom0.sh, after tpm.sh: what dom0 can do with a TPM
# of which the guest domt has locality 2, before it is denied that page and after.
#
# The scenario has: dom0_unseals NAME	ok when dom0 cannot unseal /tmp/blob at locality 0
#		dom0_rests	what of dom0's uses $device is stopped
#		by_page		an address of the TPM by $PAGE, or empty
device=/dev/tpm0
if [ ! -c $device ]; then
	bad "dom0 has the TPM" "there is no $device"
	return
fi
raw "dom0 has the TPM" $device $GET_RANDOM 00000000
raw "dom0 cannot reset PCR 20" $device $RESET_20 $NOT_LOCAL

settings='iomem=["fed42,1"]'
guest domt 256 || return
start domt
if ! step domt sealed; then
	order domt stop
	return
fi
raw "dom0 goes on at locality 0" $device $GET_RANDOM 00000000
xenstore-read "/local/domain/$(id_of domt)/data/blob" >/tmp/blob
dom0_unseals "dom0 cannot unseal"

# Before the denial nothing but dom0's good will is between it and locality 2.
dom0_rests
bus=$(basename "$(readlink -f /sys/class/tpm/tpm0/device)")
driver=$(readlink -f /sys/class/tpm/tpm0/device/driver)
echo "$bus" >"$driver/unbind"
raw "a dom0 that is not denied the page resets PCR 20" $PAGE $RESET_20 00000000
[ -z "$by_page" ] || check "and unseals, too" caas-xen-tpm unseal "$by_page" /tmp/blob

# A mapping of before the denial stays: that is the hole.
caas-xen-tpm hold $PAGE /tmp/go >/tmp/held 2>&1 &
holder=$!
i=0
until [ -s /tmp/held ] || [ $i = 100 ]; do i=$((i + 1)) && sleep 0.3; done
check "the pages of localities 1 to 4 are taken from dom0" sh -c \
	'caas-xen-iomem 0 fed41 1 deny && caas-xen-iomem 0 fed42 1 deny && caas-xen-iomem 0 fed43 2 deny'
for page in 1 2 3 4; do
	refuses "dom0 cannot use the page of locality $page" \
		caas-xen-tpm raw /dev/mem:0xfed4${page}000 $GET_RANDOM
	said "and that is since it is not dom0's" "$NOBODYS"
done
refuses "dom0 cannot give it back to itself" caas-xen-iomem 0 fed42 1 allow
said "and that is Xen's refusal" 'Operation not permitted'
refuses "dom0 cannot give it to another" caas-xen-iomem "$(id_of domt)" fed43 1 allow
said "and that is Xen's refusal, too" 'Operation not permitted'
touch /tmp/go
wait $holder
cp /tmp/held /tmp/out
said "the hole: a mapping that dom0 made before still works" '^code=00000000$'

echo "$bus" >"$driver/bind"
i=0
until device=$(ls /dev/tpm[0-9]* 2>/dev/null) || [ $i = 60 ]; do i=$((i + 1)) && sleep 0.5; done
raw "dom0's driver, bound again, has locality 0" "$device" $GET_RANDOM 00000000
raw "dom0 still cannot reset PCR 20" "$device" $RESET_20 $NOT_LOCAL
dom0_unseals "dom0 still cannot unseal"
order domt go
finish domt
