/*
 * master.h - the master key: made, sealed to the TPM, unsealed at start.
 *
 * state/master.sealed is the TPM's blob (tpm/tpm.h), replaced in one step.  Uses the TPM,
 * so it is called before the store confines itself, and later by sealer.c only.
 */
#ifndef CAAS_STORE_MASTER_H
#define CAAS_STORE_MASTER_H

#include <stdbool.h>

#include "vsmd/store/record.h"
#include "vsmd/store/seed.h"
#include "vsmd/store/store.h"

#define MASTER_REF 48 /* "vsmd-use:", the store's UUID, NUL */

struct master {
	uint8_t *key;		  /* CRYPT_KEY bytes in secmem */
	struct buf blob;	  /* as it is sealed now: whoever seals again must be that TPM */
	uint8_t store[STORE_ID];  /* which store it is the key of */
	char ref[MASTER_REF];	  /* what approvals must be for (struct tpm_policy) */
	char tpm[128];		  /* what the TPM says it is */
	bool seeded;		  /* seed is there */
	uint8_t seed[SEED_LEN];	  /* the supervisor's (seed.h), until it has it */
};

/*
 * Write master.sealed: temporary file, sync, rename, sync of the directory.  0; -1 with
 * errno, and the old one is still there; or 1 with errno: replaced, but the directory
 * could not be synced.
 */
int master_write(int state, const void *blob, size_t len);
/*
 * With `fresh` make a new key (our randomness and the TPM's) for a new store, and seal
 * it; else unseal it, and seal it again when an approval opened it.  0, or -1 after a
 * line on the log; master_free() in either case.
 */
int master_open(
    const struct store_config *config, int state, bool fresh, struct master *m);
void master_free(struct master *m);

#endif
