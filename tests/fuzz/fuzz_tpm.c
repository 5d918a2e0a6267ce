/*
 * fuzz_tpm.c - what the disk says about a sealed key: u8 selects a TPM 2.0 blob, a TPM 1.2
 * blob (both without their digest, which is made here) or an approval.
 * A blob that is taken has exactly one form.
 */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "tpm/approval.h"
#include "tpm/digest.h"
#include "tpm/tpm12/tpm12.h"
#include "tpm/tpm2/tpm2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
same(const struct buf *a, const struct buf *b)
{
	if (!buf_ok(b) || a->len != b->len || memcmp(a->data, b->data, a->len) != 0)
		abort();
}

static void
blob(uint8_t which, const uint8_t *data, size_t size)
{
	struct tpm2_blob two;
	struct tpm12_blob one;
	struct buf in, out;
	uint8_t sum[32];

	buf_init(&in, TPM_BLOB_MAX);
	buf_init(&out, TPM_BLOB_MAX);
	tpm_sha256(data, size, sum);
	buf_put_raw(&in, data, size);
	buf_put_raw(&in, sum, sizeof(sum));
	if (buf_ok(&in) && which == 0 && tpm2_blob_read(in.data, in.len, &two) == 0) {
		tpm2_blob_write(&two, &out);
		same(&in, &out);
	}
	if (buf_ok(&in) && which == 1 && tpm12_blob_read(in.data, in.len, &one) == 0) {
		tpm12_blob_write(&one, &out);
		same(&in, &out);
	}
	buf_free(&in);
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t point[AUTHORITY_LEN];
	struct approval a;

	if (size < 1)
		return 0;
	log_level(LOG_ERR_);
	if (data[0] < 2)
		blob(data[0], data + 1, size - 1);
	else if (approval_parse("fuzz", data + 1, size - 1, &a) == 0 &&
	    approval_signed_by(&a, point))
		abort();
	return 0;
}
