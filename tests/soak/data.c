/* data.c - see data.h */
#include "tests/soak/data.h"

#include <openssl/evp.h>
#include <string.h>

#include "tests/soak/find.h"

#define MOST 1800

static CK_BBOOL yes = CK_TRUE;

static CK_ULONG
value_of(const char *origin, CK_BYTE value[MOST])
{
	CK_BYTE n[2];

	chance_named(origin, n, sizeof(n));
	chance_named(origin, value, MOST);
	return 1 + (n[0] | (CK_ULONG)n[1] << 8) % MOST;
}

CK_OBJECT_HANDLE
data_make(struct job *j, const char *origin, const char *label)
{
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_OBJECT_HANDLE h;
	CK_BYTE value[MOST];
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)},
	    {CKA_TOKEN, &yes, sizeof(yes)}, find_text(CKA_APPLICATION, origin),
	    find_text(CKA_LABEL, label), {CKA_VALUE, value, value_of(origin, value)}};

	MUST(j, C_CreateObject, j->session, t, COUNT(t), &h);
	return h;
}

CK_OBJECT_HANDLE
aes_make(struct job *j, const char *origin, const char *label)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_OBJECT_HANDLE h;
	CK_BYTE value[AES_KEY];
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)},
	    {CKA_KEY_TYPE, &type, sizeof(type)}, {CKA_TOKEN, &yes, sizeof(yes)},
	    {CKA_ENCRYPT, &yes, sizeof(yes)}, {CKA_DECRYPT, &yes, sizeof(yes)},
	    find_text(CKA_ID, origin), find_text(CKA_LABEL, label),
	    {CKA_VALUE, value, sizeof(value)}};

	chance_named(origin, value, sizeof(value));
	MUST(j, C_CreateObject, j->session, t, COUNT(t), &h);
	return h;
}

void
data_judge(struct job *j, CK_OBJECT_HANDLE h, const char *origin)
{
	CK_BYTE want[MOST], value[MOST];
	CK_ULONG len = value_of(origin, want);
	CK_ATTRIBUTE t = {CKA_VALUE, value, sizeof(value)};

	MUST(j, C_GetAttributeValue, j->session, h, &t, 1);
	if (t.ulValueLen != len || memcmp(value, want, len) != 0)
		fail(j, "WRONG VALUE of %s", origin);
}

void
aes_judge(struct job *j, CK_OBJECT_HANDLE h, const char *origin)
{
	CK_MECHANISM m = {CKM_AES_ECB, NULL, 0};
	CK_BYTE key[AES_KEY], in[64], out[64], want[64];
	CK_ULONG len = sizeof(out);
	EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
	int n = 0;

	chance_named(origin, key, sizeof(key));
	chance_fill(j, in, sizeof(in));
	if (x == NULL || EVP_EncryptInit_ex(x, EVP_aes_256_ecb(), NULL, key, NULL) != 1 ||
	    EVP_EncryptUpdate(x, want, &n, in, sizeof(in)) != 1 || n != sizeof(in))
		fail(j, "OpenSSL does not encrypt");
	EVP_CIPHER_CTX_free(x);
	MUST(j, C_EncryptInit, j->session, &m, h);
	MUST(j, C_Encrypt, j->session, in, sizeof(in), out, &len);
	if (len != sizeof(out) || memcmp(out, want, len) != 0)
		fail(j, "WRONG CIPHERTEXT by %s", origin);
}
