/* test_worker_key.c - what a key that was learnt gives is what SoftHSM2 gives */
#include "inprocess.h"

#include <string.h>

static CK_OBJECT_HANDLE
curve(CK_MECHANISM_TYPE type, const void *params, CK_ULONG len, CK_OBJECT_HANDLE *pub)
{
	CK_MECHANISM m = {type, NULL, 0};
	CK_BBOOL yes = CK_TRUE;
	CK_ATTRIBUTE pub_t[] = {
	    {CKA_EC_PARAMS, (void *)(uintptr_t)params, len}, {CKA_VERIFY, &yes, 1}};
	CK_ATTRIBUTE prv_t[] = {{CKA_PRIVATE, &yes, 1}, {CKA_SIGN, &yes, 1}};
	CK_OBJECT_HANDLE prv;

	assert_int_equal(
	    real->C_GenerateKeyPair(session, &m, pub_t, 2, prv_t, 2, pub, &prv), CKR_OK);
	return prv;
}

static void
verify(CK_MECHANISM *m, CK_OBJECT_HANDLE pub, const void *in, CK_ULONG len)
{
	assert_int_equal(real->C_VerifyInit(session, m, pub), CKR_OK);
	assert_int_equal(real->C_Verify(session, (CK_BYTE_PTR)(uintptr_t)in, len, out, out_len),
	    CKR_OK);
}

/* By SoftHSM2, and then by the key that it used: both verify. */
static void
signs(CK_MECHANISM_TYPE type, void *param, CK_ULONG param_len, CK_OBJECT_HANDLE key,
    CK_OBJECT_HANDLE pub, CK_ULONG len)
{
	CK_MECHANISM m = {type, param, param_len};

	for (int i = 0; i < 4; i++) {
		unsigned before = asked;
		CK_RV rv = use(CALL_C_Sign, &m, key, text, len, sizeof(out));

		if (rv != CKR_OK || (i > 1 && asked != before))
			print_message("mechanism 0x%lx\n", type);
		assert_int_equal(rv, CKR_OK);
		if (i > 1)
			assert_int_equal(asked, before);
		verify(&m, pub, text, len);
	}
}

static void
test_signatures(void **state)
{
	static const uint8_t p256[] = {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};
	static const uint8_t p384[] = {6, 5, 0x2b, 0x81, 4, 0, 0x22};
	static const uint8_t p521[] = {6, 5, 0x2b, 0x81, 4, 0, 0x23};
	static const uint8_t ed[] = "\x13\x0c" "edwards25519";
	CK_RSA_PKCS_PSS_PARAMS pss = {CKM_SHA256, CKG_MGF1_SHA256, 32};
	CK_OBJECT_HANDLE pub, key = rsa(false, &pub);

	(void)state;
	signs(CKM_RSA_PKCS, NULL, 0, key, pub, 35);
	signs(CKM_RSA_X_509, NULL, 0, key, pub, 60);
	signs(CKM_SHA1_RSA_PKCS, NULL, 0, key, pub, 64);
	signs(CKM_SHA256_RSA_PKCS, NULL, 0, key, pub, 64);
	signs(CKM_SHA384_RSA_PKCS, NULL, 0, key, pub, 64);
	signs(CKM_SHA512_RSA_PKCS, NULL, 0, key, pub, 64);
	signs(CKM_RSA_PKCS_PSS, &pss, sizeof(pss), key, pub, 32);
	signs(CKM_SHA256_RSA_PKCS_PSS, &pss, sizeof(pss), key, pub, 64);
	key = curve(CKM_EC_KEY_PAIR_GEN, p256, sizeof(p256), &pub);
	signs(CKM_ECDSA, NULL, 0, key, pub, 32);
	key = curve(CKM_EC_KEY_PAIR_GEN, p384, sizeof(p384), &pub);
	signs(CKM_ECDSA, NULL, 0, key, pub, 48);
	key = curve(CKM_EC_KEY_PAIR_GEN, p521, sizeof(p521), &pub);
	signs(CKM_ECDSA, NULL, 0, key, pub, 64);
	key = curve(CKM_EC_EDWARDS_KEY_PAIR_GEN, ed, sizeof(ed) - 1, &pub);
	signs(CKM_EDDSA, NULL, 0, key, pub, 64);
	key = secret(CKK_GENERIC_SECRET, 64);
	signs(CKM_SHA256_HMAC, NULL, 0, key, key, 64);
	signs(CKM_SHA512_HMAC, NULL, 0, key, key, 64);
}

/* A modulus that does not fill its bytes, and the smallest and larger ones. */
static void
test_sizes(void **state)
{
	static const CK_ULONG bits[] = {512, 1023, 1025, 2048, 3072};
	CK_RSA_PKCS_PSS_PARAMS pss = {CKM_SHA_1, CKG_MGF1_SHA1, 20}, none = {CKM_SHA256,
	    CKG_MGF1_SHA256, 0};
	CK_OBJECT_HANDLE pub, key;

	(void)state;
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		key = rsa_of(bits[i], false, &pub);
		signs(CKM_RSA_PKCS, NULL, 0, key, pub, 53);
		signs(CKM_SHA256_RSA_PKCS, NULL, 0, key, pub, 64);
		signs(CKM_SHA1_RSA_PKCS_PSS, &pss, sizeof(pss), key, pub, 64);
		signs(CKM_RSA_PKCS_PSS, &none, sizeof(none), key, pub, 32);
	}
}

/* There and back, twice by SoftHSM2 and twice by the key, with another vector each time. */
static void
crypts(CK_MECHANISM *m, uint8_t *vary, CK_OBJECT_HANDLE to, CK_OBJECT_HANDLE from, CK_ULONG len)
{
	uint8_t cipher[512];

	for (int i = 0; i < 4; i++) {
		unsigned before = asked;
		CK_ULONG n = sizeof(cipher);

		if (vary != NULL)
			(*vary)++;
		if (to == from) {
			assert_int_equal(
			    use(CALL_C_Encrypt, m, to, text, len, sizeof(out)), CKR_OK);
			n = out_len;
			memcpy(cipher, out, n);
		} else {
			assert_int_equal(real->C_EncryptInit(session, m, to), CKR_OK);
			assert_int_equal(real->C_Encrypt(session, (CK_BYTE_PTR)(uintptr_t)text,
					     len, cipher, &n), CKR_OK);
		}
		memset(out, 0, sizeof(out));
		assert_int_equal(use(CALL_C_Decrypt, m, from, cipher, n, sizeof(out)), CKR_OK);
		if (i > 1 && asked != before)
			print_message("mechanism 0x%lx\n", m->mechanism);
		if (i > 1)
			assert_int_equal(asked, before);
		assert_memory_equal(
		    m->mechanism == CKM_RSA_X_509 ? out + out_len - len : out, text, len);
	}
}

static void
test_ciphers(void **state)
{
	uint8_t iv[16] = {1}, aad[5] = {2};
	CK_GCM_PARAMS_V3 gcm = {iv, 12, 96, aad, 5, 128};
	CK_AES_CTR_PARAMS ctr = {.ulCounterBits = 128};
	CK_RSA_PKCS_OAEP_PARAMS oaep = {CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0};
	CK_MECHANISM m = {CKM_AES_GCM, &gcm, sizeof(gcm)};
	CK_OBJECT_HANDLE pub, key;

	(void)state;
	for (CK_ULONG len = 16; len <= 32; len += 8) {
		key = secret(CKK_AES, len);
		m = (CK_MECHANISM){CKM_AES_GCM, &gcm, sizeof(gcm)};
		crypts(&m, iv, key, key, 33);
		m = (CK_MECHANISM){CKM_AES_CBC, iv, 16};
		crypts(&m, iv, key, key, 48);
		m = (CK_MECHANISM){CKM_AES_CBC_PAD, iv, 16};
		crypts(&m, iv, key, key, 33);
		m = (CK_MECHANISM){CKM_AES_ECB, NULL, 0};
		crypts(&m, NULL, key, key, 48);
		m = (CK_MECHANISM){CKM_AES_CTR, &ctr, sizeof(ctr)};
		crypts(&m, ctr.cb, key, key, 33);
	}
	key = rsa(false, &pub);
	m = (CK_MECHANISM){CKM_RSA_PKCS, NULL, 0};
	crypts(&m, NULL, pub, key, 33);
	m = (CK_MECHANISM){CKM_RSA_PKCS_OAEP, &oaep, sizeof(oaep)};
	crypts(&m, NULL, pub, key, 33);
	m = (CK_MECHANISM){CKM_RSA_X_509, NULL, 0};
	crypts(&m, NULL, pub, key, 60);
}

/* What SoftHSM2 refuses is refused with its code, and what it goes on with goes on. */
static void
test_what_does_not_succeed(void **state)
{
	CK_MECHANISM m = {CKM_RSA_PKCS, NULL, 0}, gcm_m;
	CK_OBJECT_HANDLE key = rsa(false, NULL), aes = secret(CKK_AES, 16);
	uint8_t long_text[200] = {0}, iv[12] = {0};
	CK_GCM_PARAMS_V3 gcm = {iv, 12, 96, NULL, 0, 128};
	unsigned before;
	CK_RV rv;

	(void)state;
	prime(&m, key);
	rv = use(CALL_C_Sign, &m, key, long_text, 200, sizeof(out));
	assert_int_equal(begun, CKR_OK);
	assert_int_equal(real->C_SignInit(session, &m, key), CKR_OK);
	out_len = sizeof(out);
	assert_int_equal(rv, real->C_Sign(session, long_text, 200, out, &out_len));
	prime(&m, key);
	before = asked;
	assert_int_equal(use(CALL_C_Sign, &m, key, text, 32, 5), CKR_BUFFER_TOO_SMALL);
	assert_int_equal(asked, before + 1);
	assert_int_equal(out_len, 128);
	/* It is active now, so no other can begin, learnt or not. */
	assert_int_equal(sign(&m, key), CKR_OPERATION_ACTIVE);
	assert_int_equal(begun, CKR_OPERATION_ACTIVE);
	assert_int_equal(PLAIN(C_Sign, {.len = session},
			     {.ptr = (void *)(uintptr_t)text, .len = 32},
			     {.ptr = out, .plen = &(CK_ULONG){sizeof(out)}}), CKR_OK);
	prime(&m, key);
	/* A tag that is wrong. */
	gcm_m = (CK_MECHANISM){CKM_AES_GCM, &gcm, sizeof(gcm)};
	for (int i = 0; i < 3; i++) {
		uint8_t cipher[48];

		assert_int_equal(
		    use(CALL_C_Encrypt, &gcm_m, aes, text, 32, sizeof(out)), CKR_OK);
		memcpy(cipher, out, 48);
		assert_int_equal(
		    use(CALL_C_Decrypt, &gcm_m, aes, cipher, 48, sizeof(out)), CKR_OK);
		cipher[40] ^= 1;
		rv = use(CALL_C_Decrypt, &gcm_m, aes, cipher, 48, sizeof(out));
		assert_int_equal(real->C_DecryptInit(session, &gcm_m, aes), CKR_OK);
		out_len = sizeof(out);
		assert_int_equal(rv, real->C_Decrypt(session, cipher, 48, out, &out_len));
		assert_int_not_equal(rv, CKR_OK);
	}
}

/* SoftHSM2 ends a counter where it would begin anew. */
static void
test_counter_runs_out(void **state)
{
	CK_AES_CTR_PARAMS ctr = {.ulCounterBits = 128};
	CK_MECHANISM m = {CKM_AES_CTR, &ctr, sizeof(ctr)};
	CK_OBJECT_HANDLE aes = secret(CKK_AES, 16);
	uint8_t plain[64];

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(use(CALL_C_Encrypt, &m, aes, text, 33, sizeof(out)), CKR_OK);
		assert_int_equal(use(CALL_C_Decrypt, &m, aes, text, 33, sizeof(out)), CKR_OK);
	}
	memset(ctr.cb, 0xff, sizeof(ctr.cb));
	for (unsigned last = 0xfc; last <= 0xff; last++)
		for (CK_ULONG len = 15; len <= 64; len++) {
			CK_ULONG n = sizeof(plain);
			CK_RV rv;

			ctr.cb[15] = (uint8_t)last;
			assert_int_equal(real->C_EncryptInit(session, &m, aes), CKR_OK);
			rv = real->C_Encrypt(
			    session, (CK_BYTE_PTR)(uintptr_t)text, len, plain, &n);
			assert_int_equal(use(CALL_C_Encrypt, &m, aes, text, len, sizeof(out)), rv);
			if (rv == CKR_OK)
				assert_memory_equal(out, plain, len);
			assert_int_equal(use(CALL_C_Decrypt, &m, aes, text, len, sizeof(out)),
			    rv == CKR_OK ? CKR_OK : CKR_ENCRYPTED_DATA_LEN_RANGE);
		}
}

/* A parameter where there should be none, and one that says too much: SoftHSM2 judges. */
static void
test_parameters(void **state)
{
	static const CK_MECHANISM_TYPE types[] = {CKM_RSA_PKCS, CKM_RSA_X_509,
	    CKM_SHA256_RSA_PKCS, CKM_SHA256_HMAC};
	CK_RSA_PKCS_OAEP_PARAMS oaep = {CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0};
	CK_MECHANISM m = {CKM_RSA_PKCS_OAEP, &oaep, sizeof(oaep)};
	CK_OBJECT_HANDLE pub, prv = rsa(false, &pub), hmac = secret(CKK_GENERIC_SECRET, 32);
	uint8_t cipher[128];
	CK_ULONG n = sizeof(cipher);
	unsigned before;

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		CK_MECHANISM plain = {types[i], NULL, 0}, with = {types[i], cipher, 100};
		CK_OBJECT_HANDLE key = types[i] == CKM_SHA256_HMAC ? hmac : prv;

		prime(&plain, key);
		before = asked;
		for (unsigned k = 0; k < 3; k++)
			assert_int_equal(sign(&with, key), CKR_OK);
		assert_int_equal(asked, before + 3);
	}
	assert_int_equal(real->C_EncryptInit(session, &m, pub), CKR_OK);
	assert_int_equal(
	    real->C_Encrypt(session, (CK_BYTE_PTR)(uintptr_t)text, 32, cipher, &n), CKR_OK);
	for (int i = 0; i < 3; i++)
		assert_int_equal(use(CALL_C_Decrypt, &m, prv, cipher, n, sizeof(out)), CKR_OK);
	for (int i = 0; i < 3; i++) {
		CK_ULONG room = sizeof(out);
		CK_RV rv;

		oaep.source = i == 0 ? 0 : CKZ_DATA_SPECIFIED;
		oaep.pSourceData = i == 0 ? NULL : cipher;
		oaep.ulSourceDataLen = i == 2 ? 4 : 0;
		before = asked;
		rv = use(CALL_C_Decrypt, &m, prv, cipher, n, sizeof(out));
		assert_int_equal(asked, before + 1);
		if (real->C_DecryptInit(session, &m, prv) == CKR_OK)
			assert_int_equal(rv, real->C_Decrypt(session, cipher, n, out, &room));
		else
			assert_int_equal(rv, begun);
	}
}

/* Nothing to sign, nothing in the ciphertext: no sign of a SoftHSM2 that is not known. */
static void
test_empty(void **state)
{
	uint8_t iv[16] = {0};
	CK_GCM_PARAMS_V3 gcm = {iv, 12, 96, NULL, 0, 128};
	CK_MECHANISM m = {CKM_SHA256_HMAC, NULL, 0}, gcm_m = {CKM_AES_GCM, &gcm, sizeof(gcm)};
	CK_MECHANISM cbc_m = {CKM_AES_CBC_PAD, iv, sizeof(iv)};
	CK_OBJECT_HANDLE key = secret(CKK_GENERIC_SECRET, 32), aes = secret(CKK_AES, 16);
	uint8_t cipher[16];
	unsigned before;

	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(use(CALL_C_Sign, &m, key, text, 0, sizeof(out)), CKR_OK);
		assert_int_equal(use(CALL_C_Encrypt, &gcm_m, aes, text, 0, sizeof(out)), CKR_OK);
		assert_int_equal(out_len, 16);
		memcpy(cipher, out, 16);
		assert_int_equal(use(CALL_C_Decrypt, &gcm_m, aes, cipher, 16, sizeof(out)), CKR_OK);
		assert_int_equal(out_len, 0);
		before = asked;
	}
	assert_false(w.keys.off);
	assert_int_equal(use(CALL_C_Decrypt, &gcm_m, aes, cipher, 16, sizeof(out)), CKR_OK);
	assert_int_equal(asked, before);
	/* The room that SoftHSM2 asks for is enough. */
	for (int i = 0; i < 4; i++) {
		before = asked;
		assert_int_equal(use(CALL_C_Encrypt, &cbc_m, aes, text, 33, 48), CKR_OK);
		assert_int_equal(out_len, 48);
	}
	assert_int_equal(asked, before);
	assert_int_equal(use(CALL_C_Encrypt, &cbc_m, aes, text, 32, 47), CKR_BUFFER_TOO_SMALL);
	assert_int_equal(PLAIN(C_Encrypt, {.len = session},
			     {.ptr = (void *)(uintptr_t)text, .len = 32},
			     {.ptr = out, .plen = &(CK_ULONG){48}}), CKR_OK);
}

/* As when somebody is changing the key just now. */
static CK_RV
refuse(CK_SESSION_HANDLE s, CK_MECHANISM_PTR m, CK_OBJECT_HANDLE o)
{
	(void)s;
	(void)m;
	(void)o;
	return CKR_KEY_FUNCTION_NOT_PERMITTED;
}

/* The key does not succeed, and SoftHSM2 does not even begin: that is what is said. */
static void
test_refused_after_all(void **state)
{
	CK_MECHANISM m = {CKM_RSA_PKCS, NULL, 0};
	CK_OBJECT_HANDLE key = rsa(false, NULL);
	CK_C_SignInit counted = counting.C_SignInit;

	(void)state;
	prime(&m, key);
	counting.C_SignInit = refuse;
	assert_int_equal(use(CALL_C_Sign, &m, key, text, 32, 5), CKR_KEY_FUNCTION_NOT_PERMITTED);
	assert_int_equal(begun, CKR_KEY_FUNCTION_NOT_PERMITTED);
	counting.C_SignInit = counted;
	prime(&m, key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_signatures),
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_ciphers),
	    cmocka_unit_test(test_what_does_not_succeed),
	    cmocka_unit_test(test_counter_runs_out),
	    cmocka_unit_test(test_parameters),
	    cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_refused_after_all),
	};

	return cmocka_run_group_tests(tests, inprocess_start, inprocess_stop);
}
