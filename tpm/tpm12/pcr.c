/* pcr.c - PCRs of a TPM 1.2: read, extend, digest. */
#include <string.h>

#include "tpm/digest.h"
#include "tpm/tpm12/tpm12.h"

enum tpm_result
tpm12_pcr_read(struct tpm *t, uint32_t mask, uint8_t (*values)[PCR12_LEN])
{
	struct tpm12 *s = t->state;
	UINT32 len;
	BYTE *value;
	TSS_RESULT rc;

	for (UINT32 i = 0; i < TPM_MAX_PCRS; i++) {
		if ((mask >> i & 1) == 0)
			continue;
		TPM12_TRY(rc, Tspi_TPM_PcrRead(s->tpm, i, &len, &value));
		if (rc != TSS_SUCCESS)
			return tpm12_fail(t, rc, "reading the PCRs");
		if (len == PCR12_LEN)
			memcpy(*values++, value, PCR12_LEN);
		(void)Tspi_Context_FreeMemory(s->context, value);
		if (len != PCR12_LEN)
			return tpm_fail(t, TPM_FAILED, "the TPM 1.2 gave a PCR of %u bytes", len);
	}
	return TPM_OK;
}

enum tpm_result
tpm12_extend(struct tpm *t, unsigned pcr, const void *data, size_t len)
{
	struct tpm12 *s = t->state;
	enum tpm_result r = tpm12_connect(t);
	BYTE digest[PCR12_LEN], *value;
	UINT32 value_len;
	TSS_RESULT rc;

	if (r != TPM_OK)
		return r;
	tpm_sha1(data, len, digest);
	TPM12_TRY(rc, Tspi_TPM_PcrExtend(s->tpm, pcr, sizeof(digest), digest, NULL, &value_len,
	    &value));
	if (rc != TSS_SUCCESS)
		return tpm12_fail(t, rc, "extending a PCR");
	(void)Tspi_Context_FreeMemory(s->context, value);
	return TPM_OK;
}

/* SHA-1 of a TPM_PCR_COMPOSITE: selection, length, values; big-endian. */
enum tpm_result
tpm12_pcr_digest(struct tpm *t, const struct tpm_policy *p, uint8_t out[32], size_t *ret_len)
{
	struct {
		uint8_t head[9];
		uint8_t values[TPM_MAX_PCRS][PCR12_LEN];
	} m = {.head = {0, 3}};
	size_t len = p->npcrs * PCR12_LEN;
	enum tpm_result r = tpm12_connect(t);

	if (r == TPM_OK)
		r = tpm12_pcr_read(t, tpm_pcr_mask(p), m.values);
	if (r != TPM_OK)
		return r;
	tpm_pcr_bytes(tpm_pcr_mask(p), m.head + 2);
	m.head[7] = (uint8_t)(len >> 8);
	m.head[8] = (uint8_t)len;
	tpm_sha1(&m, sizeof(m.head) + len, out);
	*ret_len = PCR12_LEN;
	return TPM_OK;
}
