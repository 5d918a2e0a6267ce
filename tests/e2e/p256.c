/* p256.c - see p256.h */
#include "p256.h"

#include <err.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <stdint.h>
#include <string.h>

#include "plain.h"

CK_OBJECT_HANDLE
p256_find(CK_SESSION_HANDLE s, CK_OBJECT_CLASS class, const char *label)
{
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)},
	    {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)}};
	CK_OBJECT_HANDLE o = 0;
	CK_ULONG n = 0;

	must(p11->C_FindObjectsInit(s, t, 2), "C_FindObjectsInit");
	must(p11->C_FindObjects(s, &o, 1, &n), "C_FindObjects");
	must(p11->C_FindObjectsFinal(s), "C_FindObjectsFinal");
	if (n != 1)
		errx(2, "no key %s", label);
	return o;
}

/* The point lies in an OCTET STRING. */
void
p256_point(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_BYTE point[P256_POINT])
{
	CK_BYTE der[2 + P256_POINT];
	CK_ATTRIBUTE a = {CKA_EC_POINT, der, sizeof(der)};

	must(p11->C_GetAttributeValue(s, o, &a, 1), "C_GetAttributeValue");
	if (a.ulValueLen != sizeof(der))
		errx(2, "the public key is no P-256 point");
	memcpy(point, der + 2, P256_POINT);
}

EVP_PKEY *
p256_public(const CK_BYTE point[P256_POINT])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	char group[] = "P-256";
	OSSL_PARAM params[] = {
	    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group) - 1),
	    OSSL_PARAM_octet_string(
		OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)point, P256_POINT),
	    OSSL_PARAM_END};
	EVP_PKEY *public = NULL;

	if (EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &public, EVP_PKEY_PUBLIC_KEY, params) != 1)
		errx(2, "the public key is no P-256 point");
	EVP_PKEY_CTX_free(ctx);
	return public;
}

bool
p256_is_right(EVP_PKEY *public, const CK_BYTE digest[P256_DIGEST], const CK_BYTE *signature,
    CK_ULONG len)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(public, NULL);
	ECDSA_SIG *sig = ECDSA_SIG_new();
	unsigned char *der = NULL;
	int der_len;
	bool ok = false;

	if (len == 64 && ECDSA_SIG_set0(sig, BN_bin2bn(signature, 32, NULL),
	    BN_bin2bn(signature + 32, 32, NULL)) == 1 &&
	    (der_len = i2d_ECDSA_SIG(sig, &der)) > 0)
		ok = EVP_PKEY_verify_init(ctx) == 1 &&
		    EVP_PKEY_verify(ctx, der, (size_t)der_len, digest, P256_DIGEST) == 1;
	OPENSSL_free(der);
	ECDSA_SIG_free(sig);
	EVP_PKEY_CTX_free(ctx);
	return ok;
}
