/* image.c - see xen-hooks/domc/domc.h: DomT, the domain that has the TPM. */
#include "xen-hooks/domc/domc.h"

/* It offers channels and takes none.  The TPM's page is root's, in /dev/mem: domt-tpmd opens it
 * before it becomes another user. */
static const char *const devices[] = {
    "/dev/xen/evtchn", "/dev/xen/gntalloc", "/dev/xen/xenbus", NULL};

const struct image image = {
    .name = "domt",
    .state = "data/domt",
    .program = "/usr/sbin/domt-tpmd",
    .service = "domt-tpmd",
    .conf = DOMC_ETC "/domt-tpmd.conf",
    .devices = devices,
};
