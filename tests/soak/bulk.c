/* bulk.c - role: digests, MACs and ciphers of much data in random parts, beside OpenSSL's
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "tests/soak/soak.h"

#define MOST (1 << 20)
#define KEY 64	/* of a MAC; of a cipher half of it */
#define ROOM 64 /* that a cipher may add */

struct bulk {
	CK_BYTE *in, *out, *want;
	CK_ULONG len;
};

static const struct {
	CK_MECHANISM_TYPE digest, mac;
	const EVP_MD *(*md)(void);
} hashes[] = {
    {CKM_SHA_1, CKM_SHA_1_HMAC, EVP_sha1},
    {CKM_SHA256, CKM_SHA256_HMAC, EVP_sha256},
    {CKM_SHA384, CKM_SHA384_HMAC, EVP_sha384},
    {CKM_SHA512, CKM_SHA512_HMAC, EVP_sha512},
};

static CK_ULONG
part(struct job *j, CK_ULONG left)
{
	CK_ULONG n = 1 + chance_below(j, chance_of(j, 30) ? 100 : 1 + (unsigned)left);

	return n < left ? n : left;
}

static void
same(struct job *j, const struct bulk *b, CK_ULONG len, CK_ULONG want, const char *what)
{
	if (len != want || memcmp(b->out, b->want, want) != 0)
		fail(j, "WRONG %s of %lu bytes: %lu bytes, not %lu", what, b->len, len,
		    want);
}

static void
digest(struct job *j, struct bulk *b)
{
	size_t k = chance_below(j, COUNT(hashes));
	CK_MECHANISM m = {hashes[k].digest, NULL, 0};
	CK_ULONG len = EVP_MAX_MD_SIZE;
	unsigned want = 0;

	MUST(j, C_DigestInit, j->session, &m);
	if (chance_of(j, 30)) {
		MUST(j, C_Digest, j->session, b->in, b->len, b->out, &len);
	} else {
		for (CK_ULONG at = 0, n; at < b->len; at += n) {
			n = part(j, b->len - at);
			MUST(j, C_DigestUpdate, j->session, b->in + at, n);
		}
		MUST(j, C_DigestFinal, j->session, b->out, &len);
	}
	if (EVP_Digest(b->in, b->len, b->want, &want, hashes[k].md(), NULL) != 1)
		fail(j, "OpenSSL does not digest");
	same(j, b, len, want, "DIGEST");
}

static CK_OBJECT_HANDLE
make_key(struct job *j, CK_KEY_TYPE type, const CK_BYTE *value, CK_ULONG len)
{
	CK_BBOOL yes = CK_TRUE;
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)},
	    {CKA_KEY_TYPE, &type, sizeof(type)},
	    {CKA_VALUE, (void *)(uintptr_t)value, len}, {CKA_SIGN, &yes, sizeof(yes)},
	    {CKA_VERIFY, &yes, sizeof(yes)}, {CKA_ENCRYPT, &yes, sizeof(yes)},
	    {CKA_DECRYPT, &yes, sizeof(yes)}};
	CK_OBJECT_HANDLE h;

	MUST(j, C_CreateObject, j->session, t, COUNT(t), &h);
	return h;
}

static void
mac(struct job *j, struct bulk *b)
{
	size_t k = chance_below(j, COUNT(hashes));
	CK_MECHANISM m = {hashes[k].mac, NULL, 0};
	CK_ULONG len = EVP_MAX_MD_SIZE;
	CK_BYTE value[KEY];
	CK_OBJECT_HANDLE key;
	unsigned want = 0;

	chance_fill(j, value, sizeof(value));
	key = make_key(j, CKK_GENERIC_SECRET, value, KEY);
	MUST(j, C_SignInit, j->session, &m, key);
	for (CK_ULONG at = 0, n; at < b->len; at += n) {
		n = part(j, b->len - at);
		MUST(j, C_SignUpdate, j->session, b->in + at, n);
	}
	MUST(j, C_SignFinal, j->session, b->out, &len);
	if (HMAC(hashes[k].md(), value, KEY, b->in, b->len, b->want, &want) == NULL)
		fail(j, "OpenSSL makes no MAC");
	same(j, b, len, want, "MAC");
	b->out[chance_below(j, want)] ^= 1;
	MUST(j, C_VerifyInit, j->session, &m, key);
	REFUSED(
	    j, CKR_SIGNATURE_INVALID, C_Verify, j->session, b->in, b->len, b->out, len);
	MUST(j, C_DestroyObject, j->session, key);
}

static CK_ULONG
openssl_cipher(struct job *j, struct bulk *b, const EVP_CIPHER *c, const CK_BYTE *key,
    const CK_BYTE *iv)
{
	EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
	int n = 0, last = 0;

	if (x == NULL || EVP_EncryptInit_ex(x, c, NULL, key, iv) != 1 ||
	    EVP_EncryptUpdate(x, b->want, &n, b->in, (int)b->len) != 1 ||
	    EVP_EncryptFinal_ex(x, b->want + n, &last) != 1)
		fail(j, "OpenSSL does not encrypt");
	EVP_CIPHER_CTX_free(x);
	return (CK_ULONG)n + (CK_ULONG)last;
}

/* In parts, from one buffer to another. */
static CK_ULONG
crypt_parts(struct job *j, bool encrypt, CK_BYTE *from, CK_ULONG size, CK_BYTE *to)
{
	CK_ULONG done = 0, len;

	for (CK_ULONG at = 0, n; at < size; at += n, done += len) {
		n = part(j, size - at);
		len = MOST + ROOM - done;
		if (encrypt)
			MUST(j, C_EncryptUpdate, j->session, from + at, n, to + done,
			    &len);
		else
			MUST(j, C_DecryptUpdate, j->session, from + at, n, to + done,
			    &len);
	}
	len = MOST + ROOM - done;
	if (encrypt)
		MUST(j, C_EncryptFinal, j->session, to + done, &len);
	else
		MUST(j, C_DecryptFinal, j->session, to + done, &len);
	return done + len;
}

static void
cipher(struct job *j, struct bulk *b)
{
	CK_BYTE value[KEY], iv[16];
	CK_AES_CTR_PARAMS ctr = {.ulCounterBits = 128};
	CK_MECHANISM m = {CKM_AES_CBC_PAD, iv, sizeof(iv)};
	bool pad = chance_of(j, 60);
	CK_OBJECT_HANDLE key;
	CK_ULONG len, want;

	chance_fill(j, value, sizeof(value));
	chance_fill(j, iv, sizeof(iv));
	if (!pad) {
		memcpy(ctr.cb, iv, sizeof(iv));
		m = (CK_MECHANISM){CKM_AES_CTR, &ctr, sizeof(ctr)};
	}
	key = make_key(j, CKK_AES, value, KEY / 2);
	MUST(j, C_EncryptInit, j->session, &m, key);
	len = crypt_parts(j, true, b->in, b->len, b->out);
	want =
	    openssl_cipher(j, b, pad ? EVP_aes_256_cbc() : EVP_aes_256_ctr(), value, iv);
	same(j, b, len, want, "CIPHERTEXT");
	/* And back: what OpenSSL made. */
	MUST(j, C_DecryptInit, j->session, &m, key);
	len = crypt_parts(j, false, b->want, want, b->out);
	if (len != b->len || memcmp(b->out, b->in, len) != 0)
		fail(j, "WRONG PLAINTEXT of %lu bytes: %lu bytes", b->len, len);
	MUST(j, C_DestroyObject, j->session, key);
}

static void
random_bytes(struct job *j)
{
	CK_BYTE a[32] = {0}, b[32] = {0};

	MUST(j, C_GenerateRandom, j->session, a, sizeof(a));
	MUST(j, C_GenerateRandom, j->session, b, sizeof(b));
	if (memcmp(a, b, sizeof(a)) == 0)
		fail(j, "the same random bytes twice");
}

void
bulk_step(struct job *j)
{
	static _Thread_local struct bulk b;

	if (b.in == NULL) {
		b.in = malloc(MOST);
		b.out = malloc(MOST + ROOM);
		b.want = malloc(MOST + ROOM);
		if (b.in == NULL || b.out == NULL || b.want == NULL)
			fail(j, "no memory");
		chance_fill(j, b.in, MOST);
	}
	b.len = 1 + chance_below(j, chance_of(j, 5)    ? MOST
				    : chance_of(j, 30) ? 70000
						       : 3000);
	switch (chance_below(j, 4)) {
	case 0:
		digest(j, &b);
		break;
	case 1:
		mac(j, &b);
		break;
	case 2:
		cipher(j, &b);
		break;
	default:
		random_bytes(j);
	}
	pause_ms(chance_below(j, 20));
}
