/* holding.c - see holding.h */
#include "holding.h"

CK_OBJECT_HANDLE key, public_key, aes;
CK_MECHANISM hash_rsa = {CKM_SHA256_RSA_PKCS, NULL, 0};
CK_BYTE out[512];
CK_ULONG len;

static CK_OBJECT_HANDLE
aes_key(CK_SESSION_HANDLE in)
{
	CK_MECHANISM m = {CKM_AES_KEY_GEN, NULL, 0};
	CK_BBOOL yes = CK_TRUE;
	CK_ULONG size = 32;
	CK_ATTRIBUTE t[] = {{CKA_VALUE_LEN, &size, sizeof(size)}, {CKA_ENCRYPT, &yes, 1},
	    {CKA_DECRYPT, &yes, 1}};
	CK_OBJECT_HANDLE o = 0;

	assert_int_equal(p11->C_GenerateKey(in, &m, t, 3, &o), CKR_OK);
	return o;
}

static void
make_keys(void)
{
	key = client_rsa(s, "hold", CK_FALSE, &public_key);
	aes = aes_key(s);
}

int
holding_begin(void **state)
{
	(void)state;
	return shortcuts_begin(make_keys);
}

CK_RV
sign(CK_SESSION_HANDLE in)
{
	len = sizeof(out);
	return p11->C_Sign(in, (CK_BYTE_PTR) "data", 4, out, &len);
}

void
learn(CK_MECHANISM *m, CK_OBJECT_HANDLE with)
{
	assert_int_equal(p11->C_SignInit(other, m, with), CKR_OK);
	assert_int_equal(sign(other), CKR_OK);
	COST(2, 0);
}

void
hold(CK_SESSION_HANDLE in, CK_MECHANISM *m, CK_OBJECT_HANDLE with)
{
	assert_int_equal(p11->C_SignInit(in, m, with), CKR_OK);
	COST(0, 0);
}

void
token_key(void)
{
	key = client_find_private(s, "token");
	assert_int_not_equal(key, 0);
	count();
}
