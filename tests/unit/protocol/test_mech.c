/* test_mech.c - mechanisms, with pointers and without */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/mech.h"
#include "protocol/names.h"

static struct arena arena;
static struct buf b;
static uint8_t data[3] = {7, 8, 9};

static int
setup(void **state)
{
	(void)state;
	arena_init(&arena, 1 << 20);
	buf_init(&b, 1 << 20);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(&arena);
	buf_free(&b);
	return 0;
}

static CK_MECHANISM *
over(CK_MECHANISM_TYPE type, void *parameter, CK_ULONG len)
{
	CK_MECHANISM m = {type, parameter, len}, *got;

	buf_reset(&b);
	assert_int_equal(mech_write(&b, &m), CKR_OK);
	assert_true(mech_read(&b, &got, &arena));
	assert_true(buf_end(&b));
	assert_int_equal(got->mechanism, type);
	return got;
}

static void
flat_parameters(void **state)
{
	CK_RSA_PKCS_PSS_PARAMS pss = {CKM_SHA256, CKG_MGF1_SHA256, 32};
	uint8_t iv[16] = "0123456789abcde";
	CK_MECHANISM *got;

	(void)state;
	got = over(CKM_RSA_PKCS, NULL, 0);
	assert_null(got->pParameter);
	got = over(CKM_RSA_PKCS, NULL, 5);
	assert_null(got->pParameter);
	assert_int_equal(got->ulParameterLen, 5);
	got = over(CKM_RSA_PKCS, iv, 0);
	assert_non_null(got->pParameter);
	got = over(CKM_AES_CBC, iv, sizeof(iv));
	assert_memory_equal(got->pParameter, iv, sizeof(iv));
	got = over(CKM_RSA_PKCS_PSS, &pss, sizeof(pss));
	assert_memory_equal(got->pParameter, &pss, sizeof(pss));
	got = over(CKM_VENDOR_DEFINED + 77, iv, 3);
	assert_int_equal(got->ulParameterLen, 3);
	assert_memory_equal(got->pParameter, iv, 3);
}

static void
gcm_in_both_layouts(void **state)
{
	uint8_t aad[5] = "aad!";
	CK_GCM_PARAMS_V3 v3 = {data, 3, 24, aad, 5, 128}, *got3;
	CK_NSS_GCM_PARAMS v240 = {data, 3, NULL, 0, 96}, *got240;
	CK_MECHANISM *got;

	(void)state;
	got = over(CKM_AES_GCM, &v3, sizeof(v3));
	got3 = got->pParameter;
	assert_ptr_not_equal(got3->pIv, data);
	assert_memory_equal(got3->pIv, data, 3);
	assert_int_equal(got3->ulIvBits, 24);
	assert_memory_equal(got3->pAAD, aad, 5);
	assert_int_equal(got3->ulTagBits, 128);
	got = over(CKM_AES_GCM, &v240, sizeof(v240));
	got240 = got->pParameter;
	assert_memory_equal(got240->pIv, data, 3);
	assert_null(got240->pAAD);
	assert_int_equal(got240->ulTagBits, 96);
}

static void
derivations(void **state)
{
	CK_ECDH1_DERIVE_PARAMS ecdh = {CKD_NULL, 0, NULL, 3, data}, *gecdh;
	CK_AES_CBC_ENCRYPT_DATA_PARAMS cbc = {"0123456789abcde", data, 3}, *gcbc;
	CK_DES_CBC_ENCRYPT_DATA_PARAMS des = {"0123456", data, 3}, *gdes;
	CK_KEY_DERIVATION_STRING_DATA string = {data, 3}, *gstring;

	(void)state;
	gecdh = over(CKM_ECDH1_DERIVE, &ecdh, sizeof(ecdh))->pParameter;
	assert_int_equal(gecdh->kdf, CKD_NULL);
	assert_null(gecdh->pSharedData);
	assert_memory_equal(gecdh->pPublicData, data, 3);
	gcbc = over(CKM_AES_CBC_ENCRYPT_DATA, &cbc, sizeof(cbc))->pParameter;
	assert_memory_equal(gcbc->iv, cbc.iv, 16);
	assert_memory_equal(gcbc->pData, data, 3);
	gdes = over(CKM_DES3_CBC_ENCRYPT_DATA, &des, sizeof(des))->pParameter;
	assert_memory_equal(gdes->iv, des.iv, 8);
	assert_int_equal(gdes->length, 3);
	gstring = over(CKM_AES_ECB_ENCRYPT_DATA, &string, sizeof(string))->pParameter;
	assert_ptr_not_equal(gstring->pData, data);
	assert_memory_equal(gstring->pData, data, 3);
}

static void
password_length_by_value_and_by_pointer(void **state)
{
	CK_ULONG three = 3;
	CK_PKCS5_PBKD2_PARAMS2 v2 = {
	    CKZ_SALT_SPECIFIED, data, 3, 1000, 1, NULL, 0, data, 3};
	CK_PKCS5_PBKD2_PARAMS v1 = {
	    CKZ_SALT_SPECIFIED, data, 3, 1000, 1, NULL, 0, data, &three};
	CK_PKCS5_PBKD2_PARAMS2 *got2;
	CK_PKCS5_PBKD2_PARAMS *got1;

	(void)state;
	got2 = over(CKM_PKCS5_PBKD2, &v2, sizeof(v2))->pParameter;
	assert_int_equal(got2->ulPasswordLen, 3);
	assert_int_equal(got2->iterations, 1000);
	assert_memory_equal(got2->pPassword, data, 3);
	got1 = over(CKM_PKCS5_PBKD2, &v1, sizeof(v1))->pParameter;
	assert_ptr_not_equal(got1->ulPasswordLen, &three);
	assert_int_equal(*got1->ulPasswordLen, 3);
}

static void
structure_in_a_structure(void **state)
{
	CK_RSA_PKCS_OAEP_PARAMS oaep = {CKM_SHA_1, CKG_MGF1_SHA1, 1, data, 3};
	CK_RSA_AES_KEY_WRAP_PARAMS wrap = {256, &oaep}, *got;

	(void)state;
	got = over(CKM_RSA_AES_KEY_WRAP, &wrap, sizeof(wrap))->pParameter;
	assert_int_equal(got->ulAESKeyBits, 256);
	assert_memory_equal(got->pOAEPParams->pSourceData, data, 3);
	wrap.pOAEPParams = NULL;
	got = over(CKM_RSA_AES_KEY_WRAP, &wrap, sizeof(wrap))->pParameter;
	assert_null(got->pOAEPParams);
}

/* What has a layout never brings an address over, whatever its length. */
static void
other_lengths_bring_zeroes(void **state)
{
	uint8_t junk[5000];
	CK_MECHANISM *got;

	(void)state;
	memset(junk, 0x41, sizeof(junk));
	got = over(CKM_AES_GCM, junk, 47);
	assert_int_equal(got->ulParameterLen, 47);
	for (size_t i = 0; i < 47; i++)
		assert_int_equal(((uint8_t *)got->pParameter)[i], 0);
	got = over(CKM_TLS_PRF, junk, sizeof(CK_TLS_PRF_PARAMS));
	assert_int_equal(*(uint8_t *)got->pParameter, 0);
	got = over(CKM_AES_GCM, junk, sizeof(junk));
	assert_true(got->ulParameterLen <= sizeof(junk));
	assert_true(got->ulParameterLen > sizeof(CK_GCM_PARAMS_V3));
	got = over(CKM_AES_GCM, junk, UINT64_MAX);
	assert_true(got->ulParameterLen <= sizeof(junk));
}

/* Every mechanism with a name goes over with a parameter of every small length that holds
 * no address: nothing is hidden from the token library. */
static void
no_mechanism_is_refused(void **state)
{
	uint8_t zeroes[128] = {0};
	CK_MECHANISM_TYPE type;

	(void)state;
	for (size_t i = 0; ck_mech_name_at(i, &type) != NULL; i++) {
		for (CK_ULONG len = 0; len < sizeof(zeroes); len += 8) {
			CK_MECHANISM *got = over(type, zeroes, len);

			assert_non_null(got->pParameter);
			assert_int_equal(got->ulParameterLen, len);
			arena_free(&arena);
		}
	}
}

static CK_OBJECT_HANDLE
plus_one(void *ctx, CK_OBJECT_HANDLE handle)
{
	++*(int *)ctx;
	return handle + 1;
}

static void
handles_are_mapped_in_a_copy(void **state)
{
	CK_OBJECT_HANDLE handle = 41;
	CK_HKDF_PARAMS hkdf = {.hSaltKey = 10, .pInfo = data, .ulInfoLen = 3};
	CK_MECHANISM concat = {CKM_CONCATENATE_BASE_AND_KEY, &handle, sizeof(handle)};
	CK_MECHANISM derive = {CKM_HKDF_DERIVE, &hkdf, sizeof(hkdf)};
	CK_MECHANISM none = {CKM_AES_CBC, data, 3};
	const CK_MECHANISM *got;
	int calls = 0;

	(void)state;
	got = mech_map(&concat, plus_one, &calls, &arena);
	assert_int_equal(*(CK_OBJECT_HANDLE *)got->pParameter, 42);
	assert_int_equal(handle, 41);
	got = mech_map(&derive, plus_one, &calls, &arena);
	assert_int_equal(((CK_HKDF_PARAMS *)got->pParameter)->hSaltKey, 11);
	assert_ptr_equal(((CK_HKDF_PARAMS *)got->pParameter)->pInfo, data);
	assert_ptr_equal(mech_map(&none, plus_one, &calls, &arena), &none);
	assert_int_equal(calls, 2);
}

static void
null_that_would_be_read_is_not_sound(void **state)
{
	CK_GCM_PARAMS_V3 gcm = {data, 3, 24, NULL, 0, 128};
	CK_MECHANISM m = {CKM_AES_GCM, &gcm, sizeof(gcm)};

	(void)state;
	assert_true(mech_sound(&m));
	gcm.ulAADLen = 1;
	assert_false(mech_sound(&m));
	gcm.ulAADLen = 0;
	gcm.pIv = NULL;
	assert_false(mech_sound(&m));
	m.pParameter = NULL;
	assert_true(mech_sound(&m));
}

static void
hostile_bytes_are_refused(void **state)
{
	CK_ECDH1_DERIVE_PARAMS ecdh = {CKD_NULL, 0, NULL, 3, data};
	CK_MECHANISM m = {CKM_ECDH1_DERIVE, &ecdh, sizeof(ecdh)}, *got;
	struct buf cut;

	(void)state;
	assert_int_equal(mech_write(&b, &m), CKR_OK);
	for (size_t len = 0; len < b.len; len++) {
		buf_view(&cut, b.data, len);
		assert_false(mech_read(&cut, &got, &arena));
	}
	ecdh.ulPublicDataLen = UINT64_MAX / 2;
	assert_int_equal(mech_write(&b, &m), CKR_MECHANISM_PARAM_INVALID);
}

static uint64_t
shape(CK_MECHANISM_TYPE type, void *parameter, CK_ULONG len)
{
	CK_MECHANISM m = {type, parameter, len};

	return mech_shape(&m);
}

static void
shape_is_blind_to_vectors_and_data(void **state)
{
	static const CK_MECHANISM_TYPE cbc[] = {CKM_DES_CBC, CKM_DES_CBC_PAD, CKM_DES3_CBC,
	    CKM_DES3_CBC_PAD, CKM_AES_CBC, CKM_AES_CBC_PAD};
	uint8_t one[16] = "0123456789abcde", two[16] = "fedcba987654321";
	CK_AES_CTR_PARAMS ctr = {64, "counter"}, other = {64, "another"};
	CK_GCM_PARAMS_V3 gcm = {one, 12, 96, one, 5, 128}, gcm2 = gcm;
	CK_NSS_GCM_PARAMS v240 = {one, 12, one, 5, 128}, v240_2 = v240;
	CK_RSA_PKCS_OAEP_PARAMS oaep = {CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, one, 3},
	    oaep2 = oaep;

	(void)state;
	for (size_t i = 0; i < sizeof(cbc) / sizeof(cbc[0]); i++)
		assert_int_equal(shape(cbc[i], one, 8), shape(cbc[i], two, 8));
	assert_int_equal(shape(CKM_AES_CTR, &ctr, sizeof(ctr)),
	    shape(CKM_AES_CTR, &other, sizeof(other)));
	gcm2.pIv = gcm2.pAAD = v240_2.pIv = v240_2.pAAD = two;
	oaep2.pSourceData = two;
	assert_int_equal(shape(CKM_AES_GCM, &gcm, sizeof(gcm)),
	    shape(CKM_AES_GCM, &gcm2, sizeof(gcm2)));
	assert_int_equal(shape(CKM_AES_GCM, &v240, sizeof(v240)),
	    shape(CKM_AES_GCM, &v240_2, sizeof(v240_2)));
	assert_int_equal(shape(CKM_RSA_PKCS_OAEP, &oaep, sizeof(oaep)),
	    shape(CKM_RSA_PKCS_OAEP, &oaep2, sizeof(oaep2)));
}

static void
shape_sees_lengths_types_and_members(void **state)
{
	uint8_t one[24] = "0123456789abcdefghijklm", two[24] = "x123456789abcdefghijklm";
	CK_RSA_PKCS_PSS_PARAMS pss = {CKM_SHA256, CKG_MGF1_SHA256, 32}, salt = pss, hash = pss;
	CK_AES_CTR_PARAMS ctr = {64, "counter"}, bits = {32, "counter"};
	CK_GCM_PARAMS_V3 gcm = {one, 12, 96, one, 5, 128}, g = gcm;
	CK_RSA_PKCS_OAEP_PARAMS oaep = {CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0},
	    o = oaep;
	uint64_t base;

	(void)state;
	/* Another mechanism, a parameter or none, another length of it. */
	assert_int_not_equal(shape(CKM_RSA_PKCS, NULL, 0), shape(CKM_SHA256_RSA_PKCS, NULL, 0));
	assert_int_not_equal(shape(CKM_RSA_PKCS, NULL, 0), shape(CKM_RSA_PKCS, one, 0));
	assert_int_not_equal(shape(CKM_RSA_PKCS, NULL, 0), shape(CKM_RSA_PKCS, NULL, 1));
	assert_int_not_equal(shape(CKM_AES_CBC, one, 16), shape(CKM_AES_CBC, one, 15));
	assert_int_not_equal(shape(CKM_AES_CBC, one, 16), shape(CKM_AES_CBC_PAD, one, 16));
	/* What lies in the parameter of a mechanism that is not known, counts. */
	assert_int_not_equal(shape(CKM_VENDOR_DEFINED + 1, one, 16),
	    shape(CKM_VENDOR_DEFINED + 1, two, 16));
	base = shape(CKM_RSA_PKCS_PSS, &pss, sizeof(pss));
	salt.sLen = 20;
	hash.hashAlg = CKM_SHA_1;
	assert_int_not_equal(base, shape(CKM_RSA_PKCS_PSS, &salt, sizeof(salt)));
	assert_int_not_equal(base, shape(CKM_RSA_PKCS_PSS, &hash, sizeof(hash)));
	assert_int_not_equal(shape(CKM_AES_CTR, &ctr, sizeof(ctr)),
	    shape(CKM_AES_CTR, &bits, sizeof(bits)));
	base = shape(CKM_AES_GCM, &gcm, sizeof(gcm));
	g.ulIvLen = 16;
	assert_int_not_equal(base, shape(CKM_AES_GCM, &g, sizeof(g)));
	g = gcm;
	g.ulAADLen = 0;
	assert_int_not_equal(base, shape(CKM_AES_GCM, &g, sizeof(g)));
	g = gcm;
	g.pAAD = NULL;
	assert_int_not_equal(base, shape(CKM_AES_GCM, &g, sizeof(g)));
	g = gcm;
	g.ulTagBits = 96;
	assert_int_not_equal(base, shape(CKM_AES_GCM, &g, sizeof(g)));
	base = shape(CKM_RSA_PKCS_OAEP, &oaep, sizeof(oaep));
	o.mgf = CKG_MGF1_SHA256;
	assert_int_not_equal(base, shape(CKM_RSA_PKCS_OAEP, &o, sizeof(o)));
	o = oaep;
	o.ulSourceDataLen = 1;
	assert_int_not_equal(base, shape(CKM_RSA_PKCS_OAEP, &o, sizeof(o)));
}

static void
shape_sees_handles_and_inner_structures(void **state)
{
	CK_OBJECT_HANDLE one = 1, two = 2;
	CK_RSA_PKCS_OAEP_PARAMS oaep = {CKM_SHA_1, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0},
	    other = {CKM_SHA256, CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0};
	CK_RSA_AES_KEY_WRAP_PARAMS wrap = {256, &oaep}, same = wrap, w = wrap;
	CK_MECHANISM_TYPE type = CKM_CONCATENATE_BASE_AND_KEY;

	(void)state;
	assert_int_not_equal(shape(type, &one, sizeof(one)), shape(type, &two, sizeof(two)));
	assert_int_equal(shape(CKM_RSA_AES_KEY_WRAP, &wrap, sizeof(wrap)),
	    shape(CKM_RSA_AES_KEY_WRAP, &same, sizeof(same)));
	w.pOAEPParams = &other;
	assert_int_not_equal(shape(CKM_RSA_AES_KEY_WRAP, &wrap, sizeof(wrap)),
	    shape(CKM_RSA_AES_KEY_WRAP, &w, sizeof(w)));
	w.pOAEPParams = NULL;
	assert_int_not_equal(shape(CKM_RSA_AES_KEY_WRAP, &wrap, sizeof(wrap)),
	    shape(CKM_RSA_AES_KEY_WRAP, &w, sizeof(w)));
}

/* Of a structure with pointers whose length is wrong, not a byte is read. */
static void
shape_does_not_follow_wrong_lengths(void **state)
{
	uint8_t short_one[4] = {1, 2, 3, 4};

	(void)state;
	assert_int_equal(shape(CKM_AES_GCM, short_one, 4), shape(CKM_AES_GCM, data, 4));
	assert_int_equal(
	    shape(CKM_AES_GCM, short_one, 100000), shape(CKM_AES_GCM, data, 100000));
	assert_int_not_equal(
	    shape(CKM_AES_GCM, short_one, 4), shape(CKM_AES_GCM, short_one, 5));
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(flat_parameters),
	    TEST(gcm_in_both_layouts),
	    TEST(derivations),
	    TEST(password_length_by_value_and_by_pointer),
	    TEST(structure_in_a_structure),
	    TEST(other_lengths_bring_zeroes),
	    TEST(no_mechanism_is_refused),
	    TEST(handles_are_mapped_in_a_copy),
	    TEST(null_that_would_be_read_is_not_sound),
	    TEST(shape_is_blind_to_vectors_and_data),
	    TEST(shape_sees_lengths_types_and_members),
	    TEST(shape_sees_handles_and_inner_structures),
	    TEST(shape_does_not_follow_wrong_lengths),
	    TEST(hostile_bytes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
