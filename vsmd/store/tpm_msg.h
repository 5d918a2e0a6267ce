/*
 * tpm_msg.h - what vsmd-store and vsmd-tpm say to each other: asking and answering, both
 * halves of each message.
 *
 * Two pipes (common/ipc.h), a question and its answer each: on the one a key is sealed
 * (sealer.h), on the other the anchor is read and extended (anchor_tpm.h).  Each side takes
 * the other for taken over when it says what does not parse: the pipe ends.
 *
 *	seal    ask     bytes key, bytes blob (whose TPM it is), bytes values, str ref
 *	        answer  u8 1, bytes blob; or u8 0, str why
 *	anchor  ask     u64 number, u8 what, bytes blob, u32 place, bytes secret,
 *	                bytes digest (of DEFINE and EXTEND, otherwise empty)
 *	        answer  u64 number, u8 tpm_result, bytes value, u64 count, str name, str why
 *
 * Ownership: what is read borrows from the buf, but for the strings.
 */
#ifndef CAAS_STORE_TPM_MSG_H
#define CAAS_STORE_TPM_MSG_H

#include "common/buf.h"
#include "tpm/tpm.h"
#include "vsmd/store/master.h"

#define TPM_MSG_NAME 64
#define TPM_MSG_WHY  256

struct seal_ask {
	const uint8_t *key; /* CRYPT_KEY bytes */
	const uint8_t *blob;
	size_t blob_len;
	const uint8_t *values; /* to seal to, 20 bytes for each PCR; none: the state of now */
	size_t values_len;
	char ref[MASTER_REF];
};

struct seal_answer {
	bool ok;
	const uint8_t *blob;
	size_t blob_len;
	char why[TPM_MSG_WHY];
};

enum anchor_what { ANCHOR_DEFINE = 1, ANCHOR_READ, ANCHOR_EXTEND, ANCHOR_COUNT };

struct anchor_ask {
	uint64_t number;
	enum anchor_what what;
	const uint8_t *blob;
	size_t blob_len;
	uint32_t place;
	const uint8_t *secret; /* TPM_ANCHOR_LEN bytes */
	const uint8_t *digest; /* the same, or NULL */
};

struct anchor_answer {
	uint64_t number;
	enum tpm_result result;
	struct tpm_anchor_value value;
	char name[TPM_MSG_NAME], why[TPM_MSG_WHY];
};

/* Readers: false when it is malformed. */
void seal_ask_write(struct buf *b, const struct seal_ask *a);
bool seal_ask_read(struct buf *b, struct seal_ask *ret);
void seal_answer_write(struct buf *b, const struct seal_answer *a);
bool seal_answer_read(struct buf *b, struct seal_answer *ret);
void anchor_ask_write(struct buf *b, const struct anchor_ask *a);
bool anchor_ask_read(struct buf *b, struct anchor_ask *ret);
void anchor_answer_write(struct buf *b, const struct anchor_answer *a);
bool anchor_answer_read(struct buf *b, struct anchor_answer *ret);

#endif
