/*
 * record.h - one transaction as it lies in the log.
 *
 *	u32 magic, u32 length of the whole record, u64 sequence, box (crypt.h)
 *
 * The box holds the body and authenticates, beside it, the 16 bytes above and where
 * the record belongs: store, generation of the log, and the chain up to it.  So a record
 * opens in one place of one log only.
 */
#ifndef CAAS_STORE_RECORD_H
#define CAAS_STORE_RECORD_H

#include "vsmd/store/keys.h"

#define STORE_ID 16
#define RECORD_HEADER 16
#define RECORD_OVERHEAD (RECORD_HEADER + BOX_OVERHEAD)
#define RECORD_BODY_MAX (64u << 20)
#define RECORD_MAX (RECORD_BODY_MAX + RECORD_OVERHEAD)

/* Where a record stands. */
struct record_place {
	const uint8_t *store; /* STORE_ID bytes */
	uint64_t generation;
	uint64_t sequence;    /* of this record */
	const uint8_t *chain; /* CRYPT_HASH bytes: the chain before this record */
};

/* Append the sealed record to out, whose bound must allow it. */
bool record_seal(const struct store_keys *k, const struct record_place *at,
    const void *body, size_t len, struct buf *out);
/* The length that the record starting with these RECORD_HEADER bytes claims, or 0 when
 * they cannot start a record. */
size_t record_length(const uint8_t header[RECORD_HEADER]);
/* Open the record of exactly `len` bytes that must stand at `at`; its body is appended to
 * out. */
bool record_open(const struct store_keys *k, const struct record_place *at,
    const uint8_t *record, size_t len, struct buf *out);
/* chain = SHA-256(chain, record). */
bool record_chain(uint8_t chain[CRYPT_HASH], const uint8_t *record, size_t len);

#endif
