/*
 * head.h - the file `head`: which log is the store, and where it ends.
 *
 * A fixed HEAD_SIZE bytes, little-endian:
 *
 *	magic[8], u32 version, u32 zero, store id[16], u64 generation, u64 bytes,
 *	u64 records, u64 sequence, chain[32], u32 anchor type, u32 zero, anchor[48],
 *	mac[32]: HMAC-SHA256 of all before it
 *
 * The anchor type says whether the TPM keeps which state was the last (anchor.h): where
 *it does, the head names the log, and vouches for no more than that what it names was
 * written.  The 48 bytes are zero.
 */
#ifndef CAAS_STORE_HEAD_H
#define CAAS_STORE_HEAD_H

#include "vsmd/store/record.h"

#define HEAD_SIZE 184
#define HEAD_ANCHOR 48
#define HEAD_FILE "head"
#define HEAD_NEXT "head.tmp"

enum { HEAD_UNANCHORED = 0, HEAD_ANCHORED = 1 };

struct head {
	uint8_t store[STORE_ID];
	uint64_t generation; /* the log is log.<generation> */
	uint64_t bytes;	     /* of the log, its header included */
	uint64_t records;    /* in the log */
	uint64_t sequence;   /* of the last record, over all generations */
	uint8_t chain[CRYPT_HASH];
	uint32_t anchor_type;
	uint8_t anchor[HEAD_ANCHOR];
};

enum head_result {
	HEAD_OK = 0,
	HEAD_ABSENT,
	HEAD_BAD, /* length, version or MAC */
	HEAD_IO	  /* errno */
};

bool head_same(const struct head *a, const struct head *b);
bool head_encode(
    const struct store_keys *k, const struct head *h, uint8_t out[HEAD_SIZE]);
bool head_decode(
    const struct store_keys *k, const uint8_t *data, size_t len, struct head *h);

/* Read from the directory `dir`. */
enum head_result head_read(int dir, const struct store_keys *k, struct head *h);
/*
 * Write HEAD_NEXT, sync it, rename it over HEAD_FILE.  The directory is not synced: see
 * docs/store.md.  0, or -1 with errno; the old head is then still in place.
 */
int head_write(int dir, const struct store_keys *k, const struct head *h);

#endif
