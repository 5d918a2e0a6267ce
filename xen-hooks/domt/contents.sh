# contents.sh - for sourcing by build: what is in DomT's image, beside what is in both.
OURS="common vchan-transport tpm vsmd/confine vsmd/store/crypt.c vsmd/store/file.c
 vsmd/supervisor/nosystemd.c xen-hooks/message xen-hooks/tpmd xen-hooks/domc xen-hooks/domt"
NOT_OURS='^vchan-transport/agent/|^tpm/tpm12/|^tpm/tis/bridge/|^tpm/embedded|^xen-hooks/message/socket|^xen-hooks/domc/(blocks|cpio|image)\.c$'
MODULES="crc32c_generic ext4 xen-blkfront xen-evtchn xen-gntalloc"
LOADED="libxenvchan.so.4.17 libgcc_s.so.1"
SERVICE=domt-tpmd
SERVICE_AT=xen-hooks/tpmd/domt-tpmd
FILES=
CONF=domt-tpmd.conf
DISK_LABEL=caas-domt
DISK_UUID=6b1c2d5e-0c0f-4c3a-9f6d-646f6d740001
DISK_SEED=6b1c2d5e-0c0f-4c3a-9f6d-646f6d740002
