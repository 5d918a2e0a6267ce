/*
 * tpm.h - a master key sealed to a TPM, and the state that opens it.
 *
 * One interface, three back ends: TPM 2.0 (ESYS, tpm/tpm2/), TPM 1.2 (TrouSerS, tpm/tpm12/),
 * and who has a TPM for others, DomT (tpm/domt/).  Used by the store process at its start and by
 * vsmd-tpm, from one thread.
 *
 *   tpm2:TCTI            e.g. tpm2:device:/dev/tpmrm0, tpm2:swtpm:path=/run/x/tpm.sock
 *   tpm1.2:HOST:PORT     tcsd at that address
 *   domt:coupled         the DomT of this Xen domain, as its builder tells it
 *   domt:ADDRESS         one at that address (vchan-transport/transport.h)
 *
 * With domt: what is sealed is bound to the pair and to the image of this domain, which the
 * policy has no part in: neither PCRs nor a locality.  What is sealed is bound to PCR values (and, where asked, to a locality).  When the
 * machine's measured state changes on purpose, an authorised update opens it again:
 * TPM 2.0 by a policy that the authority key signed (PolicyAuthorize), DomT likewise, TPM 1.2 by a
 * second blob sealed ahead to the values expected (tpm_predict).
 *
 * Errors: enum tpm_result; tpm_error() has the sentence, which says what to do.
 */
#ifndef CAAS_TPM_H
#define CAAS_TPM_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

struct tpm;

enum tpm_result {
	TPM_OK = 0,
	TPM_ABSENT,      /* nothing answers at that address */
	TPM_BUSY,        /* it answers that it cannot now; tried for a while */
	TPM_WRONG_STATE, /* PCR values (or locality) are not those sealed to */
	TPM_FOREIGN,     /* another TPM than the one that sealed, or a blob of another */
	TPM_BAD_BLOB,    /* not a blob, or altered */
	TPM_LOCKOUT,     /* dictionary attack lock-out */
	TPM_UNAPPROVED,  /* an approval was given that the authority did not sign for this */
	TPM_UNANCHORED,  /* no anchor of ours: none there, or somebody else's */
	TPM_FAILED       /* anything else */
};

#define TPM_MAX_PCRS 24
#define TPM_KEY_MAX 64      /* bytes of a sealed secret */
#define TPM_BLOB_MAX 16384  /* bytes of a sealed blob */

struct tpm_policy {
	uint8_t pcrs[TPM_MAX_PCRS]; /* indices, ascending */
	size_t npcrs;               /* 0: bound to the TPM alone */
	int locality;               /* -1: any; 0..4: bit required at release */
	const char *authority;      /* PEM file of the public key for updates, or NULL */
	const char *ref;            /* policyRef: purpose and store, e.g. "vsmd-use:<uuid>" */
};

/* Connect.  *ret_tpm is set on success only. */
enum tpm_result tpm_open(const char *address, struct tpm **ret_tpm);
void tpm_close(struct tpm *t);
/* "TPM 2.0 IBM SW" and the like, for the log and `caas status`. */
const char *tpm_describe(struct tpm *t);

/* Seal `len` bytes (at most TPM_KEY_MAX) in the state of now; the blob is appended to b. */
enum tpm_result tpm_seal(struct tpm *t, const struct tpm_policy *p, const void *secret,
    size_t len, struct buf *b);
/*
 * Unseal into `secret` (secmem, `size` bytes; *ret_len is what it held).  `approvals`
 * is a directory of signed policies (TPM 2.0), or NULL; *ret_updated is set when the
 * state of now is not the one sealed to and an approval opened it: the caller should
 * then seal again.
 */
enum tpm_result tpm_unseal(struct tpm *t, const void *blob, size_t blob_len,
    const char *approvals, void *secret, size_t size, size_t *ret_len, int *ret_updated);
/*
 * Before sealing again: make sure that this is the TPM that sealed `blob`, and speak to no
 * other from now on (tpm_unseal() does the same).  Without it tpm_seal() trusts whoever
 * answers, once.  TPM_FOREIGN when it is another.  TPM 1.2: the blob's form is checked.
 */
enum tpm_result tpm_pin(struct tpm *t, const void *blob, size_t blob_len);
/*
 * TPM 1.2: add to the blob in b a sealing to PCR values that are expected after an
 * update (npcrs values of 20 bytes).  TPM 2.0: TPM_FAILED; use an approval.
 */
enum tpm_result tpm_predict(struct tpm *t, const struct tpm_policy *p, const void *secret,
    size_t len, const uint8_t *values, struct buf *b);

/* Measure: extend `pcr` by the SHA-256 (SHA-1 on TPM 1.2) of data. */
enum tpm_result tpm_extend(struct tpm *t, unsigned pcr, const void *data, size_t len);
/* The digest of the selected PCRs, as PolicyPCR has it (32 bytes; 20 on TPM 1.2). */
enum tpm_result tpm_pcr_digest(struct tpm *t, const struct tpm_policy *p, uint8_t out[32],
    size_t *ret_len);

/* Random bytes from the TPM, to be mixed into our own. */
enum tpm_result tpm_random(struct tpm *t, void *out, size_t len);

/*
 * An anchor: a value in the TPM's NV memory that can be extended (SHA-256 of the value and
 * a digest replaces it) and not set, and a count that only grows.  So the TPM, and no
 * disk, says which state was the last.
 *
 * Whoever has the secret may read and extend.  Commands and answers are authenticated by
 * it, in a session with the TPM that tpm_unseal() or tpm_pin() made sure of: an answer of
 * before, or of somebody else, is noticed.  TPM 1.2: the value is read, extended here and
 * written, under a session by the secret alone.
 */
#define TPM_ANCHOR_LEN	  32
#define TPM_ANCHOR_PLACES 0x200000

struct tpm_anchor {
	uint32_t place; /* below TPM_ANCHOR_PLACES: which of the TPM's */
	uint8_t secret[TPM_ANCHOR_LEN];
};

struct tpm_anchor_value {
	uint8_t value[TPM_ANCHOR_LEN];
	uint64_t count;
};

/* Make it: zeros, extended by `origin`; one that is there is removed first.  Needs the
 * owner's authorisation: empty (TPM 2.0), or the well-known secret (TPM 1.2). */
enum tpm_result tpm_anchor_define(struct tpm *t, const struct tpm_anchor *a,
    const uint8_t origin[TPM_ANCHOR_LEN]);
enum tpm_result tpm_anchor_read(
    struct tpm *t, const struct tpm_anchor *a, struct tpm_anchor_value *ret);
/* When this fails, nobody knows whether it was done: read it. */
enum tpm_result tpm_anchor_extend(struct tpm *t, const struct tpm_anchor *a,
    const uint8_t digest[TPM_ANCHOR_LEN]);
/* Count one more; the same holds. */
enum tpm_result tpm_anchor_count(struct tpm *t, const struct tpm_anchor *a);
/* Nothing comes for a while: give back what the TPM holds for us (a session that nobody uses
 * gets in the way of others' on a shared TPM); the next call takes it anew. */
void tpm_anchor_rest(struct tpm *t);
/* Its name for an administrator: "NV index 0x01800000" and the like. */
void tpm_anchor_name(struct tpm *t, const struct tpm_anchor *a, char *out, size_t size);

/* What the last call that failed has to say: what happened and what to do; at most 255
 * bytes. */
const char *tpm_error(struct tpm *t);
/* The same for a result alone (tpm_open failed: there is no tpm). */
const char *tpm_result_text(enum tpm_result r);

/*
 * An approval, made offline with the authority's private key (PEM): "this PCR digest may
 * open what is sealed with `ref`"; without PCRs in p, "the image with this digest may".
 * Needs no TPM.  0, or -1 with a line on the log.
 */
int tpm_approve(const char *private_key_pem, const struct tpm_policy *p,
    const uint8_t pcr_digest[32], const char *out_file);

#endif
