/* objfile.c - see objfile.h */
#include "vsmd/worker/objfile.h"

#include <openssl/evp.h>
#include <string.h>

#include "common/secmem.h"
#include "protocol/pkcs11.h"

#define USER_PIN (CKA_VENDOR_DEFINED + 0x5348 + 5) /* SoftHSM2's CKA_OS_USERPIN */
#define SALT 8
#define IV 16
#define MAGIC "RJR"
#define MAGIC_LEN 3
#define ROUNDS 1500 /* and the last byte of the salt */

enum kind { BOOL = 1, NUMBER, BYTES, ATTRIBUTES, MECHANISMS };

struct reader {
	const uint8_t *p, *end;
};

static bool
number(struct reader *r, uint64_t *ret)
{
	if (r->end - r->p < 8)
		return false;
	*ret = 0;
	for (int i = 0; i < 8; i++)
		*ret = *ret << 8 | *r->p++;
	return true;
}

static bool
skip(struct reader *r, uint64_t count, size_t each)
{
	if (count > (size_t)(r->end - r->p) / each)
		return false;
	r->p += count * each;
	return true;
}

/* The value of an attribute: its bytes, or the number in *n. */
static bool
value(struct reader *r, uint64_t kind, struct objfile_bytes *b, uint64_t *n)
{
	uint64_t len = 0;

	switch (kind) {
	case BOOL:
		*n = r->p < r->end && *r->p != 0;
		return skip(r, 1, 1);
	case NUMBER:
		return number(r, n);
	case BYTES:
	case ATTRIBUTES:
		if (!number(r, &len))
			return false;
		b->p = r->p;
		b->len = len;
		return skip(r, len, 1);
	case MECHANISMS:
		return number(r, &len) && skip(r, len, 8);
	default:
		return false;
	}
}

bool
objfile_read(const void *raw, size_t len, struct objfile *ret)
{
	struct reader r = {raw, (const uint8_t *)raw + len};
	uint64_t type, kind, n = 0;

	memset(ret, 0, sizeof(*ret));
	ret->class = CK_UNAVAILABLE_INFORMATION;
	ret->private = true; /* as SoftHSM2 takes it when nothing is said */
	if (!number(&r, &n))
		return false;
	while (r.p < r.end) {
		struct objfile_bytes b = {0};

		if (!number(&r, &type) || !number(&r, &kind) || !value(&r, kind, &b, &n))
			return false;
		if (type == CKA_CLASS && kind == NUMBER)
			ret->class = n;
		else if (type == CKA_PRIVATE && kind == BOOL)
			ret->private = n != 0;
		else if (type == CKA_TOKEN && kind == BOOL)
			ret->session = n == 0;
		else if (type == CKA_LABEL && kind == BYTES)
			ret->label = b;
		else if (type == CKA_ID && kind == BYTES)
			ret->id = b;
		else if (type == USER_PIN && kind == BYTES)
			ret->user_pin = b;
	}
	return true;
}

static bool
decrypt(const uint8_t key[OBJFILE_KEY], const uint8_t *iv, const uint8_t *in, size_t len,
    uint8_t *out, size_t *ret_len)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0, last = 0;
	bool ok;

	ok = ctx != NULL && len > 0 && len % IV == 0 && len < 1 << 24 &&
	     EVP_DecryptInit_ex(ctx, EVP_aes_256_cbc(), NULL, key, iv) == 1 &&
	     EVP_DecryptUpdate(ctx, out, &n, in, (int)len) == 1 &&
	     EVP_DecryptFinal_ex(ctx, out + n, &last) == 1;
	EVP_CIPHER_CTX_free(ctx);
	*ret_len = (size_t)n + (size_t)last;
	return ok;
}

bool
objfile_decrypt(const uint8_t key[OBJFILE_KEY], const struct objfile_bytes *in,
    uint8_t *out, size_t *ret_len)
{
	return in->len > IV &&
	       decrypt(key, in->p, in->p + IV, in->len - IV, out, ret_len);
}

/* RFC 4880's salted and iterated digest, the way SoftHSM2 does it. */
static bool
key_of_pin(
    const uint8_t salt[SALT], const void *pin, size_t len, uint8_t key[OBJFILE_KEY])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok;

	ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
	     EVP_DigestUpdate(md, salt, SALT) == 1 &&
	     EVP_DigestUpdate(md, pin, len) == 1 &&
	     EVP_DigestFinal_ex(md, key, NULL) == 1;
	for (int i = ROUNDS + salt[SALT - 1]; ok && --i > 0;)
		ok = EVP_DigestInit_ex(md, NULL, NULL) == 1 &&
		     EVP_DigestUpdate(md, key, OBJFILE_KEY) == 1 &&
		     EVP_DigestFinal_ex(md, key, NULL) == 1;
	EVP_MD_CTX_free(md);
	return ok;
}

bool
objfile_token_key(const struct objfile_bytes *blob, const void *pin, size_t len,
    uint8_t key[OBJFILE_KEY])
{
	uint8_t wrap[OBJFILE_KEY], out[96];
	size_t n = 0;
	bool ok;

	ok = blob->len > SALT + IV && blob->len - SALT - IV <= sizeof(out) && len > 0 &&
	     key_of_pin(blob->p, pin, len, wrap) &&
	     decrypt(wrap, blob->p + SALT, blob->p + SALT + IV, blob->len - SALT - IV,
		 out, &n) &&
	     n == MAGIC_LEN + OBJFILE_KEY && memcmp(out, MAGIC, MAGIC_LEN) == 0;
	if (ok)
		memcpy(key, out + MAGIC_LEN, OBJFILE_KEY);
	sec_wipe(wrap, sizeof(wrap));
	sec_wipe(out, sizeof(out));
	return ok;
}
