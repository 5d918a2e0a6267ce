/*
 * blob.c - the sealed blob of a TPM 2.0, and the policy it stands for.
 *
 *	"CAASTPM2" u16 version  u32 PCR mask  values  u8 locality mask
 *	u8 authority? [point]  ref  pin  public  private  SHA-256 of all before
 *
 * Numbers little-endian, strings with a u64 length (common/buf.h); public and private are
 * the TPM's own marshalled forms.  The digest finds damage.  Against intent, everything
 * up to `pin` is bound by a digest that is sealed together with the secret, and the
 * policy in `public` must be what it gives.
 */
#include <string.h>
#include <tss2/tss2_mu.h>

#include "common/log.h"
#include "tpm/digest.h"
#include "tpm/tpm2/tpm2.h"

#define MAGIC	  "CAASTPM2"
#define MAGIC_LEN 8
#define VERSION	  1
#define SUM_LEN	  32

void
tpm2_authority_public(const uint8_t point[AUTHORITY_LEN], TPM2B_PUBLIC *ret)
{
	TPMT_PUBLIC *p = &ret->publicArea;

	memset(ret, 0, sizeof(*ret));
	p->type = TPM2_ALG_ECC;
	p->nameAlg = TPM2_ALG_SHA256;
	p->objectAttributes = TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_SIGN_ENCRYPT;
	p->parameters.eccDetail.symmetric.algorithm = TPM2_ALG_NULL;
	p->parameters.eccDetail.scheme.scheme = TPM2_ALG_NULL;
	p->parameters.eccDetail.curveID = TPM2_ECC_NIST_P256;
	p->parameters.eccDetail.kdf.scheme = TPM2_ALG_NULL;
	p->unique.ecc.x.size = p->unique.ecc.y.size = AUTHORITY_LEN / 2;
	memcpy(p->unique.ecc.x.buffer, point, AUTHORITY_LEN / 2);
	memcpy(p->unique.ecc.y.buffer, point + AUTHORITY_LEN / 2, AUTHORITY_LEN / 2);
}

void
tpm2_authority_name(const uint8_t point[AUTHORITY_LEN], TPM2B_NAME *ret)
{
	uint8_t m[sizeof(TPMT_PUBLIC)];
	TPM2B_PUBLIC public;
	size_t len = 0;

	tpm2_authority_public(point, &public);
	if (Tss2_MU_TPMT_PUBLIC_Marshal(&public.publicArea, m, sizeof(m), &len) !=
	    TSS2_RC_SUCCESS)
		log_fatal("libtss2-mu cannot marshal a public key: it is damaged");
	ret->size = 2 + POLICY_LEN;
	ret->name[0] = TPM2_ALG_SHA256 >> 8;
	ret->name[1] = TPM2_ALG_SHA256 & 0xff;
	tpm_sha256(m, len, ret->name + 2);
}

static void
set_digest(TPM2B_DIGEST *d, const uint8_t value[POLICY_LEN])
{
	d->size = POLICY_LEN;
	memcpy(d->buffer, value, POLICY_LEN);
}

void
tpm2_blob_policy(const struct tpm2_blob *b, TPML_DIGEST *branches, TPM2B_DIGEST *ret)
{
	uint8_t d[POLICY_LEN] = {0}, of_pcrs[POLICY_LEN], branch[2][POLICY_LEN];
	TPM2B_NAME name;

	memset(branches, 0, sizeof(*branches));
	if (b->pcrs != 0) {
		policy_pcr_digest(b->values[0], tpm_pcr_count(b->pcrs), of_pcrs);
		policy_pcr(d, b->pcrs, of_pcrs);
	}
	if (b->has_authority) {
		tpm2_authority_name(b->authority, &name);
		memcpy(branch[0], d, POLICY_LEN);
		policy_authorize(branch[1], name.name, b->ref);
		branches->count = 2;
		set_digest(&branches->digests[0], branch[0]);
		set_digest(&branches->digests[1], branch[1]);
		policy_or(d, (const uint8_t(*)[POLICY_LEN])branch, 2);
	}
	if (b->locality != 0)
		policy_locality(d, b->locality);
	policy_command(d, TPM2_CC_Unseal);
	set_digest(ret, d);
}

static void
write_head(const struct tpm2_blob *blob, struct buf *b)
{
	buf_put_raw(b, MAGIC, MAGIC_LEN);
	buf_put_u16(b, VERSION);
	buf_put_u32(b, blob->pcrs);
	buf_put_raw(b, blob->values, tpm_pcr_count(blob->pcrs) * POLICY_LEN);
	buf_put_u8(b, blob->locality);
	buf_put_u8(b, blob->has_authority);
	if (blob->has_authority)
		buf_put_raw(b, blob->authority, AUTHORITY_LEN);
	buf_put_str(b, blob->ref);
	buf_put_bytes(b, blob->pin, blob->pin_len);
}

void
tpm2_blob_binding(const struct tpm2_blob *blob, uint8_t out[TPM2_BINDING_LEN])
{
	struct buf b;

	buf_init(&b, TPM_BLOB_MAX);
	write_head(blob, &b);
	if (!buf_ok(&b))
		log_fatal("no memory for a sealed key");
	tpm_sha256(b.data, b.len, out);
	buf_free(&b);
}

void
tpm2_blob_write(const struct tpm2_blob *blob, struct buf *b)
{
	uint8_t m[sizeof(TPM2B_PUBLIC) + sizeof(TPM2B_PRIVATE)], sum[SUM_LEN];
	size_t start = b->len, end = 0;

	write_head(blob, b);
	if (Tss2_MU_TPM2B_PUBLIC_Marshal(&blob->public, m, sizeof(m), &end) != TSS2_RC_SUCCESS)
		buf_fail(b);
	buf_put_bytes(b, m, end);
	end = 0;
	if (Tss2_MU_TPM2B_PRIVATE_Marshal(&blob->private, m, sizeof(m), &end) != TSS2_RC_SUCCESS)
		buf_fail(b);
	buf_put_bytes(b, m, end);
	if (buf_ok(b)) {
		tpm_sha256(b->data + start, b->len - start, sum);
		buf_put_raw(b, sum, sizeof(sum));
	}
}

static void
read_fields(struct buf *b, struct tpm2_blob *ret)
{
	const uint8_t *p;
	size_t n;

	p = buf_get_raw(b, MAGIC_LEN);
	if (p == NULL || memcmp(p, MAGIC, MAGIC_LEN) != 0 || buf_get_u16(b) != VERSION)
		buf_fail(b);
	ret->pcrs = buf_get_u32(b);
	if (ret->pcrs >> TPM_MAX_PCRS != 0)
		buf_fail(b);
	n = tpm_pcr_count(ret->pcrs) * POLICY_LEN;
	p = buf_get_raw(b, n);
	if (p != NULL)
		memcpy(ret->values, p, n);
	ret->locality = buf_get_u8(b);
	switch (buf_get_u8(b)) {
	case 0:
		break;
	case 1:
		ret->has_authority = true;
		p = buf_get_raw(b, AUTHORITY_LEN);
		if (p != NULL)
			memcpy(ret->authority, p, AUTHORITY_LEN);
		break;
	default:
		buf_fail(b);
	}
	buf_get_str(b, ret->ref, sizeof(ret->ref));
	p = buf_get_bytes(b, &ret->pin_len);
	if (p == NULL || ret->pin_len == 0 || ret->pin_len > sizeof(ret->pin))
		buf_fail(b);
	else
		memcpy(ret->pin, p, ret->pin_len);
}

static void
read_object(struct buf *b, struct tpm2_blob *ret)
{
	const uint8_t *p;
	size_t len, end = 0;

	p = buf_get_bytes(b, &len);
	if (p == NULL || Tss2_MU_TPM2B_PUBLIC_Unmarshal(p, len, &end, &ret->public) !=
	    TSS2_RC_SUCCESS || end != len)
		buf_fail(b);
	end = 0;
	p = buf_get_bytes(b, &len);
	if (p == NULL || Tss2_MU_TPM2B_PRIVATE_Unmarshal(p, len, &end, &ret->private) !=
	    TSS2_RC_SUCCESS || end != len)
		buf_fail(b);
}

/* One blob has one form; libtss2-mu takes others too. */
static bool
is_canonical(const struct tpm2_blob *blob, const void *data, size_t len)
{
	struct buf b;
	bool same;

	buf_init(&b, TPM_BLOB_MAX);
	tpm2_blob_write(blob, &b);
	same = buf_ok(&b) && b.len == len && memcmp(b.data, data, len) == 0;
	buf_free(&b);
	return same;
}

int
tpm2_blob_read(const void *data, size_t len, struct tpm2_blob *ret)
{
	const uint8_t *bytes = data;
	const TPM2B_DIGEST *policy = &ret->public.publicArea.authPolicy;
	TPML_DIGEST branches;
	TPM2B_DIGEST expected;
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
	read_fields(&b, ret);
	if (buf_ok(&b))
		read_object(&b, ret);
	if (!buf_end(&b) || !is_canonical(ret, data, len + SUM_LEN))
		return -1;
	tpm2_blob_policy(ret, &branches, &expected);
	if (policy->size != expected.size ||
	    memcmp(policy->buffer, expected.buffer, expected.size) != 0)
		return -1;
	return 0;
}
