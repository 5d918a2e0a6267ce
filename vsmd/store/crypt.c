/* crypt.c - see crypt.h */
#include "vsmd/store/crypt.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <string.h>

#include "common/secmem.h"

bool
crypt_random(void *out, size_t len)
{
	return len <= INT_MAX && RAND_priv_bytes(out, (int)len) == 1;
}

bool
crypt_hash(const struct part *parts, size_t n, uint8_t out[CRYPT_HASH])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;

	for (size_t i = 0; ok && i < n; i++)
		ok = EVP_DigestUpdate(ctx, parts[i].data, parts[i].len) == 1;
	ok = ok && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	return ok;
}

bool
crypt_mac(const uint8_t key[CRYPT_KEY], const struct part *parts, size_t n,
    uint8_t out[CRYPT_HASH])
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
	    OSSL_PARAM_construct_end()};
	size_t len;
	bool ok = ctx != NULL && EVP_MAC_init(ctx, key, CRYPT_KEY, params) == 1;

	for (size_t i = 0; ok && i < n; i++)
		ok = EVP_MAC_update(ctx, parts[i].data, parts[i].len) == 1;
	ok = ok && EVP_MAC_final(ctx, out, &len, CRYPT_HASH) == 1 && len == CRYPT_HASH;
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	return ok;
}

/* Run the key derivation `name` with its parameters. */
static bool
kdf(const char *name, const OSSL_PARAM *params, uint8_t out[CRYPT_KEY])
{
	EVP_KDF *k = EVP_KDF_fetch(NULL, name, NULL);
	EVP_KDF_CTX *ctx = k != NULL ? EVP_KDF_CTX_new(k) : NULL;
	bool ok = ctx != NULL && EVP_KDF_derive(ctx, out, CRYPT_KEY, params) == 1;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(k);
	if (!ok)
		sec_wipe(out, CRYPT_KEY);
	return ok;
}

static OSSL_PARAM
octets(const char *name, const void *data, size_t len)
{
	return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)data, len);
}

bool
crypt_derive(const uint8_t key[CRYPT_KEY], const void *salt, size_t salt_len,
    const char *label, uint8_t out[CRYPT_KEY])
{
	static const uint8_t no_salt[CRYPT_HASH];
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
	    octets(OSSL_KDF_PARAM_KEY, key, CRYPT_KEY),
	    salt_len > 0 ? octets(OSSL_KDF_PARAM_SALT, salt, salt_len)
			 : octets(OSSL_KDF_PARAM_SALT, no_salt, sizeof(no_salt)),
	    octets(OSSL_KDF_PARAM_INFO, label, strlen(label)),
	    OSSL_PARAM_construct_end()};

	return kdf("HKDF", params, out);
}

bool
crypt_scrypt(const void *secret, size_t len, const uint8_t *salt, size_t salt_len,
    unsigned cost, uint8_t out[CRYPT_KEY])
{
	uint64_t n, most;
	uint32_t r = 8, p = 1;

	if (cost < 10 || cost > 20)
		return false;
	n = 1ull << cost;
	most = n * 128 * r + (1u << 20);
	{
		OSSL_PARAM params[] = {octets(OSSL_KDF_PARAM_PASSWORD, secret, len),
		    octets(OSSL_KDF_PARAM_SALT, salt, salt_len),
		    OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
		    OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
		    OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
		    OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &most),
		    OSSL_PARAM_construct_end()};

		return kdf("SCRYPT", params, out);
	}
}

static const uint8_t zero_nonce[12]; /* each key seals one box: crypt.h */

static bool
gcm_start(EVP_CIPHER_CTX *ctx, int seal, const uint8_t key[CRYPT_KEY],
    const struct part *aad, size_t naad)
{
	int n;

	if (ctx == NULL ||
	    EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, zero_nonce, seal) != 1)
		return false;
	for (size_t i = 0; i < naad; i++)
		if (aad[i].len > INT_MAX ||
		    EVP_CipherUpdate(ctx, NULL, &n, aad[i].data, (int)aad[i].len) != 1)
			return false;
	return true;
}

bool
box_seal(const uint8_t key[CRYPT_KEY], const char *label, const struct part *aad,
    size_t naad, const void *in, size_t len, struct buf *out)
{
	uint8_t salt[CRYPT_SALT], once[CRYPT_KEY];
	size_t start = out->len;
	EVP_CIPHER_CTX *ctx = NULL;
	uint8_t *p;
	int n = 0;
	bool ok;

	if (len > INT_MAX || !crypt_random(salt, sizeof(salt)) ||
	    !crypt_derive(key, salt, sizeof(salt), label, once))
		return false;
	buf_put_raw(out, salt, sizeof(salt));
	p = buf_reserve(out, len + CRYPT_TAG);
	ctx = EVP_CIPHER_CTX_new();
	ok = p != NULL && gcm_start(ctx, 1, once, aad, naad) &&
	     (len == 0 || EVP_CipherUpdate(ctx, p, &n, in, (int)len) == 1) &&
	     EVP_CipherFinal_ex(ctx, p + len, &n) == 1 &&
	     EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, CRYPT_TAG, p + len) == 1;
	EVP_CIPHER_CTX_free(ctx);
	sec_wipe(once, sizeof(once));
	if (!ok && buf_ok(out))
		buf_truncate(out, start);
	return ok;
}

bool
box_open(const uint8_t key[CRYPT_KEY], const char *label, const struct part *aad,
    size_t naad, const void *in, size_t len, struct buf *out)
{
	const uint8_t *box = in;
	uint8_t once[CRYPT_KEY], tag[CRYPT_TAG];
	size_t start = out->len, body;
	EVP_CIPHER_CTX *ctx;
	uint8_t *p;
	int n = 0;
	bool ok;

	if (len < BOX_OVERHEAD || len > INT_MAX)
		return false;
	body = len - BOX_OVERHEAD;
	memcpy(tag, box + CRYPT_SALT + body, CRYPT_TAG);
	if (!crypt_derive(key, box, CRYPT_SALT, label, once))
		return false;
	p = buf_reserve(out, body);
	ctx = EVP_CIPHER_CTX_new();
	ok = p != NULL && gcm_start(ctx, 0, once, aad, naad) &&
	     (body == 0 ||
		 EVP_CipherUpdate(ctx, p, &n, box + CRYPT_SALT, (int)body) == 1) &&
	     EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, CRYPT_TAG, tag) == 1 &&
	     EVP_CipherFinal_ex(ctx, p + body, &n) == 1;
	EVP_CIPHER_CTX_free(ctx);
	sec_wipe(once, sizeof(once));
	if (!ok && buf_ok(out))
		buf_truncate(out, start);
	return ok;
}

bool
crypt_public(const uint8_t key[CRYPT_KEY], uint8_t out[CRYPT_PUBLIC])
{
	EVP_PKEY *p = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key, CRYPT_KEY);
	size_t len = CRYPT_PUBLIC;
	bool ok = p != NULL && EVP_PKEY_get_raw_public_key(p, out, &len) == 1 &&
		  len == CRYPT_PUBLIC;

	EVP_PKEY_free(p);
	return ok;
}

bool
crypt_sign(const uint8_t key[CRYPT_KEY], const void *in, size_t len,
    uint8_t out[CRYPT_SIGNATURE])
{
	EVP_PKEY *p = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, key, CRYPT_KEY);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n = CRYPT_SIGNATURE;
	bool ok = p != NULL && ctx != NULL &&
		  EVP_DigestSignInit(ctx, NULL, NULL, NULL, p) == 1 &&
		  EVP_DigestSign(ctx, out, &n, in, len) == 1 && n == CRYPT_SIGNATURE;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(p);
	return ok;
}

bool
crypt_verify(const uint8_t public[CRYPT_PUBLIC], const void *in, size_t len,
    const uint8_t signature[CRYPT_SIGNATURE])
{
	EVP_PKEY *p =
	    EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public, CRYPT_PUBLIC);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = p != NULL && ctx != NULL &&
		  EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, p) == 1 &&
		  EVP_DigestVerify(ctx, signature, CRYPT_SIGNATURE, in, len) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(p);
	return ok;
}
