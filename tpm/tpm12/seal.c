/* seal.c - a secret into a TPM 1.2, once for each state; and out again. */
#include <stdio.h>
#include <string.h>
#include <trousers/tss.h>

#include "common/log.h"
#include "common/secmem.h"
#include "tpm/tpm12/tpm12.h"

#define ANY_LOCALITY 0x1f

/* PCRs and locality of an entry; *ret is 0 when it is bound to neither. */
static TSS_RESULT
make_pcrs(struct tpm12 *s, struct tpm12_entry *e, TSS_HPCRS *ret)
{
	TSS_RESULT rc;
	size_t n = 0;

	*ret = 0;
	if (e->pcrs == 0 && e->locality == 0)
		return TSS_SUCCESS;
	rc = Tspi_Context_CreateObject(s->context, TSS_OBJECT_TYPE_PCRS,
	    TSS_PCRS_STRUCT_INFO_LONG, ret);
	for (UINT32 i = 0; rc == TSS_SUCCESS && i < TPM_MAX_PCRS; i++) {
		if ((e->pcrs >> i & 1) == 0)
			continue;
		rc = Tspi_PcrComposite_SelectPcrIndexEx(*ret, i, TSS_PCRS_DIRECTION_CREATION);
		if (rc == TSS_SUCCESS)
			rc = Tspi_PcrComposite_SelectPcrIndexEx(*ret, i,
			    TSS_PCRS_DIRECTION_RELEASE);
		if (rc == TSS_SUCCESS)
			rc = Tspi_PcrComposite_SetPcrValue(*ret, i, PCR12_LEN, e->values[n++]);
	}
	if (rc == TSS_SUCCESS)
		rc = Tspi_PcrComposite_SetPcrLocality(*ret,
		    e->locality != 0 ? e->locality : ANY_LOCALITY);
	return rc;
}

static TSS_RESULT
make_data(struct tpm12 *s, TSS_HENCDATA *ret)
{
	TSS_RESULT rc = Tspi_Context_CreateObject(s->context, TSS_OBJECT_TYPE_ENCDATA,
	    TSS_ENCDATA_SEAL, ret);

	return rc == TSS_SUCCESS ? tpm12_well_known(s, *ret) : rc;
}

/* e->sealed then belongs to the context, until it is closed. */
static TSS_RESULT
seal_entry(struct tpm12 *s, struct tpm12_entry *e, const void *secret, size_t len)
{
	TSS_HENCDATA data;
	TSS_HPCRS pcrs;
	UINT32 sealed_len = 0;
	BYTE *copy = sec_alloc(len), *sealed = NULL;
	TSS_RESULT rc;

	if (copy == NULL)
		return TSP_ERROR(TSS_E_OUTOFMEMORY);
	memcpy(copy, secret, len); /* libtspi wants it writable */
	rc = make_pcrs(s, e, &pcrs);
	if (rc == TSS_SUCCESS)
		rc = make_data(s, &data);
	if (rc == TSS_SUCCESS)
		TPM12_TRY(rc, Tspi_Data_Seal(data, s->srk, (UINT32)len, copy, pcrs));
	if (rc == TSS_SUCCESS)
		rc = Tspi_GetAttribData(data, TSS_TSPATTRIB_ENCDATA_BLOB,
		    TSS_TSPATTRIB_ENCDATABLOB_BLOB, &sealed_len, &sealed);
	e->sealed = sealed;
	e->sealed_len = sealed_len;
	sec_free(copy);
	return rc;
}

static void
describe(const struct tpm_policy *p, struct tpm12_entry *e)
{
	memset(e, 0, sizeof(*e));
	e->pcrs = tpm_pcr_mask(p);
	e->locality = p->locality >= 0 ? (uint8_t)(1 << p->locality) : 0;
}

enum tpm_result
tpm12_seal(struct tpm *t, const struct tpm_policy *p, const void *secret, size_t len,
    struct buf *b)
{
	struct tpm12_blob blob = {.n = 1};
	struct tpm12_entry *e = &blob.entries[0];
	enum tpm_result r = tpm12_connect(t);
	TSS_RESULT rc;

	describe(p, e);
	if (r == TPM_OK)
		r = tpm12_pcr_read(t, e->pcrs, e->values);
	if (r != TPM_OK)
		return r;
	if (p->authority != NULL)
		log_warn("TPM: a TPM 1.2 knows no authority; seal ahead of an update with "
		    "`caas tpm predict`");
	rc = seal_entry(t->state, e, secret, len);
	if (rc != TSS_SUCCESS)
		return tpm12_fail(t, rc, "sealing the key");
	tpm12_blob_write(&blob, b);
	return TPM_OK;
}

enum tpm_result
tpm12_predict(struct tpm *t, const struct tpm_policy *p, const void *secret, size_t len,
    const uint8_t *values, struct buf *b)
{
	struct tpm12_blob blob;
	struct tpm12_entry *e;
	struct buf out;
	enum tpm_result r;
	TSS_RESULT rc;

	if (tpm12_blob_read(b->data, b->len, &blob) < 0)
		return tpm_fail(t, TPM_BAD_BLOB, "the sealed key is damaged, or not one of a "
		    "TPM 1.2: seal it again first");
	if (blob.n == TPM12_ENTRIES)
		return tpm_fail(t, TPM_FAILED, "the sealed key has %d predictions already: seal "
		    "it again (caas tpm reseal), which drops them", TPM12_ENTRIES - 1);
	e = &blob.entries[blob.n++];
	describe(p, e);
	memcpy(e->values, values, p->npcrs * PCR12_LEN);
	r = tpm12_connect(t);
	if (r != TPM_OK)
		return r;
	rc = seal_entry(t->state, e, secret, len);
	if (rc != TSS_SUCCESS)
		return tpm12_fail(t, rc, "sealing ahead");
	buf_init(&out, TPM_BLOB_MAX);
	tpm12_blob_write(&blob, &out); /* its entries borrow from b */
	buf_reset(b);
	buf_put_raw(b, out.data, out.len);
	if (!buf_ok(&out))
		buf_fail(b);
	buf_free(&out);
	return TPM_OK;
}

static TSS_RESULT
unseal_entry(struct tpm12 *s, const struct tpm12_entry *e, void *secret, size_t size,
    size_t *ret_len)
{
	TSS_HENCDATA data;
	BYTE *out;
	UINT32 len;
	TSS_RESULT rc = make_data(s, &data);

	if (rc == TSS_SUCCESS)
		rc = Tspi_SetAttribData(data, TSS_TSPATTRIB_ENCDATA_BLOB,
		    TSS_TSPATTRIB_ENCDATABLOB_BLOB, (UINT32)e->sealed_len,
		    (BYTE *)(uintptr_t)e->sealed);
	if (rc == TSS_SUCCESS)
		TPM12_TRY(rc, Tspi_Data_Unseal(data, s->srk, &len, &out));
	if (rc != TSS_SUCCESS)
		return rc;
	if (len <= size) {
		memcpy(secret, out, len);
		*ret_len = len;
	} else {
		rc = TSP_ERROR(TSS_E_BAD_PARAMETER);
	}
	sec_wipe(out, len);
	(void)Tspi_Context_FreeMemory(s->context, out);
	return rc;
}

static enum tpm_result
explain(struct tpm *t, const struct tpm12_blob *blob, TSS_RESULT rc)
{
	const struct tpm12_entry *e = &blob->entries[0];
	uint8_t now[TPM_MAX_PCRS][PCR12_LEN];
	char differ[128] = "no PCR";

	if (tpm12_code(rc) == 0)
		return tpm12_fail(t, rc, "unsealing the key");
	switch (tpm12_code(rc)) {
	case TPM_E_WRONGPCRVAL:
	case TPM_E_BAD_LOCALITY:
		if (tpm12_pcr_read(t, e->pcrs, now) == TPM_OK)
			tpm_pcr_differ(e->pcrs, e->values[0], now[0], PCR12_LEN, differ,
			    sizeof(differ));
		if (strcmp(differ, "no PCR") == 0)
			return tpm_fail(t, TPM_WRONG_STATE, "the key is sealed to another "
			    "locality (mask 0x%02x) than the one tcsd speaks at (TPM: 0x%x): "
			    "start it so that it has it", e->locality, tpm12_code(rc));
		return tpm_fail(t, TPM_WRONG_STATE, "%s differs from the state that the key was "
		    "sealed in, and no prediction fits (%zu tried): start the former software, "
		    "`caas tpm predict`, then update (docs/tpm.md)", differ, blob->n - 1);
	case TPM_E_DECRYPT_ERROR:
	case TPM_E_NOTSEALED_BLOB:
	case TPM_E_AUTHFAIL:
	case TPM_E_BAD_PARAMETER:
		return tpm_fail(t, TPM_FOREIGN, "the key was sealed by another TPM than this "
		    "one, or it was cleared since: correct the address, or restore a backup");
	default:
		return tpm12_fail(t, rc, "unsealing the key");
	}
}

enum tpm_result
tpm12_unseal(struct tpm *t, const void *data, size_t len, const char *approvals,
    void *secret, size_t size, size_t *ret_len, int *ret_updated)
{
	struct tpm12_blob blob;
	enum tpm_result r;
	TSS_RESULT rc = TSS_SUCCESS;

	(void)approvals;
	if (tpm12_blob_read(data, len, &blob) < 0)
		return tpm_fail(t, TPM_BAD_BLOB, "the sealed key is damaged, or not one of a "
		    "TPM 1.2: restore the file from a copy");
	r = tpm12_connect(t);
	if (r != TPM_OK)
		return r;
	for (size_t i = 0; i < blob.n; i++) {
		rc = unseal_entry(t->state, &blob.entries[i], secret, size, ret_len);
		if (rc == TSS_SUCCESS) {
			*ret_updated = i > 0;
			return TPM_OK;
		}
		if (!tpm12_wrong_state(rc))
			break;
	}
	return explain(t, &blob, rc);
}
