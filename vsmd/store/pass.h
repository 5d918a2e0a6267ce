/*
 * pass.h - the key under which one application's session objects outlive its worker.
 *
 * A worker seals its session objects itself and gives them to the guest to be kept
 * (protocol/kept.h).  The key is made here, for one application on one token, and lies in
 * a pass, sealed under a key of the store, which the guest keeps too: what a worker of
 * the same principal on the same slot brings with it opens, also after vsmd was started
 * anew.  It is void once the slot's login epoch moved on (PIN changed, token
 * initialised), as tickets are.
 */
#ifndef CAAS_STORE_PASS_H
#define CAAS_STORE_PASS_H

#include "vsmd/policy/grant.h"
#include "vsmd/store/keys.h"
#include "vsmd/store/record.h"

#define PASS_MAX 512

struct pass {
	char principal[GRANT_NAME];
	uint32_t slot;
	uint64_t epoch; /* login epoch of the slot when it was made */
	uint8_t key[CRYPT_KEY];
};

/* The bound of out must be at least PASS_MAX. */
bool pass_seal(const struct store_keys *k, const uint8_t store[STORE_ID],
    const struct pass *pass, struct buf *out);
/* False for anything that was not sealed by this store. */
bool pass_open(const struct store_keys *k, const uint8_t store[STORE_ID],
    const uint8_t *data, size_t len, struct pass *ret);

#endif
