/* keys.c - key material that both sides share, as templates for C_CreateObject */
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/differential/diff.h"

#define MAX_NUMBER 256

struct number {
	CK_BYTE b[MAX_NUMBER];
	size_t n;
};

static struct {
	struct number n, e, d, p, q, dp, dq, qi; /* RSA-1024 */
	struct number ec_d, ec_point;            /* P-256, point as DER OCTET STRING */
	CK_BYTE aes[32], des3[24], secret[40];
} keys;

static const CK_BYTE p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};

static void
number(EVP_PKEY *pkey, const char *name, struct number *out)
{
	BIGNUM *bn = NULL;

	if (EVP_PKEY_get_bn_param(pkey, name, &bn) != 1 || BN_num_bytes(bn) > MAX_NUMBER)
		abort();
	out->n = (size_t)BN_bn2bin(bn, out->b);
	BN_clear_free(bn);
}

void
keys_init(void)
{
	EVP_PKEY *rsa = EVP_RSA_gen(1024), *ec = EVP_EC_gen("P-256");
	size_t len;

	if (rsa == NULL || ec == NULL)
		abort();
	number(rsa, OSSL_PKEY_PARAM_RSA_N, &keys.n);
	number(rsa, OSSL_PKEY_PARAM_RSA_E, &keys.e);
	number(rsa, OSSL_PKEY_PARAM_RSA_D, &keys.d);
	number(rsa, OSSL_PKEY_PARAM_RSA_FACTOR1, &keys.p);
	number(rsa, OSSL_PKEY_PARAM_RSA_FACTOR2, &keys.q);
	number(rsa, OSSL_PKEY_PARAM_RSA_EXPONENT1, &keys.dp);
	number(rsa, OSSL_PKEY_PARAM_RSA_EXPONENT2, &keys.dq);
	number(rsa, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, &keys.qi);
	number(ec, OSSL_PKEY_PARAM_PRIV_KEY, &keys.ec_d);
	if (EVP_PKEY_get_octet_string_param(ec, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY,
	        keys.ec_point.b + 2, MAX_NUMBER - 2, &len) != 1)
		abort();
	if (keys.ec_point.b[2] != 0x04 || len != 65)
		abort();
	keys.ec_point.b[0] = 0x04; /* OCTET STRING */
	keys.ec_point.b[1] = (CK_BYTE)len;
	keys.ec_point.n = len + 2;
	for (size_t i = 0; i < sizeof(keys.aes); i++)
		keys.aes[i] = (CK_BYTE)(i * 7 + 1);
	for (size_t i = 0; i < sizeof(keys.des3); i++)
		keys.des3[i] = (CK_BYTE)(i * 5 + 1);
	for (size_t i = 0; i < sizeof(keys.secret); i++)
		keys.secret[i] = (CK_BYTE)(i * 3 + 1);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ec);
}

struct template {
	struct world *w;
	CK_ATTRIBUTE *attrs;
	CK_ULONG n;
};

static void
add(struct template *t, CK_ATTRIBUTE_TYPE type, const void *value, CK_ULONG len)
{
	CK_ATTRIBUTE *a = &t->attrs[t->n++];

	a->type = type;
	a->ulValueLen = len;
	a->pValue = arena_alloc(&t->w->arena, len);
	if (len > 0)
		memcpy(a->pValue, value, len);
}

static void
add_bool(struct template *t, CK_ATTRIBUTE_TYPE type, bool value)
{
	CK_BBOOL b = value;

	add(t, type, &b, sizeof(b));
}

static void
add_ulong(struct template *t, CK_ATTRIBUTE_TYPE type, CK_ULONG value)
{
	add(t, type, &value, sizeof(value));
}

static void
add_value(struct template *t, enum kind kind)
{
	switch (kind) {
	case K_RSA_PRIV:
		add(t, CKA_PRIVATE_EXPONENT, keys.d.b, keys.d.n);
		add(t, CKA_PRIME_1, keys.p.b, keys.p.n);
		add(t, CKA_PRIME_2, keys.q.b, keys.q.n);
		add(t, CKA_EXPONENT_1, keys.dp.b, keys.dp.n);
		add(t, CKA_EXPONENT_2, keys.dq.b, keys.dq.n);
		add(t, CKA_COEFFICIENT, keys.qi.b, keys.qi.n);
		/* FALLTHROUGH */
	case K_RSA_PUB:
		add(t, CKA_MODULUS, keys.n.b, keys.n.n);
		add(t, CKA_PUBLIC_EXPONENT, keys.e.b, keys.e.n);
		break;
	case K_EC_PRIV:
		add(t, CKA_EC_PARAMS, p256, sizeof(p256));
		add(t, CKA_VALUE, keys.ec_d.b, keys.ec_d.n);
		break;
	case K_EC_PUB:
		add(t, CKA_EC_PARAMS, p256, sizeof(p256));
		add(t, CKA_EC_POINT, keys.ec_point.b, keys.ec_point.n);
		break;
	case K_AES:
		add(t, CKA_VALUE, keys.aes, chance(t->w, 50) ? 16 : 32);
		break;
	case K_DES3:
		add(t, CKA_VALUE, keys.des3, sizeof(keys.des3));
		break;
	case K_SECRET:
		add(t, CKA_VALUE, keys.secret, sizeof(keys.secret));
		break;
	default:
		add(t, CKA_VALUE, "some data", 9);
		break;
	}
}

CK_ATTRIBUTE *
keys_template(struct world *w, enum kind kind, bool token, unsigned long serial,
    CK_ULONG *ret_count)
{
	static const CK_OBJECT_CLASS classes[] = {
	    [K_RSA_PRIV] = CKO_PRIVATE_KEY, [K_RSA_PUB] = CKO_PUBLIC_KEY,
	    [K_EC_PRIV] = CKO_PRIVATE_KEY, [K_EC_PUB] = CKO_PUBLIC_KEY,
	    [K_AES] = CKO_SECRET_KEY, [K_DES3] = CKO_SECRET_KEY, [K_SECRET] = CKO_SECRET_KEY,
	    [K_DATA] = CKO_DATA, [K_OTHER] = CKO_DATA,
	};
	static const CK_KEY_TYPE types[] = {
	    [K_RSA_PRIV] = CKK_RSA, [K_RSA_PUB] = CKK_RSA, [K_EC_PRIV] = CKK_EC,
	    [K_EC_PUB] = CKK_EC, [K_AES] = CKK_AES, [K_DES3] = CKK_DES3,
	    [K_SECRET] = CKK_GENERIC_SECRET, [K_DATA] = 0, [K_OTHER] = 0,
	};
	static const CK_ATTRIBUTE_TYPE uses[] = {
	    CKA_SIGN, CKA_VERIFY, CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP, CKA_DERIVE,
	};
	struct template t = {w, arena_array(&w->arena, 40, sizeof(CK_ATTRIBUTE)), 0};
	char label[32];
	bool key = classes[kind] != CKO_DATA, public = classes[kind] == CKO_PUBLIC_KEY;

	snprintf(label, sizeof(label), "o%lu", serial);
	add_ulong(&t, CKA_CLASS, classes[kind]);
	add_bool(&t, CKA_TOKEN, token);
	add(&t, CKA_LABEL, label, strlen(label));
	if (key)
		add_ulong(&t, CKA_KEY_TYPE, types[kind]);
	if (chance(w, 50))
		add_bool(&t, CKA_PRIVATE, chance(w, 50));
	if (key && chance(w, 70))
		add(&t, CKA_ID, &serial, 2);
	if (key && !public && chance(w, 60)) {
		add_bool(&t, CKA_SENSITIVE, chance(w, 40));
		add_bool(&t, CKA_EXTRACTABLE, chance(w, 60));
	}
	for (size_t i = 0; key && i < sizeof(uses) / sizeof(uses[0]); i++) {
		bool private_use = uses[i] == CKA_SIGN || uses[i] == CKA_DECRYPT ||
		    uses[i] == CKA_UNWRAP || uses[i] == CKA_DERIVE;

		if (classes[kind] == CKO_SECRET_KEY || private_use != public)
			add_bool(&t, uses[i], chance(w, 85));
	}
	if (chance(w, 10))
		add_bool(&t, CKA_MODIFIABLE, chance(w, 50));
	if (key && chance(w, 5)) {
		CK_MECHANISM_TYPE m[2] = {CKM_RSA_PKCS, CKM_AES_CBC};

		add(&t, CKA_ALLOWED_MECHANISMS, m, sizeof(m));
	}
	add_value(&t, kind);
	if (chance(w, 3)) /* a template that is wrong */
		add_ulong(&t, chance(w, 50) ? CKA_KEY_GEN_MECHANISM : 0x7ffffff, 1);
	/* SoftHSM2 crashes when it uses an RSA key that lacks a number: leave those whole. */
	if (chance(w, 2) && kind != K_RSA_PRIV && kind != K_RSA_PUB)
		t.n--;
	*ret_count = t.n;
	return t.attrs;
}
