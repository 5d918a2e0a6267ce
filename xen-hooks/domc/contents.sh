# contents.sh - for sourcing by build: what is in the crypto domain's image, beside what is in both.
OURS="common protocol vchan-transport tpm vsmd xen-hooks/domc" # folders and files with code in it
# Of these, what is not built into it, or runs at its making only.
NOT_OURS='^vchan-transport/agent/|^tpm/tpm12/|^tpm/tis/bridge/|^xen-hooks/domc/(blocks|cpio)\.c$'
# Modules of the kernel, in this order, each after what it needs; one that is built in is left out.
MODULES="crc32c_generic ext4 xen-blkfront xen-evtchn xen-gntalloc xen-gntdev"
# What is loaded by name while vsmd runs, and so is not among what programs say that they need.
LOADED="libxenvchan.so.4.17 libgcc_s.so.1"
SERVICE=vsmd
SERVICE_AT=vsmd/vsmd # in a tree of CMake
FILES="/usr/lib/softhsm/libsofthsm2.so" # of packages, by their paths
CONF=vsmd.conf
DISK_LABEL=caas-store
DISK_UUID=6b1c2d5e-0c0f-4c3a-9f6d-646f6d630001
DISK_SEED=6b1c2d5e-0c0f-4c3a-9f6d-646f6d630002
if [ "$tpm" = embedded ]; then
	FILES="$FILES /usr/bin/swtpm"
	LOADED="libtss2-tcti-swtpm.so.0 $LOADED"
fi
