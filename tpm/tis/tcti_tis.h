/*
 * tcti_tis.h - a TCTI over a page of registers: what ESYS speaks to a TPM 2.0 by.
 *
 * Configured by PATH:ADDRESS (page.h), or "" for locality 2 of a PC.  The locality is that
 * of the page: Tss2_Tcti_SetLocality() takes no other.  There are no poll handles: a TPM
 * raises no interrupt here.
 *
 * Receive with a response of NULL tells its size; with too little room it tells it too, and
 * the response stays.  A response that was not taken yet keeps no other locality waiting,
 * a command that was not received does.
 *
 * Threads: one for each context.  Fork: the child may only finalize it.
 */
#ifndef CAAS_TPM_TIS_TCTI_TIS_H
#define CAAS_TPM_TIS_TCTI_TIS_H

#include <tss2/tss2_tcti.h>

#include "tpm/tis/page.h"

/* As every TCTI's: with a context of NULL, *size is what one takes. */
TSS2_RC tcti_tis_init(TSS2_TCTI_CONTEXT *context, size_t *size, const char *conf);
/* The same over registers of the caller's, which stay his: for tests. */
TSS2_RC tcti_tis_over(TSS2_TCTI_CONTEXT *context, size_t *size, const struct tis_ops *ops,
    void *arg, uint8_t locality);

/* A context of its own; NULL with a sentence in `why`.  tcti_tis_close() ends it. */
TSS2_TCTI_CONTEXT *tcti_tis_open(const char *conf, char why[TIS_PAGE_WHY]);
void tcti_tis_close(TSS2_TCTI_CONTEXT *context);

#endif
