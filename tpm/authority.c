/* authority.c - see authority.h */
#include "tpm/authority.h"

#include <errno.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"

#define HALF (AUTHORITY_LEN / 2)
#define SIG_MAX 80 /* bytes of a P-256 signature in DER */

static int
put_number(EVP_PKEY *key, const char *param, uint8_t out[HALF])
{
	BIGNUM *n = NULL;
	int ok = EVP_PKEY_get_bn_param(key, param, &n) == 1 &&
	    BN_bn2binpad(n, out, HALF) == HALF;

	BN_free(n);
	return ok ? 0 : -1;
}

/* The point of a key, if the key is on P-256. */
static int
key_point(EVP_PKEY *key, uint8_t point[AUTHORITY_LEN])
{
	char group[32];
	size_t len;

	if (EVP_PKEY_get_group_name(key, group, sizeof(group), &len) != 1 ||
	    strcmp(group, "prime256v1") != 0)
		return -1;
	if (put_number(key, OSSL_PKEY_PARAM_EC_PUB_X, point) < 0)
		return -1;
	return put_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, point + HALF);
}

static EVP_PKEY *
read_pem(const char *file, bool private)
{
	FILE *f = fopen(file, "re");
	EVP_PKEY *key;

	if (f == NULL) {
		log_error("authority key %s: %s", file, strerror(errno));
		return NULL;
	}
	key = private ? PEM_read_PrivateKey(f, NULL, NULL, NULL) :
			PEM_read_PUBKEY(f, NULL, NULL, NULL);
	fclose(f);
	if (key == NULL)
		log_error("authority key %s: no %s key in PEM; make one with `openssl ecparam "
		    "-name prime256v1 -genkey` and `openssl pkey -pubout`", file,
		    private ? "private" : "public");
	return key;
}

static EVP_PKEY *
load(const char *file, bool private, uint8_t point[AUTHORITY_LEN])
{
	EVP_PKEY *key = read_pem(file, private);

	if (key == NULL)
		return NULL;
	if (key_point(key, point) == 0)
		return key;
	log_error("authority key %s: not on the curve P-256; make one with `openssl ecparam "
	    "-name prime256v1 -genkey`", file);
	EVP_PKEY_free(key);
	return NULL;
}

int
authority_load(const char *pem_file, uint8_t point[AUTHORITY_LEN])
{
	EVP_PKEY *key = load(pem_file, false, point);

	EVP_PKEY_free(key);
	return key != NULL ? 0 : -1;
}

/* A public key has none, whatever the file says: nobody is asked. */
static int
no_password(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

int
authority_parse(const void *pem, size_t len, uint8_t point[AUTHORITY_LEN])
{
	BIO *in = len <= INT_MAX ? BIO_new_mem_buf(pem, (int)len) : NULL;
	EVP_PKEY *key = in != NULL ? PEM_read_bio_PUBKEY(in, NULL, no_password, NULL) : NULL;
	int rc = key != NULL ? key_point(key, point) : -1;

	EVP_PKEY_free(key);
	BIO_free(in);
	return rc;
}

static int
der_to_raw(const uint8_t *der, size_t len, uint8_t raw[AUTHORITY_LEN])
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
	int ok = sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, HALF) == HALF &&
	    BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + HALF, HALF) == HALF;

	ECDSA_SIG_free(sig);
	return ok ? 0 : -1;
}

static int
raw_to_der(const uint8_t raw[AUTHORITY_LEN], uint8_t der[SIG_MAX])
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(raw, HALF, NULL), *s = BN_bin2bn(raw + HALF, HALF, NULL);
	int len = -1;

	if (sig != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(sig, r, s) == 1) {
		r = s = NULL; /* the signature's now */
		if (i2d_ECDSA_SIG(sig, NULL) <= SIG_MAX)
			len = i2d_ECDSA_SIG(sig, &der);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	return len;
}

int
authority_sign(const char *pem_file, const void *data, size_t len,
    uint8_t signature[AUTHORITY_LEN], uint8_t point[AUTHORITY_LEN])
{
	EVP_PKEY *key = load(pem_file, true, point);
	EVP_MD_CTX *c;
	uint8_t der[SIG_MAX];
	size_t n = sizeof(der);
	int ret;

	if (key == NULL)
		return -1;
	c = EVP_MD_CTX_new();
	ret = c != NULL && EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, key) == 1 &&
		EVP_DigestSign(c, der, &n, data, len) == 1 ?
	    der_to_raw(der, n, signature) : -1;
	if (ret < 0)
		log_error("authority key %s: cannot sign with it", pem_file);
	EVP_MD_CTX_free(c);
	EVP_PKEY_free(key);
	return ret;
}

static EVP_PKEY *
from_point(const uint8_t point[AUTHORITY_LEN])
{
	uint8_t octets[1 + AUTHORITY_LEN] = {POINT_CONVERSION_UNCOMPRESSED};
	char group[] = "prime256v1";
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
	    OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, octets,
		sizeof(octets)),
	    OSSL_PARAM_construct_end(),
	};
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *key = NULL;

	memcpy(octets + 1, point, AUTHORITY_LEN);
	if (c != NULL && EVP_PKEY_fromdata_init(c) == 1)
		(void)EVP_PKEY_fromdata(c, &key, EVP_PKEY_PUBLIC_KEY, params);
	EVP_PKEY_CTX_free(c);
	return key;
}

bool
authority_verify(const uint8_t point[AUTHORITY_LEN], const void *data, size_t len,
    const uint8_t signature[AUTHORITY_LEN])
{
	uint8_t der[SIG_MAX];
	int n = raw_to_der(signature, der);
	EVP_PKEY *key = n > 0 ? from_point(point) : NULL;
	EVP_MD_CTX *c = key != NULL ? EVP_MD_CTX_new() : NULL;
	bool ok = c != NULL && EVP_DigestVerifyInit(c, NULL, EVP_sha256(), NULL, key) == 1 &&
	    EVP_DigestVerify(c, der, (size_t)n, data, len) == 1;

	EVP_MD_CTX_free(c);
	EVP_PKEY_free(key);
	return ok;
}
