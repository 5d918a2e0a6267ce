/* keys.c - see keys.h */
#include "tests/soak/keys.h"

#include <stdio.h>
#include <string.h>

#include "tests/soak/find.h"

const char *const keys_labels[KEY_KINDS] = {"rsa", "ec", "ed"};

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_BYTE exponent[] = {1, 0, 1};
static CK_BYTE p256[] = {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};
static CK_BYTE ed25519[] = "\x13\x0c"
			   "edwards25519";

static const CK_MECHANISM_TYPE generators[KEY_KINDS] = {
    CKM_RSA_PKCS_KEY_PAIR_GEN, CKM_EC_KEY_PAIR_GEN, CKM_EC_EDWARDS_KEY_PAIR_GEN};

void
keys_make(struct job *j, enum key_kind kind, CK_ULONG bits, const char *label,
    const char *origin, bool token, struct pair *ret)
{
	CK_MECHANISM m = {generators[kind], NULL, 0};
	char public_id[NAME_MOST + 2], private_id[NAME_MOST + 2];
	CK_ATTRIBUTE public[] = {{CKA_TOKEN, token ? &yes : &no, sizeof(yes)},
	    {CKA_VERIFY, &yes, sizeof(yes)}, find_text(CKA_LABEL, label),
	    {CKA_ID, public_id, 0}, {CKA_EC_PARAMS, p256, sizeof(p256)},
	    {CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent)}};
	CK_ATTRIBUTE private[] = {{CKA_TOKEN, token ? &yes : &no, sizeof(yes)},
	    {CKA_PRIVATE, &yes, sizeof(yes)}, {CKA_SENSITIVE, &yes, sizeof(yes)},
	    {CKA_SIGN, &yes, sizeof(yes)}, find_text(CKA_LABEL, label),
	    {CKA_ID, private_id, 0}};

	public[3].ulValueLen =
	    (CK_ULONG)snprintf(public_id, sizeof(public_id), "%s.p", origin);
	private[5].ulValueLen =
	    (CK_ULONG)snprintf(private_id, sizeof(private_id), "%s.s", origin);
	if (kind == KEY_RSA)
	public[4] = (CK_ATTRIBUTE){CKA_MODULUS_BITS, &bits, sizeof(bits)};
	else if (kind == KEY_ED) public[4] =
	    (CK_ATTRIBUTE){CKA_EC_PARAMS, ed25519, sizeof(ed25519) - 1};
	MUST(j, C_GenerateKeyPair, j->session, &m, public, kind == KEY_RSA ? 6 : 5,
	    private, COUNT(private), &ret->public, &ret->private);
	ret->kind = kind;
	ret->judge = judge_key(j, ret->public);
}

void
keys_find(struct job *j, const char *label, struct pair *ret)
{
	static const CK_KEY_TYPE types[KEY_KINDS] = {CKK_RSA, CKK_EC, CKK_EC_EDWARDS};
	CK_KEY_TYPE type = 0;
	CK_ATTRIBUTE t = {CKA_KEY_TYPE, &type, sizeof(type)};

	ret->private = find_one(j, CKO_PRIVATE_KEY, find_text(CKA_LABEL, label));
	ret->public = find_one(j, CKO_PUBLIC_KEY, find_text(CKA_LABEL, label));
	MUST(j, C_GetAttributeValue, j->session, ret->private, &t, 1);
	for (ret->kind = 0; ret->kind < KEY_KINDS && types[ret->kind] != type;
	     ret->kind++)
		;
	if (ret->kind == KEY_KINDS)
		fail(j, "key %s is of type %lu", label, type);
	ret->judge = judge_key(j, ret->public);
}

void
keys_free(struct pair *p)
{
	EVP_PKEY_free(p->judge);
	p->judge = NULL;
}

static CK_MECHANISM_TYPE
mechanism_for(struct job *j, enum key_kind kind)
{
	static const CK_MECHANISM_TYPE rsa[] = {
	    CKM_RSA_PKCS, CKM_RSA_PKCS_PSS, CKM_SHA256_RSA_PKCS, CKM_SHA512_RSA_PKCS};

	return kind == KEY_RSA	? rsa[chance_below(j, COUNT(rsa))]
	       : kind == KEY_EC ? CKM_ECDSA
				: CKM_EDDSA;
}

/* Of a hash; the others are of a message. */
static bool
of_hash(CK_MECHANISM_TYPE m)
{
	return m == CKM_RSA_PKCS || m == CKM_RSA_PKCS_PSS || m == CKM_ECDSA;
}

static void
sign_in_parts(struct job *j, struct signature *s)
{
	for (CK_ULONG at = 0, n; at < s->len; at += n) {
		n = 1 + chance_below(j, (unsigned)(s->len - at));
		MUST(j, C_SignUpdate, j->session, s->data + at, n);
	}
	MUST(j, C_SignFinal, j->session, s->bytes, &s->bytes_len);
}

void
keys_sign(
    struct job *j, CK_OBJECT_HANDLE private, enum key_kind kind, struct signature *ret)
{
	CK_RSA_PKCS_PSS_PARAMS pss = {CKM_SHA256, CKG_MGF1_SHA256, 32};
	CK_MECHANISM m = {ret->mechanism = mechanism_for(j, kind), NULL, 0};
	bool digests =
	    m.mechanism == CKM_SHA256_RSA_PKCS || m.mechanism == CKM_SHA512_RSA_PKCS;

	if (m.mechanism == CKM_RSA_PKCS_PSS)
		m = (CK_MECHANISM){CKM_RSA_PKCS_PSS, &pss, sizeof(pss)};
	ret->len = of_hash(m.mechanism) ? 32 : 1 + chance_below(j, sizeof(ret->data));
	chance_fill(j, ret->data, ret->len);
	MUST(j, C_SignInit, j->session, &m, private);
	ret->bytes_len = sizeof(ret->bytes);
	if (digests && chance_of(j, 50)) {
		sign_in_parts(j, ret);
		return;
	}
	if (chance_of(j, 20)) { /* how long? */
		ret->bytes_len = 0;
		MUST(j, C_Sign, j->session, ret->data, ret->len, NULL, &ret->bytes_len);
		if (ret->bytes_len == 0 || ret->bytes_len > sizeof(ret->bytes))
			fail(j, "a signature of %lu bytes", ret->bytes_len);
	}
	MUST(j, C_Sign, j->session, ret->data, ret->len, ret->bytes, &ret->bytes_len);
}

void
keys_judge(struct job *j, EVP_PKEY *key, const struct signature *s)
{
	if (!judge_signature(key, s->mechanism, s->data, s->len, s->bytes, s->bytes_len))
		fail(j, "WRONG SIGNATURE by mechanism 0x%lx, %lu bytes of %lu",
		    s->mechanism, s->bytes_len, s->len);
}

void
keys_use(struct job *j, const struct pair *p)
{
	struct signature s;

	keys_sign(j, p->private, p->kind, &s);
	keys_judge(j, p->judge, &s);
}
