/*
 * master.h - the master key: made, sealed to the TPM, unsealed at start.
 *
 * state/master.sealed is the TPM's blob (tpm/tpm.h), replaced in one step.  Uses the TPM,
 * so it is called before the store confines itself, and later by sealer.c only.
 */
#ifndef CAAS_STORE_MASTER_H
#define CAAS_STORE_MASTER_H

#include <stdbool.h>

#include "vsmd/store/crypt.h"
#include "vsmd/store/store.h"

/* Write master.sealed: temporary file, sync, rename, sync of the directory.  0, or -1
 * with errno. */
int master_write(int state, const void *blob, size_t len);
/*
 * With `fresh` make a new key (our randomness and the TPM's) and seal it; else unseal it,
 * and seal it again when an approval opened it.  Before either the PCR that config names
 * is extended.  `describe` says which TPM it is.  0, or -1 after a line on the log.
 */
int master_open(const struct store_config *config, int state, bool fresh,
    uint8_t key[CRYPT_KEY], char *describe, size_t size);

#endif
