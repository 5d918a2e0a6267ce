/*
 * backup.h - a token as one sealed file.
 *
 *	magic[8] "CAASBAK1", u8 kind, u8 cost, salt[16], box (crypt.h)
 *
 * kind 1: the box's key is scrypt of a passphrase; kind 2: it is this store's backup key,
 * and only this store, under this master key, can read it.  The 26 bytes before the box
 * are authenticated with it.  Inside:
 *
 *	store id[16], u64 sequence, str label, str serial, str directory,
 *	u32 n, n * { str key below "slot/N/", bytes value }
 *
 * All that belongs to the token goes in (files, PINs' copies), except what belongs to its
 * stay in one slot: login epoch, revoked logins, counts of wrong PINs.
 */
#ifndef CAAS_STORE_BACKUP_H
#define CAAS_STORE_BACKUP_H

#include "vsmd/store/slots.h"
#include "vsmd/store/vault.h"

#define BACKUP_MAX (64u << 20)
#define BACKUP_HEADER 26

/* Append the backup of a slot to out, whose bound should be BACKUP_MAX.  An empty
 * passphrase seals under the store's own key.  False: too large, or out of memory. */
bool backup_make(const struct vault *v, const struct slot *slot,
    const uint8_t *passphrase, size_t len, struct buf *out);

struct backup {
	struct slot token; /* label, serial, directory */
	uint64_t sequence; /* of the store when it was made */
	const uint8_t *so; /* verifier of the SO PIN, or NULL; inside `plain` */
	size_t so_len;
	struct buf plain; /* secret; backup_free() wipes it */
	uint32_t n;	  /* keys; they follow at plain.pos */
};

/* Open and check.  NULL, or what is wrong.  Call backup_free() in either case. */
const char *backup_open(const struct vault *v, const uint8_t *data, size_t len,
    const uint8_t *passphrase, size_t passphrase_len, struct backup *ret);
/* Put its keys into t as those of slot `number`. */
void backup_put(struct backup *b, uint32_t number, struct txn *t);
void backup_free(struct backup *b);

#endif
