# A TPM 1.2: the guest domt seals to locality 2, by tcsd and the bridge to its page; dom0's own tcsd
# is at locality 0.
. /xen/tpm.sh
tpm_is 1.2
dom0_unseals() {
	# Which keys a TPM has, tcsd knows from a file; the domain that took it has that.
	mkdir -p /var/lib/tpm
	xenstore-read "/local/domain/$(id_of domt)/data/system" | xxd -r -p >/var/lib/tpm/system.data
	# It knows the device by this name alone.
	[ "$device" = /dev/tpm0 ] || ln -s "$device" /dev/tpm0
	chown tss "$device"
	tcsd_up
	refuses "$1" caas-xen-tpm unseal tpm1.2:127.0.0.1:30003 /tmp/blob
	said "and that is since it is at locality 0" 'TPM: 0x3d'
}
dom0_rests() { kill -9 $tcsd_pid; }
by_page=
. /xen/locality.sh
