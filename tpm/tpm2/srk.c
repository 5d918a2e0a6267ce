/* srk.c - the storage root key: found or made, pinned; sessions salted to it. */
#include <string.h>

#include "common/log.h"
#include "tpm/tpm2/tpm2.h"

#define SRK_NEEDS (TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_RESTRICTED | \
	TPMA_OBJECT_DECRYPT | TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH)

/* The TCG's ECC SRK template: 32 zero bytes for each coordinate. */
static const TPM2B_PUBLIC template = {
    .publicArea = {
	.type = TPM2_ALG_ECC,
	.nameAlg = TPM2_ALG_SHA256,
	.objectAttributes = SRK_NEEDS | TPMA_OBJECT_NODA,
	.parameters.eccDetail = {
	    .symmetric = {.algorithm = TPM2_ALG_AES, .keyBits.aes = 128,
		.mode.aes = TPM2_ALG_CFB},
	    .scheme.scheme = TPM2_ALG_NULL,
	    .curveID = TPM2_ECC_NIST_P256,
	    .kdf.scheme = TPM2_ALG_NULL,
	},
	.unique.ecc = {.x.size = 32, .y.size = 32},
    },
};

static enum tpm_result
make(struct tpm *t)
{
	struct tpm2 *s = t->state;
	TPM2B_SENSITIVE_CREATE sensitive = {0};
	TPM2B_DATA outside = {0};
	TPML_PCR_SELECTION creation = {0};
	ESYS_TR primary;
	TSS2_RC rc;

	TPM2_TRY(rc, Esys_CreatePrimary(s->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD,
	    ESYS_TR_NONE, ESYS_TR_NONE, &sensitive, &template, &outside, &creation, &primary,
	    NULL, NULL, NULL, NULL));
	if (rc != TSS2_RC_SUCCESS)
		return tpm2_fail(t, rc, "making a storage root key");
	TPM2_TRY(rc, Esys_EvictControl(s->esys, ESYS_TR_RH_OWNER, primary, ESYS_TR_PASSWORD,
	    ESYS_TR_NONE, ESYS_TR_NONE, TPM2_SRK_HANDLE, &s->srk));
	tpm2_flush(s, &primary);
	if (rc != TSS2_RC_SUCCESS) {
		s->srk = ESYS_TR_NONE;
		return tpm2_fail(t, rc, "keeping the storage root key");
	}
	log_info("TPM: made a storage root key at 0x%08x", TPM2_SRK_HANDLE);
	return TPM_OK;
}

/* A key made by others may stand there; it must be one that seals. */
static enum tpm_result
check(struct tpm *t)
{
	struct tpm2 *s = t->state;
	TPM2B_PUBLIC *public;
	TSS2_RC rc;
	bool good;

	TPM2_TRY(rc, Esys_ReadPublic(s->esys, s->srk, NO_SESSIONS, &public, NULL, NULL));
	if (rc != TSS2_RC_SUCCESS)
		return tpm2_fail(t, rc, "reading the storage root key");
	good = (public->publicArea.objectAttributes & SRK_NEEDS) == SRK_NEEDS &&
	    (public->publicArea.type == TPM2_ALG_ECC || public->publicArea.type == TPM2_ALG_RSA);
	Esys_Free(public);
	if (good)
		return TPM_OK;
	s->srk = ESYS_TR_NONE;
	return tpm_fail(t, TPM_FAILED, "the key at 0x%08x is not a storage root key: remove it "
	    "(tpm2_evictcontrol -c 0x%08x) if nobody needs it", TPM2_SRK_HANDLE,
	    TPM2_SRK_HANDLE);
}

static enum tpm_result
find_or_make(struct tpm *t)
{
	struct tpm2 *s = t->state;
	enum tpm_result r;
	uint8_t *pin;
	TSS2_RC rc;

	TPM2_TRY(rc, Esys_TR_FromTPMPublic(s->esys, TPM2_SRK_HANDLE, NO_SESSIONS, &s->srk));
	if (tpm2_code(rc) == TPM2_RC_HANDLE)
		r = make(t);
	else if (rc != TSS2_RC_SUCCESS)
		r = tpm2_fail(t, rc, "looking for the storage root key");
	else
		r = check(t);
	if (r != TPM_OK) {
		s->srk = ESYS_TR_NONE;
		return r;
	}
	rc = Esys_TR_Serialize(s->esys, s->srk, &pin, &s->pin_len);
	if (rc == TSS2_RC_SUCCESS && s->pin_len > sizeof(s->pin)) {
		Esys_Free(pin);
		rc = TSS2_ESYS_RC_BAD_SIZE;
	}
	if (rc != TSS2_RC_SUCCESS) {
		tpm2_unpin(s);
		return tpm2_fail(t, rc, "remembering the storage root key");
	}
	memcpy(s->pin, pin, s->pin_len);
	Esys_Free(pin);
	return TPM_OK;
}

/* Take a serialized SRK only if it is what serializing gives, and names our handle. */
static bool
load_pin(struct tpm2 *s)
{
	TPM2_HANDLE handle;
	uint8_t *again = NULL;
	size_t len;
	bool same;

	if (Esys_TR_Deserialize(s->esys, s->pin, s->pin_len, &s->srk) != TSS2_RC_SUCCESS) {
		s->srk = ESYS_TR_NONE;
		return false;
	}
	same = Esys_TR_GetTpmHandle(s->esys, s->srk, &handle) == TSS2_RC_SUCCESS &&
	    handle == TPM2_SRK_HANDLE &&
	    Esys_TR_Serialize(s->esys, s->srk, &again, &len) == TSS2_RC_SUCCESS &&
	    len == s->pin_len && memcmp(again, s->pin, len) == 0;
	Esys_Free(again);
	return same;
}

enum tpm_result
tpm2_srk(struct tpm *t)
{
	struct tpm2 *s = t->state;

	if (s->srk != ESYS_TR_NONE)
		return TPM_OK;
	if (s->pin_len == 0)
		return find_or_make(t);
	if (load_pin(s))
		return TPM_OK;
	tpm2_unpin(s);
	return tpm_fail(t, TPM_BAD_BLOB, "the sealed key names no storage root key: restore "
	    "the file from a copy");
}

enum tpm_result
tpm2_pin(struct tpm *t, const uint8_t *pin, size_t len)
{
	struct tpm2 *s = t->state;

	if (s->pin_len == len && memcmp(s->pin, pin, len) == 0)
		return tpm2_srk(t);
	tpm2_unpin(s);
	memcpy(s->pin, pin, len);
	s->pin_len = len;
	return tpm2_srk(t);
}

void
tpm2_unpin(struct tpm2 *s)
{
	if (s->esys != NULL && s->srk != ESYS_TR_NONE)
		(void)Esys_TR_Close(s->esys, &s->srk);
	s->srk = ESYS_TR_NONE;
	s->pin_len = 0;
}

TSS2_RC
tpm2_session(struct tpm2 *s, TPM2_SE type, ESYS_TR *ret)
{
	static const TPMT_SYM_DEF aes = {.algorithm = TPM2_ALG_AES, .keyBits.aes = 128,
	    .mode.aes = TPM2_ALG_CFB};
	TSS2_RC rc;

	*ret = ESYS_TR_NONE;
	TPM2_TRY(rc, Esys_StartAuthSession(s->esys, s->srk, ESYS_TR_NONE, NO_SESSIONS, NULL,
	    type, &aes, TPM2_ALG_SHA256, ret));
	if (rc != TSS2_RC_SUCCESS) {
		*ret = ESYS_TR_NONE;
		return rc;
	}
	return Esys_TRSess_SetAttributes(s->esys, *ret, TPMA_SESSION_DECRYPT |
	    TPMA_SESSION_ENCRYPT | TPMA_SESSION_CONTINUESESSION, 0xff);
}
