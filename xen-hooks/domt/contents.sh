# contents.sh - for sourcing by build: what is in DomT's image, beside what is in both.
# It serves channels (vchan-transport) and is asked what xen-hooks/tpmd and tpm/domt say; of vsmd it
# has what confines a process.
OURS="common vchan-transport tpm vsmd/confine xen-hooks/message xen-hooks/tpmd xen-hooks/domc
 xen-hooks/domt"
NOT_OURS='^vchan-transport/agent/|^tpm/tpm12/|^tpm/tis/bridge/|^tpm/embedded|^tpm/domt/domt|^xen-hooks/message/socket|^xen-hooks/domc/(blocks|cpio|image)\.c$'
MODULES="crc32c_generic ext4 xen-blkfront xen-evtchn xen-gntalloc"
LOADED="libxenvchan.so.4.17 libgcc_s.so.1"
SERVICE=domt-tpmd
SERVICE_AT=xen-hooks/tpmd/domt-tpmd
FILES=
CONF=domt-tpmd.conf
DISK_LABEL=caas-domt
DISK_UUID=6b1c2d5e-0c0f-4c3a-9f6d-646f6d740001
DISK_SEED=6b1c2d5e-0c0f-4c3a-9f6d-646f6d740002
