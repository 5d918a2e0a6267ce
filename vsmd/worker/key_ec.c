/* key_ec.c - see key_kinds.h: ECDSA and EdDSA */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>

#include "protocol/calls.h"
#include "vsmd/worker/key_kinds.h"

bool
ec_takes(uint32_t number, const CK_MECHANISM *m)
{
	return number == CALL_C_Sign && m->mechanism == CKM_ECDSA && m->ulParameterLen == 0;
}

static int
order_len(const struct key *key)
{
	return (EC_GROUP_order_bits(EC_KEY_get0_group(key->ec)) + 7) / 8;
}

bool
ec_compute(const struct key *key, struct job *job)
{
	int n = order_len(key);
	ECDSA_SIG *sig;
	bool ok;

	if (job->room < (CK_ULONG)n * 2)
		return false;
	if ((sig = ECDSA_do_sign(job->in, (int)job->len, key->ec)) == NULL)
		return false;
	ok = BN_bn2binpad(ECDSA_SIG_get0_r(sig), job->out, n) == n &&
	    BN_bn2binpad(ECDSA_SIG_get0_s(sig), job->out + n, n) == n;
	ECDSA_SIG_free(sig);
	job->done = (CK_ULONG)n * 2;
	return ok;
}

bool
ec_verify(const struct key *key, const struct job *job, const uint8_t *signature,
    CK_ULONG len)
{
	int n = order_len(key);
	BIGNUM *r, *s;
	ECDSA_SIG *sig;
	bool ok;

	if (len != (CK_ULONG)n * 2 || (sig = ECDSA_SIG_new()) == NULL)
		return false;
	r = BN_bin2bn(signature, n, NULL);
	s = BN_bin2bn(signature + n, n, NULL);
	if (r == NULL || s == NULL || !ECDSA_SIG_set0(sig, r, s)) {
		BN_free(r);
		BN_free(s);
		ECDSA_SIG_free(sig);
		return false;
	}
	ok = ECDSA_do_verify(job->in, (int)job->len, sig, key->ec) == 1;
	ECDSA_SIG_free(sig);
	return ok;
}

bool
edwards_takes(uint32_t number, const CK_MECHANISM *m)
{
	/* With parameters it may be another variant. */
	return number == CALL_C_Sign && m->mechanism == CKM_EDDSA && m->pParameter == NULL &&
	    m->ulParameterLen == 0;
}

bool
edwards_compute(const struct key *key, struct job *job)
{
	size_t len = (size_t)EVP_PKEY_get_size(key->edwards), got = len;
	EVP_MD_CTX *ctx;
	bool ok;

	if (job->room < len || (ctx = EVP_MD_CTX_new()) == NULL)
		return false;
	ok = EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->edwards) == 1 &&
	    EVP_DigestSign(ctx, job->out, &got, job->in, job->len) == 1;
	EVP_MD_CTX_free(ctx);
	job->done = got;
	return ok;
}
