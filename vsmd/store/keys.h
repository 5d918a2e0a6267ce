/*
 * keys.h - the keys of the store, derived from the master key, one per purpose.
 *
 * Ownership: keys_derive() allocates in secmem; keys_free() wipes.  Threads: constant
 * once made.  Fork: secmem is empty in a child.
 */
#ifndef CAAS_STORE_KEYS_H
#define CAAS_STORE_KEYS_H

#include "vsmd/store/crypt.h"

struct store_keys {
	uint8_t log[CRYPT_KEY];	   /* records */
	uint8_t head[CRYPT_KEY];   /* MAC of the head */
	uint8_t audit[CRYPT_KEY];  /* the secrets of the audit log */
	uint8_t ticket[CRYPT_KEY]; /* login tickets */
	uint8_t keep[CRYPT_KEY];   /* passes for session objects (pass.h) */
	uint8_t backup[CRYPT_KEY]; /* backups that only this store can read */
	uint8_t anchor[CRYPT_KEY]; /* digests that the TPM's anchor is extended by */
};

/* NULL with errno when out of memory or libcrypto fails. */
struct store_keys *keys_derive(const uint8_t master[CRYPT_KEY]);
void keys_free(struct store_keys *k);

#endif
