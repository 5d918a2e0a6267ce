/* hold.c: beginnings that wait for their operation.  What it costs in round trips, and that
 * every call says what it says without: the fake worker's SoftHSM2 is the judge. */
#include "holding.h"

#include <string.h>
#include <sys/mman.h>

static void
test_second_time_takes_one_round_trip(void **state)
{
	CK_BYTE first[512];
	CK_ULONG first_len;

	(void)state;
	assert_int_equal(p11->C_SignInit(s, &rsa, key), CKR_OK);
	COST(1, 0);
	assert_int_equal(sign(s), CKR_OK);
	COST(1, 0);
	memcpy(first, out, first_len = len);
	memset(out, 0, sizeof(out));
	assert_int_equal(p11->C_SignInit(s, &rsa, key), CKR_OK);
	COST(0, 0);
	assert_int_equal(sign(s), CKR_OK);
	COST(1, 1);
	assert_int_equal(len, first_len);
	assert_memory_equal(out, first, first_len);
	/* On any session of the slot; with another mechanism or key it is a first time. */
	hold(other, &rsa, key);
	assert_int_equal(sign(other), CKR_OK);
	COST(1, 1);
	assert_int_equal(p11->C_SignInit(s, &hash_rsa, key), CKR_OK);
	COST(1, 0);
	assert_int_equal(sign(s), CKR_OK);
	COST(1, 0);
	key = client_rsa(s, "another", CK_FALSE, NULL);
	count();
	assert_int_equal(p11->C_SignInit(s, &rsa, key), CKR_OK);
	COST(1, 0);
}

static void
test_digest_and_verify(void **state)
{
	CK_BYTE digest[32], again[32];

	(void)state;
	for (int i = 0; i < 2; i++) {
		len = sizeof(digest);
		assert_int_equal(p11->C_DigestInit(s, &sha), CKR_OK);
		assert_int_equal(p11->C_Digest(s, (CK_BYTE_PTR) "data", 4,
				     i ? again : digest, &len), CKR_OK);
		COST(i ? 1 : 2, i);
	}
	assert_memory_equal(digest, again, 32);
	count();
	learn(&rsa, key);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(p11->C_VerifyInit(s, &rsa, public_key), CKR_OK);
		if (i == 2)
			out[5] ^= 1;
		assert_int_equal(p11->C_Verify(s, (CK_BYTE_PTR) "data", 4, out, len),
		    i == 2 ? CKR_SIGNATURE_INVALID : CKR_OK);
		if (i > 0)
			COST(1, 1);
		count();
	}
}

static CK_ULONG
cipher(CK_C_EncryptInit init, CK_C_Encrypt op, CK_MECHANISM *m, const void *in, CK_ULONG n,
    CK_BYTE *to)
{
	CK_ULONG room = 64;

	assert_int_equal(init(s, m, aes), CKR_OK);
	assert_int_equal(op(s, (CK_BYTE_PTR)(uintptr_t)in, n, to, &room), CKR_OK);
	return room;
}

/* Each message with its own vector, and each is the right one. */
static void
test_vectors_travel(void **state)
{
	static const CK_BYTE plain[32] = "each with a vector of its own";
	CK_BYTE iv[16] = "0123456789abcde", aad[4] = "aad", secret[5][64], clear[64];
	CK_GCM_PARAMS gcm = {.pIv = iv, .ulIvLen = 12, .ulIvBits = 96, .pAAD = aad,
	    .ulAADLen = 4, .ulTagBits = 128};
	CK_MECHANISM m[] = {{CKM_AES_CBC, iv, 16}, {CKM_AES_GCM, &gcm, sizeof(gcm)}};

	(void)state;
	for (int k = 0; k < 2; k++) {
		CK_ULONG n = 0;

		for (int i = 0; i < 5; i++) {
			iv[3] = (CK_BYTE)i;
			aad[1] = (CK_BYTE)i;
			n = cipher(p11->C_EncryptInit, p11->C_Encrypt, &m[k], plain, 32,
			    secret[i]);
			COST(i ? 1 : 2, i ? 1 : 0);
			if (i > 0)
				assert_memory_not_equal(secret[i], secret[i - 1], 32);
		}
		for (int i = 0; i < 5; i++) {
			iv[3] = (CK_BYTE)i;
			aad[1] = (CK_BYTE)i;
			assert_int_equal(cipher(p11->C_DecryptInit, p11->C_Decrypt, &m[k],
					     secret[i], n, clear), 32);
			assert_memory_equal(clear, plain, 32);
			COST(i ? 1 : 2, i ? 1 : 0);
		}
	}
	/* The vector is the one that there was at the beginning. */
	iv[3] = 4;
	assert_int_equal(p11->C_EncryptInit(s, &m[0], aes), CKR_OK);
	memset(iv, 0, sizeof(iv));
	len = sizeof(out);
	assert_int_equal(
	    p11->C_Encrypt(s, (CK_BYTE_PTR)(uintptr_t)plain, 32, out, &len), CKR_OK);
	COST(1, 1);
	memcpy(iv, "012\004" "456789abcde", 15);
	assert_int_equal(
	    cipher(p11->C_DecryptInit, p11->C_Decrypt, &m[0], out, 32, clear), 32);
	assert_memory_equal(clear, plain, 32);
}

static void
test_held_is_active(void **state)
{
	(void)state;
	learn(&rsa, key);
	hold(s, &rsa, key);
	assert_int_equal(p11->C_SignInit(s, &rsa, key), CKR_OPERATION_ACTIVE);
	COST(2, 0);
	assert_int_equal(sign(s), CKR_OK);
	COST(1, 0);
	hold(s, &rsa, key);
	assert_int_equal(p11->C_FindObjectsInit(s, NULL, 0), CKR_OPERATION_ACTIVE);
	COST(2, 0);
	assert_int_equal(sign(s), CKR_OK);
	COST(1, 0);
}

/* A search, or an operation in parts, that is active: nothing is held. */
static void
test_nothing_is_held_on_a_busy_session(void **state)
{
	(void)state;
	learn(&rsa, key);
	assert_int_equal(p11->C_FindObjectsInit(s, NULL, 0), CKR_OK);
	assert_int_equal(p11->C_SignInit(s, &rsa, key), CKR_OPERATION_ACTIVE);
	COST(3, 0); /* the search is fetched, then started for C_SignInit to meet it */
	assert_int_equal(p11->C_FindObjectsFinal(s), CKR_OK);
	count();
	hold(s, &rsa, key);
	assert_int_equal(sign(s), CKR_OK);
	assert_int_equal(p11->C_DigestInit(s, &sha), CKR_OK);
	count();
	assert_int_equal(p11->C_SignInit(s, &rsa, key), CKR_OPERATION_ACTIVE);
	COST(1, 0);
}

static void
test_parts_send_it_first(void **state)
{
	(void)state;
	learn(&hash_rsa, key);
	hold(s, &hash_rsa, key);
	assert_int_equal(p11->C_SignUpdate(s, (CK_BYTE_PTR) "da", 2), CKR_OK);
	COST(2, 0);
	assert_int_equal(p11->C_SignUpdate(s, (CK_BYTE_PTR) "ta", 2), CKR_OK);
	len = sizeof(out);
	assert_int_equal(p11->C_SignFinal(s, out, &len), CKR_OK);
	COST(2, 0);
	hold(s, &hash_rsa, key);
}

static void
test_what_makes_no_difference_leaves_it(void **state)
{
	CK_SESSION_INFO info;
	CK_ULONG size;
	CK_BYTE b[4];
	CK_ATTRIBUTE a = {CKA_LABEL, b, sizeof(b)};

	(void)state;
	learn(&rsa, key);
	hold(s, &rsa, key);
	assert_int_equal(p11->C_GetSessionInfo(s, &info), CKR_OK);
	assert_int_equal(p11->C_GetAttributeValue(s, key, &a, 1), CKR_OK);
	assert_int_equal(p11->C_GetObjectSize(s, key, &size), CKR_OK);
	assert_int_equal(p11->C_GenerateRandom(s, b, 4), CKR_OK);
	COST(4, 0);
	assert_int_equal(sign(s), CKR_OK);
	COST(1, 1);
}

static void
test_length_is_known_the_second_time(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		CK_ULONG size = 0;

		assert_int_equal(p11->C_SignInit(s, &rsa, key), CKR_OK);
		assert_int_equal(
		    p11->C_Sign(s, (CK_BYTE_PTR) "data", 4, NULL, &size), CKR_OK);
		assert_int_equal(size, 128);
		COST(i ? 0 : 2, 0);
		assert_int_equal(sign(s), CKR_OK);
		COST(1, i);
	}
	/* Without data it is no question, and the beginning stands. */
	hold(s, &rsa, key);
	assert_int_equal(p11->C_Sign(s, NULL, 4, NULL, &len), CKR_ARGUMENTS_BAD);
	assert_int_equal(p11->C_Sign(s, (CK_BYTE_PTR) "x", 1, NULL, NULL), CKR_ARGUMENTS_BAD);
	assert_int_equal(sign(s), CKR_OK);
}

static void
test_room_too_small(void **state)
{
	(void)state;
	learn(&rsa, key);
	hold(s, &rsa, key);
	len = 100;
	assert_int_equal(
	    p11->C_Sign(s, (CK_BYTE_PTR) "data", 4, out, &len), CKR_BUFFER_TOO_SMALL);
	assert_int_equal(len, 128);
	COST(1, 1);
	assert_int_equal(sign(s), CKR_OK);
	COST(1, 0);
	hold(s, &rsa, key);
}

/* Data that SoftHSM2 refuses: the operation is over, and the session free. */
static void
test_refused_data(void **state)
{
	CK_BYTE big[200] = {0};
	CK_RV alone;

	(void)state;
	assert_int_equal(p11->C_SignInit(s, &rsa, key), CKR_OK);
	len = sizeof(out);
	alone = p11->C_Sign(s, big, sizeof(big), out, &len);
	assert_int_not_equal(alone, CKR_OK);
	assert_int_equal(sign(s), CKR_OPERATION_NOT_INITIALIZED);
	count();
	hold(other, &rsa, key);
	len = sizeof(out);
	assert_int_equal(p11->C_Sign(other, big, sizeof(big), out, &len), alone);
	COST(1, 1);
	assert_int_equal(sign(other), CKR_OPERATION_NOT_INITIALIZED);
	assert_int_equal(client_sign(s, key), CKR_OK);
}

/* No length of a parameter that cannot be meant is believed. */
static void
test_parameter_of_any_length(void **state)
{
	CK_BYTE *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CK_MECHANISM m = {CKM_RSA_PKCS, page, CK_UNAVAILABLE_INFORMATION}, fits = {CKM_RSA_PKCS,
	    page, 4096};

	(void)state;
	assert_int_equal(p11->C_SignInit(s, &m, key), CKR_MECHANISM_PARAM_INVALID);
	/* One that is too long to be held is not held. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(p11->C_SignInit(s, &fits, key), CKR_OK);
		assert_int_equal(sign(s), CKR_OK);
	}
	COST(4, 0);
	assert_int_equal(munmap(page, 4096), 0);
}

/* Large data do not have to make room for the beginning in their frame. */
static void
test_large_data_go_alone(void **state)
{
	static CK_BYTE data[1 << 20];

	(void)state;
	learn(&hash_rsa, key);
	hold(s, &hash_rsa, key);
	len = sizeof(out);
	assert_int_equal(p11->C_Sign(s, data, sizeof(data), out, &len), CKR_OK);
	COST(2, 0);
	hold(s, &hash_rsa, key);
}

static void
test_off(void **state)
{
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};

	(void)state;
	restart(&args, "off");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(p11->C_SignInit(s, &rsa, key), CKR_OK);
		COST(1, 0);
		assert_int_equal(
		    p11->C_Sign(s, (CK_BYTE_PTR) "data", 4, NULL, &len), CKR_OK);
		COST(1, 0);
		assert_int_equal(sign(s), CKR_OK);
		COST(1, 0);
	}
}

static void
test_with_the_applications_mutexes(void **state)
{
	CK_C_INITIALIZE_ARGS args = client_mutexes();

	restart(&args, NULL);
	test_second_time_takes_one_round_trip(state);
}

#define T(f) cmocka_unit_test_setup_teardown(f, holding_begin, shortcuts_end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_second_time_takes_one_round_trip),
	    T(test_digest_and_verify),
	    T(test_vectors_travel),
	    T(test_held_is_active),
	    T(test_nothing_is_held_on_a_busy_session),
	    T(test_parts_send_it_first),
	    T(test_what_makes_no_difference_leaves_it),
	    T(test_length_is_known_the_second_time),
	    T(test_room_too_small),
	    T(test_refused_data),
	    T(test_parameter_of_any_length),
	    T(test_large_data_go_alone),
	    T(test_off),
	    T(test_with_the_applications_mutexes),
	};

	return cmocka_run_group_tests(tests, shortcuts_start, shortcuts_stop);
}
