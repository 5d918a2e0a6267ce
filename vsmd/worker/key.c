/* key.c - see key.h: what a key is; key_rsa.c and its neighbours compute */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "vsmd/worker/key.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "common/secmem.h"
#include "protocol/calls.h"
#include "vsmd/worker/key_kinds.h"

static struct key *
key_new(enum key_kind kind)
{
	struct key *key = calloc(1, sizeof(*key));

	if (key != NULL)
		key->kind = kind;
	return key;
}

void
key_free(struct key *key)
{
	if (key == NULL)
		return;
	RSA_free(key->rsa);
	EC_KEY_free(key->ec);
	EVP_PKEY_free(key->edwards);
	sec_free(key->bytes);
	free(key);
}

enum key_kind
key_kind(const struct key *key)
{
	return key->kind;
}

static BIGNUM *
secret(const BIGNUM *from)
{
	BIGNUM *bn = from != NULL ? BN_dup(from) : NULL;

	if (bn != NULL)
		BN_set_flags(bn, BN_FLG_CONSTTIME);
	return bn;
}

static bool
copy_rsa(RSA *to, const RSA *from)
{
	const BIGNUM *n, *e, *d, *p, *q, *dp, *dq, *qinv;
	BIGNUM *a, *b, *c;

	RSA_get0_key(from, &n, &e, &d);
	RSA_get0_factors(from, &p, &q);
	RSA_get0_crt_params(from, &dp, &dq, &qinv);
	if (n == NULL || e == NULL || d == NULL)
		return false;
	a = BN_dup(n), b = BN_dup(e), c = secret(d);
	if (a == NULL || b == NULL || c == NULL || !RSA_set0_key(to, a, b, c)) {
		BN_free(a), BN_free(b), BN_clear_free(c);
		return false;
	}
	if (p == NULL || q == NULL || dp == NULL || dq == NULL || qinv == NULL)
		return true; /* slower, and right */
	a = secret(p), b = secret(q);
	if (a == NULL || b == NULL || !RSA_set0_factors(to, a, b)) {
		BN_clear_free(a), BN_clear_free(b);
		return false;
	}
	a = secret(dp), b = secret(dq), c = secret(qinv);
	if (a == NULL || b == NULL || c == NULL || !RSA_set0_crt_params(to, a, b, c)) {
		BN_clear_free(a), BN_clear_free(b), BN_clear_free(c);
		return false;
	}
	return true;
}

struct key *
key_from_rsa(const RSA *rsa)
{
	struct key *key = key_new(KEY_RSA);

	if (key != NULL && (key->rsa = RSA_new()) != NULL && copy_rsa(key->rsa, rsa))
		return key;
	key_free(key);
	return NULL;
}

/* SoftHSM2's key has no public point: it is computed. */
static bool
copy_ec(EC_KEY *to, const EC_KEY *from)
{
	const EC_GROUP *group = EC_KEY_get0_group(from);
	const BIGNUM *d = EC_KEY_get0_private_key(from);
	EC_POINT *point;
	bool ok;

	if (group == NULL || d == NULL || !EC_KEY_set_group(to, group) ||
	    !EC_KEY_set_private_key(to, d) || (point = EC_POINT_new(group)) == NULL)
		return false;
	ok = EC_POINT_mul(group, point, d, NULL, NULL, NULL) &&
	    EC_KEY_set_public_key(to, point);
	EC_POINT_free(point);
	return ok;
}

struct key *
key_from_ec(const EC_KEY *ec)
{
	struct key *key = key_new(KEY_EC);

	if (key != NULL && (key->ec = EC_KEY_new()) != NULL && copy_ec(key->ec, ec))
		return key;
	key_free(key);
	return NULL;
}

/* EVP_PKEY_get_raw_private_key() would leave a copy in memory that nobody wipes. */
static bool
raw_private(const EVP_PKEY *pkey, uint8_t *raw, size_t *len)
{
	return EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PRIV_KEY, raw, *len, len) ==
	    1;
}

struct key *
key_from_edwards(const EVP_PKEY *pkey)
{
	struct key *key = key_new(KEY_EDWARDS);
	uint8_t raw[KEY_BYTES_MAX];
	size_t len = sizeof(raw);

	if (key != NULL && raw_private(pkey, raw, &len))
		key->edwards = EVP_PKEY_new_raw_private_key(
		    EVP_PKEY_get_id(pkey), NULL, raw, len);
	sec_wipe(raw, sizeof(raw));
	if (key != NULL && key->edwards != NULL)
		return key;
	key_free(key);
	return NULL;
}

struct key *
key_from_bytes(const uint8_t *bytes, size_t len)
{
	struct key *key = len > 0 && len <= KEY_BYTES_MAX ? key_new(KEY_BYTES) : NULL;

	if (key != NULL && (key->bytes = sec_alloc(len)) != NULL) {
		memcpy(key->bytes, bytes, len);
		key->len = len;
		return key;
	}
	key_free(key);
	return NULL;
}

enum key_kind
key_kind_for(uint32_t number, const CK_MECHANISM *m)
{
	static const struct {
		enum key_kind kind;
		bool (*takes)(uint32_t number, const CK_MECHANISM *m);
	} kinds[] = {{KEY_RSA, rsa_takes}, {KEY_EC, ec_takes}, {KEY_EDWARDS, edwards_takes},
	    {KEY_BYTES, bytes_takes}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].takes(number, m))
			return kinds[i].kind;
	return KEY_NONE;
}

bool
key_compute(const struct key *key, uint32_t number, const CK_MECHANISM *m,
    const uint8_t *in, CK_ULONG len, uint8_t *out, CK_ULONG room, CK_ULONG *ret_len)
{
	struct job job = {.number = number, .m = m, .in = in, .len = len, .out = out,
	    .room = room};
	bool ok;

	if (in == NULL || len == 0 || len > JOB_MAX || out == NULL)
		return false;
	switch (key->kind) {
	case KEY_RSA:
		ok = rsa_compute(key, &job);
		break;
	case KEY_EC:
		ok = ec_compute(key, &job);
		break;
	case KEY_EDWARDS:
		ok = edwards_compute(key, &job);
		break;
	case KEY_BYTES:
		ok = bytes_compute(key, &job);
		break;
	default:
		ok = false;
		break;
	}
	if (ok)
		*ret_len = job.done;
	return ok;
}

bool
key_proven(const struct key *key, uint32_t number, const CK_MECHANISM *m,
    const uint8_t *in, CK_ULONG len, const uint8_t *out, CK_ULONG out_len)
{
	struct job job = {.number = number, .m = m, .in = in, .len = len};
	CK_ULONG room = len > out_len ? len : out_len, got = 0;
	uint8_t *mine;
	bool ok;

	if (in == NULL || out == NULL || len == 0 || len > JOB_MAX)
		return false;
	if (key->kind == KEY_EC)
		return ec_verify(key, &job, out, out_len);
	if (key->kind == KEY_RSA && rsa_salted(m))
		return rsa_verify(key, &job, out, out_len);
	room += 2 * KEY_BYTES_MAX; /* padding, tags */
	if ((mine = malloc(room)) == NULL)
		return false;
	ok = key_compute(key, number, m, in, len, mine, room, &got) && got == out_len &&
	    CRYPTO_memcmp(mine, out, out_len) == 0;
	sec_wipe(mine, room);
	free(mine);
	return ok;
}
