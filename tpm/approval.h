/*
 * approval.h - a machine state that the authority has signed, in a file.
 *
 * JSON, one object: caas_approval (version, 1), pcrs (array of indices), pcr_digest,
 * ref, policy, signature (hexadecimal).  Without a PCR it is about an image, of which
 * pcr_digest is the digest (tpm/domt/), and about no TPM's state: a TPM's PolicyPCR of no
 * register is never that.  `policy` is PolicyPCR of the two before it;
 * `signature` is the authority's, over policy || ref (docs/tpm.md).
 *
 * Ownership: values.  Errors: -1 after a line on the log.  Threads: any.
 */
#ifndef CAAS_TPM_APPROVAL_H
#define CAAS_TPM_APPROVAL_H

#include "tpm/authority.h"
#include "tpm/backend.h"
#include "tpm/policy.h"

#define APPROVAL_FILE_MAX 8192 /* bytes of a file */
#define APPROVAL_TEXT_MAX 1024 /* bytes of one without blanks */
#define APPROVALS_MAX	  1024 /* files looked at in a directory */

struct approval {
	uint32_t pcrs;			   /* mask; 0: of an image */
	uint8_t pcr_digest[POLICY_LEN];	   /* of the values in that state, or the image's */
	uint8_t policy[POLICY_LEN];	   /* what is signed, with ref */
	char ref[TPM_REF_MAX + 1];
	uint8_t signature[AUTHORITY_LEN];  /* not yet verified */
};

/* Parse `len` bytes; `name` stands in messages.  Refuses what contradicts itself. */
int approval_parse(const char *name, const void *text, size_t len, struct approval *ret);
/* The same without a word. */
int approval_read(const void *text, size_t len, struct approval *ret);
/* As approval_parse() takes it, appended to b: at most APPROVAL_TEXT_MAX bytes. */
void approval_put(const struct approval *a, struct buf *b);
/* The signature over it is by this key. */
bool approval_signed_by(const struct approval *a, const uint8_t authority[AUTHORITY_LEN]);
/*
 * Call `each` for every approval in a directory whose ref is `ref`, until it returns
 * non-zero; what does not parse is passed over with a line on the log.
 */
void approval_each(const char *dir, const char *ref,
    int (*each)(void *arg, const char *file, const struct approval *a), void *arg);

#endif
