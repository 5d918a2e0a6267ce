/*
 * sealer.h - the process `vsmd-tpm`: the TPM, once the store has closed its door.
 *
 * Sealing again needs sockets, devices and libraries that a confined store must not
 * reach. So this child is forked before: it sleeps until it is asked, opens the TPM,
 * seals the key that comes with the request, wipes it, closes the TPM.  It has nothing
 * else of the store, and ends with it.  It is not confined by seccomp (the TPM libraries
 * open what they like), but reads nothing that does not come from the store or the TPM.
 */
#ifndef CAAS_STORE_SEALER_H
#define CAAS_STORE_SEALER_H

#include "vsmd/store/crypt.h"
#include "vsmd/store/store.h"

struct sealer {
	int fd; /* -1: there is none */
};

/* Fork it.  Call before secrets and the state directory are open. */
int sealer_start(struct sealer *s, const struct store_config *config);
/*
 * Seal `key` in the state of now, or, with `values` (20 bytes for each PCR of the
 * policy), to those added to `old`.  The blob is appended to b.  Blocks for as long as
 * the TPM takes.  NULL, or what went wrong, in `why`.
 */
const char *sealer_ask(struct sealer *s, const uint8_t key[CRYPT_KEY],
    const struct buf *old, const uint8_t *values, size_t values_len, struct buf *b,
    char why[256]);
void sealer_stop(struct sealer *s);

#endif
