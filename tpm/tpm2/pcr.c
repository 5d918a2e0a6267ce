/* pcr.c - PCRs of the SHA-256 bank: read, extend, digest. */
#include <string.h>

#include "tpm/digest.h"
#include "tpm/tpm2/tpm2.h"

TPML_PCR_SELECTION
tpm2_selection(uint32_t mask)
{
	TPML_PCR_SELECTION sel = {.count = 1};

	sel.pcrSelections[0].hash = TPM2_ALG_SHA256;
	sel.pcrSelections[0].sizeofSelect = 3;
	tpm_pcr_bytes(mask, sel.pcrSelections[0].pcrSelect);
	return sel;
}

static uint32_t
selected(const TPML_PCR_SELECTION *sel)
{
	uint32_t mask = 0;

	if (sel->count == 1 && sel->pcrSelections[0].hash == TPM2_ALG_SHA256)
		for (int i = 0; i < sel->pcrSelections[0].sizeofSelect && i < 3; i++)
			mask |= (uint32_t)sel->pcrSelections[0].pcrSelect[i] << (8 * i);
	return mask;
}

/* One answer holds at most eight values: the mask of those it brought, 0 for a bad one. */
static TSS2_RC
read_some(struct tpm2 *s, uint32_t want, uint8_t (*values)[POLICY_LEN], uint32_t *ret_got,
    UINT32 *ret_counter)
{
	TPML_PCR_SELECTION in = tpm2_selection(want), *out;
	TPML_DIGEST *digests;
	TSS2_RC rc;

	*ret_got = 0;
	TPM2_TRY(rc, Esys_PCR_Read(s->esys, NO_SESSIONS, &in, ret_counter, &out, &digests));
	if (rc != TSS2_RC_SUCCESS)
		return rc;
	if (tpm_pcr_count(selected(out)) == digests->count && (selected(out) & ~want) == 0)
		*ret_got = selected(out);
	for (UINT32 i = 0; i < digests->count && *ret_got != 0; i++) {
		if (digests->digests[i].size != POLICY_LEN)
			*ret_got = 0;
		else
			memcpy(values[i], digests->digests[i].buffer, POLICY_LEN);
	}
	Esys_Free(out);
	Esys_Free(digests);
	return TSS2_RC_SUCCESS;
}

enum tpm_result
tpm2_pcr_read(struct tpm *t, uint32_t mask, uint8_t (*values)[POLICY_LEN])
{
	struct tpm2 *s = t->state;
	uint32_t want = mask, got;
	UINT32 counter, first = 0;
	size_t n = 0;
	int restarts = 0;
	TSS2_RC rc;

	while (want != 0) {
		rc = read_some(s, want, values + n, &got, &counter);
		if (rc != TSS2_RC_SUCCESS)
			return tpm2_fail(t, rc, "reading the PCRs");
		/* The lowest come first; a gap means that the bank is not there. */
		if (got == 0 || (want & (got | (got - 1))) != got)
			return tpm_fail(t, TPM_FAILED, "the TPM has no SHA-256 PCRs: enable "
			    "that bank in the firmware (or tpm2_pcrallocate sha256:all)");
		if (n > 0 && counter != first && restarts++ < 5) {
			want = mask; /* changed between two answers */
			n = 0;
			continue;
		}
		first = counter;
		n += tpm_pcr_count(got);
		want &= ~got;
	}
	return TPM_OK;
}

enum tpm_result
tpm2_extend(struct tpm *t, unsigned pcr, const void *data, size_t len)
{
	struct tpm2 *s = t->state;
	TPML_DIGEST_VALUES v = {.count = 1};
	enum tpm_result r = tpm2_connect(t);
	uint8_t value[1][POLICY_LEN];
	TSS2_RC rc;

	/* An extend of a bank that is not there succeeds and does nothing: look first. */
	if (r == TPM_OK)
		r = tpm2_pcr_read(t, UINT32_C(1) << pcr, value);
	if (r != TPM_OK)
		return r;
	v.digests[0].hashAlg = TPM2_ALG_SHA256;
	tpm_sha256(data, len, v.digests[0].digest.sha256);
	TPM2_TRY(rc, Esys_PCR_Extend(s->esys, ESYS_TR_PCR0 + pcr, ESYS_TR_PASSWORD,
	    ESYS_TR_NONE, ESYS_TR_NONE, &v));
	if (tpm2_code(rc) == TPM2_RC_LOCALITY)
		return tpm_fail(t, TPM_FAILED, "PCR %u cannot be extended from here: choose one "
		    "from 0 to 16", pcr);
	return rc == TSS2_RC_SUCCESS ? TPM_OK : tpm2_fail(t, rc, "extending a PCR");
}

enum tpm_result
tpm2_pcr_digest(struct tpm *t, const struct tpm_policy *p, uint8_t out[32], size_t *ret_len)
{
	uint8_t values[TPM_MAX_PCRS][POLICY_LEN];
	enum tpm_result r = tpm2_connect(t);

	if (r == TPM_OK)
		r = tpm2_pcr_read(t, tpm_pcr_mask(p), values);
	if (r != TPM_OK)
		return r;
	policy_pcr_digest(values[0], p->npcrs, out);
	*ret_len = POLICY_LEN;
	return TPM_OK;
}
