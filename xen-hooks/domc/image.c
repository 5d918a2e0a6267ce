/* image.c - see domc.h: the crypto domain. */
#include "xen-hooks/domc/domc.h"

/* gntdev: DomT's TPM service offers the channel, and vsmd takes it. */
static const char *const devices[] = {
    "/dev/xen/evtchn", "/dev/xen/gntalloc", "/dev/xen/gntdev", "/dev/xen/xenbus", NULL};

const struct image image = {
    .name = "domc",
    .state = "data/domc",
    .program = "/usr/sbin/vsmd",
    .service = "vsmd",
    .conf = DOMC_ETC "/vsmd.conf",
    .devices = devices,
};
