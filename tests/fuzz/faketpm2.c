/* faketpm2.c - see faketpm.h: ESYS.  Every context that is used must be the one that is open. */
#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_sys.h>
#include <tss2/tss2_tctildr.h>

#include "faketpm.h"
#include "tpm/digest.h"

#define INDICES 2
#define SHA256_LEN 32

static struct {
	ESYS_CONTEXT *esys; /* the one that is open */
	ESYS_TR next;
	TPM2_HANDLE handle[64]; /* of the TPM, by handle % 64 */
	TPM2B_NV_PUBLIC nv[INDICES];
	TPM2B_SENSITIVE_DATA sealed;
	uint8_t pcrs[24][SHA256_LEN];
} tpm;

static TSS2_TCTI_CONTEXT_COMMON_CURRENT tcti;

void
faketpm2_begin(void)
{
	if (tpm.esys != NULL)
		abort(); /* somebody has not closed it */
	memset(&tpm, 0, sizeof(tpm));
}

static TSS2_RC
answer(const ESYS_CONTEXT *c)
{
	if (c == NULL || c != tpm.esys)
		abort();
	return faketpm_code();
}

static void *
zeroed(size_t len)
{
	void *p = calloc(1, len);

	if (p == NULL)
		abort();
	return p;
}

static TSS2_RC
new_handle(TSS2_RC rc, TPM2_HANDLE of, ESYS_TR *ret)
{
	if (rc != TSS2_RC_SUCCESS)
		return rc;
	*ret = ++tpm.next;
	tpm.handle[*ret % 64] = of;
	return rc;
}

#define UNUSED_SESSIONS(a, b, c) ((void)(a), (void)(b), (void)(c))

static TSS2_RC
set_locality(TSS2_TCTI_CONTEXT *c, uint8_t locality)
{
	(void)c;
	(void)locality;
	return faketpm_code();
}

TSS2_RC
Tss2_TctiLdr_Initialize(const char *name, TSS2_TCTI_CONTEXT **ret)
{
	TSS2_RC rc = faketpm_code();

	(void)name;
	tcti.v1.version = 2;
	tcti.v1.setLocality = set_locality;
	if (rc == TSS2_RC_SUCCESS)
		*ret = (TSS2_TCTI_CONTEXT *)&tcti;
	return rc;
}

void
Tss2_TctiLdr_Finalize(TSS2_TCTI_CONTEXT **c)
{
	*c = NULL;
}

TSS2_RC
Tss2_Sys_FlushContext(TSS2_SYS_CONTEXT *c, TPMI_DH_CONTEXT handle)
{
	(void)c;
	(void)handle;
	return faketpm_code();
}

TSS2_RC
Esys_Initialize(ESYS_CONTEXT **ret, TSS2_TCTI_CONTEXT *t, TSS2_ABI_VERSION *version)
{
	TSS2_RC rc = faketpm_code();

	(void)version;
	if (t == NULL || tpm.esys != NULL)
		abort();
	if (rc == TSS2_RC_SUCCESS)
		*ret = tpm.esys = zeroed(1);
	return rc;
}

void
Esys_Finalize(ESYS_CONTEXT **c)
{
	if (*c != tpm.esys)
		abort();
	free(*c);
	*c = tpm.esys = NULL;
}

void
Esys_Free(void *p)
{
	free(p);
}

TSS2_RC
Esys_GetSysContext(ESYS_CONTEXT *c, TSS2_SYS_CONTEXT **ret)
{
	*ret = NULL;
	return answer(c);
}

TSS2_RC
Esys_Startup(ESYS_CONTEXT *c, TPM2_SU type)
{
	(void)type;
	return answer(c);
}

TSS2_RC
Esys_GetCapability(ESYS_CONTEXT *c, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3, TPM2_CAP what,
    UINT32 property, UINT32 count, TPMI_YES_NO *more, TPMS_CAPABILITY_DATA **ret)
{
	TSS2_RC rc = answer(c);
	TPMS_CAPABILITY_DATA *d;

	UNUSED_SESSIONS(s1, s2, s3);
	(void)count;
	if (more != NULL)
		*more = 0;
	if (rc != TSS2_RC_SUCCESS)
		return rc;
	d = *ret = zeroed(sizeof(*d));
	d->capability = what;
	switch (what) {
	case TPM2_CAP_HANDLES:
		d->data.handles.count = (UINT32)faketpm_size(TPM2_MAX_CAP_HANDLES) % 8;
		for (UINT32 i = 0; i < d->data.handles.count; i++)
			d->data.handles.handle[i] = faketpm_number();
		break;
	case TPM2_CAP_TPM_PROPERTIES:
		d->data.tpmProperties.count = faketpm_byte() % 8;
		for (UINT32 i = 0; i < d->data.tpmProperties.count; i++) {
			d->data.tpmProperties.tpmProperty[i].property =
			    property + faketpm_byte() % 8;
			d->data.tpmProperties.tpmProperty[i].value = faketpm_number();
		}
		break;
	default:
		break;
	}
	return rc;
}

TSS2_RC
Esys_GetRandom(ESYS_CONTEXT *c, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3, UINT16 n, TPM2B_DIGEST **ret)
{
	TSS2_RC rc = answer(c);

	UNUSED_SESSIONS(s1, s2, s3);
	if (rc != TSS2_RC_SUCCESS)
		return rc;
	*ret = zeroed(sizeof(**ret));
	(*ret)->size = faketpm_honest() ? n : (UINT16)faketpm_size(sizeof((*ret)->buffer));
	faketpm_fill((*ret)->buffer, (*ret)->size);
	return rc;
}

TSS2_RC
Esys_FlushContext(ESYS_CONTEXT *c, ESYS_TR handle)
{
	(void)handle;
	return answer(c);
}

TSS2_RC
Esys_TR_Close(ESYS_CONTEXT *c, ESYS_TR *handle)
{
	*handle = ESYS_TR_NONE;
	return answer(c);
}

TSS2_RC
Esys_TR_FromTPMPublic(ESYS_CONTEXT *c, TPM2_HANDLE of, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3,
    ESYS_TR *ret)
{
	UNUSED_SESSIONS(s1, s2, s3);
	return new_handle(answer(c), of, ret);
}

TSS2_RC
Esys_TR_GetTpmHandle(ESYS_CONTEXT *c, ESYS_TR handle, TPM2_HANDLE *ret)
{
	TSS2_RC rc = answer(c);

	*ret = faketpm_honest() ? tpm.handle[handle % 64] : faketpm_number();
	return rc;
}

/* As a TPM computes it. */
static void
nv_name(const TPM2B_NV_PUBLIC *nv, TPM2B_NAME *ret)
{
	uint8_t m[sizeof(TPMS_NV_PUBLIC)];
	size_t len = 0;

	if (Tss2_MU_TPMS_NV_PUBLIC_Marshal(&nv->nvPublic, m, sizeof(m), &len) !=
	    TSS2_RC_SUCCESS)
		abort();
	ret->size = 2 + SHA256_LEN;
	ret->name[0] = TPM2_ALG_SHA256 >> 8;
	ret->name[1] = TPM2_ALG_SHA256 & 0xff;
	tpm_sha256(m, len, ret->name + 2);
}

TSS2_RC
Esys_TR_GetName(ESYS_CONTEXT *c, ESYS_TR handle, TPM2B_NAME **ret)
{
	TSS2_RC rc = answer(c);

	if (rc != TSS2_RC_SUCCESS)
		return rc;
	*ret = zeroed(sizeof(**ret));
	if (faketpm_honest()) {
		nv_name(&tpm.nv[tpm.handle[handle % 64] % INDICES], *ret);
	} else {
		(*ret)->size = (UINT16)faketpm_size(sizeof((*ret)->name));
		faketpm_fill((*ret)->name, (*ret)->size);
	}
	return rc;
}

TSS2_RC
Esys_TR_Serialize(ESYS_CONTEXT *c, ESYS_TR handle, uint8_t **ret, size_t *len)
{
	TSS2_RC rc = answer(c);

	(void)handle;
	if (rc != TSS2_RC_SUCCESS)
		return rc;
	*len = faketpm_honest() ? 8 : faketpm_size(2000);
	*ret = zeroed(*len + 1);
	if (*len != 8)
		faketpm_fill(*ret, *len);
	return rc;
}

TSS2_RC
Esys_TR_Deserialize(ESYS_CONTEXT *c, uint8_t const *data, size_t len, ESYS_TR *ret)
{
	(void)data;
	(void)len;
	return new_handle(answer(c), 0x81000001, ret);
}

TSS2_RC
Esys_TR_SetAuth(ESYS_CONTEXT *c, ESYS_TR handle, TPM2B_AUTH const *auth)
{
	(void)handle;
	(void)auth;
	return answer(c);
}

TSS2_RC
Esys_TRSess_SetAttributes(ESYS_CONTEXT *c, ESYS_TR s, TPMA_SESSION flags, TPMA_SESSION mask)
{
	(void)s;
	(void)flags;
	(void)mask;
	return answer(c);
}

TSS2_RC
Esys_StartAuthSession(ESYS_CONTEXT *c, ESYS_TR key, ESYS_TR bind, ESYS_TR s1, ESYS_TR s2,
    ESYS_TR s3, const TPM2B_NONCE *nonce, TPM2_SE type, const TPMT_SYM_DEF *sym,
    TPMI_ALG_HASH hash, ESYS_TR *ret)
{
	UNUSED_SESSIONS(s1, s2, s3);
	(void)bind;
	(void)nonce;
	(void)type;
	(void)sym;
	(void)hash;
	if (key == ESYS_TR_NONE)
		abort(); /* not salted */
	return new_handle(answer(c), 0, ret);
}

TSS2_RC
Esys_ReadPublic(ESYS_CONTEXT *c, ESYS_TR handle, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3,
    TPM2B_PUBLIC **ret, TPM2B_NAME **name, TPM2B_NAME **qualified)
{
	TSS2_RC rc = answer(c);

	UNUSED_SESSIONS(s1, s2, s3);
	(void)handle;
	(void)name;
	(void)qualified;
	if (rc != TSS2_RC_SUCCESS)
		return rc;
	*ret = zeroed(sizeof(**ret));
	if (faketpm_honest()) {
		(*ret)->publicArea.type = TPM2_ALG_ECC;
		(*ret)->publicArea.objectAttributes = ~(TPMA_OBJECT)0;
	} else {
		faketpm_fill(*ret, sizeof(**ret));
	}
	return rc;
}

TSS2_RC
Esys_CreatePrimary(ESYS_CONTEXT *c, ESYS_TR primary, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3,
    const TPM2B_SENSITIVE_CREATE *sensitive, const TPM2B_PUBLIC *public,
    const TPM2B_DATA *outside, const TPML_PCR_SELECTION *pcrs, ESYS_TR *ret,
    TPM2B_PUBLIC **out, TPM2B_CREATION_DATA **data, TPM2B_DIGEST **hash,
    TPMT_TK_CREATION **ticket)
{
	UNUSED_SESSIONS(s1, s2, s3);
	UNUSED_SESSIONS(primary, sensitive, public);
	UNUSED_SESSIONS(outside, pcrs, out);
	UNUSED_SESSIONS(data, hash, ticket);
	return new_handle(answer(c), 0x80000000, ret);
}

TSS2_RC
Esys_EvictControl(ESYS_CONTEXT *c, ESYS_TR auth, ESYS_TR object, ESYS_TR s1, ESYS_TR s2,
    ESYS_TR s3, TPMI_DH_PERSISTENT handle, ESYS_TR *ret)
{
	UNUSED_SESSIONS(s1, s2, s3);
	(void)auth;
	(void)object;
	return new_handle(answer(c), handle, ret);
}

static void
any_private(TPM2B_PRIVATE *p)
{
	p->size = (UINT16)(faketpm_honest() ? 64 : faketpm_size(sizeof(p->buffer)));
	faketpm_fill(p->buffer, p->size);
}

TSS2_RC
Esys_Create(ESYS_CONTEXT *c, ESYS_TR parent, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3,
    const TPM2B_SENSITIVE_CREATE *sensitive, const TPM2B_PUBLIC *public,
    const TPM2B_DATA *outside, const TPML_PCR_SELECTION *pcrs, TPM2B_PRIVATE **out_private,
    TPM2B_PUBLIC **out_public, TPM2B_CREATION_DATA **data, TPM2B_DIGEST **hash,
    TPMT_TK_CREATION **ticket)
{
	static const uint8_t wiped[sizeof(sensitive->sensitive.data.buffer)];
	const TPM2B_SENSITIVE_DATA *secret = &sensitive->sensitive.data;
	TSS2_RC rc = answer(c);

	UNUSED_SESSIONS(s1, s2, s3);
	UNUSED_SESSIONS(parent, outside, pcrs);
	UNUSED_SESSIONS(data, hash, ticket);
	if (rc != TSS2_RC_SUCCESS)
		return rc;
	/* The second is there to overwrite the first. */
	if (memcmp(secret->buffer, wiped, secret->size) != 0)
		tpm.sealed = *secret;
	*out_private = zeroed(sizeof(**out_private));
	any_private(*out_private);
	*out_public = zeroed(sizeof(**out_public));
	**out_public = *public;
	if (!faketpm_honest()) {
		TPMT_PUBLIC *p = &(*out_public)->publicArea;

		p->authPolicy.size = (UINT16)faketpm_size(sizeof(p->authPolicy.buffer));
		faketpm_fill(p->authPolicy.buffer, p->authPolicy.size);
		p->unique.keyedHash.size = (UINT16)faketpm_size(sizeof(p->unique.keyedHash.buffer));
		faketpm_fill(p->unique.keyedHash.buffer, p->unique.keyedHash.size);
	}
	return rc;
}

TSS2_RC
Esys_Load(ESYS_CONTEXT *c, ESYS_TR parent, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3,
    const TPM2B_PRIVATE *private, const TPM2B_PUBLIC *public, ESYS_TR *ret)
{
	UNUSED_SESSIONS(s1, s2, s3);
	UNUSED_SESSIONS(parent, private, public);
	return new_handle(answer(c), 0x80000001, ret);
}

TSS2_RC
Esys_LoadExternal(ESYS_CONTEXT *c, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3,
    const TPM2B_SENSITIVE *private, const TPM2B_PUBLIC *public, ESYS_TR hierarchy, ESYS_TR *ret)
{
	UNUSED_SESSIONS(s1, s2, s3);
	UNUSED_SESSIONS(private, public, hierarchy);
	return new_handle(answer(c), 0x80000002, ret);
}

TSS2_RC
Esys_VerifySignature(ESYS_CONTEXT *c, ESYS_TR key, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3,
    const TPM2B_DIGEST *digest, const TPMT_SIGNATURE *signature, TPMT_TK_VERIFIED **ret)
{
	TSS2_RC rc = answer(c);

	UNUSED_SESSIONS(s1, s2, s3);
	UNUSED_SESSIONS(key, digest, signature);
	if (rc == TSS2_RC_SUCCESS)
		*ret = zeroed(sizeof(**ret));
	return rc;
}

TSS2_RC
Esys_Unseal(ESYS_CONTEXT *c, ESYS_TR item, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3,
    TPM2B_SENSITIVE_DATA **ret)
{
	TSS2_RC rc = answer(c);

	UNUSED_SESSIONS(s1, s2, s3);
	(void)item;
	if (rc != TSS2_RC_SUCCESS)
		return rc;
	*ret = zeroed(sizeof(**ret));
	if (faketpm_honest()) {
		**ret = tpm.sealed;
	} else {
		(*ret)->size = (UINT16)faketpm_size(sizeof((*ret)->buffer));
		faketpm_fill((*ret)->buffer, (*ret)->size);
	}
	return rc;
}

/* Steps of a policy: nothing but a code comes back. */
TSS2_RC
Esys_PolicyRestart(ESYS_CONTEXT *c, ESYS_TR session, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3)
{
	UNUSED_SESSIONS(s1, s2, s3);
	(void)session;
	return answer(c);
}

TSS2_RC
Esys_PolicyPCR(ESYS_CONTEXT *c, ESYS_TR session, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3,
    const TPM2B_DIGEST *digest, const TPML_PCR_SELECTION *pcrs)
{
	UNUSED_SESSIONS(s1, s2, s3);
	UNUSED_SESSIONS(session, digest, pcrs);
	return answer(c);
}

TSS2_RC
Esys_PolicyOR(ESYS_CONTEXT *c, ESYS_TR session, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3,
    const TPML_DIGEST *list)
{
	UNUSED_SESSIONS(s1, s2, s3);
	UNUSED_SESSIONS(session, list, list);
	return answer(c);
}

TSS2_RC
Esys_PolicyLocality(ESYS_CONTEXT *c, ESYS_TR session, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3,
    TPMA_LOCALITY locality)
{
	UNUSED_SESSIONS(s1, s2, s3);
	UNUSED_SESSIONS(session, locality, locality);
	return answer(c);
}

TSS2_RC
Esys_PolicyCommandCode(
    ESYS_CONTEXT *c, ESYS_TR session, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3, TPM2_CC code)
{
	UNUSED_SESSIONS(s1, s2, s3);
	UNUSED_SESSIONS(session, code, code);
	return answer(c);
}

TSS2_RC
Esys_PolicyAuthorize(ESYS_CONTEXT *c, ESYS_TR session, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3,
    const TPM2B_DIGEST *policy, const TPM2B_NONCE *ref, const TPM2B_NAME *key,
    const TPMT_TK_VERIFIED *ticket)
{
	UNUSED_SESSIONS(s1, s2, s3);
	UNUSED_SESSIONS(session, policy, ref);
	UNUSED_SESSIONS(key, ticket, ticket);
	return answer(c);
}

TSS2_RC
Esys_PCR_Extend(ESYS_CONTEXT *c, ESYS_TR pcr, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3,
    const TPML_DIGEST_VALUES *digests)
{
	UNUSED_SESSIONS(s1, s2, s3);
	UNUSED_SESSIONS(pcr, digests, digests);
	return answer(c);
}

/* As a TPM does: at most eight of those asked for, the lowest first. */
static void
read_pcrs(const TPML_PCR_SELECTION *in, TPML_PCR_SELECTION *out, TPML_DIGEST *values)
{
	const BYTE *want = in->pcrSelections[0].pcrSelect;

	*out = *in;
	memset(out->pcrSelections[0].pcrSelect, 0, sizeof(out->pcrSelections[0].pcrSelect));
	for (unsigned i = 0; i < 24 && values->count < 8; i++) {
		if ((want[i / 8] >> i % 8 & 1) == 0)
			continue;
		out->pcrSelections[0].pcrSelect[i / 8] |= (BYTE)(1 << i % 8);
		values->digests[values->count].size = SHA256_LEN;
		memcpy(values->digests[values->count++].buffer, tpm.pcrs[i], SHA256_LEN);
	}
}

static void
any_pcrs(TPML_PCR_SELECTION *out, TPML_DIGEST *values)
{
	out->count = faketpm_byte() % (TPM2_NUM_PCR_BANKS + 1);
	for (UINT32 i = 0; i < out->count; i++) {
		TPMS_PCR_SELECTION *s = &out->pcrSelections[i];

		s->hash = faketpm_honest() ? TPM2_ALG_SHA256 : (UINT16)faketpm_number();
		s->sizeofSelect = faketpm_byte() % (TPM2_PCR_SELECT_MAX + 1);
		faketpm_fill(s->pcrSelect, s->sizeofSelect);
	}
	values->count = faketpm_byte() % 9;
	for (UINT32 i = 0; i < values->count; i++) {
		TPM2B_DIGEST *d = &values->digests[i];

		d->size = faketpm_honest() ? SHA256_LEN : (UINT16)faketpm_size(sizeof(d->buffer));
		faketpm_fill(d->buffer, d->size);
	}
}

TSS2_RC
Esys_PCR_Read(ESYS_CONTEXT *c, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3,
    const TPML_PCR_SELECTION *in, UINT32 *counter, TPML_PCR_SELECTION **out, TPML_DIGEST **values)
{
	TSS2_RC rc = answer(c);

	UNUSED_SESSIONS(s1, s2, s3);
	if (rc != TSS2_RC_SUCCESS)
		return rc;
	*out = zeroed(sizeof(**out));
	*values = zeroed(sizeof(**values));
	*counter = faketpm_byte() / 128;
	if (faketpm_honest())
		read_pcrs(in, *out, *values);
	else
		any_pcrs(*out, *values);
	return rc;
}

TSS2_RC
Esys_NV_DefineSpace(ESYS_CONTEXT *c, ESYS_TR owner, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3,
    const TPM2B_AUTH *auth, const TPM2B_NV_PUBLIC *public, ESYS_TR *ret)
{
	TPM2B_NV_PUBLIC *nv = &tpm.nv[public->nvPublic.nvIndex % INDICES];

	UNUSED_SESSIONS(s1, s2, s3);
	UNUSED_SESSIONS(owner, auth, auth);
	*nv = *public;
	nv->nvPublic.attributes |= TPMA_NV_WRITTEN;
	return new_handle(answer(c), public->nvPublic.nvIndex, ret);
}

TSS2_RC
Esys_NV_UndefineSpace(
    ESYS_CONTEXT *c, ESYS_TR owner, ESYS_TR nv, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3)
{
	UNUSED_SESSIONS(s1, s2, s3);
	UNUSED_SESSIONS(owner, nv, nv);
	return answer(c);
}

TSS2_RC
Esys_NV_Extend(ESYS_CONTEXT *c, ESYS_TR auth, ESYS_TR nv, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3,
    const TPM2B_MAX_NV_BUFFER *data)
{
	UNUSED_SESSIONS(s1, s2, s3);
	UNUSED_SESSIONS(auth, nv, data);
	return answer(c);
}

TSS2_RC
Esys_NV_Increment(
    ESYS_CONTEXT *c, ESYS_TR auth, ESYS_TR nv, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3)
{
	UNUSED_SESSIONS(s1, s2, s3);
	UNUSED_SESSIONS(auth, nv, nv);
	return answer(c);
}

TSS2_RC
Esys_NV_Read(ESYS_CONTEXT *c, ESYS_TR auth, ESYS_TR nv, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3,
    UINT16 size, UINT16 offset, TPM2B_MAX_NV_BUFFER **ret)
{
	TSS2_RC rc = answer(c);

	UNUSED_SESSIONS(s1, s2, s3);
	UNUSED_SESSIONS(auth, nv, offset);
	if (rc != TSS2_RC_SUCCESS)
		return rc;
	*ret = zeroed(sizeof(**ret));
	(*ret)->size = faketpm_honest() ? size : (UINT16)faketpm_size(sizeof((*ret)->buffer));
	faketpm_fill((*ret)->buffer, (*ret)->size);
	return rc;
}
