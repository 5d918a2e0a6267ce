/*
 * anchor.c - an anchor in a TPM 1.2: one NV area, authorised by the secret.
 *
 *	value[32], u64 count, u64 zero; little-endian
 *
 * There is no area that extends itself: it is read, extended here, written.  Each command
 * and answer is authenticated by the secret (OIAP), so an answer of before is noticed; a
 * command that is held back and delivered later is not.
 */
#include <stdlib.h>
#include <string.h>
#include <trousers/tss.h>
#include <trousers/trousers.h>

#include "common/secmem.h"
#include "tpm/tpm12/tpm12.h"

#define FIRST_INDEX 0x00018000 /* no platform's or manufacturer's */
#define PLACES	    0x8000
#define AREA	    48
#define SECRET	    20

uint32_t
tpm12_anchor_index(const struct tpm_anchor *a)
{
	return FIRST_INDEX + a->place % PLACES;
}

static enum tpm_result
fail(struct tpm *t, const struct tpm_anchor *a, TSS_RESULT rc, const char *what)
{
	/* Of an area that is not there libtspi says that it failed. */
	if (rc == TSP_ERROR(TSS_E_FAIL))
		rc = TPM_E_BADINDEX;
	switch (tpm12_code(rc)) {
	case TPM_E_BADINDEX:
	case TPM_E_AUTHFAIL:
	case TPM_E_AUTH_CONFLICT:
	case TPM_E_NOSPACE:
		return tpm_fail(t, TPM_UNANCHORED, "NV area 0x%08x of the TPM 1.2 is not there, "
		    "or is not the one that vsmd made (%s)", tpm12_anchor_index(a), what);
	default:
		return tpm12_fail(t, rc, what);
	}
}

static TSS_RESULT
set_number(TSS_HNVSTORE nv, TSS_FLAG what, UINT32 v)
{
	return Tspi_SetAttribUint32(nv, what, 0, v);
}

/* The area, with the secret as its authorisation. */
static TSS_RESULT
make_area(struct tpm12 *s, const struct tpm_anchor *a, TSS_HNVSTORE *ret)
{
	BYTE secret[SECRET];
	TSS_HPOLICY policy;
	TSS_RESULT rc;

	rc = Tspi_Context_CreateObject(s->context, TSS_OBJECT_TYPE_NV, 0, ret);
	if (rc == TSS_SUCCESS)
		rc = set_number(*ret, TSS_TSPATTRIB_NV_INDEX, tpm12_anchor_index(a));
	if (rc == TSS_SUCCESS)
		rc = set_number(*ret, TSS_TSPATTRIB_NV_PERMISSIONS,
		    TPM_NV_PER_AUTHWRITE | TPM_NV_PER_AUTHREAD);
	if (rc == TSS_SUCCESS)
		rc = set_number(*ret, TSS_TSPATTRIB_NV_DATASIZE, AREA);
	if (rc == TSS_SUCCESS)
		rc = Tspi_Context_CreateObject(s->context, TSS_OBJECT_TYPE_POLICY,
		    TSS_POLICY_USAGE, &policy);
	memcpy(secret, a->secret, sizeof(secret));
	if (rc == TSS_SUCCESS)
		rc = Tspi_Policy_SetSecret(policy, TSS_SECRET_MODE_SHA1, sizeof(secret), secret);
	sec_wipe(secret, sizeof(secret));
	if (rc == TSS_SUCCESS)
		rc = Tspi_Policy_AssignToObject(policy, *ret);
	return rc;
}

/* libtspi 0.3.15 gives out this memory without keeping account of it. */
static void
free_read(struct tpm12 *s, BYTE *data)
{
	if (Tspi_Context_FreeMemory(s->context, data) != TSS_SUCCESS)
		free(data);
}

static TSS_RESULT
read_area(struct tpm12 *s, TSS_HNVSTORE nv, struct tpm_anchor_value *ret)
{
	UINT32 len = AREA;
	BYTE *data;
	TSS_RESULT rc;
	struct buf b;
	const uint8_t *p;

	TPM12_TRY(rc, Tspi_NV_ReadValue(nv, 0, &len, &data));
	if (rc != TSS_SUCCESS)
		return rc;
	buf_view(&b, data, len);
	if ((p = buf_get_raw(&b, TPM_ANCHOR_LEN)) != NULL)
		memcpy(ret->value, p, TPM_ANCHOR_LEN);
	ret->count = buf_get_u64(&b);
	if (buf_get_u64(&b) != 0)
		buf_fail(&b);
	if (!buf_end(&b))
		rc = TSP_ERROR(TSS_E_INTERNAL_ERROR);
	free_read(s, data);
	return rc;
}

static TSS_RESULT
write_area(TSS_HNVSTORE nv, const struct tpm_anchor_value *v)
{
	struct buf b;
	TSS_RESULT rc = TSP_ERROR(TSS_E_OUTOFMEMORY);

	buf_init(&b, AREA);
	buf_put_raw(&b, v->value, TPM_ANCHOR_LEN);
	buf_put_u64(&b, v->count);
	buf_put_u64(&b, 0);
	if (buf_ok(&b))
		TPM12_TRY(rc, Tspi_NV_WriteValue(nv, 0, AREA, b.data));
	buf_free(&b);
	return rc;
}

static void
close_area(struct tpm *t, TSS_HNVSTORE nv)
{
	struct tpm12 *s = t->state;

	if (nv != 0 && s->context != 0) {
		(void)Tspi_Context_CloseObject(s->context, nv);
		(void)Tspi_Context_FreeMemory(s->context, NULL);
	}
}

/* The owner's authorisation: by the well-known secret. */
static TSS_RESULT
be_owner(struct tpm12 *s)
{
	static BYTE well_known[SECRET] = TSS_WELL_KNOWN_SECRET;
	TSS_HPOLICY policy;
	TSS_RESULT rc = Tspi_GetPolicyObject(s->tpm, TSS_POLICY_USAGE, &policy);

	if (rc == TSS_SUCCESS)
		rc = Tspi_Policy_SetSecret(policy, TSS_SECRET_MODE_SHA1, sizeof(well_known),
		    well_known);
	return rc;
}

enum tpm_result
tpm12_anchor_define(struct tpm *t, const struct tpm_anchor *a,
    const uint8_t origin[TPM_ANCHOR_LEN])
{
	struct tpm12 *s = t->state;
	struct tpm_anchor_value v = {.count = 0};
	enum tpm_result r = tpm12_connect(t);
	TSS_HNVSTORE nv = 0;
	TSS_RESULT rc;

	if (r != TPM_OK)
		return r;
	rc = be_owner(s);
	if (rc == TSS_SUCCESS)
		rc = make_area(s, a, &nv);
	if (rc == TSS_SUCCESS) {
		(void)Tspi_NV_ReleaseSpace(nv); /* there may be none */
		TPM12_TRY(rc, Tspi_NV_DefineSpace(nv, 0, 0));
	}
	if (tpm12_code(rc) == TPM_E_AUTHFAIL)
		r = tpm_fail(t, TPM_FAILED, "the owner of the TPM 1.2 has a password, and the "
		    "anchor is the owner's to make: set the well-known secret for the time of "
		    "this start (tpm_changeownerauth -o -z), or anchor = off");
	else if (tpm12_code(rc) == TPM_E_NOSPACE)
		r = tpm_fail(t, TPM_FAILED, "the TPM 1.2 has no NV memory left for the anchor: "
		    "release an area that nobody needs (tpm_nvrelease), or set anchor = off");
	else if (rc != TSS_SUCCESS)
		r = tpm12_fail(t, rc, "making the anchor");
	if (r == TPM_OK) {
		tpm_anchor_after(v.value, origin);
		if ((rc = write_area(nv, &v)) != TSS_SUCCESS)
			r = fail(t, a, rc, "making the anchor");
	}
	close_area(t, nv);
	return r;
}

/* Read it, change it by `change` (may be NULL), write it. */
static enum tpm_result
turn(struct tpm *t, const struct tpm_anchor *a, const char *what,
    void (*change)(struct tpm_anchor_value *v, const uint8_t *digest),
    const uint8_t *digest, struct tpm_anchor_value *ret)
{
	struct tpm12 *s = t->state;
	enum tpm_result r = tpm12_connect(t);
	TSS_HNVSTORE nv = 0;
	TSS_RESULT rc;

	if (r != TPM_OK)
		return r;
	rc = make_area(s, a, &nv);
	if (rc == TSS_SUCCESS)
		rc = read_area(s, nv, ret);
	if (rc == TSS_SUCCESS && change != NULL) {
		change(ret, digest);
		rc = write_area(nv, ret);
	}
	close_area(t, nv);
	return rc == TSS_SUCCESS ? TPM_OK : fail(t, a, rc, what);
}

enum tpm_result
tpm12_anchor_read(struct tpm *t, const struct tpm_anchor *a, struct tpm_anchor_value *ret)
{
	return turn(t, a, "reading the anchor", NULL, NULL, ret);
}

static void
extend(struct tpm_anchor_value *v, const uint8_t *digest)
{
	tpm_anchor_after(v->value, digest);
}

static void
increment(struct tpm_anchor_value *v, const uint8_t *digest)
{
	(void)digest;
	v->count++;
}

enum tpm_result
tpm12_anchor_extend(struct tpm *t, const struct tpm_anchor *a,
    const uint8_t digest[TPM_ANCHOR_LEN])
{
	struct tpm_anchor_value v;

	return turn(t, a, "extending the anchor", extend, digest, &v);
}

enum tpm_result
tpm12_anchor_count(struct tpm *t, const struct tpm_anchor *a)
{
	struct tpm_anchor_value v;

	return turn(t, a, "counting in the anchor", increment, NULL, &v);
}
