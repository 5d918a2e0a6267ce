/* seal.c - a secret into a TPM 2.0. */
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/secmem.h"
#include "tpm/tpm2/tpm2.h"

#define SEALED_ATTRIBUTES (TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | \
	TPMA_OBJECT_NODA | TPMA_OBJECT_ADMINWITHPOLICY) /* no USERWITHAUTH: the policy alone */

/*
 * The locality that is asked for, strictly, where commands can have it; a page of registers
 * has one and no other.  The kernel's devices speak at locality 0 only: a strict mask would
 * never open again.
 */
static enum tpm_result
locality_mask(struct tpm *t, int locality, uint8_t *ret)
{
	struct tpm2 *s = t->state;

	*ret = 0;
	if (locality < 0)
		return TPM_OK;
	*ret = (uint8_t)(1 << locality);
	if (!s->local && s->fixed < 0) {
		if (locality != 0)
			log_warn("TPM: this device speaks at locality 0 only; the key is sealed "
			    "to locality %d or 0", locality);
		*ret |= TPMA_LOCALITY_TPM2_LOC_ZERO;
		return TPM_OK;
	}
	if (s->fixed >= 0 && locality != s->fixed)
		return tpm_fail(t, TPM_FAILED, "the page tpm2:%s speaks at locality %d, and the "
		    "key is to be sealed to %d: set `locality = %d', or take the other page",
		    s->where, s->fixed, locality, s->fixed);
	if (!tpm2_set_locality(s, (uint8_t)locality))
		return tpm_fail(t, TPM_FAILED, "the TPM at tpm2:%s does not allow locality %d: "
		    "choose another, or none", s->where, locality);
	(void)tpm2_set_locality(s, 0);
	return TPM_OK;
}

static enum tpm_result
describe(struct tpm *t, const struct tpm_policy *p, struct tpm2_blob *blob)
{
	struct tpm2 *s = t->state;
	enum tpm_result r;

	memset(blob, 0, sizeof(*blob));
	blob->pcrs = tpm_pcr_mask(p);
	r = tpm2_pcr_read(t, blob->pcrs, blob->values);
	if (r == TPM_OK)
		r = locality_mask(t, p->locality, &blob->locality);
	if (r != TPM_OK)
		return r;
	/* Without PCRs there is no state that could need an approval. */
	if (p->authority != NULL && blob->pcrs != 0) {
		if (authority_load(p->authority, blob->authority) < 0)
			return tpm_fail(t, TPM_FAILED, "the authority's public key %s cannot be "
			    "used: see the line before", p->authority);
		blob->has_authority = true;
		snprintf(blob->ref, sizeof(blob->ref), "%s", p->ref != NULL ? p->ref : "");
	}
	memcpy(blob->pin, s->pin, s->pin_len);
	blob->pin_len = s->pin_len;
	return TPM_OK;
}

static TSS2_RC
create(struct tpm2 *s, ESYS_TR session, const TPM2B_DIGEST *policy,
    const TPM2B_SENSITIVE_CREATE *sensitive, TPM2B_PUBLIC *public, TPM2B_PRIVATE *private)
{
	TPM2B_PUBLIC in = {0}, *out_public;
	TPM2B_PRIVATE *out_private;
	TPM2B_DATA outside = {0};
	TPML_PCR_SELECTION creation = {0};
	TSS2_RC rc;

	in.publicArea.type = TPM2_ALG_KEYEDHASH;
	in.publicArea.nameAlg = TPM2_ALG_SHA256;
	in.publicArea.objectAttributes = SEALED_ATTRIBUTES;
	in.publicArea.parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL;
	in.publicArea.authPolicy = *policy;
	TPM2_TRY(rc, Esys_Create(s->esys, s->srk, session, ESYS_TR_NONE, ESYS_TR_NONE, sensitive,
	    &in, &outside, &creation, &out_private, &out_public, NULL, NULL, NULL));
	if (rc != TSS2_RC_SUCCESS)
		return rc;
	*public = *out_public;
	*private = *out_private;
	Esys_Free(out_public);
	Esys_Free(out_private);
	return TSS2_RC_SUCCESS;
}

static TSS2_RC
create_sealed(struct tpm2 *s, ESYS_TR session, const TPM2B_DIGEST *policy,
    const void *secret, size_t len, struct tpm2_blob *blob)
{
	TPM2B_SENSITIVE_CREATE *in = sec_alloc(sizeof(*in));
	TPM2B_PUBLIC public;
	TPM2B_PRIVATE private;
	TSS2_RC rc;

	if (in == NULL)
		return TSS2_ESYS_RC_MEMORY;
	in->sensitive.data.size = (UINT16)(len + TPM2_BINDING_LEN);
	memcpy(in->sensitive.data.buffer, secret, len);
	tpm2_blob_binding(blob, in->sensitive.data.buffer + len);
	rc = create(s, session, policy, in, &blob->public, &blob->private);
	/* ESYS keeps its last arguments on the heap: give it others of the same length. */
	sec_wipe(in->sensitive.data.buffer, in->sensitive.data.size);
	(void)create(s, session, policy, in, &public, &private);
	sec_free(in);
	return rc;
}

enum tpm_result
tpm2_seal(struct tpm *t, const struct tpm_policy *p, const void *secret, size_t len,
    struct buf *b)
{
	struct tpm2 *s = t->state;
	struct tpm2_blob blob;
	TPML_DIGEST branches;
	TPM2B_DIGEST policy;
	ESYS_TR session;
	enum tpm_result r = tpm2_connect(t);
	TSS2_RC rc;

	if (r == TPM_OK)
		r = tpm2_srk(t);
	if (r == TPM_OK)
		r = describe(t, p, &blob);
	if (r != TPM_OK)
		return r;
	tpm2_blob_policy(&blob, &branches, &policy);
	rc = tpm2_session(s, TPM2_SE_HMAC, &session);
	if (rc == TSS2_RC_SUCCESS)
		rc = create_sealed(s, session, &policy, secret, len, &blob);
	tpm2_flush(s, &session);
	if (rc != TSS2_RC_SUCCESS)
		return tpm2_fail(t, rc, "sealing the key");
	tpm2_blob_write(&blob, b);
	return TPM_OK;
}
