/*
 * audit_keys.h - the secrets of the audit log's epochs, audit/keys.
 *
 * An epoch has one random secret, of which come the key of its records' MACs and the key
 * that signs the seal at its end.  Two exist at a time, the present epoch's and the next
 * one's: the seal names the next public key, so that must be durable before.  They lie in
 * two pages of one file, by the number being even or odd, each sealed (crypt.h) for this
 * store.  A new one is written over the one before the present in its place: so what is
 * over is no longer on the disk, as far as the disk writes in place, no crash can lose
 * both, and no space is needed.
 *
 * They are not derived from the master key and are not in the store's log, whose old
 * records stay until it is compacted: who has both later does not have them.
 *
 * Ownership: in secmem.  Threads: one.
 */
#ifndef CAAS_STORE_AUDIT_KEYS_H
#define CAAS_STORE_AUDIT_KEYS_H

#include "vsmd/store/head.h"

#define AUDIT_KEYS_FILE "keys"

struct audit_epoch {
	uint64_t number; /* 0: none */
	uint8_t secret[CRYPT_KEY], mac[CRYPT_KEY];
	uint8_t public[CRYPT_PUBLIC];
};

struct audit_keys {
	int fd;
	const struct store_keys *keys;
	uint8_t store[STORE_ID];
	struct audit_epoch *epochs; /* two */
};

/* Open the file in the directory (made when absent) and read what it holds for this
 * store.  0, or -1 with errno; close it in either case. */
int audit_keys_open(struct audit_keys *k, int dir, const struct store_keys *keys,
    const uint8_t store[STORE_ID]);
void audit_keys_close(struct audit_keys *k);

/* NULL when it is not there. */
const struct audit_epoch *audit_keys_of(const struct audit_keys *k, uint64_t number);
/* Make the secret of that epoch, durably, over that of the epoch two before it.  0, or -1
 * with errno, and there may be neither. */
int audit_keys_make(struct audit_keys *k, uint64_t number);
/* What was read from the file may not be on the disk: a process may have ended before a
 * sync, or after one that failed.  Write it once more and sync it.  0, or -1 with errno. */
int audit_keys_renew(const struct audit_keys *k);
/* Have none for that epoch. */
void audit_keys_drop(struct audit_keys *k, uint64_t number);
/* The private key that signs the seal of that epoch; the caller wipes it. */
bool audit_epoch_sign(const struct audit_epoch *e, uint8_t out[CRYPT_KEY]);

#endif
