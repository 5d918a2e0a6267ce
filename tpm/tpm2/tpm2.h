/*
 * tpm2.h - inside of the TPM 2.0 back end (ESYS).
 *
 * One ESYS context, made at open and again after the connection broke.  The storage root
 * key (SRK) is pinned: from the blob that was unsealed, or else as found at first use;
 * every later session is salted to exactly that key, so another TPM fails to answer.
 *
 * Errors: functions that talk to the TPM return a TSS2_RC for the caller to explain by
 * tpm2_fail(), or a tpm_result when they have explained it.  Threads: one.
 */
#ifndef CAAS_TPM_TPM2_H
#define CAAS_TPM_TPM2_H

#include <tss2/tss2_esys.h>
#include <tss2/tss2_tctildr.h>

#include "tpm/authority.h"
#include "tpm/backend.h"
#include "tpm/policy.h"

#define TPM2_SRK_HANDLE 0x81000001 /* where the TCG puts the SRK */
#define TPM2_PIN_MAX	1024	   /* bytes of a serialized ESYS_TR */
#define TPM2_BINDING_LEN 32
#define NO_SESSIONS	ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE

struct tpm2 {
	char *where; /* TCTI configuration */
	bool local;  /* swtpm or mssim: ours alone, no resource manager, locality settable */
	int fixed;   /* tis: the locality of the page, and no other; -1: not so */
	TSS2_TCTI_CONTEXT *tcti;
	ESYS_CONTEXT *esys; /* NULL: not connected */
	ESYS_TR srk;	    /* NONE: not yet known to this context */
	uint8_t pin[TPM2_PIN_MAX]; /* the SRK's serialized ESYS_TR */
	size_t pin_len;		   /* 0: not pinned */
	uint8_t locality;	   /* the one last set, 0 normally */
	ESYS_TR anchor_session;	   /* kept from one extension to the next; NONE: none */
	ESYS_TR anchor[2];	   /* value, count; NONE: not yet known to this context */
	uint32_t anchor_place;	   /* which those two are */
};

/* What is in a blob; the on-disk form is in blob.c. */
struct tpm2_blob {
	uint32_t pcrs;				    /* mask */
	uint8_t values[TPM_MAX_PCRS][POLICY_LEN];   /* at sealing, for diagnosis and check */
	uint8_t locality;			    /* mask of PolicyLocality, 0: no step */
	bool has_authority;
	uint8_t authority[AUTHORITY_LEN];
	char ref[TPM_REF_MAX + 1];
	uint8_t pin[TPM2_PIN_MAX];
	size_t pin_len;
	TPM2B_PUBLIC public;
	TPM2B_PRIVATE private;
};

/* rc.c: what a return code means. */
struct tpm2_retry {
	unsigned waited; /* ms */
	unsigned next;	 /* ms */
};
/* True after a pause when rc says "later" and there is time left (about 5 s in all). */
bool tpm2_again(struct tpm2_retry *r, TSS2_RC rc);
/* rc = call, repeated while the TPM asks for that. */
#define TPM2_TRY(rc, call)                           \
	do {                                         \
		struct tpm2_retry retry_ = {0};      \
		do                                   \
			(rc) = (call);               \
		while (tpm2_again(&retry_, (rc)));   \
	} while (0)
/* A TPM's own code without the number of handle, parameter or session; 0 for others. */
TSS2_RC tpm2_code(TSS2_RC rc);
/* The PCRs, or what else a policy asks for, are not as the policy says. */
bool tpm2_wrong_state(TSS2_RC rc);
/* The key in the TPM is not the one that the session was salted to. */
bool tpm2_wrong_key(TSS2_RC rc);
/* Explain rc, met while doing `what` ("reading the PCRs"); drops a broken connection. */
enum tpm_result tpm2_fail(struct tpm *t, TSS2_RC rc, const char *what);

/* connect.c */
enum tpm_result tpm2_connect(struct tpm *t);
void tpm2_disconnect(struct tpm2 *s);
void tpm2_flush(struct tpm2 *s, ESYS_TR *handle);
/* ESYS leaves the last answer in its buffer, in clear: overwrite it with a longer one. */
void tpm2_overwrite(struct tpm2 *s);
/* A TCTI of this program's own, by a page of registers (tpm/tis/): the rest of the address,
 * or NULL when it is another's. */
const char *tpm2_tis(const char *where);
/* Set the locality of commands to come; false when this TPM cannot. */
bool tpm2_set_locality(struct tpm2 *s, uint8_t locality);

/* context.c: ESYS makes no context of OpenSSL's of its own while it is used. */
void tpm2_context_use(bool on);

/* srk.c */
/* s->srk: the pinned one, or the one at TPM2_SRK_HANDLE, made when there is none. */
enum tpm_result tpm2_srk(struct tpm *t);
/* Pin to a serialized SRK; it must name TPM2_SRK_HANDLE. */
enum tpm_result tpm2_pin(struct tpm *t, const uint8_t *pin, size_t len);
void tpm2_unpin(struct tpm2 *s);
/* A session salted to s->srk, parameters encrypted both ways; type HMAC or POLICY. */
TSS2_RC tpm2_session(struct tpm2 *s, TPM2_SE type, ESYS_TR *ret);

/* pcr.c */
TPML_PCR_SELECTION tpm2_selection(uint32_t mask);
/* The values of the PCRs in mask, ascending. */
enum tpm_result tpm2_pcr_read(struct tpm *t, uint32_t mask, uint8_t (*values)[POLICY_LEN]);
enum tpm_result tpm2_extend(struct tpm *t, unsigned pcr, const void *data, size_t len);
enum tpm_result tpm2_pcr_digest(struct tpm *t, const struct tpm_policy *p, uint8_t out[32],
    size_t *ret_len);

/* blob.c */
void tpm2_blob_write(const struct tpm2_blob *blob, struct buf *b);
/* -1: not one, damaged, or its parts contradict each other. */
int tpm2_blob_read(const void *data, size_t len, struct tpm2_blob *ret);
/* The digest that is sealed behind the secret: of all that is not the sealed object. */
void tpm2_blob_binding(const struct tpm2_blob *blob, uint8_t out[TPM2_BINDING_LEN]);
/* The key object of an authority, and its name. */
void tpm2_authority_public(const uint8_t point[AUTHORITY_LEN], TPM2B_PUBLIC *ret);
void tpm2_authority_name(const uint8_t point[AUTHORITY_LEN], TPM2B_NAME *ret);
/* The policy of a blob, and the branches of its PolicyOR (count 0: there is none). */
void tpm2_blob_policy(const struct tpm2_blob *b, TPML_DIGEST *branches, TPM2B_DIGEST *ret);

/* seal.c, unseal.c */
enum tpm_result tpm2_seal(struct tpm *t, const struct tpm_policy *p, const void *secret,
    size_t len, struct buf *b);
enum tpm_result tpm2_unseal(struct tpm *t, const void *blob, size_t blob_len,
    const char *approvals, void *secret, size_t size, size_t *ret_len, int *ret_updated);
enum tpm_result tpm2_pin_to(struct tpm *t, const void *blob, size_t blob_len);

/* anchor.c */
enum tpm_result tpm2_anchor_define(struct tpm *t, const struct tpm_anchor *a,
    const uint8_t origin[TPM_ANCHOR_LEN]);
enum tpm_result tpm2_anchor_read(
    struct tpm *t, const struct tpm_anchor *a, struct tpm_anchor_value *ret);
enum tpm_result tpm2_anchor_extend(struct tpm *t, const struct tpm_anchor *a,
    const uint8_t digest[TPM_ANCHOR_LEN]);
enum tpm_result tpm2_anchor_count(struct tpm *t, const struct tpm_anchor *a);
uint32_t tpm2_anchor_index(const struct tpm_anchor *a);
void tpm2_anchor_rest(struct tpm *t);
/* Forget what this context knows of an anchor. */
void tpm2_anchor_forget(struct tpm2 *s);

#endif
