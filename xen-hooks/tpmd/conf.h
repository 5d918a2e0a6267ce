/* conf.h - domt-tpmd.conf(5) as data. */
#ifndef CAAS_TPMD_CONF_H
#define CAAS_TPMD_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "tpm/tpm.h"

#define CONF_FILE "/etc/caas/domt-tpmd.conf"

struct tpmd_conf {
	char *tpm;		  /* address */
	struct tpm_policy policy; /* authority: allocated; ref: not set */
	char *approvals;	  /* or NULL */
	char *state;		  /* directory */
	char *sockets;		  /* directory of unix sockets, or NULL: vchan */
	uint32_t builder;	  /* its domid */
	char *user;		  /* to become, when root */
	unsigned writes;	  /* a second, of one pair, at length; 0: as many as it likes */
	unsigned extensions;	  /* of the TPM's NV memory, a day, at length; 0: no limit */
};

/* Read it; each mistake is told to `report` as a line.  False when there was one; tpmd_conf_free()
 * in either case. */
bool tpmd_conf_read(
    const char *file, struct tpmd_conf *ret, void (*report)(void *arg, const char *line), void *arg);
void tpmd_conf_free(struct tpmd_conf *c);

#endif
