/* test_worker_curve.c - curves that are copied instead of made */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "inprocess.h"

#include <openssl/asn1.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <string.h>

#include "vsmd/worker/curve.h"

/* As SoftHSM2 asks for it: the curve of these parameters, and how many bytes they took. */
static EC_GROUP *
ask(const unsigned char *params, size_t len, size_t *ret_used)
{
	const unsigned char *p = params;
	EC_GROUP *group = d2i_ECPKParameters(NULL, &p, (long)len);

	*ret_used = (size_t)(p - params);
	return group;
}

static int
params_of(int nid, unsigned char *ret, size_t room, int named)
{
	EC_GROUP *group = EC_GROUP_new_by_curve_name(nid);
	int len;

	assert_non_null(group);
	EC_GROUP_set_asn1_flag(group, named);
	len = i2d_ECPKParameters(group, NULL);
	assert_true(len > 0 && (size_t)len <= room);
	assert_int_equal(i2d_ECPKParameters(group, &ret), len);
	EC_GROUP_free(group);
	return len;
}

static void
test_a_copy_is_as_the_first(void **state)
{
	static const int curves[] = {NID_X9_62_prime256v1, NID_secp384r1, NID_secp521r1,
	    NID_secp256k1};
	unsigned char params[80];

	(void)state;
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		size_t len = (size_t)params_of(
		    curves[i], params, sizeof(params), OPENSSL_EC_NAMED_CURVE);
		EC_GROUP *first, *copy, *known = EC_GROUP_new_by_curve_name(curves[i]);
		unsigned before;
		size_t used;

		memset(params + len, 0xff, sizeof(params) - len);
		assert_non_null(first = ask(params, len, &used));
		assert_int_equal(used, len);
		EC_GROUP_free(first);
		before = curve_copies();
		/* What follows the parameters is not theirs. */
		assert_non_null(copy = ask(params, sizeof(params), &used));
		assert_int_equal(used, len);
		assert_int_equal(curve_copies(), before + 1);
		assert_int_equal(EC_GROUP_cmp(copy, known, NULL), 0);
		assert_int_equal(EC_GROUP_get_curve_name(copy), curves[i]);
		assert_int_equal(EC_GROUP_get_asn1_flag(copy), OPENSSL_EC_NAMED_CURVE);
		EC_GROUP_free(copy);
		EC_GROUP_free(known);
	}
}

static void
test_a_copy_is_the_callers(void **state)
{
	unsigned char params[80];
	size_t len = (size_t)params_of(NID_X9_62_prime256v1, params, sizeof(params),
	    OPENSSL_EC_NAMED_CURVE), used;
	EC_GROUP *a, *b;

	(void)state;
	EC_GROUP_free(ask(params, len, &used));
	a = ask(params, len, &used);
	EC_GROUP_set_asn1_flag(a, OPENSSL_EC_EXPLICIT_CURVE);
	b = ask(params, len, &used);
	assert_int_equal(EC_GROUP_get_asn1_flag(b), OPENSSL_EC_NAMED_CURVE);
	EC_GROUP_free(a);
	EC_GROUP_free(b);
}

static void
test_nonsense_is_refused_as_ever(void **state)
{
	static const unsigned char nonsense[] = {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 0x7f};
	unsigned char params[80];
	size_t len = (size_t)params_of(NID_X9_62_prime256v1, params, sizeof(params),
	    OPENSSL_EC_NAMED_CURVE), used;
	const unsigned char *p = params;
	unsigned before;

	(void)state;
	EC_GROUP_free(ask(params, len, &used));
	before = curve_copies();
	for (int i = 0; i < 3; i++)
		assert_null(ask(nonsense, sizeof(nonsense), &used));
	for (size_t n = 1; n < len; n++) /* cut off */
		assert_null(ask(params, n, &used));
	assert_null(d2i_ECPKParameters(NULL, &p, 0));
	assert_null(d2i_ECPKParameters(NULL, &p, -1));
	assert_int_equal(curve_copies(), before);
}

/* Curves that a guest makes up fill nothing. */
static void
test_explicit_curves_are_not_kept(void **state)
{
	unsigned char params[600];
	size_t len = (size_t)params_of(NID_X9_62_prime256v1, params, sizeof(params),
	    OPENSSL_EC_EXPLICIT_CURVE), used;
	unsigned before = curve_copies();

	(void)state;
	for (int i = 0; i < 3; i++)
		EC_GROUP_free(ask(params, len, &used));
	assert_int_equal(curve_copies(), before);
}

/* Its own group in the place of the one that is there: none of SoftHSM2's business. */
static void
test_a_group_to_be_replaced(void **state)
{
	unsigned char params[80];
	size_t len = (size_t)params_of(
	    NID_secp384r1, params, sizeof(params), OPENSSL_EC_NAMED_CURVE);
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1), *got;
	const unsigned char *p = params;

	(void)state;
	got = d2i_ECPKParameters(&group, &p, (long)len);
	assert_ptr_equal(got, group);
	assert_int_equal(EC_GROUP_get_curve_name(group), NID_secp384r1);
	EC_GROUP_free(group);
}

static void
derive(CK_OBJECT_HANDLE key, CK_BYTE *point, CK_ULONG point_len, CK_BYTE secret_[32])
{
	CK_ECDH1_DERIVE_PARAMS p = {CKD_NULL, 0, NULL, point_len, point};
	CK_MECHANISM m = {CKM_ECDH1_DERIVE, &p, sizeof(p)};
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_GENERIC_SECRET;
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_ULONG len = 32;
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)}, {CKA_KEY_TYPE, &type, sizeof(type)},
	    {CKA_EXTRACTABLE, &yes, 1}, {CKA_SENSITIVE, &no, 1}, {CKA_VALUE_LEN, &len, sizeof(len)}};
	CK_ATTRIBUTE value = {CKA_VALUE, secret_, 32};
	CK_OBJECT_HANDLE h;

	assert_int_equal(real->C_DeriveKey(session, &m, key, t, 5, &h), CKR_OK);
	assert_int_equal(real->C_GetAttributeValue(session, h, &value, 1), CKR_OK);
	assert_int_equal(real->C_DestroyObject(session, h), CKR_OK);
}

static void
test_softhsm2_derives_with_copies(void **state)
{
	CK_MECHANISM gen = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
	CK_BYTE params[16], point[2][80], a[32], b[32];
	CK_BBOOL yes = CK_TRUE;
	CK_ATTRIBUTE pub_t[] = {{CKA_EC_PARAMS, params, 0}};
	CK_ATTRIBUTE prv_t[] = {{CKA_DERIVE, &yes, 1}};
	CK_OBJECT_HANDLE pub[2], key[2];
	CK_ULONG len[2];
	unsigned before;

	(void)state;
	pub_t[0].ulValueLen = (CK_ULONG)params_of(
	    NID_X9_62_prime256v1, params, sizeof(params), OPENSSL_EC_NAMED_CURVE);
	for (int i = 0; i < 2; i++) {
		CK_ATTRIBUTE t = {CKA_EC_POINT, point[i], sizeof(point[i])};

		assert_int_equal(real->C_GenerateKeyPair(session, &gen, pub_t, 1, prv_t, 1,
				     &pub[i], &key[i]), CKR_OK);
		assert_int_equal(real->C_GetAttributeValue(session, pub[i], &t, 1), CKR_OK);
		len[i] = t.ulValueLen;
	}
	derive(key[0], point[1], len[1], a);
	before = curve_copies();
	derive(key[1], point[0], len[0], b);
	assert_memory_equal(a, b, sizeof(a));
	assert_int_equal(curve_copies(), before + 2);
}

/* What is no name of an Edwards curve is refused; SoftHSM2 by itself reads address 8. */
static void
test_a_name_that_is_none(void **state)
{
	static CK_BYTE names[][4] = {{0x13, 0x7f, 'e', 'd'}, {0x13, 0x80, 0, 0}, {0x13, 0x84, 1, 1}};
	static const unsigned char good[] = {0x13, 2, 'e', 'd'};
	CK_MECHANISM gen = {CKM_EC_EDWARDS_KEY_PAIR_GEN, NULL, 0};
	ASN1_PRINTABLESTRING *s;
	const unsigned char *p = good;

	(void)state;
	assert_non_null(s = d2i_ASN1_PRINTABLESTRING(NULL, &p, sizeof(good)));
	assert_string_equal((const char *)ASN1_STRING_get0_data(s), "ed");
	ASN1_PRINTABLESTRING_free(s);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		CK_ATTRIBUTE t = {CKA_EC_PARAMS, names[i], sizeof(names[i])};
		CK_OBJECT_HANDLE pub, key;

		p = names[i];
		assert_non_null(s = d2i_ASN1_PRINTABLESTRING(NULL, &p, sizeof(names[i])));
		assert_int_equal(ASN1_STRING_length(s), 0);
		ASN1_PRINTABLESTRING_free(s);
		p = names[i];
		s = ASN1_PRINTABLESTRING_new();
		assert_null(d2i_ASN1_PRINTABLESTRING(&s, &p, sizeof(names[i])));
		ASN1_PRINTABLESTRING_free(s);
		assert_int_not_equal(
		    real->C_GenerateKeyPair(session, &gen, &t, 1, NULL, 0, &pub, &key), CKR_OK);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_copy_is_as_the_first),
	    cmocka_unit_test(test_a_copy_is_the_callers),
	    cmocka_unit_test(test_nonsense_is_refused_as_ever),
	    cmocka_unit_test(test_explicit_curves_are_not_kept),
	    cmocka_unit_test(test_a_group_to_be_replaced),
	    cmocka_unit_test(test_softhsm2_derives_with_copies),
	    cmocka_unit_test(test_a_name_that_is_none),
	};

	return cmocka_run_group_tests(tests, inprocess_start, inprocess_stop);
}
