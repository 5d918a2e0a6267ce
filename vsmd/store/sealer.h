/*
 * sealer.h - the process `vsmd-tpm`: the TPM, once the store has closed its door.
 *
 * It needs sockets, devices and libraries that a confined store must not reach.  So this
 * child is forked before.  It sleeps until it is asked, opens the TPM, and makes sure that
 * it is the one that sealed before.  It seals the key that comes with a request, and wipes
 * it; it reads and extends the anchor (anchor_tpm.h), and stays connected for that.  It has
 * nothing else of the store, and ends with it.  How it is confined: docs/store.md.
 *
 * The store does not wait for it: a TPM that hangs must not hold up the tokens.  One
 * request at a time.
 */
#ifndef CAAS_STORE_SEALER_H
#define CAAS_STORE_SEALER_H

#include "vsmd/store/tpm_msg.h"

#define SEALER_PATIENCE 60000 /* ms after which the TPM counts as hung */

struct sealer {
	int fd; /* -1: there is none */
	int anchor; /* the other pipe: what the anchor asks (anchor_tpm.h) */
	const struct attach *asker; /* NULL: nothing is under way */
	const char *event;	    /* what was asked for, for the audit */
	int64_t until;		    /* ms */
};

/* Fork it.  Call before secrets and the state directory are open. */
int sealer_start(struct sealer *s, const struct store_config *config);
/*
 * Ask that m->key be sealed in the state of now or, with `values` (20 bytes for each PCR
 * of the policy), to those added to m->blob.  NULL, or why it cannot be asked.
 */
const char *sealer_ask(struct sealer *s, const struct master *m, const uint8_t *values,
    size_t values_len);
/* The answer, once s->fd is readable: the blob is appended to b.  NULL, or what went
 * wrong, perhaps in `why`. */
const char *sealer_answer(struct sealer *s, struct buf *b, char why[TPM_MSG_WHY]);
/* Nothing more is asked to be sealed. */
void sealer_stop(struct sealer *s);
/* Nor of the anchor: it ends. */
void sealer_end(struct sealer *s);

#endif
