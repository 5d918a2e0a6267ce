/*
 * seal.h - a crypto domain's secret in a blob that only this DomT opens.
 *
 *	blob    head (tpm/domt/blob.h), box (vsmd/store/crypt.h) of
 *	        str pair, raw image[32], bytes authority (PEM, or empty), bytes secret
 *
 * AES-256-GCM under a key of the blob's own, the head authenticated with it.  It is bound to the
 * pair, and to the image that the domain was built of when it sealed.
 *
 * Opening it is cryptography; whether who asks may have it is seal_judge()'s; whether it is one
 * that still opens, the rows' (rows.h).
 *
 * Threads: any.
 */
#ifndef CAAS_TPMD_SEAL_H
#define CAAS_TPMD_SEAL_H

#include "tpm/domt/blob.h"
#include "xen-hooks/message/message.h"

#define SEAL_IMAGE 32

struct sealed {
	char pair[PAIR_NAME];
	char ref[TPM_REF_MAX + 1];
	uint8_t image[SEAL_IMAGE];
	struct domt_bytes authority, secret; /* borrowed */
};

/* Appended to `out`, and opened again: a blob that does not open is none. */
bool seal_make(const uint8_t key[32], const uint8_t identity[DOMT_IDENTITY],
    const struct sealed *s, struct buf *out);
/* What the blob holds: *ret borrows from `plain`, which is the caller's to free.  TPM_FOREIGN:
 * another DomT's.  TPM_BAD_BLOB: none, or altered. */
enum tpm_result seal_open(const uint8_t key[32], const uint8_t identity[DOMT_IDENTITY],
    const void *blob, size_t len, struct buf *plain, struct sealed *ret,
    char why[TPM_ERROR_MAX]);
/*
 * May a domain of this pair, built of this image, have it?  *ret_updated: by an approval, the
 * image is not the one that it was sealed for.  TPM_FOREIGN: another pair's.  TPM_WRONG_STATE:
 * nobody has approved the image.  TPM_UNAPPROVED: somebody who is not the authority has.
 */
enum tpm_result seal_judge(const struct sealed *s, const char *pair,
    const uint8_t image[SEAL_IMAGE], const struct domt_bytes *approvals, size_t n,
    bool *ret_updated, char why[TPM_ERROR_MAX]);

#endif
