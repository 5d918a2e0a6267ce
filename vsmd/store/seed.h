/*
 * seed.h - the TPM's generator mixed into those that keys come from.
 *
 * A crypto domain may have no hardware that makes random numbers, and a kernel that has seen
 * little yet.  So at each start of the store, once the TPM is known to be the one that sealed
 * the key, some of its random bytes go into the kernel's pool, into this process's generator
 * and, by M_T_SEED, into the supervisor's, whose state every process that makes keys begins
 * with.  Mixed in: what the kernel gave counts as before, so a TPM that knows its bytes learns
 * nothing by it.  That the kernel's generator is ready is waited for before: by the supervisor,
 * at its start.
 *
 * Threads: one.
 */
#ifndef CAAS_STORE_SEED_H
#define CAAS_STORE_SEED_H

#include <stdbool.h>
#include <stdint.h>

#include "tpm/tpm.h"

#define SEED_LEN 32

/* Draw from the TPM, mix it into the kernel's and this process's; `ret` is what is left for
 * the supervisor.  False, with a line on the log: the TPM gave none, and nothing was mixed. */
bool seed_draw(struct tpm *t, uint8_t ret[SEED_LEN]);
/* Into the generator of this process, and of those that it forks. */
void seed_mix(const uint8_t seed[SEED_LEN]);

#endif
