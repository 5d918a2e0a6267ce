/* objects.c - commands on keys and other objects; see client.h */
#include <string.h>

#include "client.h"

#define VALUE_MOST 256
#define COUNT(t) (sizeof(t) / sizeof((t)[0]))

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static CK_ATTRIBUTE
text(CK_ATTRIBUTE_TYPE type, char *s)
{
	CK_ATTRIBUTE a = {type, s, s != NULL ? strlen(s) : 0};

	return a;
}

CK_RV
find_object(
    struct client *c, CK_OBJECT_CLASS class, const char *label, CK_OBJECT_HANDLE *ret)
{
	CK_ATTRIBUTE t[] = {
	    {CKA_CLASS, &class, sizeof(class)}, text(CKA_LABEL, (char *)(size_t)label)};
	CK_ULONG n = 0;
	CK_RV rv;

	if ((rv = c->p11->C_FindObjectsInit(c->session, t, label != NULL ? 2 : 1)) !=
	    CKR_OK)
		return rv;
	rv = c->p11->C_FindObjects(c->session, ret, 1, &n);
	(void)c->p11->C_FindObjectsFinal(c->session);
	return rv != CKR_OK ? rv : n == 1 ? CKR_OK : CKR_KEY_HANDLE_INVALID;
}

static CK_RV
generate_pair(struct client *c, CK_MECHANISM_TYPE type, CK_ATTRIBUTE *about, char *label,
    bool token)
{
	CK_MECHANISM m = {type, NULL, 0};
	CK_ATTRIBUTE public[] = {*about, {CKA_TOKEN, token ? &yes : &no, sizeof(yes)},
	    {CKA_VERIFY, &yes, sizeof(yes)}, text(CKA_LABEL, label), {0}};
	CK_ATTRIBUTE private[] = {{CKA_TOKEN, token ? &yes : &no, sizeof(yes)},
	    {CKA_PRIVATE, &yes, sizeof(yes)}, {CKA_SENSITIVE, &yes, sizeof(yes)},
	    {CKA_SIGN, &yes, sizeof(yes)}, text(CKA_LABEL, label)};
	static CK_BYTE exponent[] = {1, 0, 1};
	CK_ULONG n = 4;

	if (type == CKM_RSA_PKCS_KEY_PAIR_GEN) {
		public[4] =
		    (CK_ATTRIBUTE){CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent)};
		n = 5;
	}
	return c->p11->C_GenerateKeyPair(
	    c->session, &m, public, n, private, COUNT(private), &c->public, &c->key);
}

/* genec LABEL: a P-256 key on the token */
CK_RV
do_genec(struct client *c, char *argv[])
{
	static CK_BYTE p256[] = {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};
	CK_ATTRIBUTE curve = {CKA_EC_PARAMS, p256, sizeof(p256)};

	return generate_pair(c, CKM_EC_KEY_PAIR_GEN, &curve, argv[1], true);
}

/* genrsa BITS [LABEL]: with a label on the token, else of the session */
CK_RV
do_genrsa(struct client *c, char *argv[])
{
	CK_ULONG bits = number(argv[1], 2048);
	CK_ATTRIBUTE length = {CKA_MODULUS_BITS, &bits, sizeof(bits)};

	return generate_pair(
	    c, CKM_RSA_PKCS_KEY_PAIR_GEN, &length, argv[2], argv[2] != NULL);
}

/* genaes LABEL [extractable] */
CK_RV
do_genaes(struct client *c, char *argv[])
{
	CK_MECHANISM m = {CKM_AES_KEY_GEN, NULL, 0};
	CK_ULONG len = 32;
	CK_ATTRIBUTE t[] = {{CKA_TOKEN, &yes, sizeof(yes)},
	    {CKA_VALUE_LEN, &len, sizeof(len)}, {CKA_ENCRYPT, &yes, sizeof(yes)},
	    {CKA_WRAP, &yes, sizeof(yes)}, text(CKA_LABEL, argv[1]),
	    {CKA_EXTRACTABLE, argv[2] != NULL ? &yes : &no, sizeof(yes)}};

	return c->p11->C_GenerateKey(c->session, &m, t, COUNT(t), &c->key);
}

/* import LABEL [extractable]: an AES key whose value is known */
CK_RV
do_import(struct client *c, char *argv[])
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_BYTE value[32];
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)},
	    {CKA_KEY_TYPE, &type, sizeof(type)}, {CKA_VALUE, value, sizeof(value)},
	    {CKA_TOKEN, &yes, sizeof(yes)}, {CKA_DECRYPT, &yes, sizeof(yes)},
	    text(CKA_LABEL, argv[1]),
	    {CKA_EXTRACTABLE, argv[2] != NULL ? &yes : &no, sizeof(yes)}};

	memset(value, 0x5a, sizeof(value));
	return c->p11->C_CreateObject(c->session, t, COUNT(t), &c->key);
}

/* find LABEL: a private key, or a secret one */
CK_RV
do_find(struct client *c, char *argv[])
{
	CK_RV rv = find_object(c, CKO_PRIVATE_KEY, argv[1], &c->key);

	if (rv == CKR_KEY_HANDLE_INVALID)
		rv = find_object(c, CKO_SECRET_KEY, argv[1], &c->key);
	return rv;
}

/* count: private keys on the token */
CK_RV
do_count(struct client *c, char *argv[])
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)}};
	CK_OBJECT_HANDLE found[64];
	CK_ULONG n = 0, all = 0;
	CK_RV rv;

	(void)argv;
	if ((rv = c->p11->C_FindObjectsInit(c->session, t, 1)) != CKR_OK)
		return rv;
	while (
	    (rv = c->p11->C_FindObjects(c->session, found, COUNT(found), &n)) == CKR_OK &&
	    n > 0)
		all += n;
	(void)c->p11->C_FindObjectsFinal(c->session);
	say(c, " n=%lu", all);
	return rv;
}

/* sign [TIMES [rsa|sha]]: ECDSA, RSA PKCS#1, or that with SHA-256; ends at the first
 * failure */
CK_RV
do_sign(struct client *c, char *argv[])
{
	CK_MECHANISM m = {CKM_ECDSA, NULL, 0};
	CK_BYTE hash[32] = {1, 2, 3}, signature[1024];
	CK_ULONG times = number(argv[1], 1), len, done = 0;
	CK_RV rv = CKR_OK;

	if (argv[1] != NULL && argv[2] != NULL)
		m.mechanism =
		    strcmp(argv[2], "rsa") == 0 ? CKM_RSA_PKCS : CKM_SHA256_RSA_PKCS;
	for (; rv == CKR_OK && done < times; done += rv == CKR_OK) {
		len = sizeof(signature);
		rv = c->p11->C_SignInit(c->session, &m, c->key);
		if (rv == CKR_OK)
			rv = c->p11->C_Sign(
			    c->session, hash, sizeof(hash), signature, &len);
	}
	say(c, " done=%lu", done);
	return rv;
}

/* decrypt: a block, by the key in AES-ECB */
CK_RV
do_decrypt(struct client *c, char *argv[])
{
	CK_MECHANISM m = {CKM_AES_ECB, NULL, 0};
	CK_BYTE in[16] = {0}, out[16];
	CK_ULONG len = sizeof(out);
	CK_RV rv;

	(void)argv;
	if ((rv = c->p11->C_DecryptInit(c->session, &m, c->key)) != CKR_OK)
		return rv;
	return c->p11->C_Decrypt(c->session, in, sizeof(in), out, &len);
}

/* create LABEL VALUE: a data object on the token, that is seen without a login too */
CK_RV
do_create(struct client *c, char *argv[])
{
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_OBJECT_HANDLE object;
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)},
	    {CKA_TOKEN, &yes, sizeof(yes)}, {CKA_PRIVATE, &no, sizeof(no)},
	    text(CKA_LABEL, argv[1]), text(CKA_VALUE, argv[2])};

	return c->p11->C_CreateObject(c->session, t, COUNT(t), &object);
}

/* get LABEL: a data object's value */
CK_RV
do_get(struct client *c, char *argv[])
{
	char value[VALUE_MOST];
	CK_ATTRIBUTE t[] = {{CKA_VALUE, value, sizeof(value)}};
	CK_OBJECT_HANDLE object;
	CK_RV rv;

	if ((rv = find_object(c, CKO_DATA, argv[1], &object)) != CKR_OK ||
	    (rv = c->p11->C_GetAttributeValue(c->session, object, t, 1)) != CKR_OK)
		return rv;
	say(c, " value=%.*s", (int)t[0].ulValueLen, value);
	return CKR_OK;
}

/* set LABEL NEW: another label for a data object */
CK_RV
do_set(struct client *c, char *argv[])
{
	CK_ATTRIBUTE t[] = {text(CKA_LABEL, argv[2])};
	CK_OBJECT_HANDLE object;
	CK_RV rv;

	if ((rv = find_object(c, CKO_DATA, argv[1], &object)) != CKR_OK)
		return rv;
	return c->p11->C_SetAttributeValue(c->session, object, t, 1);
}

/* destroy LABEL: a data object, or a private key */
CK_RV
do_destroy(struct client *c, char *argv[])
{
	CK_OBJECT_HANDLE object;
	CK_RV rv = find_object(c, CKO_DATA, argv[1], &object);

	if (rv == CKR_KEY_HANDLE_INVALID)
		rv = find_object(c, CKO_PRIVATE_KEY, argv[1], &object);
	if (rv == CKR_KEY_HANDLE_INVALID)
		rv = find_object(c, CKO_SECRET_KEY, argv[1], &object);
	return rv != CKR_OK ? rv : c->p11->C_DestroyObject(c->session, object);
}

/* value: that of the key, in clear */
CK_RV
do_value(struct client *c, char *argv[])
{
	CK_BYTE value[VALUE_MOST];
	CK_ATTRIBUTE t[] = {{CKA_VALUE, value, sizeof(value)}};

	(void)argv;
	return c->p11->C_GetAttributeValue(c->session, c->key, t, 1);
}

/* wrap LABEL: the key, by the secret key of that label */
CK_RV
do_wrap(struct client *c, char *argv[])
{
	CK_MECHANISM m = {CKM_AES_KEY_WRAP, NULL, 0};
	CK_BYTE out[VALUE_MOST];
	CK_ULONG len = sizeof(out);
	CK_OBJECT_HANDLE by;
	CK_RV rv;

	if ((rv = find_object(c, CKO_SECRET_KEY, argv[1], &by)) != CKR_OK)
		return rv;
	return c->p11->C_WrapKey(c->session, &m, by, c->key, out, &len);
}
