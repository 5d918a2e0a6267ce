/*
 * blob.h - what of a blob that DomT sealed DomC can read, too: which DomT it was, and what
 * for.
 *
 *	blob    head, then what only DomT opens
 *	head    u32 magic, u16 version, raw identity[32], str ref
 *
 * The head is in clear: DomC takes from it whom it speaks to (session.h), and which approvals
 * are about it.  DomT authenticates it with the rest.
 *
 * Ownership: what is read borrows from the blob, but for the strings.
 */
#ifndef CAAS_TPM_DOMT_BLOB_H
#define CAAS_TPM_DOMT_BLOB_H

#include "tpm/domt/session.h"

#define DOMT_BLOB_VERSION 1

struct domt_blob {
	uint8_t identity[DOMT_IDENTITY];
	char ref[TPM_REF_MAX + 1];
	struct domt_bytes head; /* as it is, to be authenticated */
	struct domt_bytes body; /* DomT's, at least one byte */
};

void domt_blob_head(struct buf *b, const uint8_t identity[DOMT_IDENTITY], const char *ref);
/* False: it is not one, or of another version. */
bool domt_blob_read(const void *blob, size_t len, struct domt_blob *ret);

#endif
