/*
 * page.h - a page of TPM registers out of a device's memory, mapped into this process.
 *
 * Named PATH:ADDRESS, e.g. /dev/mem:0xfed42000: the TPM's registers lie at 0xfed40000 on
 * a PC, a page for each locality.  A Xen domain reaches the pages that its configuration
 * gives it (iomem) and no others.  The device is closed again: what stays is the page.
 *
 * Processes with the same page take turns by a lock on /run/caas-tis-ADDRESS, so they have
 * to be root's when they open it, as they have to for /dev/mem.
 *
 * Threads: one.  Fork: the child may only close it.
 */
#ifndef CAAS_TPM_TIS_PAGE_H
#define CAAS_TPM_TIS_PAGE_H

#include "tpm/tis/tis.h"

#define TIS_PAGE_DEFAULT "/dev/mem:0xfed42000"
#define TIS_PAGE_WHY 256 /* bytes of a sentence */

struct tis_page {
	void *map; /* NULL: not open */
	int lock;
};

/* The locality of the page that `where` names, 0 to 4; -1 when that is not PATH:ADDRESS, or
 * not a page that a TPM can have. */
int tis_page_locality(const char *where);
/* 0, or -1 with a sentence in `why`: also when the page is another's, or no TPM is there. */
int tis_page_open(const char *where, struct tis_page *ret, char why[TIS_PAGE_WHY]);
void tis_page_close(struct tis_page *p);

/* For tis_init(), with a struct tis_page. */
extern const struct tis_ops tis_page_ops;

#endif
