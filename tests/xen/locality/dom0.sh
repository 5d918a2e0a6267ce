# A TPM 2.0: the guest domt seals to locality 2 by its page, dom0 is at locality 0.
. /xen/tpm.sh
tpm_is 2
dom0_unseals() {
	refuses "$1" caas-xen-tpm unseal "tpm2:device:/dev/tpmrm${device#/dev/tpm}" /tmp/blob
	said "and that is since it is at locality 0" 'TPM: 0x907'
}
dom0_rests() { :; }
by_page=tpm2:tis:$PAGE
. /xen/locality.sh
