/* test_worker_learn.c - which keys are learnt */
#include "inprocess.h"

static void
test_always_authenticate(void **state)
{
	CK_MECHANISM gen = {CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0}, m = {CKM_RSA_PKCS, NULL, 0};
	CK_ULONG bits = 1024;
	CK_BBOOL yes = CK_TRUE;
	CK_ATTRIBUTE pub_t[] = {{CKA_MODULUS_BITS, &bits, sizeof(bits)}};
	CK_ATTRIBUTE prv_t[] = {{CKA_PRIVATE, &yes, 1}, {CKA_SIGN, &yes, 1},
	    {CKA_ALWAYS_AUTHENTICATE, &yes, 1}};
	CK_OBJECT_HANDLE pub, key;

	(void)state;
	assert_int_equal(
	    real->C_GenerateKeyPair(session, &gen, pub_t, 1, prv_t, 3, &pub, &key), CKR_OK);
	for (int i = 0; i < 3; i++) {
		unsigned before = asked;

		assert_int_equal(sign(&m, key), CKR_USER_NOT_LOGGED_IN);
		assert_int_equal(asked, before + 1);
		(void)real->C_SignInit(session, &m, key);
		(void)real->C_Login(session, CKU_CONTEXT_SPECIFIC, (CK_UTF8CHAR_PTR)USER_PIN, 8);
		out_len = sizeof(out);
		assert_int_equal(real->C_Sign(session, (CK_BYTE_PTR)(uintptr_t)text, 32, out,
				     &out_len), CKR_OK);
	}
}

static CK_RV
sign_wrong(CK_SESSION_HANDLE s, CK_BYTE_PTR in, CK_ULONG len, CK_BYTE_PTR to, CK_ULONG_PTR plen)
{
	CK_RV rv = real->C_Sign(s, in, len, to, plen);

	if (rv == CKR_OK && to != NULL)
		to[0] ^= 1;
	return rv;
}

/* A key is used when it has given what SoftHSM2 gave, and not before. */
static void
test_unproven(void **state)
{
	CK_MECHANISM m = {CKM_SHA256_RSA_PKCS, NULL, 0};
	CK_OBJECT_HANDLE key = rsa(false, NULL);
	unsigned before = asked;

	(void)state;
	counting.C_Sign = sign_wrong;
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(sign(&m, key), CKR_OK);
		assert_int_equal(asked, before + i + 1);
	}
	counting.C_Sign = real->C_Sign;
	/* Again and again: SoftHSM2 is not the one that is known here. */
	assert_true(w.keys.off);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(sign(&m, key), CKR_OK);
	assert_int_equal(asked, before + 23);
	atomic_store(&w.keys.off, false);
	atomic_store(&w.keys.unproven, 0);
	prime(&m, key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_always_authenticate),
	    cmocka_unit_test(test_unproven),
	};

	return cmocka_run_group_tests(tests, inprocess_start, inprocess_stop);
}
