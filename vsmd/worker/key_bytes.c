/* key_bytes.c - see key_kinds.h: AES and HMAC */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "common/secmem.h"
#include "protocol/calls.h"
#include "vsmd/worker/key_kinds.h"

#define BLOCK 16

static const EVP_MD *
hmac_of(CK_MECHANISM_TYPE mechanism)
{
	switch (mechanism) {
	case CKM_SHA_1_HMAC:
		return EVP_sha1();
	case CKM_SHA224_HMAC:
		return EVP_sha224();
	case CKM_SHA256_HMAC:
		return EVP_sha256();
	case CKM_SHA384_HMAC:
		return EVP_sha384();
	case CKM_SHA512_HMAC:
		return EVP_sha512();
	default:
		return NULL;
	}
}

/* What goes to the cipher, from the mechanism. */
struct mode {
	const EVP_CIPHER *cipher;
	const uint8_t *iv, *aad;
	CK_ULONG iv_len, aad_len, tag; /* bytes; tag 0: no GCM */
	bool padded, stream;
	uint8_t counter[BLOCK];
};

static const EVP_CIPHER *
by_length(size_t len, const EVP_CIPHER *(*of16)(void), const EVP_CIPHER *(*of24)(void),
    const EVP_CIPHER *(*of32)(void))
{
	return len == 16 ? of16() : len == 24 ? of24() : len == 32 ? of32() : NULL;
}

static bool
gcm_of(const CK_MECHANISM *m, struct mode *ret)
{
	CK_GCM_PARAMS_V3 p;
	CK_NSS_GCM_PARAMS old;
	CK_ULONG bits;

	if (m->ulParameterLen == sizeof(p)) {
		memcpy(&p, m->pParameter, sizeof(p));
		ret->iv = p.pIv, ret->iv_len = p.ulIvLen;
		ret->aad = p.pAAD, ret->aad_len = p.ulAADLen;
		bits = p.ulTagBits;
	} else if (m->ulParameterLen == sizeof(old)) {
		memcpy(&old, m->pParameter, sizeof(old));
		ret->iv = old.pIv, ret->iv_len = old.ulIvLen;
		ret->aad = old.pAAD, ret->aad_len = old.ulAADLen;
		bits = old.ulTagBits;
	} else {
		return false;
	}
	ret->tag = bits / 8;
	ret->stream = true;
	return ret->iv != NULL && ret->iv_len > 0 && ret->iv_len <= 1024 && bits % 8 == 0 &&
	    bits > 0 && bits <= 128 && ret->aad_len <= JOB_MAX;
}

static bool
mode_of(const CK_MECHANISM *m, size_t len, struct mode *ret)
{
	CK_AES_CTR_PARAMS ctr;

	memset(ret, 0, sizeof(*ret));
	switch (m->mechanism) {
	case CKM_AES_ECB:
		ret->cipher = by_length(len, EVP_aes_128_ecb, EVP_aes_192_ecb, EVP_aes_256_ecb);
		return m->ulParameterLen == 0;
	case CKM_AES_CBC_PAD:
		ret->padded = true;
		/* FALLTHROUGH */
	case CKM_AES_CBC:
		ret->cipher = by_length(len, EVP_aes_128_cbc, EVP_aes_192_cbc, EVP_aes_256_cbc);
		ret->iv = m->pParameter;
		return m->pParameter != NULL && m->ulParameterLen == BLOCK;
	case CKM_AES_CTR:
		ret->cipher = by_length(len, EVP_aes_128_ctr, EVP_aes_192_ctr, EVP_aes_256_ctr);
		ret->stream = true;
		if (m->pParameter == NULL || m->ulParameterLen != sizeof(ctr))
			return false;
		memcpy(&ctr, m->pParameter, sizeof(ctr));
		memcpy(ret->counter, ctr.cb, BLOCK);
		ret->iv = ret->counter;
		return ctr.ulCounterBits == 128; /* a shorter one soon runs out */
	case CKM_AES_GCM:
		ret->cipher = by_length(len, EVP_aes_128_gcm, EVP_aes_192_gcm, EVP_aes_256_gcm);
		return m->pParameter != NULL && gcm_of(m, ret);
	default:
		return false;
	}
}

bool
bytes_takes(uint32_t number, const CK_MECHANISM *m)
{
	struct mode mode;

	if (number == CALL_C_Sign)
		return hmac_of(m->mechanism) != NULL && m->ulParameterLen == 0;
	return (number == CALL_C_Encrypt || number == CALL_C_Decrypt) &&
	    mode_of(m, BLOCK, &mode);
}

static bool
hmac(const struct key *key, struct job *job)
{
	const EVP_MD *md = hmac_of(job->m->mechanism);
	unsigned len = 0;

	if (md == NULL || job->room < (CK_ULONG)EVP_MD_get_size(md) ||
	    HMAC(md, key->bytes, (int)key->len, job->in, job->len, job->out, &len) == NULL)
		return false;
	job->done = len;
	return true;
}

static bool
start(EVP_CIPHER_CTX *ctx, const struct key *key, const struct mode *mode, int encrypt)
{
	int n;

	if (mode->tag == 0)
		return EVP_CipherInit_ex(ctx, mode->cipher, NULL, key->bytes, mode->iv, encrypt) &&
		    EVP_CIPHER_CTX_set_padding(ctx, mode->padded);
	return EVP_CipherInit_ex(ctx, mode->cipher, NULL, NULL, NULL, encrypt) &&
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)mode->iv_len, NULL) == 1 &&
	    EVP_CipherInit_ex(ctx, NULL, NULL, key->bytes, mode->iv, encrypt) &&
	    (mode->aad_len == 0 || mode->aad == NULL ||
	    EVP_CipherUpdate(ctx, NULL, &n, mode->aad, (int)mode->aad_len));
}

static bool
encrypt(EVP_CIPHER_CTX *ctx, const struct mode *mode, struct job *job)
{
	int n = 0, end = 0;

	if (!EVP_CipherUpdate(ctx, job->out, &n, job->in, (int)job->len) ||
	    !EVP_CipherFinal_ex(ctx, job->out + n, &end))
		return false;
	job->done = (CK_ULONG)n + (CK_ULONG)end;
	if (mode->tag == 0)
		return true;
	if (EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, (int)mode->tag,
	    job->out + job->done) != 1)
		return false;
	job->done += mode->tag;
	return true;
}

static bool
decrypt(EVP_CIPHER_CTX *ctx, const struct mode *mode, struct job *job)
{
	CK_ULONG len = job->len - mode->tag;
	int n = 0, end = 0;
	bool ok;

	if (mode->tag > 0 && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)mode->tag,
	    (void *)(uintptr_t)(job->in + len)) != 1)
		return false;
	ok = (len == 0 || EVP_CipherUpdate(ctx, job->out, &n, job->in, (int)len)) &&
	    EVP_CipherFinal_ex(ctx, job->out + n, &end);
	/* It is not authentic. */
	if (!ok)
		sec_wipe(job->out, job->len);
	job->done = (CK_ULONG)n + (CK_ULONG)end;
	return ok;
}

/* SoftHSM2 does not let the counter go round. */
static bool
runs_out(const struct mode *mode, CK_ULONG len)
{
	uint64_t low = 0, blocks = (len + BLOCK - 1) / BLOCK;

	for (size_t i = 0; i < BLOCK / 2; i++)
		if (mode->counter[i] != 0xff)
			return false;
	for (size_t i = BLOCK / 2; i < BLOCK; i++)
		low = low << 8 | mode->counter[i];
	return blocks > 0 && blocks - 1 > UINT64_MAX - low;
}

/* Lengths that SoftHSM2 takes, and room that it takes for enough. */
static bool
fits(const struct mode *mode, const struct job *job, bool encrypts)
{
	if (mode->iv == mode->counter && runs_out(mode, job->len))
		return false;
	if (!encrypts)
		return job->len >= mode->tag && job->room >= job->len &&
		    (mode->stream || job->len % BLOCK == 0);
	if (!mode->stream && !mode->padded && job->len % BLOCK != 0)
		return false;
	return job->room >= job->len + mode->tag +
	    (mode->padded ? BLOCK - job->len % BLOCK : 0);
}

bool
bytes_compute(const struct key *key, struct job *job)
{
	bool encrypts = job->number == CALL_C_Encrypt, ok;
	EVP_CIPHER_CTX *ctx;
	struct mode mode;

	if (job->number == CALL_C_Sign)
		return hmac(key, job);
	if (!mode_of(job->m, key->len, &mode) || mode.cipher == NULL ||
	    !fits(&mode, job, encrypts) || (ctx = EVP_CIPHER_CTX_new()) == NULL)
		return false;
	ok = start(ctx, key, &mode, encrypts) &&
	    (encrypts ? encrypt(ctx, &mode, job) : decrypt(ctx, &mode, job));
	EVP_CIPHER_CTX_free(ctx);
	return ok;
}
