/* seal.c - see seal.h */
#include "xen-hooks/tpmd/seal.h"

#include <stdio.h>
#include <string.h>

#include "common/hex.h"
#include "common/secmem.h"
#include "tpm/approval.h"
#include "vsmd/store/crypt.h"

#define LABEL "caas domt blob"

static bool
opens(const uint8_t key[32], const uint8_t identity[DOMT_IDENTITY], const struct buf *blob,
    const struct sealed *s)
{
	char why[TPM_ERROR_MAX];
	struct sealed back;
	struct buf plain;
	bool same;

	buf_init(&plain, TPM_BLOB_MAX);
	same = seal_open(key, identity, blob->data, blob->len, &plain, &back, why) == TPM_OK &&
	       back.secret.len == s->secret.len &&
	       sec_equal(back.secret.data, s->secret.data, s->secret.len);
	buf_free(&plain);
	return same;
}

bool
seal_make(const uint8_t key[32], const uint8_t identity[DOMT_IDENTITY], const struct sealed *s,
    struct buf *out)
{
	struct buf plain, head, blob;
	struct part aad;
	bool ok;

	buf_init(&plain, TPM_BLOB_MAX);
	buf_init(&head, TPM_BLOB_MAX);
	buf_init(&blob, TPM_BLOB_MAX);
	buf_put_str(&plain, s->pair);
	buf_put_raw(&plain, s->image, SEAL_IMAGE);
	buf_put_bytes(&plain, s->authority.data, s->authority.len);
	buf_put_bytes(&plain, s->secret.data, s->secret.len);
	domt_blob_head(&head, identity, s->ref);
	buf_put_raw(&blob, head.data, head.len);
	aad = (struct part){head.data, head.len};
	ok = buf_ok(&plain) && buf_ok(&head) &&
	     box_seal(key, LABEL, &aad, 1, plain.data, plain.len, &blob) && buf_ok(&blob) &&
	     opens(key, identity, &blob, s);
	if (ok)
		buf_put_raw(out, blob.data, blob.len);
	buf_free(&plain);
	buf_free(&head);
	buf_free(&blob);
	return ok && buf_ok(out);
}

static enum tpm_result
bad(enum tpm_result r, char why[TPM_ERROR_MAX], const char *text)
{
	snprintf(why, TPM_ERROR_MAX, "%s", text);
	return r;
}

enum tpm_result
seal_open(const uint8_t key[32], const uint8_t identity[DOMT_IDENTITY], const void *blob,
    size_t len, struct buf *plain, struct sealed *ret, char why[TPM_ERROR_MAX])
{
	struct domt_blob b;
	const uint8_t *image;
	struct part aad;

	memset(ret, 0, sizeof(*ret));
	if (!domt_blob_read(blob, len, &b))
		return bad(TPM_BAD_BLOB, why, "a sealed key that is none of DomT's: restore the "
					      "file from a copy");
	if (memcmp(b.identity, identity, DOMT_IDENTITY) != 0)
		return bad(TPM_FOREIGN, why, "another DomT has sealed this key: only that one "
					     "opens it");
	aad = (struct part){b.head.data, b.head.len};
	if (!box_open(key, LABEL, &aad, 1, b.body.data, b.body.len, plain))
		return bad(TPM_BAD_BLOB, why, "the sealed key was altered: restore the file from "
					      "a copy");
	buf_get_str(plain, ret->pair, sizeof(ret->pair));
	image = buf_get_raw(plain, SEAL_IMAGE);
	ret->authority.data = buf_get_bytes(plain, &ret->authority.len);
	ret->secret.data = buf_get_bytes(plain, &ret->secret.len);
	if (!buf_end(plain) || ret->secret.len == 0 || ret->secret.len > TPM_KEY_MAX)
		return bad(TPM_BAD_BLOB, why, "the sealed key is of another form: upgrade DomT");
	memcpy(ret->image, image, SEAL_IMAGE);
	memcpy(ret->ref, b.ref, sizeof(ret->ref));
	return TPM_OK;
}

enum tpm_result
seal_judge(const struct sealed *s, const char *pair, const uint8_t image[SEAL_IMAGE],
    const struct domt_bytes *approvals, size_t n, bool *ret_updated, char why[TPM_ERROR_MAX])
{
	char hex[2 * SEAL_IMAGE + 1];
	uint8_t authority[AUTHORITY_LEN];
	bool forged = false, has;
	struct approval a;

	*ret_updated = false;
	if (strcmp(s->pair, pair) != 0)
		return bad(TPM_FOREIGN, why, "this key was sealed for another pair");
	if (memcmp(s->image, image, SEAL_IMAGE) == 0)
		return TPM_OK;
	has = s->authority.len > 0 &&
	      authority_parse(s->authority.data, s->authority.len, authority) == 0;
	for (size_t i = 0; has && i < n; i++) {
		if (approval_read(approvals[i].data, approvals[i].len, &a) != 0 ||
		    a.pcrs != 0 || strcmp(a.ref, s->ref) != 0 ||
		    memcmp(a.pcr_digest, image, SEAL_IMAGE) != 0)
			continue;
		if (approval_signed_by(&a, authority)) {
			*ret_updated = true;
			return TPM_OK;
		}
		forged = true;
	}
	if (forged)
		return bad(TPM_UNAPPROVED, why, "the approval of this image is not signed by the "
						"authority that the key was sealed with");
	hex_put(hex, image, SEAL_IMAGE);
	snprintf(why, TPM_ERROR_MAX, "this domain's image %s is not the one that the key was "
	    "sealed for: %s", hex, has ? "approve it (caas tpm approve --image)" : "build the domain of "
	    "that one; the key has no authority that could approve another");
	return TPM_WRONG_STATE;
}
