/* bulk.c - commands on much data, in one call or in many, checked with OpenSSL; see
 *client.h
 *
 *	digest|hmac|aes SIZE [PART]
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

static const CK_BYTE key_value[32] = "thirty-two bytes of a known key";
static const CK_BYTE iv[16] = "sixteen bytes iv";

/* The calls of one kind of operation. */
struct kind {
	CK_RV (*one)(CK_SESSION_HANDLE, CK_BYTE *, CK_ULONG, CK_BYTE *, CK_ULONG *);
	CK_RV (*update)(CK_SESSION_HANDLE, CK_BYTE *, CK_ULONG);
	CK_RV (*crypt)(CK_SESSION_HANDLE, CK_BYTE *, CK_ULONG, CK_BYTE *, CK_ULONG *);
	CK_RV (*final)(CK_SESSION_HANDLE, CK_BYTE *, CK_ULONG *);
};

struct bulk {
	CK_BYTE *in, *out, *want;
	CK_ULONG size, room, len, want_len;
};

static bool
bulk_begin(struct bulk *b, const char *size)
{
	memset(b, 0, sizeof(*b));
	b->size = number(size, 64ul << 20);
	b->len = b->room = b->size + 64;
	b->in = malloc(b->size);
	b->out = malloc(b->room);
	b->want = malloc(b->room);
	if (b->in == NULL || b->out == NULL || b->want == NULL)
		return false;
	for (CK_ULONG i = 0; i < b->size; i++)
		b->in[i] = (CK_BYTE)(i * 2654435761u >> 13);
	return true;
}

static void
bulk_end(struct bulk *b)
{
	free(b->in);
	free(b->out);
	free(b->want);
}

static CK_RV
in_parts(struct client *c, const struct kind *k, struct bulk *b, CK_ULONG part)
{
	CK_ULONG done = 0, len;
	CK_RV rv;

	for (CK_ULONG at = 0; at < b->size; at += part) {
		CK_ULONG n = b->size - at < part ? b->size - at : part;

		len = b->room - done;
		rv = k->update != NULL
			 ? k->update(c->session, b->in + at, n)
			 : k->crypt(c->session, b->in + at, n, b->out + done, &len);
		if (rv != CKR_OK)
			return rv;
		done += k->update != NULL ? 0 : len;
	}
	len = b->room - done;
	rv = k->final(c->session, b->out + done, &len);
	b->len = done + len;
	return rv;
}

static CK_RV
go(struct client *c, const struct kind *k, struct bulk *b, const char *part)
{
	CK_RV rv;

	if (part != NULL)
		rv = in_parts(c, k, b, number(part, 1));
	else
		rv = k->one(c->session, b->in, b->size, b->out, &b->len);
	if (rv == CKR_OK)
		say(c, b->len == b->want_len && memcmp(b->out, b->want, b->len) == 0
			   ? " same"
			   : " DIFFERENT");
	return rv;
}

static CK_RV
make_key(struct client *c, CK_KEY_TYPE type, CK_OBJECT_HANDLE *ret)
{
	static CK_BBOOL yes = CK_TRUE;
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)},
	    {CKA_KEY_TYPE, &type, sizeof(type)},
	    {CKA_VALUE, (CK_BYTE *)(size_t)key_value, sizeof(key_value)},
	    {CKA_SIGN, &yes, sizeof(yes)}, {CKA_ENCRYPT, &yes, sizeof(yes)}};

	return c->p11->C_CreateObject(c->session, t, sizeof(t) / sizeof(t[0]), ret);
}

CK_RV
do_digest(struct client *c, char *argv[])
{
	const struct kind k = {.one = c->p11->C_Digest,
	    .update = c->p11->C_DigestUpdate,
	    .final = c->p11->C_DigestFinal};
	CK_MECHANISM m = {CKM_SHA256, NULL, 0};
	unsigned len = 0;
	struct bulk b;
	CK_RV rv = CKR_HOST_MEMORY;

	if (bulk_begin(&b, argv[1]) &&
	    EVP_Digest(b.in, b.size, b.want, &len, EVP_sha256(), NULL) == 1 &&
	    (rv = c->p11->C_DigestInit(c->session, &m)) == CKR_OK) {
		b.want_len = len;
		rv = go(c, &k, &b, argv[2]);
	}
	bulk_end(&b);
	return rv;
}

CK_RV
do_hmac(struct client *c, char *argv[])
{
	const struct kind k = {.one = c->p11->C_Sign,
	    .update = c->p11->C_SignUpdate,
	    .final = c->p11->C_SignFinal};
	CK_MECHANISM m = {CKM_SHA256_HMAC, NULL, 0};
	CK_OBJECT_HANDLE key;
	unsigned len = 0;
	struct bulk b;
	CK_RV rv = CKR_HOST_MEMORY;

	if (bulk_begin(&b, argv[1]) &&
	    HMAC(EVP_sha256(), key_value, sizeof(key_value), b.in, b.size, b.want,
		&len) != NULL &&
	    (rv = make_key(c, CKK_GENERIC_SECRET, &key)) == CKR_OK &&
	    (rv = c->p11->C_SignInit(c->session, &m, key)) == CKR_OK) {
		b.want_len = len;
		rv = go(c, &k, &b, argv[2]);
	}
	bulk_end(&b);
	return rv;
}

static bool
encrypt(struct bulk *b)
{
	EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
	int n = 0, last = 0;
	bool done = x != NULL &&
		    EVP_EncryptInit_ex(x, EVP_aes_256_cbc(), NULL, key_value, iv) == 1 &&
		    EVP_EncryptUpdate(x, b->want, &n, b->in, (int)b->size) == 1 &&
		    EVP_EncryptFinal_ex(x, b->want + n, &last) == 1;

	b->want_len = (CK_ULONG)n + (CK_ULONG)last;
	EVP_CIPHER_CTX_free(x);
	return done;
}

CK_RV
do_aes(struct client *c, char *argv[])
{
	const struct kind k = {.one = c->p11->C_Encrypt,
	    .crypt = c->p11->C_EncryptUpdate,
	    .final = c->p11->C_EncryptFinal};
	CK_MECHANISM m = {CKM_AES_CBC_PAD, (CK_BYTE *)(size_t)iv, sizeof(iv)};
	CK_OBJECT_HANDLE key;
	struct bulk b;
	CK_RV rv = CKR_HOST_MEMORY;

	if (bulk_begin(&b, argv[1]) && encrypt(&b) &&
	    (rv = make_key(c, CKK_AES, &key)) == CKR_OK &&
	    (rv = c->p11->C_EncryptInit(c->session, &m, key)) == CKR_OK)
		rv = go(c, &k, &b, argv[2]);
	bulk_end(&b);
	return rv;
}
