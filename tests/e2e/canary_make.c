/* canary_make.c - see canary.h: keys and PINs that nobody has used yet */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <err.h>
#include <openssl/aes.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <string.h>
#include <sys/stat.h>

#include "canary.h"
#include "planted.h"

static void
must_be(bool ok, const char *what)
{
	if (!ok)
		errx(2, "%s", what);
}

static void
make_bytes(FILE *f, const char *name, uint8_t *bytes, size_t len)
{
	must_be(RAND_bytes(bytes, (int)len) == 1, "random bytes");
	planted_write(f, name, true, bytes, len);
}

/* Letters and digits; the first `same` are those that are there. */
static void
make_text(FILE *f, const char *name, uint8_t text[CANARY_PIN], size_t same)
{
	static const char some[] = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ0123456789";

	must_be(RAND_bytes(text + same, (int)(CANARY_PIN - same)) == 1, "random bytes");
	for (size_t i = same; i < CANARY_PIN; i++)
		text[i] = (uint8_t)some[text[i] % (sizeof(some) - 1)];
	planted_write(f, name, true, text, CANARY_PIN);
}

static void
make_pins(FILE *f)
{
	uint8_t pin[CANARY_PIN];

	make_text(f, "pin.so", pin, 0);
	make_text(f, "pin.so.next", pin, 0);
	make_text(f, "pin.next", pin, 0);
	make_text(f, "pin.spare", pin, 0);
	make_text(f, "passphrase", pin, 0);
	make_text(f, "pin.user", pin, 0);
	make_text(f, "pin.wrong", pin, CANARY_PIN / 2);
}

/* AES key wrap of a key by another. */
static void
make_wrapped(FILE *f)
{
	uint8_t by[32], key[32], blob[40];
	AES_KEY aes;

	make_bytes(f, "wrapping", by, sizeof(by));
	make_bytes(f, "unwrapped", key, sizeof(key));
	must_be(AES_set_encrypt_key(by, 256, &aes) == 0 &&
	    AES_wrap_key(&aes, NULL, blob, key, sizeof(key)) == sizeof(blob), "AES key wrap");
	planted_write(f, "wrapped", false, blob, sizeof(blob));
}

static void
write_number(FILE *f, const char *prefix, const char *name, bool secret, const EVP_PKEY *key,
    const char *param, size_t len)
{
	uint8_t bytes[PLANTED_LEN];
	BIGNUM *n = NULL;
	char full[24];

	snprintf(full, sizeof(full), "%s.%s", prefix, name);
	must_be(EVP_PKEY_get_bn_param(key, param, &n) == 1 &&
	    BN_bn2binpad(n, bytes, (int)len) == (int)len, full);
	planted_write(f, full, secret, bytes, len);
	BN_clear_free(n);
}

/* And what is encrypted by it. */
static void
make_rsa(FILE *f, const char *name, const uint8_t *plain, size_t plain_len)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	EVP_PKEY_CTX *ctx = key != NULL ? EVP_PKEY_CTX_new(key, NULL) : NULL;
	uint8_t blob[256];
	size_t len = sizeof(blob);
	char full[24];

	must_be(ctx != NULL, name);
	write_number(f, name, "n", false, key, OSSL_PKEY_PARAM_RSA_N, 256);
	write_number(f, name, "e", false, key, OSSL_PKEY_PARAM_RSA_E, 3);
	write_number(f, name, "d", true, key, OSSL_PKEY_PARAM_RSA_D, 256);
	write_number(f, name, "p", true, key, OSSL_PKEY_PARAM_RSA_FACTOR1, 128);
	write_number(f, name, "q", true, key, OSSL_PKEY_PARAM_RSA_FACTOR2, 128);
	write_number(f, name, "dp", true, key, OSSL_PKEY_PARAM_RSA_EXPONENT1, 128);
	write_number(f, name, "dq", true, key, OSSL_PKEY_PARAM_RSA_EXPONENT2, 128);
	write_number(f, name, "qinv", true, key, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, 128);
	must_be(EVP_PKEY_encrypt_init(ctx) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
	    EVP_PKEY_encrypt(ctx, blob, &len, plain, plain_len) == 1, "encrypt by RSA");
	snprintf(full, sizeof(full), "%s.blob", name);
	planted_write(f, full, false, blob, len);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
}

static void
write_point(FILE *f, const char *name, const EVP_PKEY *key)
{
	uint8_t point[2 + 65] = {4, 65};
	size_t len = 0;

	must_be(EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point + 2, 65,
	    &len) == 1 && len == 65, name);
	planted_write(f, name, false, point, sizeof(point));
}

/* The secret that it agrees on with another key. */
static void
make_derived(FILE *f, const char *name, EVP_PKEY *key)
{
	EVP_PKEY *peer = EVP_EC_gen("P-256");
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	uint8_t shared[32];
	size_t len = sizeof(shared);
	char full[24];

	must_be(peer != NULL && ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
	    EVP_PKEY_derive_set_peer(ctx, peer) == 1 &&
	    EVP_PKEY_derive(ctx, shared, &len) == 1 && len == sizeof(shared), "derive");
	snprintf(full, sizeof(full), "%s.peer", name);
	write_point(f, full, peer);
	snprintf(full, sizeof(full), "%s.derived", name);
	planted_write(f, full, true, shared, sizeof(shared));
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(peer);
}

static void
make_ec(FILE *f, const char *name)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	must_be(key != NULL, name);
	write_number(f, name, "d", true, key, OSSL_PKEY_PARAM_PRIV_KEY, 32);
	make_derived(f, name, key);
	EVP_PKEY_free(key);
}

void
canary_make(const char *file)
{
	uint8_t plain[48], key[32];
	FILE *f;

	umask(077);
	if ((f = fopen(file, "wxe")) == NULL)
		err(2, "%s", file);
	make_pins(f);
	make_bytes(f, "plain", plain, sizeof(plain));
	make_bytes(f, "token.aes", key, sizeof(key));
	make_bytes(f, "session.aes", key, sizeof(key));
	make_bytes(f, "token.ed", key, sizeof(key));
	make_bytes(f, "session.ed", key, sizeof(key));
	make_bytes(f, "token.generic", key, sizeof(key));
	make_bytes(f, "session.generic", key, sizeof(key));
	make_wrapped(f);
	make_rsa(f, "token.rsa", plain, sizeof(plain));
	make_rsa(f, "session.rsa", plain, sizeof(plain));
	make_ec(f, "token.ec");
	make_ec(f, "session.ec");
	if (fclose(f) != 0)
		err(2, "%s", file);
}
