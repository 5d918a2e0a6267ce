/*
 * message.h - what a crypto domain (DomC) asks of DomT's TPM service, and what it answers.
 *
 * Both halves of each message; domt.c is the asking side, xen-hooks/tpmd/ the answering one.
 * They travel sealed, in a session (session.h).  One question is answered before the next; a
 * message that does not parse ends the channel.
 *
 *	question  u64 number, u8 what, then
 *	          SEAL     str ref, bytes authority (PEM, perhaps empty), bytes secret
 *	          UNSEAL   bytes blob, u64 count, bytes approval each
 *	          RANDOM   u32 length
 *	          DIGEST   (nothing)
 *	          DEFINE   u32 place, bytes secret, bytes origin
 *	          READ     u32 place, bytes secret
 *	          EXTEND   u32 place, bytes secret, bytes digest
 *	          COUNT    u32 place, bytes secret
 *	answer    u64 number, u8 tpm_result, and when that is
 *	          TPM_OK   SEAL bytes blob; UNSEAL u8 updated, bytes secret; RANDOM bytes;
 *	                   DIGEST bytes digest (32); DEFINE, EXTEND and COUNT nothing;
 *	                   READ bytes value (32), u64 count
 *	          else     str why
 *
 * Which blobs open: for each ref, the one that was unsealed last (or sealed first), and the one
 * that was sealed last.  A SEAL replaces the second, an UNSEAL makes the one that it opened the
 * only one.  So DomC unseals what is on its disk before it has something else sealed, and a
 * write to its disk that fails, or of which nobody knows, costs it nothing; and once a blob was
 * unsealed no older one opens.
 *
 * What a question means is tpm.h's business: SEAL is tpm_seal(), DIGEST tpm_pcr_digest(), which
 * is here the digest of the image that this DomC was built from.  Whose domain it is, from which
 * image, and of which pair, no message says: DomT knows it from who built it.
 *
 * Ownership: what is read borrows from the buf, but for the strings.
 */
#ifndef CAAS_TPM_DOMT_MESSAGE_H
#define CAAS_TPM_DOMT_MESSAGE_H

#include "common/buf.h"
#include "tpm/backend.h"

#define DOMT_MESSAGE_MAX   (256u * 1024) /* bytes of a question or an answer */
#define DOMT_AUTHORITY_MAX 4096		 /* of a public key in PEM */
#define DOMT_APPROVALS	   64		 /* of an UNSEAL */
#define DOMT_APPROVAL_MAX  2048		 /* bytes of one */
#define DOMT_RANDOM_MAX	   1024
#define DOMT_DIGEST	   32

enum domt_what {
	DOMT_SEAL = 1,
	DOMT_UNSEAL,
	DOMT_RANDOM,
	DOMT_DIGEST_OF_IMAGE,
	DOMT_DEFINE,
	DOMT_READ,
	DOMT_EXTEND,
	DOMT_COUNT,
	DOMT_WHATS
};

struct domt_bytes {
	const uint8_t *data;
	size_t len;
};

struct domt_question {
	uint64_t number;
	enum domt_what what;
	char ref[TPM_REF_MAX + 1];
	struct domt_bytes authority; /* not terminated */
	struct domt_bytes secret;    /* SEAL 1..TPM_KEY_MAX bytes; anchors TPM_ANCHOR_LEN */
	struct domt_bytes blob;	     /* at most TPM_BLOB_MAX */
	struct domt_bytes approval[DOMT_APPROVALS];
	size_t napprovals;
	uint32_t length;
	uint32_t place;
	struct domt_bytes digest; /* origin or digest, TPM_ANCHOR_LEN bytes */
};

struct domt_answer {
	uint64_t number;
	enum tpm_result result;
	enum domt_what what; /* of the question: not sent */
	struct domt_bytes bytes; /* blob, secret, random bytes or digest */
	bool updated;
	struct tpm_anchor_value value;
	char why[TPM_ERROR_MAX];
};

/* Readers: false when it is malformed.  domt_answer_read() is told of which question. */
void domt_question_write(struct buf *b, const struct domt_question *q);
bool domt_question_read(struct buf *b, struct domt_question *ret);
void domt_answer_write(struct buf *b, const struct domt_answer *a);
bool domt_answer_read(struct buf *b, enum domt_what what, struct domt_answer *ret);

#endif
