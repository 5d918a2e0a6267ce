/* key_rsa.c - see key_kinds.h */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>

#include "common/secmem.h"
#include "protocol/calls.h"
#include "vsmd/worker/key_kinds.h"

#define MODULUS_MAX 2048 /* bytes */

/* How a mechanism signs. */
enum form { RAW, PKCS1, PKCS1_HASHED, PSS, PSS_HASHED };

struct signing {
	CK_MECHANISM_TYPE mechanism;
	enum form form;
	const EVP_MD *(*md)(void); /* of the hashed ones */
};

static const struct signing signings[] = {
    {CKM_RSA_X_509, RAW, NULL},
    {CKM_RSA_PKCS, PKCS1, NULL},
    {CKM_SHA1_RSA_PKCS, PKCS1_HASHED, EVP_sha1},
    {CKM_SHA224_RSA_PKCS, PKCS1_HASHED, EVP_sha224},
    {CKM_SHA256_RSA_PKCS, PKCS1_HASHED, EVP_sha256},
    {CKM_SHA384_RSA_PKCS, PKCS1_HASHED, EVP_sha384},
    {CKM_SHA512_RSA_PKCS, PKCS1_HASHED, EVP_sha512},
    {CKM_RSA_PKCS_PSS, PSS, NULL},
    {CKM_SHA1_RSA_PKCS_PSS, PSS_HASHED, EVP_sha1},
    {CKM_SHA224_RSA_PKCS_PSS, PSS_HASHED, EVP_sha224},
    {CKM_SHA256_RSA_PKCS_PSS, PSS_HASHED, EVP_sha256},
    {CKM_SHA384_RSA_PKCS_PSS, PSS_HASHED, EVP_sha384},
    {CKM_SHA512_RSA_PKCS_PSS, PSS_HASHED, EVP_sha512},
};

static const struct signing *
find(CK_MECHANISM_TYPE mechanism)
{
	for (size_t i = 0; i < sizeof(signings) / sizeof(signings[0]); i++)
		if (signings[i].mechanism == mechanism)
			return &signings[i];
	return NULL;
}

bool
rsa_salted(const CK_MECHANISM *m)
{
	const struct signing *s = find(m->mechanism);

	return s != NULL && (s->form == PSS || s->form == PSS_HASHED);
}

/* SoftHSM2 knows OAEP with SHA-1, and overlooks a label: not for here (-1). */
static int
padding_of(const CK_MECHANISM *m)
{
	CK_RSA_PKCS_OAEP_PARAMS params;

	switch (m->mechanism) {
	case CKM_RSA_PKCS:
		return m->ulParameterLen == 0 ? RSA_PKCS1_PADDING : -1;
	case CKM_RSA_X_509:
		return m->ulParameterLen == 0 ? RSA_NO_PADDING : -1;
	case CKM_RSA_PKCS_OAEP:
		if (m->pParameter == NULL || m->ulParameterLen != sizeof(params))
			return -1;
		memcpy(&params, m->pParameter, sizeof(params));
		return params.hashAlg == CKM_SHA_1 && params.mgf == CKG_MGF1_SHA1 &&
		    params.source == CKZ_DATA_SPECIFIED && params.pSourceData == NULL &&
		    params.ulSourceDataLen == 0 ? RSA_PKCS1_OAEP_PADDING : -1;
	default:
		return -1;
	}
}

bool
rsa_takes(uint32_t number, const CK_MECHANISM *m)
{
	switch (number) {
	case CALL_C_Sign:
		if (rsa_salted(m))
			return m->pParameter != NULL &&
			    m->ulParameterLen == sizeof(CK_RSA_PKCS_PSS_PARAMS);
		return find(m->mechanism) != NULL && m->ulParameterLen == 0;
	case CALL_C_Decrypt:
		return padding_of(m) >= 0;
	default:
		return false;
	}
}

static const EVP_MD *
hash_of(CK_MECHANISM_TYPE mechanism)
{
	switch (mechanism) {
	case CKM_SHA_1:
		return EVP_sha1();
	case CKM_SHA224:
		return EVP_sha224();
	case CKM_SHA256:
		return EVP_sha256();
	case CKM_SHA384:
		return EVP_sha384();
	case CKM_SHA512:
		return EVP_sha512();
	default:
		return NULL;
	}
}

static const EVP_MD *
mgf_of(CK_RSA_PKCS_MGF_TYPE mgf)
{
	switch (mgf) {
	case CKG_MGF1_SHA1:
		return EVP_sha1();
	case CKG_MGF1_SHA224:
		return EVP_sha224();
	case CKG_MGF1_SHA256:
		return EVP_sha256();
	case CKG_MGF1_SHA384:
		return EVP_sha384();
	case CKG_MGF1_SHA512:
		return EVP_sha512();
	default:
		return NULL;
	}
}

struct pss {
	uint8_t digest[EVP_MAX_MD_SIZE];
	const EVP_MD *md, *mgf;
	int salt;
};

/* The digest to sign and how; false: not as SoftHSM2 would have it. */
static bool
pss_of(const struct job *job, const struct signing *s, struct pss *ret)
{
	CK_RSA_PKCS_PSS_PARAMS params;
	unsigned len = 0;

	memcpy(&params, job->m->pParameter, sizeof(params));
	ret->md = hash_of(params.hashAlg);
	ret->mgf = mgf_of(params.mgf);
	ret->salt = (int)params.sLen;
	if (ret->md == NULL || ret->mgf == NULL || params.sLen > MODULUS_MAX)
		return false;
	if (s->form == PSS_HASHED)
		return s->md() == ret->md &&
		    EVP_Digest(job->in, job->len, ret->digest, &len, ret->md, NULL) == 1;
	if (job->len != (CK_ULONG)EVP_MD_get_size(ret->md))
		return false;
	memcpy(ret->digest, job->in, job->len);
	return true;
}

static bool
sign_pss(RSA *rsa, int size, struct job *job, const struct signing *s)
{
	uint8_t em[MODULUS_MAX];
	struct pss pss;

	return pss_of(job, s, &pss) &&
	    RSA_padding_add_PKCS1_PSS_mgf1(rsa, em, pss.digest, pss.md, pss.mgf, pss.salt) ==
	    1 && RSA_private_encrypt(size, em, job->out, rsa, RSA_NO_PADDING) == size;
}

static bool
sign_hashed(RSA *rsa, struct job *job, const EVP_MD *md)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len = 0, out = 0;

	return EVP_Digest(job->in, job->len, digest, &len, md, NULL) == 1 &&
	    RSA_sign(EVP_MD_get_type(md), digest, len, job->out, &out, rsa) == 1 &&
	    out == (unsigned)RSA_size(rsa);
}

/* SoftHSM2 puts zeroes in front of what is shorter than the modulus. */
static bool
sign_raw(RSA *rsa, int size, struct job *job)
{
	uint8_t block[MODULUS_MAX] = {0};

	if (job->len > (CK_ULONG)size)
		return false;
	memcpy(block + ((CK_ULONG)size - job->len), job->in, job->len);
	return RSA_private_encrypt(size, block, job->out, rsa, RSA_NO_PADDING) == size;
}

static bool
sign(RSA *rsa, int size, struct job *job)
{
	const struct signing *s = find(job->m->mechanism);
	bool ok = false;

	if (s == NULL || job->room < (CK_ULONG)size)
		return false;
	switch (s->form) {
	case RAW:
		ok = sign_raw(rsa, size, job);
		break;
	case PKCS1:
		ok = job->len <= (CK_ULONG)size - RSA_PKCS1_PADDING_SIZE &&
		    RSA_private_encrypt((int)job->len, job->in, job->out, rsa,
		    RSA_PKCS1_PADDING) == size;
		break;
	case PKCS1_HASHED:
		ok = sign_hashed(rsa, job, s->md());
		break;
	case PSS:
	case PSS_HASHED:
		ok = sign_pss(rsa, size, job, s);
		break;
	}
	job->done = (CK_ULONG)size;
	return ok;
}

static bool
decrypt(RSA *rsa, int size, struct job *job)
{
	uint8_t plain[MODULUS_MAX];
	int padding = padding_of(job->m), n = -1;

	if (padding < 0 || job->len != (CK_ULONG)size || job->room < (CK_ULONG)size)
		return false;
	n = RSA_private_decrypt(size, job->in, plain, rsa, padding);
	if (n >= 0) {
		memcpy(job->out, plain, (size_t)n);
		job->done = (CK_ULONG)n;
	}
	sec_wipe(plain, sizeof(plain));
	return n >= 0;
}

bool
rsa_compute(const struct key *key, struct job *job)
{
	int size = RSA_size(key->rsa);

	if (size <= RSA_PKCS1_PADDING_SIZE || size > MODULUS_MAX)
		return false;
	return job->number == CALL_C_Sign ? sign(key->rsa, size, job)
	                                  : decrypt(key->rsa, size, job);
}

bool
rsa_verify(const struct key *key, const struct job *job, const uint8_t *signature,
    CK_ULONG len)
{
	const struct signing *s = find(job->m->mechanism);
	int size = RSA_size(key->rsa);
	uint8_t em[MODULUS_MAX];
	struct pss pss;

	return s != NULL && size <= MODULUS_MAX && len == (CK_ULONG)size &&
	    pss_of(job, s, &pss) &&
	    RSA_public_decrypt(size, signature, em, key->rsa, RSA_NO_PADDING) == size &&
	    RSA_verify_PKCS1_PSS_mgf1(
	    key->rsa, pss.digest, pss.md, pss.mgf, em, pss.salt) == 1;
}
