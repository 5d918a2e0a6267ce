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
	case BENCH_NONE:
		break;
	}
	return NULL;
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

bool
raw_open(enum bench_key key, struct contender *ret)
{
	EVP_PKEY *pkey = make_key(key);

	if (pkey == NULL) {
		fprintf(stderr, "caas-bench: OpenSSL has no such key\n");
		return false;
	}
	ret->thread_start = raw_start;
	ret->sign = raw_sign;
	ret->thread_stop = raw_stop;
	ret->self = pkey;
	return true;
}
