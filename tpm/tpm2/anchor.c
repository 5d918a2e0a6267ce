/*
 * anchor.c - an anchor in a TPM 2.0: two NV indices of the owner's range.
 *
 * The value is of the type EXTEND, the count of the type COUNTER: neither can be set, also
 * by who has the secret, and a counter that is removed and made anew goes on above where
 * it was.  Their authorisation is the secret, for reading and for extending.
 *
 * All commands go in an HMAC session that is salted to the pinned SRK, and kept as long as
 * they come: so each proves that the one before it is over.  One that was held back and is
 * delivered later, in a session of before, extends the value to one that no log knows.  The names in each
 * command's HMAC are those computed here: what stands at the index is ours, or refused.
 */
#include <string.h>
#include <tss2/tss2_mu.h>

#include "common/secmem.h"
#include "tpm/digest.h"
#include "tpm/tpm2/tpm2.h"

#define FIRST_INDEX 0x01800000 /* of the owner's range, which has twice TPM_ANCHOR_PLACES */
#define COUNT_LEN   8

enum { VALUE, COUNT, INDICES };

uint32_t
tpm2_anchor_index(const struct tpm_anchor *a)
{
	return FIRST_INDEX + 2 * a->place;
}

/*
 * Value and digests are no secrets, but the indices' authorisation is: parameters are
 * encrypted only while they are defined.
 */
static TSS2_RC
encrypt(struct tpm2 *s, bool on)
{
	return Esys_TRSess_SetAttributes(s->esys, s->anchor_session,
	    TPMA_SESSION_CONTINUESESSION |
		(on ? TPMA_SESSION_DECRYPT | TPMA_SESSION_ENCRYPT : 0), 0xff);
}

static void
describe(const struct tpm_anchor *a, int which, TPM2B_NV_PUBLIC *ret)
{
	TPMS_NV_PUBLIC *p = &ret->nvPublic;

	memset(ret, 0, sizeof(*ret));
	p->nvIndex = tpm2_anchor_index(a) + (TPMI_RH_NV_INDEX)which;
	p->nameAlg = TPM2_ALG_SHA256;
	p->attributes = TPMA_NV_AUTHWRITE | TPMA_NV_AUTHREAD | TPMA_NV_NO_DA |
	    (which == VALUE ? TPM2_NT_EXTEND : TPM2_NT_COUNTER) << TPMA_NV_TPM2_NT_SHIFT;
	p->dataSize = which == VALUE ? TPM_ANCHOR_LEN : COUNT_LEN;
}

/* The index that the TPM named is ours, and has been written. */
static bool
is_ours(struct tpm2 *s, const struct tpm_anchor *a, int which)
{
	uint8_t m[sizeof(TPMS_NV_PUBLIC)], want[2 + POLICY_LEN];
	TPM2B_NV_PUBLIC public;
	TPM2B_NAME *name;
	size_t len = 0;
	bool same;

	describe(a, which, &public);
	public.nvPublic.attributes |= TPMA_NV_WRITTEN;
	if (Tss2_MU_TPMS_NV_PUBLIC_Marshal(&public.nvPublic, m, sizeof(m), &len) !=
		TSS2_RC_SUCCESS ||
	    Esys_TR_GetName(s->esys, s->anchor[which], &name) != TSS2_RC_SUCCESS)
		return false;
	want[0] = TPM2_ALG_SHA256 >> 8;
	want[1] = TPM2_ALG_SHA256 & 0xff;
	tpm_sha256(m, len, want + 2);
	same = name->size == sizeof(want) && memcmp(name->name, want, sizeof(want)) == 0;
	Esys_Free(name);
	return same;
}

static void
drop(struct tpm2 *s, int which)
{
	if (s->esys != NULL && s->anchor[which] != ESYS_TR_NONE)
		(void)Esys_TR_Close(s->esys, &s->anchor[which]);
	s->anchor[which] = ESYS_TR_NONE;
}

void
tpm2_anchor_forget(struct tpm2 *s)
{
	tpm2_flush(s, &s->anchor_session);
	for (int i = 0; i < INDICES; i++)
		drop(s, i);
}

void
tpm2_anchor_rest(struct tpm *t)
{
	tpm2_anchor_forget(t->state);
}

static enum tpm_result
fail(struct tpm *t, const struct tpm_anchor *a, TSS2_RC rc, const char *what)
{
	struct tpm2 *s = t->state;

	tpm2_anchor_forget(s);
	switch (tpm2_code(rc)) {
	case TPM2_RC_HANDLE:
	case TPM2_RC_NV_UNINITIALIZED:
	case TPM2_RC_NV_AUTHORIZATION:
	case TPM2_RC_BAD_AUTH:
	case TPM2_RC_AUTH_FAIL:
		return tpm_fail(t, TPM_UNANCHORED, "NV index 0x%08x of the TPM is not there, or "
		    "is not the one that vsmd made (%s)", tpm2_anchor_index(a), what);
	case TPM2_RC_NV_SPACE:
		return tpm_fail(t, TPM_FAILED, "the TPM has no NV memory left for the anchor: "
		    "remove an index that nobody needs (tpm2_getcap handles-nv-index, "
		    "tpm2_nvundefine), or set anchor = off");
	default:
		break;
	}
	if (rc == TSS2_ESYS_RC_RSP_AUTH_FAILED) {
		tpm2_disconnect(s); /* ESYS takes no further command after that */
		return tpm_fail(t, TPM_FOREIGN, "an answer of the TPM at tpm2:%s was altered or "
		    "is an old one (%s): somebody stands between, or it is another TPM",
		    s->where, what);
	}
	return tpm2_fail(t, rc, what);
}

static TSS2_RC
set_secret(struct tpm2 *s, const struct tpm_anchor *a, int which)
{
	TPM2B_AUTH auth = {.size = TPM_ANCHOR_LEN};
	TSS2_RC rc;

	memcpy(auth.buffer, a->secret, TPM_ANCHOR_LEN);
	rc = Esys_TR_SetAuth(s->esys, s->anchor[which], &auth);
	sec_wipe(&auth, sizeof(auth));
	return rc;
}

/* Connected, with a session and both indices known. */
static enum tpm_result
begin(struct tpm *t, const struct tpm_anchor *a)
{
	struct tpm2 *s = t->state;
	enum tpm_result r = tpm2_connect(t);
	TSS2_RC rc = TSS2_RC_SUCCESS;

	if (r == TPM_OK)
		r = tpm2_srk(t);
	if (r != TPM_OK)
		return r;
	if (a->place != s->anchor_place)
		tpm2_anchor_forget(s);
	s->anchor_place = a->place;
	if (s->anchor_session == ESYS_TR_NONE)
		rc = tpm2_session(s, TPM2_SE_HMAC, &s->anchor_session);
	if (rc == TSS2_RC_SUCCESS)
		rc = encrypt(s, false);
	if (rc != TSS2_RC_SUCCESS)
		return fail(t, a, rc, "starting a session for the anchor");
	for (int i = 0; i < INDICES; i++) {
		if (s->anchor[i] != ESYS_TR_NONE)
			continue;
		TPM2_TRY(rc, Esys_TR_FromTPMPublic(s->esys,
		    tpm2_anchor_index(a) + (uint32_t)i, NO_SESSIONS, &s->anchor[i]));
		if (rc != TSS2_RC_SUCCESS) {
			s->anchor[i] = ESYS_TR_NONE;
			return fail(t, a, rc, "looking for the anchor");
		}
		if (!is_ours(s, a, i))
			return fail(t, a, TPM2_RC_HANDLE, "it has another form");
	}
	for (int i = 0; i < INDICES && rc == TSS2_RC_SUCCESS; i++)
		rc = set_secret(s, a, i);
	return rc == TSS2_RC_SUCCESS ? TPM_OK : fail(t, a, rc, "looking for the anchor");
}

/* Remove what stands at an index.  Not there is well. */
static TSS2_RC
undefine(struct tpm2 *s, TPM2_HANDLE index)
{
	ESYS_TR old;
	TSS2_RC rc;

	TPM2_TRY(rc, Esys_TR_FromTPMPublic(s->esys, index, NO_SESSIONS, &old));
	if (tpm2_code(rc) == TPM2_RC_HANDLE)
		return TSS2_RC_SUCCESS;
	if (rc != TSS2_RC_SUCCESS)
		return rc;
	TPM2_TRY(rc, Esys_NV_UndefineSpace(s->esys, ESYS_TR_RH_OWNER, old,
	    s->anchor_session, ESYS_TR_NONE, ESYS_TR_NONE));
	if (rc != TSS2_RC_SUCCESS)
		(void)Esys_TR_Close(s->esys, &old);
	return rc;
}

/* In our session, so that the secret is encrypted on its way. */
static TSS2_RC
define(struct tpm2 *s, const struct tpm_anchor *a, int which)
{
	TPM2B_AUTH auth = {.size = TPM_ANCHOR_LEN};
	TPM2B_NV_PUBLIC public;
	TSS2_RC rc;

	describe(a, which, &public);
	memcpy(auth.buffer, a->secret, TPM_ANCHOR_LEN);
	rc = undefine(s, public.nvPublic.nvIndex);
	if (rc == TSS2_RC_SUCCESS)
		TPM2_TRY(rc, Esys_NV_DefineSpace(s->esys, ESYS_TR_RH_OWNER, s->anchor_session,
		    ESYS_TR_NONE, ESYS_TR_NONE, &auth, &public, &s->anchor[which]));
	if (rc != TSS2_RC_SUCCESS)
		s->anchor[which] = ESYS_TR_NONE;
	sec_wipe(&auth, sizeof(auth));
	return rc;
}

static TSS2_RC
extend(struct tpm2 *s, const uint8_t digest[TPM_ANCHOR_LEN])
{
	TPM2B_MAX_NV_BUFFER in = {.size = TPM_ANCHOR_LEN};
	TSS2_RC rc;

	memcpy(in.buffer, digest, TPM_ANCHOR_LEN);
	TPM2_TRY(rc, Esys_NV_Extend(s->esys, s->anchor[VALUE], s->anchor[VALUE],
	    s->anchor_session, ESYS_TR_NONE, ESYS_TR_NONE, &in));
	return rc;
}

static TSS2_RC
increment(struct tpm2 *s)
{
	TSS2_RC rc;

	TPM2_TRY(rc, Esys_NV_Increment(s->esys, s->anchor[COUNT], s->anchor[COUNT],
	    s->anchor_session, ESYS_TR_NONE, ESYS_TR_NONE));
	return rc;
}

enum tpm_result
tpm2_anchor_define(struct tpm *t, const struct tpm_anchor *a,
    const uint8_t origin[TPM_ANCHOR_LEN])
{
	struct tpm2 *s = t->state;
	enum tpm_result r = tpm2_connect(t);
	TSS2_RC rc;

	if (r == TPM_OK)
		r = tpm2_srk(t);
	if (r != TPM_OK)
		return r;
	tpm2_anchor_forget(s);
	s->anchor_place = a->place;
	rc = tpm2_session(s, TPM2_SE_HMAC, &s->anchor_session);
	if (rc == TSS2_RC_SUCCESS)
		rc = define(s, a, COUNT);
	if (rc == TSS2_RC_SUCCESS)
		rc = increment(s);
	/* The value last: with it the anchor is whole. */
	if (rc == TSS2_RC_SUCCESS)
		rc = define(s, a, VALUE);
	if (rc == TSS2_RC_SUCCESS)
		rc = extend(s, origin);
	if (rc == TSS2_RC_SUCCESS)
		return TPM_OK;
	if (tpm2_code(rc) == TPM2_RC_BAD_AUTH || tpm2_code(rc) == TPM2_RC_AUTH_FAIL) {
		tpm2_anchor_forget(s);
		return tpm2_fail(t, rc, "making the anchor");
	}
	return fail(t, a, rc, "making the anchor");
}

static TSS2_RC
read_index(struct tpm2 *s, int which, void *out, UINT16 len)
{
	TPM2B_MAX_NV_BUFFER *data = NULL;
	TSS2_RC rc;

	TPM2_TRY(rc, Esys_NV_Read(s->esys, s->anchor[which], s->anchor[which],
	    s->anchor_session, ESYS_TR_NONE, ESYS_TR_NONE, len, 0, &data));
	if (rc != TSS2_RC_SUCCESS)
		return rc;
	if (data->size == len)
		memcpy(out, data->buffer, len);
	else
		rc = TSS2_ESYS_RC_MALFORMED_RESPONSE;
	Esys_Free(data);
	return rc;
}

enum tpm_result
tpm2_anchor_read(struct tpm *t, const struct tpm_anchor *a, struct tpm_anchor_value *ret)
{
	enum tpm_result r = begin(t, a);
	uint8_t count[COUNT_LEN];
	TSS2_RC rc;

	if (r != TPM_OK)
		return r;
	rc = read_index(t->state, COUNT, count, sizeof(count));
	if (rc == TSS2_RC_SUCCESS)
		rc = read_index(t->state, VALUE, ret->value, TPM_ANCHOR_LEN);
	if (rc != TSS2_RC_SUCCESS)
		return fail(t, a, rc, "reading the anchor");
	ret->count = 0;
	for (int i = 0; i < COUNT_LEN; i++)
		ret->count = ret->count << 8 | count[i];
	return TPM_OK;
}

enum tpm_result
tpm2_anchor_extend(struct tpm *t, const struct tpm_anchor *a,
    const uint8_t digest[TPM_ANCHOR_LEN])
{
	enum tpm_result r = begin(t, a);
	TSS2_RC rc;

	if (r != TPM_OK)
		return r;
	rc = extend(t->state, digest);
	return rc == TSS2_RC_SUCCESS ? TPM_OK : fail(t, a, rc, "extending the anchor");
}

enum tpm_result
tpm2_anchor_count(struct tpm *t, const struct tpm_anchor *a)
{
	enum tpm_result r = begin(t, a);
	TSS2_RC rc;

	if (r != TPM_OK)
		return r;
	rc = increment(t->state);
	return rc == TSS2_RC_SUCCESS ? TPM_OK : fail(t, a, rc, "counting in the anchor");
}
