/* hold.c: beginnings that wait for their operation.  What it costs in round trips, and that
 * every call says what it says without: the fake worker's SoftHSM2 is the judge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client.h"
#include "fake.h"
#include "protocol/calls.h"

static struct fake *fake;
static CK_SESSION_HANDLE s, other;
static CK_OBJECT_HANDLE key, public_key, aes;
static CK_MECHANISM rsa = {CKM_RSA_PKCS, NULL, 0}, hash_rsa = {CKM_SHA256_RSA_PKCS, NULL, 0},
    sha = {CKM_SHA256, NULL, 0};
static CK_BYTE out[512];
static CK_ULONG len;
static int calls, fused;

/* What it has cost since the last time. */
#define COST(round_trips, of_them_fused)                                                 \
	do {                                                                             \
		assert_int_equal(fake->calls - calls, round_trips);                      \
		assert_int_equal(fake->fused - fused, of_them_fused);                    \
		count();                                                                 \
	} while (0)

static void
count(void)
{
	calls = fake->calls;
	fused = fake->fused;
}

static CK_OBJECT_HANDLE
aes_key(CK_SESSION_HANDLE in)
{
	CK_MECHANISM m = {CKM_AES_KEY_GEN, NULL, 0};
	CK_BBOOL yes = CK_TRUE;
	CK_ULONG size = 32;
	CK_ATTRIBUTE t[] = {{CKA_VALUE_LEN, &size, sizeof(size)}, {CKA_ENCRYPT, &yes, 1},
	    {CKA_DECRYPT, &yes, 1}};
	CK_OBJECT_HANDLE o = 0;

	assert_int_equal(p11->C_GenerateKey(in, &m, t, 3, &o), CKR_OK);
	return o;
}

static CK_SESSION_HANDLE
open_session(void)
{
	CK_SESSION_HANDLE t;

	assert_int_equal(p11->C_OpenSession(FAKE_SLOT, RW, NULL, NULL, &t), CKR_OK);
	return t;
}

static CK_RV
sign(CK_SESSION_HANDLE in)
{
	len = sizeof(out);
	return p11->C_Sign(in, (CK_BYTE_PTR) "data", 4, out, &len);
}

static void
begin_objects(void)
{
	other = open_session();
	key = client_rsa(s, "hold", CK_FALSE, &public_key);
	aes = aes_key(s);
	count();
}

static int
begin(void **state)
{
	(void)state;
	client_load();
	s = client_begin();
	begin_objects();
	return 0;
}

static int
end(void **state)
{
	(void)state;
	fake->mode = FAKE_HONEST;
	fake->late_before = fake->late_after = 0;
	(void)p11->C_Finalize(NULL);
	client_unload();
	return 0;
}

/* From here on a beginning with this mechanism and key is held. */
static void
learn(CK_MECHANISM *m, CK_OBJECT_HANDLE with)
{
	assert_int_equal(p11->C_SignInit(other, m, with), CKR_OK);
	assert_int_equal(sign(other), CKR_OK);
	COST(2, 0);
}

static void
hold(CK_SESSION_HANDLE in, CK_MECHANISM *m, CK_OBJECT_HANDLE with)
{
	assert_int_equal(p11->C_SignInit(in, m, with), CKR_OK);
	COST(0, 0);
}

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

/* What other sessions hold goes before a change, and what was accepted is forgotten. */
static void
test_changes_send_first_and_forget(void **state)
{
	CK_OBJECT_HANDLE o;
	CK_BBOOL no = CK_FALSE;
	CK_ATTRIBUTE label = {CKA_LABEL, (void *)(uintptr_t)"x", 1}, may = {CKA_SIGN, &no, 1};

	(void)state;
	learn(&rsa, key);
	hold(s, &rsa, key);
	assert_int_equal(p11->C_SetAttributeValue(other, key, &label, 1), CKR_OK);
	COST(2, 0);
	assert_int_equal(sign(s), CKR_OK);
	COST(1, 0);
	assert_int_equal(p11->C_SignInit(s, &rsa, key), CKR_OK);
	COST(1, 0);
	assert_int_equal(sign(s), CKR_OK);
	count();

	hold(s, &rsa, key);
	assert_int_equal(p11->C_CopyObject(other, key, &label, 1, &o), CKR_OK);
	COST(2, 0);
	assert_int_equal(sign(s), CKR_OK);
	assert_int_equal(client_sign(s, key), CKR_OK);
	count();

	hold(s, &rsa, key);
	assert_int_equal(p11->C_SetAttributeValue(other, key, &may, 1), CKR_OK);
	COST(2, 0);
	assert_int_equal(sign(s), CKR_OK);
	COST(1, 0);
	assert_int_equal(p11->C_SignInit(s, &rsa, key), CKR_KEY_FUNCTION_NOT_PERMITTED);
	COST(1, 0);

	assert_int_equal(client_sign(s, o), CKR_OK);
	count();
	hold(s, &rsa, o);
	assert_int_equal(p11->C_DestroyObject(other, o), CKR_OK);
	COST(2, 0);
	assert_int_equal(sign(s), CKR_OK);
	COST(1, 0);
	assert_int_equal(p11->C_SignInit(s, &rsa, o), CKR_OBJECT_HANDLE_INVALID);
	COST(1, 0);
}

static void
test_logout_sends_first_and_forgets(void **state)
{
	CK_RV rv;

	(void)state;
	learn(&rsa, key);
	hold(s, &rsa, key);
	assert_int_equal(p11->C_Logout(other), CKR_OK);
	COST(2, 0);
	rv = sign(s);
	assert_true(rv == CKR_OK || rv == CKR_USER_NOT_LOGGED_IN);
	COST(1, 0);
	assert_int_equal(p11->C_SignInit(s, &rsa, key), CKR_OBJECT_HANDLE_INVALID);
	COST(1, 0);
	assert_int_equal(p11->C_Login(s, CKU_USER, (CK_UTF8CHAR_PTR)FAKE_PIN, 4), CKR_OK);
	assert_int_equal(p11->C_SignInit(s, &rsa, key), CKR_OBJECT_HANDLE_INVALID);
	COST(2, 0);
}

static void
test_closed_with_what_it_holds(void **state)
{
	(void)state;
	learn(&rsa, key);
	hold(other, &rsa, key);
	assert_int_equal(p11->C_CloseSession(other), CKR_OK);
	COST(1, 0);
	assert_int_equal(sign(other), CKR_SESSION_HANDLE_INVALID);
	other = open_session();
	count();
	hold(other, &rsa, key);
	assert_int_equal(sign(other), CKR_OK);
	COST(1, 1);
	/* The key dies with s, which made it: what holds it goes first. */
	hold(other, &rsa, key);
	assert_int_equal(p11->C_CloseSession(s), CKR_OK);
	COST(2, 0);
	assert_int_equal(sign(other), CKR_OK);
	assert_int_equal(p11->C_SignInit(other, &rsa, key), CKR_OBJECT_HANDLE_INVALID);
	COST(2, 0);
	assert_int_equal(p11->C_CloseAllSessions(FAKE_SLOT), CKR_OK);
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

static int
child_signs_what_was_begun(void)
{
	return sign(s) == CKR_OK && client_sign(s, key) == CKR_OK &&
	    client_sign(other, key) == CKR_OK && client_sign(other, key) == CKR_OK;
}

static void
token_key(void)
{
	key = client_find_private(s, "token");
	assert_int_not_equal(key, 0);
	count();
}

static void
test_fork_between(void **state)
{
	(void)state;
	token_key();
	learn(&rsa, key);
	hold(s, &rsa, key);
	assert_int_equal(client_in_child(child_signs_what_was_begun), 0);
	count();
	assert_int_equal(sign(s), CKR_OK);
	COST(1, 1);
}

static void
test_worker_lost_between(void **state)
{
	int resumes = fake->resumes;

	(void)state;
	token_key();
	learn(&rsa, key);
	hold(s, &rsa, key);
	fake_kill_workers(fake);
	assert_int_equal(sign(s), CKR_OK);
	assert_int_equal(fake->resumes, resumes + 1);
	COST(2, 1);
	/* This worker has accepted it, too; what only the last one did says nothing of it. */
	assert_int_equal(client_sign(s, key), CKR_OK);
	COST(1, 1);
	hold(s, &rsa, key);
	fake_kill_workers(fake);
	assert_int_equal(p11->C_SignInit(other, &rsa, key), CKR_OK);
	assert_int_equal(sign(other), CKR_OK);
	assert_int_equal(sign(s), CKR_OK);
}

static void
test_asked_again_with_what_it_holds(void **state)
{
	(void)state;
	token_key();
	learn(&rsa, key);
	hold(s, &rsa, key);
	fake->mode = FAKE_AGAIN;
	assert_int_equal(sign(s), CKR_OK);
	assert_int_equal(fake->mode, FAKE_HONEST);
}

static void
test_another_epoch_forgets(void **state)
{
	(void)state;
	learn(&rsa, key);
	hold(s, &rsa, key);
	fake->epoch++;
	assert_int_equal(sign(s), CKR_OK); /* brings the news, and was accepted after them */
	COST(1, 1);
	assert_int_equal(p11->C_SignInit(s, &rsa, key), CKR_OK);
	COST(0, 0);
	assert_int_equal(sign(s), CKR_OK);
	COST(1, 1);
	/* News that come with another key's say nothing of this one. */
	fake->epoch++;
	assert_int_equal(p11->C_SignInit(s, &hash_rsa, key), CKR_OK);
	assert_int_equal(sign(s), CKR_OK);
	count();
	assert_int_equal(p11->C_SignInit(s, &rsa, key), CKR_OK);
	COST(1, 0);
	assert_int_equal(sign(s), CKR_OK);
	count();
	hold(s, &rsa, key);
	assert_int_equal(sign(s), CKR_OK);
	/* What was served before the news is worth nothing. */
	count();
	fake->epoch++;
	hold(s, &rsa, key);
	assert_int_equal(sign(s), CKR_OK);
	fake->epoch--;
	count();
	assert_int_equal(p11->C_SignInit(s, &hash_rsa, key), CKR_OK);
	assert_int_equal(sign(s), CKR_OK);
	assert_int_equal(p11->C_SignInit(s, &hash_rsa, key), CKR_OK);
	COST(3, 0);
}

static void
test_hostile_replies(void **state)
{
	static const enum fake_mode modes[] = {FAKE_FUSED_LIE, FAKE_SHORT, FAKE_LEFTOVER,
	    FAKE_FLAGS, FAKE_WRONG_CALL, FAKE_WRONG_ID};

	(void)state;
	token_key();
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		int channels = fake->channels;

		assert_int_equal(client_sign(s, key), CKR_OK);
		count();
		hold(s, &rsa, key);
		fake->mode = modes[i];
		assert_int_equal(sign(s), CKR_DEVICE_ERROR);
		fake->mode = FAKE_HONEST;
		assert_int_equal(sign(s), CKR_OPERATION_NOT_INITIALIZED);
		assert_int_equal(fake->channels, channels + 1);
		assert_int_equal(client_sign(s, key), CKR_OK);
	}
}

static int
child_destroys(void)
{
	CK_SESSION_HANDLE t = client_begin();
	CK_OBJECT_HANDLE o = client_find_private(t, "doomed");
	CK_RV rv = p11->C_DestroyObject(t, o);

	return rv == CKR_OK && p11->C_Finalize(NULL) == CKR_OK;
}

static void
test_key_destroyed_by_another_application(void **state)
{
	CK_OBJECT_HANDLE doomed = client_rsa(s, "doomed", CK_TRUE, NULL);

	(void)state;
	count();
	learn(&rsa, doomed);
	hold(s, &rsa, doomed);
	assert_int_equal(client_in_child(child_destroys), 0);
	count();
	assert_int_equal(sign(s), CKR_OPERATION_NOT_INITIALIZED);
	COST(1, 1);
	assert_int_equal(p11->C_SignInit(s, &rsa, doomed), CKR_OBJECT_HANDLE_INVALID);
	assert_int_equal(p11->C_SignInit(other, &rsa, doomed), CKR_OBJECT_HANDLE_INVALID);
	COST(2, 0);
	assert_int_equal(client_sign(s, key), CKR_OK);
}

/* The refusal of a beginning that went by itself is remembered as well. */
static void
test_refused_by_itself_forgets(void **state)
{
	CK_OBJECT_HANDLE doomed = client_rsa(s, "doomed", CK_TRUE, NULL);

	(void)state;
	count();
	assert_int_equal(p11->C_SignInit(s, &hash_rsa, doomed), CKR_OK);
	assert_int_equal(sign(s), CKR_OK);
	count();
	hold(s, &hash_rsa, doomed);
	assert_int_equal(client_in_child(child_destroys), 0);
	assert_int_equal(
	    p11->C_SignUpdate(s, (CK_BYTE_PTR) "x", 1), CKR_OPERATION_NOT_INITIALIZED);
	assert_int_equal(
	    p11->C_SignInit(other, &hash_rsa, doomed), CKR_OBJECT_HANDLE_INVALID);
}

/* A key that wants the PIN again for each use: what is held goes before C_Login. */
static void
test_login_for_the_operation(void **state)
{
	CK_MECHANISM m = {CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0};
	CK_ULONG bits = 1024;
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_ATTRIBUTE public[] = {{CKA_MODULUS_BITS, &bits, sizeof(bits)}, {CKA_TOKEN, &no, 1}};
	CK_ATTRIBUTE private[] = {{CKA_TOKEN, &no, 1}, {CKA_SIGN, &yes, 1},
	    {CKA_PRIVATE, &yes, 1}, {CKA_ALWAYS_AUTHENTICATE, &yes, 1}};

	(void)state;
	assert_int_equal(p11->C_GenerateKeyPair(
			     s, &m, public, 2, private, 4, &public_key, &key), CKR_OK);
	assert_int_equal(p11->C_SignInit(s, &rsa, key), CKR_OK);
	assert_int_equal(sign(s), CKR_USER_NOT_LOGGED_IN);
	count();
	hold(other, &rsa, key);
	assert_int_equal(
	    p11->C_Login(other, CKU_CONTEXT_SPECIFIC, (CK_UTF8CHAR_PTR)FAKE_PIN, 4), CKR_OK);
	COST(2, 0);
	assert_int_equal(sign(other), CKR_OK);
	assert_int_equal(p11->C_SignInit(other, &rsa, key), CKR_OK);
	COST(2, 0);
	assert_int_equal(sign(other), CKR_USER_NOT_LOGGED_IN);
	other = open_session();
	count();
	hold(other, &rsa, key);
	assert_int_equal(sign(other), CKR_USER_NOT_LOGGED_IN);
	COST(1, 1);
	assert_int_equal(sign(other), CKR_OPERATION_NOT_INITIALIZED);
}

static void
restart(const CK_C_INITIALIZE_ARGS *args)
{
	assert_int_equal(p11->C_Finalize(NULL), CKR_OK);
	assert_int_equal(p11->C_Initialize((void *)(uintptr_t)args), CKR_OK);
	s = open_session();
	assert_int_equal(p11->C_Login(s, CKU_USER, (CK_UTF8CHAR_PTR)FAKE_PIN, 4), CKR_OK);
	begin_objects();
}

static void
test_off(void **state)
{
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};

	(void)state;
	assert_int_equal(setenv("CAAS_VSM_SHORTCUTS", "off", 1), 0);
	restart(&args);
	assert_int_equal(unsetenv("CAAS_VSM_SHORTCUTS"), 0);
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

static CK_RV
create_mutex(CK_VOID_PTR_PTR ret)
{
	pthread_mutex_t *m = malloc(sizeof(*m));

	*ret = m;
	return m != NULL && pthread_mutex_init(m, NULL) == 0 ? CKR_OK : CKR_HOST_MEMORY;
}

static CK_RV
destroy_mutex(CK_VOID_PTR m)
{
	(void)pthread_mutex_destroy(m);
	free(m);
	return CKR_OK;
}

static CK_RV
lock_mutex(CK_VOID_PTR m)
{
	return pthread_mutex_lock(m) == 0 ? CKR_OK : CKR_GENERAL_ERROR;
}

static CK_RV
unlock_mutex(CK_VOID_PTR m)
{
	return pthread_mutex_unlock(m) == 0 ? CKR_OK : CKR_MUTEX_NOT_LOCKED;
}

static void
test_with_the_applications_mutexes(void **state)
{
	CK_C_INITIALIZE_ARGS args = {.CreateMutex = create_mutex,
	    .DestroyMutex = destroy_mutex, .LockMutex = lock_mutex,
	    .UnlockMutex = unlock_mutex};

	restart(&args);
	test_second_time_takes_one_round_trip(state);
	s = open_session();
	begin_objects();
	test_changes_send_first_and_forget(state);
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

static void *
begin_on_other(void *arg)
{
	CK_RV *rv = arg;

	*rv = p11->C_SignInit(other, &rsa, key);
	return NULL;
}

/* A beginning whose answer comes in after a change that the worker made after it. */
static void
test_accepted_before_a_change_is_not_believed(void **state)
{
	CK_BBOOL no = CK_FALSE;
	CK_ATTRIBUTE may = {CKA_SIGN, &no, 1};
	pthread_t t;
	CK_RV rv;

	(void)state;
	fake->late_after = CALL_C_SignInit;
	assert_int_equal(pthread_create(&t, NULL, begin_on_other, &rv), 0);
	while (fake->calls == calls)
		(void)usleep(1000);
	(void)usleep(FAKE_LATE_MS * 1000 / 4);
	assert_int_equal(p11->C_SetAttributeValue(s, key, &may, 1), CKR_OK);
	assert_int_equal(pthread_join(t, NULL), 0);
	fake->late_after = 0;
	assert_int_equal(rv, CKR_OK);
	assert_int_equal(p11->C_SignInit(s, &rsa, key), CKR_KEY_FUNCTION_NOT_PERMITTED);
}

static void *
change_on_other(void *arg)
{
	CK_ATTRIBUTE label = {CKA_LABEL, (void *)(uintptr_t)"y", 1};
	CK_RV *rv = arg;

	*rv = p11->C_SetAttributeValue(other, aes, &label, 1);
	return NULL;
}

/* Another thread's change sends what this session holds: the operation waits for that. */
static void
test_operation_does_not_overtake_its_beginning(void **state)
{
	pthread_t t;
	CK_RV rv;

	(void)state;
	learn(&rsa, key);
	hold(s, &rsa, key);
	fake->late_before = CALL_C_SignInit;
	assert_int_equal(pthread_create(&t, NULL, change_on_other, &rv), 0);
	while (fake->calls == calls)
		(void)usleep(1000);
	assert_int_equal(sign(s), CKR_OK);
	fake->late_before = 0;
	assert_int_equal(pthread_join(t, NULL), 0);
	assert_int_equal(rv, CKR_OK);
	assert_int_equal(p11->C_SignInit(s, &rsa, key), CKR_OK);
	assert_int_equal(sign(s), CKR_OK);
}

static int
child_signs(void)
{
	return sign(s) == CKR_OK && client_sign(s, key) == CKR_OK;
}

/* A child of fork does not wait for a thread that it does not have. */
static void
test_fork_while_a_change_sends_first(void **state)
{
	pthread_t t;
	CK_RV rv;

	(void)state;
	token_key();
	learn(&rsa, key);
	hold(s, &rsa, key);
	fake->late_before = CALL_C_SignInit;
	assert_int_equal(pthread_create(&t, NULL, change_on_other, &rv), 0);
	while (fake->calls == calls)
		(void)usleep(1000);
	assert_int_equal(client_in_child(child_signs), 0);
	assert_int_equal(pthread_join(t, NULL), 0);
	fake->late_before = 0;
	assert_int_equal(rv, CKR_OK);
	assert_int_equal(sign(s), CKR_OK);
}

/* Many threads sign, each on its session, while one changes objects that are none of
 * theirs: nobody notices anything. */
#define SIGNERS 4

static atomic_bool stop;
static CK_RV failed[SIGNERS];
static CK_SESSION_HANDLE own[SIGNERS];

static void *
sign_all_the_time(void *arg)
{
	CK_RV *rv = arg;
	CK_SESSION_HANDLE t = own[rv - failed];
	CK_BYTE signature[512];
	CK_ULONG n;

	while (!stop && *rv == CKR_OK) {
		n = sizeof(signature);
		if ((*rv = p11->C_SignInit(t, &rsa, key)) == CKR_OK)
			*rv = p11->C_Sign(t, (CK_BYTE_PTR) "data", 4, signature, &n);
	}
	return NULL;
}

static void
test_signers_do_not_notice_changes(void **state)
{
	pthread_t threads[SIGNERS];
	CK_RV rv = CKR_OK;

	(void)state;
	stop = false;
	for (int i = 0; i < SIGNERS; i++) {
		own[i] = open_session();
		failed[i] = CKR_OK;
		assert_int_equal(
		    pthread_create(&threads[i], NULL, sign_all_the_time, &failed[i]), 0);
	}
	for (int i = 0; i < 300 && rv == CKR_OK; i++) {
		(void)change_on_other(&rv);
		(void)usleep(500);
	}
	stop = true;
	for (int i = 0; i < SIGNERS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(failed[i], CKR_OK);
	}
	assert_int_equal(rv, CKR_OK);
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

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
	    T(test_changes_send_first_and_forget),
	    T(test_logout_sends_first_and_forgets),
	    T(test_closed_with_what_it_holds),
	    T(test_length_is_known_the_second_time),
	    T(test_room_too_small),
	    T(test_refused_data),
	    T(test_fork_between),
	    T(test_worker_lost_between),
	    T(test_asked_again_with_what_it_holds),
	    T(test_another_epoch_forgets),
	    T(test_hostile_replies),
	    T(test_key_destroyed_by_another_application),
	    T(test_refused_by_itself_forgets),
	    T(test_login_for_the_operation),
	    T(test_off),
	    T(test_with_the_applications_mutexes),
	    T(test_large_data_go_alone),
	    T(test_accepted_before_a_change_is_not_believed),
	    T(test_operation_does_not_overtake_its_beginning),
	    T(test_fork_while_a_change_sends_first),
	    T(test_signers_do_not_notice_changes),
	    T(test_parameter_of_any_length),
	};
	CK_SESSION_HANDLE t;
	int bad;

	fake = fake_start();
	assert(unsetenv("CAAS_VSM_SHORTCUTS") == 0);
	client_load();
	t = client_begin();
	(void)client_rsa(t, "token", CK_TRUE, NULL);
	assert(p11->C_Finalize(NULL) == CKR_OK);
	client_unload();
	bad = cmocka_run_group_tests(tests, NULL, NULL);
	fake_stop(fake);
	return bad;
}
