/* fill.h - vaults with something in them. */
#ifndef STORE_TEST_FILL_H
#define STORE_TEST_FILL_H

#include "vsmd/store/vault.h"

extern const uint8_t fill_master[CRYPT_KEY];
extern const uint8_t fill_store[STORE_ID];
/* What these vaults are anchored by; NULL: nothing. */
extern struct anchor *fill_anchor;

/* Make a new vault in `path` with `commits` transactions in it, and close it. */
void fill_vault(const char *path, const uint8_t *master, unsigned commits);
/* Commit one key; the result. */
enum vault_result fill_put(struct vault *v, const char *key, const char *value);
/* Open the vault in `path`: 0 or -1, as vault_open(), vault_look() included. */
int fill_open(struct vault *v, const char *path, const uint8_t *master);
/* Close it, the lock with it. */
void fill_close(struct vault *v);
/* The value of a key as a string, or NULL; static memory. */
const char *fill_get(const struct vault *v, const char *key);

#endif
