/*
 * blob.c - the sealed blob of a TPM 1.2.
 *
 *	"CAASTPM1" u16 version  u8 number of entries
 *	per entry: u32 PCR mask  u8 locality mask  values  sealed
 *	SHA-256 of all before
 *
 * Numbers little-endian, `sealed` (TPM_STORED_DATA12) with a u64 length.  The digest finds
 * damage; the TPM authenticates what is in `sealed`, and the rest only names it.
 */
#include <string.h>

#include "tpm/digest.h"
#include "tpm/tpm12/tpm12.h"

#define MAGIC	  "CAASTPM1"
#define MAGIC_LEN 8
#define VERSION	  1
#define SUM_LEN	  32

void
tpm12_blob_write(const struct tpm12_blob *blob, struct buf *b)
{
	size_t start = b->len;
	uint8_t sum[SUM_LEN];

	buf_put_raw(b, MAGIC, MAGIC_LEN);
	buf_put_u16(b, VERSION);
	buf_put_u8(b, (uint8_t)blob->n);
	for (size_t i = 0; i < blob->n; i++) {
		const struct tpm12_entry *e = &blob->entries[i];

		buf_put_u32(b, e->pcrs);
		buf_put_u8(b, e->locality);
		buf_put_raw(b, e->values, tpm_pcr_count(e->pcrs) * PCR12_LEN);
		buf_put_bytes(b, e->sealed, e->sealed_len);
	}
	if (buf_ok(b)) {
		tpm_sha256(b->data + start, b->len - start, sum);
		buf_put_raw(b, sum, sizeof(sum));
	}
}

static void
read_entry(struct buf *b, struct tpm12_entry *e)
{
	const uint8_t *p;
	size_t n;

	e->pcrs = buf_get_u32(b);
	e->locality = buf_get_u8(b);
	if (e->pcrs >> TPM_MAX_PCRS != 0 || e->locality > 0x1f) {
		buf_fail(b);
		return;
	}
	n = tpm_pcr_count(e->pcrs) * PCR12_LEN;
	p = buf_get_raw(b, n);
	if (p != NULL)
		memcpy(e->values, p, n);
	e->sealed = buf_get_bytes(b, &e->sealed_len);
}

int
tpm12_blob_read(const void *data, size_t len, struct tpm12_blob *ret)
{
	const uint8_t *bytes = data, *p;
	uint8_t sum[SUM_LEN];
	struct buf b;

	memset(ret, 0, sizeof(*ret));
	if (len < SUM_LEN)
		return -1;
	len -= SUM_LEN;
	tpm_sha256(bytes, len, sum);
	if (memcmp(sum, bytes + len, SUM_LEN) != 0)
		return -1;
	buf_view(&b, bytes, len);
	p = buf_get_raw(&b, MAGIC_LEN);
	if (p == NULL || memcmp(p, MAGIC, MAGIC_LEN) != 0 || buf_get_u16(&b) != VERSION)
		return -1;
	ret->n = buf_get_u8(&b);
	if (ret->n == 0 || ret->n > TPM12_ENTRIES)
		return -1;
	for (size_t i = 0; i < ret->n; i++)
		read_entry(&b, &ret->entries[i]);
	return buf_end(&b) ? 0 : -1;
}
