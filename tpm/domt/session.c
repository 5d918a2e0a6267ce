/* session.c - see session.h */
#include "tpm/domt/session.h"

#include <endian.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <string.h>

#include "common/secmem.h"

#define MAGIC	  0x544d4f44u /* "DOMT" as it lies there */
#define KEY	  32	      /* of X25519, and of AES-256 */
#define NONCE	  12
#define ASK_LEN	  (4 + 2 + KEY)		     /* DomC's first frame */
#define BEGIN_LEN (2 + DOMT_IDENTITY + KEY) /* DomT's */
#define LABEL	  "caas domt session"

/* One direction. */
struct way {
	uint8_t key[KEY];
	uint64_t count; /* messages that went so far */
};

struct domt_session {
	struct way out, in;
	uint8_t own[KEY]; /* DomC, until DomT has answered: the secret of e */
	uint8_t ask[ASK_LEN];
	bool ready; /* the keys are there */
	bool over;  /* something did not open or could not be sealed */
};

static struct domt_session *
make(void)
{
	return sec_alloc(sizeof(struct domt_session));
}

void
domt_session_free(struct domt_session *s)
{
	sec_free(s);
}

static bool
public_of(const uint8_t secret[KEY], uint8_t ret[KEY])
{
	EVP_PKEY *k = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret, KEY);
	size_t len = KEY;
	bool ok = k != NULL && EVP_PKEY_get_raw_public_key(k, ret, &len) == 1 && len == KEY;

	EVP_PKEY_free(k);
	return ok;
}

bool
domt_identity(const uint8_t secret[DOMT_IDENTITY], uint8_t ret[DOMT_IDENTITY])
{
	return public_of(secret, ret);
}

/* A fresh pair of keys; the secret lies in secmem. */
static bool
fresh(uint8_t secret[KEY], uint8_t ret[KEY])
{
	return RAND_priv_bytes(secret, KEY) == 1 && public_of(secret, ret);
}

/* libcrypto refuses a point of small order, whose product says nothing. */
static bool
product(const uint8_t secret[KEY], const uint8_t public[KEY], uint8_t ret[KEY])
{
	EVP_PKEY *ours = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret, KEY);
	EVP_PKEY *theirs = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, public, KEY);
	EVP_PKEY_CTX *c = ours != NULL ? EVP_PKEY_CTX_new(ours, NULL) : NULL;
	size_t len = KEY;
	bool ok = theirs != NULL && c != NULL && EVP_PKEY_derive_init(c) == 1 &&
	    EVP_PKEY_derive_set_peer(c, theirs) == 1 &&
	    EVP_PKEY_derive(c, ret, &len) == 1 && len == KEY;

	EVP_PKEY_CTX_free(c);
	EVP_PKEY_free(theirs);
	EVP_PKEY_free(ours);
	return ok;
}

/* What was said in clear, by both. */
static bool
said(const uint8_t ask[ASK_LEN], const uint8_t begin[BEGIN_LEN], uint8_t ret[KEY])
{
	uint8_t both[ASK_LEN + BEGIN_LEN];

	memcpy(both, ask, ASK_LEN);
	memcpy(both + ASK_LEN, begin, BEGIN_LEN);
	return EVP_Digest(both, sizeof(both), ret, NULL, EVP_sha256(), NULL) == 1;
}

static OSSL_PARAM
octets(const char *name, const void *data, size_t len)
{
	return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)data, len);
}

/* Both keys: DomC's direction first. */
static bool
derive(const uint8_t shared[2 * KEY], const uint8_t salt[KEY], uint8_t ret[2 * KEY])
{
	EVP_KDF *k = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *c = k != NULL ? EVP_KDF_CTX_new(k) : NULL;
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
	    octets(OSSL_KDF_PARAM_KEY, shared, 2 * KEY),
	    octets(OSSL_KDF_PARAM_SALT, salt, KEY),
	    octets(OSSL_KDF_PARAM_INFO, LABEL, strlen(LABEL)), OSSL_PARAM_construct_end()};
	bool ok = c != NULL && EVP_KDF_derive(c, ret, 2 * KEY, params) == 1;

	EVP_KDF_CTX_free(c);
	EVP_KDF_free(k);
	return ok;
}

/* X25519 of one pair, of the other, and all that was said, to the keys of both ways. */
struct agreed {
	uint8_t shared[2 * KEY];
	uint8_t keys[2 * KEY];
	uint8_t secret[KEY]; /* DomT's for this session alone */
};

static bool
take_keys(struct domt_session *s, struct agreed *a, const uint8_t begin[BEGIN_LEN], bool asks)
{
	uint8_t salt[KEY];

	if (!said(s->ask, begin, salt) || !derive(a->shared, salt, a->keys))
		return false;
	memcpy(s->out.key, a->keys + (asks ? 0 : KEY), KEY);
	memcpy(s->in.key, a->keys + (asks ? KEY : 0), KEY);
	s->ready = true;
	return true;
}

static void
put_frame(struct buf *out, const void *data, size_t len)
{
	buf_put_u32(out, (uint32_t)len);
	buf_put_raw(out, data, len);
}

/* Fixed-size pieces of a first frame, in their order. */
static void
put_number(uint8_t *p, uint32_t v, size_t len)
{
	uint32_t le = htole32(v);

	memcpy(p, &le, len);
}

struct domt_session *
domt_session_ask(struct buf *out)
{
	struct domt_session *s = make();

	if (s == NULL)
		return NULL;
	put_number(s->ask, MAGIC, 4);
	put_number(s->ask + 4, DOMT_VERSION, 2);
	if (fresh(s->own, s->ask + 6))
		put_frame(out, s->ask, ASK_LEN);
	else
		buf_fail(out);
	if (buf_ok(out))
		return s;
	domt_session_free(s);
	return NULL;
}

/* DomT's first frame, or NULL when it is not one. */
static const uint8_t *
get_begin(struct buf *in)
{
	const uint8_t *p = buf_get_raw(in, BEGIN_LEN);
	struct buf b;

	if (p == NULL || !buf_end(in))
		return NULL;
	buf_view(&b, p, BEGIN_LEN);
	return buf_get_u16(&b) == DOMT_VERSION ? p : NULL;
}

enum tpm_result
domt_session_begin(struct domt_session *s, struct buf *in,
    const uint8_t pinned[DOMT_IDENTITY], uint8_t ret_identity[DOMT_IDENTITY])
{
	const uint8_t *p = s->ready || s->over ? NULL : get_begin(in);
	struct agreed *a;
	bool ok;

	if (p == NULL)
		return TPM_FAILED;
	memcpy(ret_identity, p + 2, DOMT_IDENTITY);
	if (pinned != NULL && memcmp(pinned, ret_identity, DOMT_IDENTITY) != 0) {
		s->over = true;
		return TPM_FOREIGN;
	}
	ok = (a = sec_alloc(sizeof(*a))) != NULL &&
	    product(s->own, p + 2, a->shared) &&
	    product(s->own, p + 2 + DOMT_IDENTITY, a->shared + KEY) &&
	    take_keys(s, a, p, true);
	sec_free(a);
	sec_wipe(s->own, sizeof(s->own));
	s->over = !ok;
	return ok ? TPM_OK : TPM_FAILED;
}

/* DomC's first frame into the session. */
static bool
get_ask(struct buf *in, struct domt_session *s)
{
	const uint8_t *p = buf_get_raw(in, ASK_LEN);
	struct buf b;

	if (p == NULL || !buf_end(in))
		return false;
	memcpy(s->ask, p, ASK_LEN);
	buf_view(&b, p, ASK_LEN);
	return buf_get_u32(&b) == MAGIC && buf_get_u16(&b) == DOMT_VERSION;
}

static bool
answer(struct domt_session *s, const uint8_t identity_secret[DOMT_IDENTITY], struct agreed *a,
    struct buf *out)
{
	const uint8_t *e = s->ask + 6;
	uint8_t begin[BEGIN_LEN];

	put_number(begin, DOMT_VERSION, 2);
	if (!public_of(identity_secret, begin + 2) ||
	    !fresh(a->secret, begin + 2 + DOMT_IDENTITY) ||
	    !product(identity_secret, e, a->shared) ||
	    !product(a->secret, e, a->shared + KEY) || !take_keys(s, a, begin, false))
		return false;
	put_frame(out, begin, BEGIN_LEN);
	return buf_ok(out);
}

struct domt_session *
domt_session_accept(
    const uint8_t identity_secret[DOMT_IDENTITY], struct buf *in, struct buf *out)
{
	struct domt_session *s = make();
	struct agreed *a = sec_alloc(sizeof(*a));
	bool ok = s != NULL && a != NULL && get_ask(in, s) && answer(s, identity_secret, a, out);

	sec_free(a);
	if (ok)
		return s;
	domt_session_free(s);
	return NULL;
}

/* A cipher for the next message of a direction, whose frame has `len` bytes. */
static EVP_CIPHER_CTX *
next(struct way *w, int seal, size_t len)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	uint8_t nonce[NONCE] = {0}, aad[4];
	uint64_t count = htole64(w->count);
	int n;

	memcpy(nonce, &count, sizeof(count));
	put_number(aad, (uint32_t)len, sizeof(aad));
	if (c != NULL && w->count != UINT64_MAX &&
	    EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, w->key, nonce, seal) == 1 &&
	    EVP_CipherUpdate(c, NULL, &n, aad, sizeof(aad)) == 1) {
		w->count++;
		return c;
	}
	EVP_CIPHER_CTX_free(c);
	return NULL;
}

bool
domt_session_seal(struct domt_session *s, const void *message, size_t len, struct buf *out)
{
	EVP_CIPHER_CTX *c = NULL;
	uint8_t *p;
	int n;

	if (!s->ready || s->over || len == 0 || len > DOMT_MESSAGE_MAX)
		return false;
	buf_put_u32(out, (uint32_t)(len + DOMT_TAG));
	p = buf_reserve(out, len + DOMT_TAG);
	s->over = p == NULL || (c = next(&s->out, 1, len + DOMT_TAG)) == NULL ||
	    EVP_CipherUpdate(c, p, &n, message, (int)len) != 1 ||
	    EVP_CipherFinal_ex(c, p + len, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, DOMT_TAG, p + len) != 1;
	EVP_CIPHER_CTX_free(c);
	return !s->over;
}

bool
domt_session_open(struct domt_session *s, const void *frame, size_t len, struct buf *out)
{
	size_t start = out->len, body = len - DOMT_TAG;
	const uint8_t *in = frame;
	EVP_CIPHER_CTX *c = NULL;
	uint8_t tag[DOMT_TAG], *p;
	int n;

	if (!s->ready || s->over)
		return false;
	s->over = true;
	if (len <= DOMT_TAG || len > DOMT_FRAME_MAX || (p = buf_reserve(out, body)) == NULL)
		return false;
	memcpy(tag, in + body, DOMT_TAG);
	s->over = (c = next(&s->in, 0, len)) == NULL ||
	    EVP_CipherUpdate(c, p, &n, in, (int)body) != 1 ||
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, DOMT_TAG, tag) != 1 ||
	    EVP_CipherFinal_ex(c, p + body, &n) != 1;
	EVP_CIPHER_CTX_free(c);
	if (s->over)
		buf_truncate(out, start);
	return !s->over;
}
