/* judge.c - see judge.h */
#include "tests/soak/judge.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <string.h>

#define POINT_MOST 140

static EVP_PKEY *
from_data(const char *type, OSSL_PARAM_BLD *build)
{
	EVP_PKEY_CTX *x = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY *key = NULL;

	if (x == NULL || params == NULL || EVP_PKEY_fromdata_init(x) != 1 ||
	    EVP_PKEY_fromdata(x, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(x);
	return key;
}

static EVP_PKEY *
rsa_key(struct job *j, CK_OBJECT_HANDLE public)
{
	CK_BYTE n[512], e[8];
	CK_ATTRIBUTE t[] = {
	    {CKA_MODULUS, n, sizeof(n)}, {CKA_PUBLIC_EXPONENT, e, sizeof(e)}};
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	BIGNUM *bn, *be;
	EVP_PKEY *key = NULL;

	MUST(j, C_GetAttributeValue, j->session, public, t, COUNT(t));
	bn = BN_bin2bn(n, (int)t[0].ulValueLen, NULL);
	be = BN_bin2bn(e, (int)t[1].ulValueLen, NULL);
	if (build != NULL && bn != NULL && be != NULL &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, bn) == 1 &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, be) == 1)
		key = from_data("RSA", build);
	BN_free(bn);
	BN_free(be);
	OSSL_PARAM_BLD_free(build);
	return key;
}

static EVP_PKEY *
ec_key(const CK_BYTE *point, size_t len)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = NULL;

	if (build != NULL &&
	    OSSL_PARAM_BLD_push_utf8_string(
		build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(
		build, OSSL_PKEY_PARAM_PUB_KEY, point, len) == 1)
		key = from_data("EC", build);
	OSSL_PARAM_BLD_free(build);
	return key;
}

EVP_PKEY *
judge_key(struct job *j, CK_OBJECT_HANDLE public)
{
	CK_KEY_TYPE type = 0;
	CK_ATTRIBUTE kind = {CKA_KEY_TYPE, &type, sizeof(type)};
	CK_BYTE point[POINT_MOST];
	CK_ATTRIBUTE t = {CKA_EC_POINT, point, sizeof(point)};
	EVP_PKEY *key = NULL;

	MUST(j, C_GetAttributeValue, j->session, public, &kind, 1);
	if (type == CKK_RSA) {
		key = rsa_key(j, public);
	} else {
		MUST(j, C_GetAttributeValue, j->session, public, &t, 1);
		/* An octet string, of less than 128 bytes. */
		if (t.ulValueLen > 2 && point[0] == 4 && point[1] == t.ulValueLen - 2)
			key = type == CKK_EC
				  ? ec_key(point + 2, point[1])
				  : EVP_PKEY_new_raw_public_key(
					EVP_PKEY_ED25519, NULL, point + 2, point[1]);
	}
	if (key == NULL)
		fail(j, "a public key (type %lu) that is none", type);
	return key;
}

/* r and s side by side, as DER has them. */
static int
ecdsa_der(const CK_BYTE *signature, size_t len, CK_BYTE **der)
{
	ECDSA_SIG *s = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(signature, (int)len / 2, NULL);
	BIGNUM *v = BN_bin2bn(signature + len / 2, (int)len / 2, NULL);
	int n = -1;

	if (s != NULL && r != NULL && v != NULL && ECDSA_SIG_set0(s, r, v) == 1)
		n = i2d_ECDSA_SIG(s, der);
	ECDSA_SIG_free(s);
	return n;
}

static bool
of_digest(EVP_PKEY *key, int padding, const CK_BYTE *data, size_t len,
    const CK_BYTE *signature, size_t signature_len)
{
	EVP_PKEY_CTX *x = EVP_PKEY_CTX_new(key, NULL);
	bool right = x != NULL && EVP_PKEY_verify_init(x) == 1 &&
		     (padding == 0 || EVP_PKEY_CTX_set_rsa_padding(x, padding) == 1) &&
		     (padding != RSA_PKCS1_PSS_PADDING ||
			 EVP_PKEY_CTX_set_signature_md(x, EVP_sha256()) == 1) &&
		     EVP_PKEY_verify(x, signature, signature_len, data, len) == 1;

	EVP_PKEY_CTX_free(x);
	return right;
}

static bool
of_message(EVP_PKEY *key, const EVP_MD *md, const CK_BYTE *data, size_t len,
    const CK_BYTE *signature, size_t signature_len)
{
	EVP_MD_CTX *x = EVP_MD_CTX_new();
	bool right = x != NULL && EVP_DigestVerifyInit(x, NULL, md, NULL, key) == 1 &&
		     EVP_DigestVerify(x, signature, signature_len, data, len) == 1;

	EVP_MD_CTX_free(x);
	return right;
}

bool
judge_signature(EVP_PKEY *key, CK_MECHANISM_TYPE mechanism, const CK_BYTE *data,
    size_t len, const CK_BYTE *signature, size_t signature_len)
{
	CK_BYTE *der = NULL;
	bool right;
	int n;

	switch (mechanism) {
	case CKM_RSA_PKCS:
		return of_digest(
		    key, RSA_PKCS1_PADDING, data, len, signature, signature_len);
	case CKM_RSA_PKCS_PSS:
		return of_digest(
		    key, RSA_PKCS1_PSS_PADDING, data, len, signature, signature_len);
	case CKM_SHA256_RSA_PKCS:
		return of_message(key, EVP_sha256(), data, len, signature, signature_len);
	case CKM_SHA512_RSA_PKCS:
		return of_message(key, EVP_sha512(), data, len, signature, signature_len);
	case CKM_EDDSA:
		return of_message(key, NULL, data, len, signature, signature_len);
	case CKM_ECDSA:
		if ((n = ecdsa_der(signature, signature_len, &der)) < 0)
			return false;
		right = of_digest(key, 0, data, len, der, (size_t)n);
		OPENSSL_free(der);
		return right;
	default:
		return false;
	}
}
