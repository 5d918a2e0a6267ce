/*
 * backend.h - what a kind of TPM has to offer; tpm.c is the only caller.
 *
 * A back end answers for addresses with its prefix.  tpm.c has checked arguments before a
 * function is called: the policy (tpm_policy_ok()), lengths, NULLs.  A function that
 * fails says why through tpm_fail() and returns its result; outputs may then hold
 * anything, tpm.c wipes them.  `seal` and `predict` work on a buf of TPM_BLOB_MAX.
 *
 * A connection that broke is made anew by the next call: a TPM that came back works again.
 *
 * Threads: none of this may be called by two threads at once.  Fork: not after it.
 */
#ifndef CAAS_TPM_BACKEND_H
#define CAAS_TPM_BACKEND_H

#include <stdbool.h>

#include "tpm/tpm.h"

#define TPM_REF_MAX   64  /* bytes of a policyRef: what TPM2B_NONCE holds */
#define TPM_ERROR_MAX 256 /* bytes of a sentence, NUL included: it travels in messages */

struct tpm_backend {
	const char *prefix; /* of the addresses it answers for, with the colon */
	/* Who seals has seen that it opens; opening it means something there. */
	bool seals_surely;
	/* `where` is the address after the prefix. */
	enum tpm_result (*open)(struct tpm *t, const char *where);
	void (*close)(struct tpm *t);
	enum tpm_result (*seal)(struct tpm *t, const struct tpm_policy *p,
	    const void *secret, size_t len, struct buf *b);
	enum tpm_result (*unseal)(struct tpm *t, const void *blob, size_t blob_len,
	    const char *approvals, void *secret, size_t size, size_t *ret_len,
	    int *ret_updated);
	/* Only the TPM that sealed this blob is spoken to from now on. */
	enum tpm_result (*pin)(struct tpm *t, const void *blob, size_t blob_len);
	enum tpm_result (*predict)(struct tpm *t, const struct tpm_policy *p,
	    const void *secret, size_t len, const uint8_t *values, struct buf *b);
	enum tpm_result (*extend)(struct tpm *t, unsigned pcr, const void *data, size_t len);
	enum tpm_result (*pcr_digest)(struct tpm *t, const struct tpm_policy *p,
	    uint8_t out[32], size_t *ret_len);
	enum tpm_result (*random)(struct tpm *t, void *out, size_t len);
	enum tpm_result (*anchor_define)(struct tpm *t, const struct tpm_anchor *a,
	    const uint8_t origin[TPM_ANCHOR_LEN]);
	enum tpm_result (*anchor_read)(
	    struct tpm *t, const struct tpm_anchor *a, struct tpm_anchor_value *ret);
	enum tpm_result (*anchor_extend)(struct tpm *t, const struct tpm_anchor *a,
	    const uint8_t digest[TPM_ANCHOR_LEN]);
	enum tpm_result (*anchor_count)(struct tpm *t, const struct tpm_anchor *a);
	void (*anchor_rest)(struct tpm *t); /* NULL: nothing is held */
	uint32_t (*anchor_index)(const struct tpm_anchor *a); /* NULL: it has no name but the place */
};


/* value = SHA-256(value | digest), as a TPM 2.0 extends. */
void tpm_anchor_after(uint8_t value[TPM_ANCHOR_LEN], const uint8_t digest[TPM_ANCHOR_LEN]);

extern const struct tpm_backend tpm2_backend;
extern const struct tpm_backend tpm12_backend;
extern const struct tpm_backend domt_backend;

struct tpm {
	const struct tpm_backend *backend;
	void *state; /* the back end's */
	char description[96];
	char error[TPM_ERROR_MAX];
};

/* Keep the sentence for tpm_error(); returns r. */
enum tpm_result tpm_fail(struct tpm *t, enum tpm_result r, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The PCRs of a policy as a mask, bit i for PCR i. */
uint32_t tpm_pcr_mask(const struct tpm_policy *p);
/* Number of PCRs in a mask. */
size_t tpm_pcr_count(uint32_t mask);
/* The three bytes of a selection, as both kinds of TPM write it. */
void tpm_pcr_bytes(uint32_t mask, uint8_t out[3]);
/*
 * "PCR 7, 13" for the PCRs in `mask` whose values (`each` bytes, ascending) differ
 * between a and b; "no PCR" when none does.
 */
void tpm_pcr_differ(uint32_t mask, const uint8_t *a, const uint8_t *b, size_t each,
    char *out, size_t size);

#endif
