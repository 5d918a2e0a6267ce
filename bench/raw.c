/* raw.c - the contender that nobody beats: OpenSSL in the same process, no token */
#include "bench/bench.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct raw_signer {
	EVP_PKEY *pkey;
	EVP_PKEY_CTX *ctx;
	EVP_MD_CTX *md; /* Ed25519 signs the message itself */
	uint8_t out[512];
};

struct raw_cipher {
	EVP_CIPHER_CTX *ctx;
	uint8_t in[BENCH_MESSAGE], out[BENCH_MESSAGE + 16];
};

static EVP_PKEY *
make_key(enum bench_key key)
{
	switch (key) {
	case BENCH_RSA1024:
		return EVP_RSA_gen(1024);
	case BENCH_RSA2048:
		return EVP_RSA_gen(2048);
	case BENCH_RSA3072:
		return EVP_RSA_gen(3072);
	case BENCH_P256:
		return EVP_EC_gen("P-256");
	case BENCH_P384:
		return EVP_EC_gen("P-384");
	case BENCH_ED25519:
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	default:
		return NULL;
	}
}

static void *
raw_start(void *self)
{
	EVP_PKEY *pkey = self;
	struct raw_signer *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->pkey = pkey;
	if (EVP_PKEY_get_id(pkey) == EVP_PKEY_ED25519) {
		s->md = EVP_MD_CTX_new();
		return s;
	}
	s->ctx = EVP_PKEY_CTX_new(pkey, NULL);
	if (s->ctx == NULL || EVP_PKEY_sign_init(s->ctx) != 1 ||
	    (EVP_PKEY_get_id(pkey) == EVP_PKEY_RSA &&
		EVP_PKEY_CTX_set_rsa_padding(s->ctx, RSA_PKCS1_PADDING) != 1)) {
		fprintf(stderr, "caas-bench: OpenSSL cannot sign with this key\n");
		free(s);
		return NULL;
	}
	return s;
}

static bool
raw_sign(void *signer)
{
	static const uint8_t data[32] = {1, 2, 3};
	struct raw_signer *s = signer;
	size_t len = sizeof(s->out);

	if (s->ctx != NULL)
		return EVP_PKEY_sign(s->ctx, s->out, &len, data, sizeof(data)) == 1;
	EVP_MD_CTX_reset(s->md);
	return EVP_DigestSignInit(s->md, NULL, NULL, NULL, s->pkey) == 1 &&
	       EVP_DigestSign(s->md, s->out, &len, data, sizeof(data)) == 1;
}

static void
raw_stop(void *signer)
{
	struct raw_signer *s = signer;

	EVP_PKEY_CTX_free(s->ctx);
	EVP_MD_CTX_free(s->md);
	free(s);
}

static void *
cipher_start(void *self)
{
	struct raw_cipher *c = calloc(1, sizeof(*c));

	(void)self;
	if (c != NULL && (c->ctx = EVP_CIPHER_CTX_new()) == NULL) {
		free(c);
		return NULL;
	}
	return c;
}

/* As C_EncryptInit and C_Encrypt do: the key is scheduled for each message. */
static bool
cipher_run(void *signer)
{
	static const uint8_t key[32] = {1}, iv[12] = {2};
	struct raw_cipher *c = signer;
	int n;

	return EVP_EncryptInit_ex(c->ctx, EVP_aes_256_gcm(), NULL, key, iv) == 1 &&
	       EVP_EncryptUpdate(c->ctx, c->out, &n, c->in, sizeof(c->in)) == 1 &&
	       EVP_EncryptFinal_ex(c->ctx, c->out + n, &n) == 1 &&
	       EVP_CIPHER_CTX_ctrl(
		   c->ctx, EVP_CTRL_GCM_GET_TAG, 16, c->out + BENCH_MESSAGE) == 1;
}

static void
cipher_stop(void *signer)
{
	struct raw_cipher *c = signer;

	EVP_CIPHER_CTX_free(c->ctx);
	free(c);
}

bool
raw_open(enum bench_key key, struct contender *ret)
{
	EVP_PKEY *pkey;

	if (key == BENCH_AES) {
		*ret = (struct contender){cipher_start, cipher_run, cipher_stop, NULL};
		return true;
	}
	pkey = make_key(key);
	if (pkey == NULL) {
		fprintf(stderr, "caas-bench: OpenSSL has no such key\n");
		return false;
	}
	*ret = (struct contender){raw_start, raw_sign, raw_stop, pkey};
	return true;
}
