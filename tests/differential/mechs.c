/* mechs.c - mechanisms with parameters, right and wrong */
#include <string.h>

#include "tests/differential/diff.h"

static CK_MECHANISM *
mech(struct world *w, CK_MECHANISM_TYPE type, const void *param, CK_ULONG len)
{
	CK_MECHANISM *m = arena_alloc(&w->arena, sizeof(*m));

	m->mechanism = type;
	m->ulParameterLen = len;
	if (param != NULL) {
		m->pParameter = arena_alloc(&w->arena, len);
		memcpy(m->pParameter, param, len);
	}
	return m;
}

static CK_MECHANISM *
pss(struct world *w, CK_MECHANISM_TYPE type)
{
	CK_RSA_PKCS_PSS_PARAMS p = {CKM_SHA256, CKG_MGF1_SHA256, rnd_below(w, 40)};

	if (type == CKM_SHA1_RSA_PKCS_PSS || (type == CKM_RSA_PKCS_PSS && chance(w, 30))) {
		p.hashAlg = CKM_SHA_1;
		p.mgf = CKG_MGF1_SHA1;
		p.sLen = 20;
	}
	return mech(w, type, &p, sizeof(p));
}

static CK_MECHANISM *
aes(struct world *w)
{
	static CK_BYTE iv[16] = {1, 2, 3}, aad[20] = {9};

	switch (rnd_below(w, 6)) {
	case 0:
		return mech(w, CKM_AES_ECB, NULL, 0);
	case 1:
		return mech(w, CKM_AES_CBC, iv, chance(w, 95) ? 16 : 8);
	case 2:
		return mech(w, CKM_AES_CBC_PAD, iv, 16);
	case 3: {
		CK_AES_CTR_PARAMS p = {.ulCounterBits = chance(w, 80) ? 128 : rnd_below(w, 140)};

		memcpy(p.cb, iv, 16);
		return mech(w, CKM_AES_CTR, &p, sizeof(p));
	}
	default: {
		CK_GCM_PARAMS_V3 p = {iv, 12, 96, aad, rnd_below(w, 20),
		    chance(w, 80) ? 128 : rnd_below(w, 140)};

		return mech(w, CKM_AES_GCM, &p, sizeof(p));
	}
	}
}

static CK_MECHANISM *
rsa_cipher(struct world *w, enum op op, bool *ret_random)
{
	CK_RSA_PKCS_OAEP_PARAMS p = {CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0};

	*ret_random = true;
	/* SoftHSM2 ends the process for raw RSA on data longer than the modulus. */
	switch (rnd_below(w, 3)) {
	case 0:
		return mech(w, CKM_RSA_PKCS, NULL, 0);
	case 1:
		return mech(w, op == OP_DECRYPT ? CKM_RSA_X_509 : CKM_RSA_PKCS, NULL, 0);
	default:
		if (chance(w, 10))
			p.hashAlg = CKM_SHA256;
		return mech(w, CKM_RSA_PKCS_OAEP, &p, sizeof(p));
	}
}

static CK_MECHANISM *
signing(struct world *w, enum kind kind, bool *ret_random)
{
	static const CK_MECHANISM_TYPE rsa[] = {CKM_RSA_PKCS, CKM_MD5_RSA_PKCS, CKM_SHA1_RSA_PKCS,
	    CKM_SHA256_RSA_PKCS, CKM_SHA512_RSA_PKCS};
	static const CK_MECHANISM_TYPE hmac[] = {CKM_SHA_1_HMAC, CKM_SHA256_HMAC,
	    CKM_SHA384_HMAC, CKM_MD5_HMAC};

	switch (kind) {
	case K_RSA_PRIV:
	case K_RSA_PUB:
		if (chance(w, 30)) {
			*ret_random = true;
			return pss(w, chance(w, 40) ? CKM_RSA_PKCS_PSS :
			        chance(w, 50) ? CKM_SHA256_RSA_PKCS_PSS : CKM_SHA1_RSA_PKCS_PSS);
		}
		return mech(w, rsa[rnd_below(w, 5)], NULL, 0);
	case K_EC_PRIV:
	case K_EC_PUB:
		*ret_random = true;
		return mech(w, CKM_ECDSA, NULL, 0);
	case K_AES:
		return mech(w, CKM_AES_CMAC, NULL, 0);
	case K_DES3:
		return mech(w, 0x138, NULL, 0); /* CKM_DES3_CMAC, which NSS lacks */
	default:
		return mech(w, hmac[rnd_below(w, 4)], NULL, 0);
	}
}

CK_MECHANISM *
gen_mech(struct world *w, enum op op, enum kind kind, bool *ret_random)
{
	static const CK_MECHANISM_TYPE digests[] = {CKM_MD5, CKM_SHA_1, CKM_SHA224, CKM_SHA256,
	    CKM_SHA384, CKM_SHA512};
	static CK_BYTE iv[8] = {5};

	*ret_random = false;
	if (chance(w, 1))
		return NULL;
	if (chance(w, 4)) {
		CK_MECHANISM_TYPE any = rnd_below(w, 0x1400);

		/* SoftHSM2 crashes when it signs by DSA with a key of another type. */
		if (any < CKM_DSA || any > CKM_DSA_SHA512) {
			*ret_random = true;
			return mech(w, any, NULL, 0);
		}
	}
	if (op == OP_DIGEST)
		return mech(w, digests[rnd_below(w, 6)], NULL, 0);
	if (op == OP_SIGN || op == OP_VERIFY)
		return signing(w, kind, ret_random);
	switch (kind) {
	case K_RSA_PRIV:
	case K_RSA_PUB:
		return rsa_cipher(w, op, ret_random);
	case K_DES3:
		if (chance(w, 30))
			return mech(w, CKM_DES3_ECB, NULL, 0);
		return mech(w, chance(w, 50) ? CKM_DES3_CBC : CKM_DES3_CBC_PAD, iv, 8);
	default:
		return aes(w);
	}
}
