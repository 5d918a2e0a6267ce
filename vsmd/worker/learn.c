/* learn.c - see learn.h */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "vsmd/worker/learn.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <pthread.h>

#include "common/log.h"
#include "vsmd/worker/interpose.h"

#define EXPORT __attribute__((visibility("default")))

static struct {
	__typeof__(RSA_private_encrypt) *rsa_encrypt;
	__typeof__(RSA_private_decrypt) *rsa_decrypt;
	__typeof__(RSA_sign) *rsa_sign;
	__typeof__(ECDSA_do_sign) *ecdsa;
	__typeof__(EVP_DigestSign) *digest;
	__typeof__(EVP_EncryptInit) *encrypt;
	__typeof__(EVP_EncryptInit_ex) *encrypt_ex;
	__typeof__(EVP_DecryptInit) *decrypt;
	__typeof__(EVP_DecryptInit_ex) *decrypt_ex;
	__typeof__(HMAC_Init_ex) *hmac;
} real;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool found;

static __thread struct {
	enum key_kind want;
	struct key *got;
} noted;

static void
find_all(void)
{
	found = interpose_find("RSA_private_encrypt", &real.rsa_encrypt) &&
	    interpose_find("RSA_private_decrypt", &real.rsa_decrypt) &&
	    interpose_find("RSA_sign", &real.rsa_sign) &&
	    interpose_find("ECDSA_do_sign", &real.ecdsa) &&
	    interpose_find("EVP_DigestSign", &real.digest) &&
	    interpose_find("EVP_EncryptInit", &real.encrypt) &&
	    interpose_find("EVP_EncryptInit_ex", &real.encrypt_ex) &&
	    interpose_find("EVP_DecryptInit", &real.decrypt) &&
	    interpose_find("EVP_DecryptInit_ex", &real.decrypt_ex) &&
	    interpose_find("HMAC_Init_ex", &real.hmac);
}

/* The other processes of vsmd call these functions too, on any of their threads, and have
 * not said learn_init(). */
static bool
ready(void)
{
	return pthread_once(&once, find_all) == 0 && found;
}

int
learn_init(void)
{
	if (ready())
		return 0;
	log_error("libcrypto lacks a function that SoftHSM2 calls; install OpenSSL 3.0");
	return -1;
}

void
learn_begin(enum key_kind kind)
{
	key_free(noted.got);
	noted.want = kind;
	noted.got = NULL;
}

struct key *
learn_end(void)
{
	struct key *key = noted.got;

	noted.want = KEY_NONE;
	noted.got = NULL;
	return key;
}

/* The last one counts. */
static void
note(struct key *key)
{
	key_free(noted.got);
	noted.got = key;
}

static void
note_bytes(const EVP_CIPHER_CTX *ctx, const unsigned char *bytes)
{
	if (noted.want == KEY_BYTES && bytes != NULL)
		note(key_from_bytes(bytes, (size_t)EVP_CIPHER_CTX_get_key_length(ctx)));
}

EXPORT int
RSA_private_encrypt(
    int flen, const unsigned char *from, unsigned char *to, RSA *rsa, int padding)
{
	if (noted.want == KEY_RSA)
		note(key_from_rsa(rsa));
	return ready() ? real.rsa_encrypt(flen, from, to, rsa, padding) : -1;
}

EXPORT int
RSA_private_decrypt(
    int flen, const unsigned char *from, unsigned char *to, RSA *rsa, int padding)
{
	if (noted.want == KEY_RSA)
		note(key_from_rsa(rsa));
	return ready() ? real.rsa_decrypt(flen, from, to, rsa, padding) : -1;
}

EXPORT int
RSA_sign(int type, const unsigned char *m, unsigned int m_length, unsigned char *sigret,
    unsigned int *siglen, RSA *rsa)
{
	if (noted.want == KEY_RSA)
		note(key_from_rsa(rsa));
	return ready() ? real.rsa_sign(type, m, m_length, sigret, siglen, rsa) : 0;
}

EXPORT ECDSA_SIG *
ECDSA_do_sign(const unsigned char *dgst, int dgst_len, EC_KEY *eckey)
{
	if (noted.want == KEY_EC)
		note(key_from_ec(eckey));
	return ready() ? real.ecdsa(dgst, dgst_len, eckey) : NULL;
}

EXPORT int
EVP_DigestSign(EVP_MD_CTX *ctx, unsigned char *sigret, size_t *siglen,
    const unsigned char *tbs, size_t tbslen)
{
	EVP_PKEY_CTX *pctx = noted.want == KEY_EDWARDS ? EVP_MD_CTX_get_pkey_ctx(ctx) : NULL;

	if (pctx != NULL && EVP_PKEY_CTX_get0_pkey(pctx) != NULL)
		note(key_from_edwards(EVP_PKEY_CTX_get0_pkey(pctx)));
	return ready() ? real.digest(ctx, sigret, siglen, tbs, tbslen) : 0;
}

EXPORT int
EVP_EncryptInit(EVP_CIPHER_CTX *ctx, const EVP_CIPHER *cipher, const unsigned char *key,
    const unsigned char *iv)
{
	int rc = ready() ? real.encrypt(ctx, cipher, key, iv) : 0;

	if (rc == 1)
		note_bytes(ctx, key);
	return rc;
}

EXPORT int
EVP_EncryptInit_ex(EVP_CIPHER_CTX *ctx, const EVP_CIPHER *cipher, ENGINE *impl,
    const unsigned char *key, const unsigned char *iv)
{
	int rc = ready() ? real.encrypt_ex(ctx, cipher, impl, key, iv) : 0;

	if (rc == 1)
		note_bytes(ctx, key);
	return rc;
}

EXPORT int
EVP_DecryptInit(EVP_CIPHER_CTX *ctx, const EVP_CIPHER *cipher, const unsigned char *key,
    const unsigned char *iv)
{
	int rc = ready() ? real.decrypt(ctx, cipher, key, iv) : 0;

	if (rc == 1)
		note_bytes(ctx, key);
	return rc;
}

EXPORT int
EVP_DecryptInit_ex(EVP_CIPHER_CTX *ctx, const EVP_CIPHER *cipher, ENGINE *impl,
    const unsigned char *key, const unsigned char *iv)
{
	int rc = ready() ? real.decrypt_ex(ctx, cipher, impl, key, iv) : 0;

	if (rc == 1)
		note_bytes(ctx, key);
	return rc;
}

EXPORT int
HMAC_Init_ex(HMAC_CTX *ctx, const void *key, int len, const EVP_MD *md, ENGINE *impl)
{
	if (noted.want == KEY_BYTES && key != NULL && len > 0)
		note(key_from_bytes(key, (size_t)len));
	return ready() ? real.hmac(ctx, key, len, md, impl) : 0;
}
