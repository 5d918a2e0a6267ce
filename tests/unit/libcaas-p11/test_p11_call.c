/* The calls that reach the worker, and what they leave in the guest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client.h"
#include "fake.h"

static struct fake *fake;
static CK_SESSION_HANDLE s;

static int
begin(void **state)
{
	(void)state;
	client_load();
	s = client_begin();
	return 0;
}

static int
end(void **state)
{
	CK_OBJECT_HANDLE o[64];
	CK_ULONG n;

	(void)state;
	(void)p11->C_Finalize(NULL);
	s = client_begin();
	assert_int_equal(p11->C_FindObjectsInit(s, NULL, 0), CKR_OK);
	assert_int_equal(p11->C_FindObjects(s, o, 64, &n), CKR_OK);
	assert_int_equal(p11->C_FindObjectsFinal(s), CKR_OK);
	for (CK_ULONG i = 0; i < n; i++)
		assert_int_equal(p11->C_DestroyObject(s, o[i]), CKR_OK);
	assert_int_equal(p11->C_Finalize(NULL), CKR_OK);
	client_unload();
	return 0;
}

static void
test_slot_list_is_one_snapshot_empty_last(void **state)
{
	CK_SLOT_ID slots[4];
	CK_ULONG n = 0;

	(void)state;
	assert_int_equal(p11->C_GetSlotList(CK_TRUE, NULL, &n), CKR_OK);
	assert_int_equal(n, 2);
	n = 1;
	assert_int_equal(p11->C_GetSlotList(CK_TRUE, slots, &n), CKR_BUFFER_TOO_SMALL);
	assert_int_equal(n, 2);
	n = 4;
	assert_int_equal(p11->C_GetSlotList(CK_FALSE, slots, &n), CKR_OK);
	assert_int_equal(n, 2);
	assert_int_equal(slots[0], FAKE_SLOT);
	assert_int_equal(slots[1], FAKE_EMPTY_SLOT);
	assert_int_equal(p11->C_GetSlotList(CK_TRUE, slots, NULL), CKR_ARGUMENTS_BAD);
}

static void
test_slot_rows(void **state)
{
	CK_TOKEN_INFO token;
	CK_SLOT_INFO slot;
	CK_SESSION_HANDLE t;
	CK_ULONG n = 0;

	(void)state;
	assert_int_equal(p11->C_GetSlotInfo(FAKE_SLOT, &slot), CKR_OK);
	assert_int_equal(p11->C_GetTokenInfo(FAKE_SLOT, &token), CKR_OK);
	assert_memory_equal(token.label, "fake    ", 8);
	assert_int_equal(p11->C_GetTokenInfo(FAKE_EMPTY_SLOT, &token), CKR_OK);
	assert_int_equal(token.flags & CKF_TOKEN_INITIALIZED, 0);
	assert_int_equal(p11->C_GetMechanismList(FAKE_SLOT, NULL, &n), CKR_OK);
	assert_true(n > 50);
	/* No such slot: as the token library, pointers first where it does. */
	assert_int_equal(p11->C_GetSlotInfo(77, NULL), CKR_SLOT_ID_INVALID);
	assert_int_equal(p11->C_GetMechanismList(77, NULL, NULL), CKR_ARGUMENTS_BAD);
	assert_int_equal(p11->C_OpenSession(77, RW, NULL, NULL, &t), CKR_SLOT_ID_INVALID);
	assert_int_equal(p11->C_OpenSession((CK_SLOT_ID)1 << 40, RW, NULL, NULL, &t),
	    CKR_SLOT_ID_INVALID);
	assert_int_equal(p11->C_OpenSession(FAKE_SLOT, 0, NULL, NULL, &t),
	    CKR_SESSION_PARALLEL_NOT_SUPPORTED);
	assert_int_equal(p11->C_OpenSession(FAKE_SLOT, RW, NULL, NULL, NULL),
	    CKR_ARGUMENTS_BAD);
}

static void
test_session_info_has_our_slot(void **state)
{
	CK_SESSION_INFO info;

	(void)state;
	assert_int_equal(p11->C_GetSessionInfo(s, &info), CKR_OK);
	assert_int_equal(info.slotID, FAKE_SLOT);
	assert_int_equal(info.state, CKS_RW_USER_FUNCTIONS);
	assert_int_equal(p11->C_GetSessionInfo(s, NULL), CKR_ARGUMENTS_BAD);
}

static void
test_unknown_session(void **state)
{
	CK_ULONG len;
	CK_BYTE b[8];

	(void)state;
	assert_int_equal(p11->C_Sign(0, b, 1, b, &len), CKR_SESSION_HANDLE_INVALID);
	assert_int_equal(p11->C_Sign(0, NULL, 1, b, &len), CKR_ARGUMENTS_BAD);
	assert_int_equal(
	    p11->C_Login(12345, CKU_USER, NULL, 0), CKR_SESSION_HANDLE_INVALID);
	assert_int_equal(p11->C_CloseSession(12345), CKR_SESSION_HANDLE_INVALID);
	assert_int_equal(p11->C_GetFunctionStatus(12345), CKR_SESSION_HANDLE_INVALID);
	assert_int_equal(p11->C_GetFunctionStatus(s), CKR_FUNCTION_NOT_PARALLEL);
	assert_int_equal(p11->C_CancelFunction(s), CKR_FUNCTION_NOT_PARALLEL);
}

static void
test_sign_and_verify(void **state)
{
	CK_MECHANISM m = {CKM_RSA_PKCS, NULL, 0};
	CK_BYTE signature[128], small[8];
	CK_ULONG len = sizeof(small);
	CK_OBJECT_HANDLE pub, prv = client_rsa(s, "k", CK_FALSE, &pub);

	(void)state;
	assert_int_not_equal(prv, pub);
	assert_int_equal(p11->C_SignInit(s, &m, prv), CKR_OK);
	assert_int_equal(p11->C_Sign(s, (CK_BYTE_PTR)"data", 4, small, &len),
	    CKR_BUFFER_TOO_SMALL);
	assert_int_equal(len, 128);
	assert_int_equal(p11->C_Sign(s, (CK_BYTE_PTR)"data", 4, NULL, &len), CKR_OK);
	assert_int_equal(len, 128);
	assert_int_equal(p11->C_Sign(s, (CK_BYTE_PTR)"data", 4, signature, &len), CKR_OK);
	assert_int_equal(p11->C_VerifyInit(s, &m, pub), CKR_OK);
	assert_int_equal(
	    p11->C_Verify(s, (CK_BYTE_PTR) "data", 4, signature, len), CKR_OK);
	assert_int_equal(p11->C_VerifyInit(s, &m, pub), CKR_OK);
	assert_int_equal(p11->C_Verify(s, (CK_BYTE_PTR)"date", 4, signature, len),
	    CKR_SIGNATURE_INVALID);
}

static void
test_found_twice_is_one_handle(void **state)
{
	CK_OBJECT_HANDLE a[4], made = client_data(s, "twice", CK_TRUE);

	(void)state;
	assert_int_equal(client_find(s, "twice", a, 4), 1);
	assert_int_equal(a[0], made);
	assert_int_equal(client_find(s, "twice", a, 4), 1);
	assert_int_equal(a[0], made);
}

static void
test_destroyed_object_is_unknown_for_ever(void **state)
{
	CK_OBJECT_HANDLE o = client_data(s, "gone", CK_TRUE), other;
	CK_ULONG size;

	(void)state;
	assert_int_equal(p11->C_GetObjectSize(s, o, &size), CKR_OK);
	assert_int_equal(p11->C_DestroyObject(s, o), CKR_OK);
	assert_int_equal(p11->C_GetObjectSize(s, o, &size), CKR_OBJECT_HANDLE_INVALID);
	other = client_data(s, "gone", CK_TRUE);
	assert_int_not_equal(other, o);
	assert_int_equal(p11->C_DestroyObject(s, o), CKR_OBJECT_HANDLE_INVALID);
	assert_int_equal(p11->C_GetObjectSize(s, 0, &size), CKR_OBJECT_HANDLE_INVALID);
}

static void
test_session_objects_die_with_their_session(void **state)
{
	CK_OBJECT_HANDLE o, kept;
	CK_SESSION_HANDLE t;
	CK_ULONG size;

	(void)state;
	assert_int_equal(p11->C_OpenSession(FAKE_SLOT, RW, NULL, NULL, &t), CKR_OK);
	o = client_data(t, "session", CK_FALSE);
	kept = client_data(t, "token", CK_TRUE);
	assert_int_equal(p11->C_GetObjectSize(s, o, &size), CKR_OK);
	assert_int_equal(p11->C_CloseSession(t), CKR_OK);
	assert_int_equal(p11->C_CloseSession(t), CKR_SESSION_HANDLE_INVALID);
	assert_int_equal(p11->C_GetObjectSize(s, o, &size), CKR_OBJECT_HANDLE_INVALID);
	assert_int_equal(p11->C_GetObjectSize(s, kept, &size), CKR_OK);
}

static void
test_last_session_takes_the_login_with_it(void **state)
{
	CK_SESSION_INFO info;
	CK_OBJECT_HANDLE o = client_data(s, "o", CK_TRUE);
	CK_ULONG size;

	(void)state;
	assert_int_equal(p11->C_CloseSession(s), CKR_OK);
	assert_int_equal(p11->C_OpenSession(FAKE_SLOT, RW, NULL, NULL, &s), CKR_OK);
	assert_int_equal(p11->C_GetSessionInfo(s, &info), CKR_OK);
	assert_int_equal(info.state, CKS_RW_PUBLIC_SESSION);
	assert_int_equal(p11->C_GetObjectSize(s, o, &size), CKR_OBJECT_HANDLE_INVALID);
}

static void
test_close_all_sessions(void **state)
{
	CK_SESSION_HANDLE t;
	CK_SESSION_INFO info;

	(void)state;
	assert_int_equal(p11->C_OpenSession(FAKE_SLOT, SERIAL, NULL, NULL, &t), CKR_OK);
	assert_int_equal(p11->C_CloseAllSessions(FAKE_SLOT), CKR_OK);
	assert_int_equal(p11->C_GetSessionInfo(t, &info), CKR_SESSION_HANDLE_INVALID);
	assert_int_equal(p11->C_GetSessionInfo(s, &info), CKR_SESSION_HANDLE_INVALID);
}

static void
test_logout_voids_private_handles(void **state)
{
	CK_OBJECT_HANDLE prv = client_rsa(s, "private", CK_TRUE, NULL), again;

	(void)state;
	assert_int_equal(client_sign(s, prv), CKR_OK);
	assert_int_equal(p11->C_Logout(s), CKR_OK);
	assert_int_equal(client_sign(s, prv), CKR_OBJECT_HANDLE_INVALID);
	assert_int_equal(p11->C_Login(s, CKU_USER, (CK_UTF8CHAR_PTR)FAKE_PIN, 4), CKR_OK);
	assert_int_equal(client_sign(s, prv), CKR_OBJECT_HANDLE_INVALID);
	again = client_find_private(s, "private");
	assert_int_not_equal(again, prv);
	assert_int_equal(client_sign(s, again), CKR_OK);
	assert_int_equal(p11->C_Login(s, CKU_USER, (CK_UTF8CHAR_PTR)FAKE_PIN, 4),
	    CKR_USER_ALREADY_LOGGED_IN);
}

static void
test_session_of_another_slot_does_not_see_the_object(void **state)
{
	CK_UTF8CHAR label[32];
	CK_OBJECT_HANDLE o = client_data(s, "here", CK_TRUE);
	CK_SESSION_HANDLE t;
	CK_ULONG size;

	(void)state;
	memset(label, ' ', sizeof(label));
	/* Not on the empty slot's token itself: the fake keeps one directory for both. */
	assert_int_equal(p11->C_OpenSession(FAKE_EMPTY_SLOT, RW, NULL, NULL, &t),
	    CKR_TOKEN_NOT_RECOGNIZED);
	assert_int_equal(
	    p11->C_InitToken(FAKE_SLOT, (CK_UTF8CHAR_PTR)FAKE_SO_PIN, 4, label),
	    CKR_SESSION_EXISTS);
	assert_int_equal(p11->C_GetObjectSize(s, o, &size), CKR_OK);
}

#define LARGE ((CK_ULONG)64 << 20)

static void
test_large_data_in_both_directions(void **state)
{
	CK_MECHANISM gen = {CKM_AES_KEY_GEN, NULL, 0}, ecb = {CKM_AES_ECB, NULL, 0};
	CK_ULONG bytes = 16, len = LARGE, back = LARGE;
	CK_ATTRIBUTE t[] = {{CKA_VALUE_LEN, &bytes, sizeof(bytes)}};
	CK_BYTE *clear = malloc(LARGE), *secret = malloc(LARGE);
	CK_OBJECT_HANDLE key;

	(void)state;
	memset(clear, 'c', LARGE);
	assert_int_equal(p11->C_GenerateKey(s, &gen, t, 1, &key), CKR_OK);
	assert_int_equal(p11->C_EncryptInit(s, &ecb, key), CKR_OK);
	assert_int_equal(p11->C_Encrypt(s, clear, LARGE, secret, &len), CKR_OK);
	assert_int_equal(len, LARGE);
	memset(clear, 0, LARGE);
	assert_int_equal(p11->C_DecryptInit(s, &ecb, key), CKR_OK);
	assert_int_equal(p11->C_Decrypt(s, secret, len, clear, &back), CKR_OK);
	assert_int_equal(back, LARGE);
	for (CK_ULONG i = 0; i < LARGE; i += 4093)
		assert_int_equal(clear[i], 'c');
	free(clear);
	free(secret);
}

/* In one call and in parts it is the same; beyond a frame, the parts remain. */
static void
test_large_data_whole_and_in_parts(void **state)
{
	CK_MECHANISM m = {CKM_SHA256, NULL, 0};
	CK_BYTE *data = malloc(LARGE), whole[32], parts[32];
	CK_ULONG len = sizeof(whole);

	(void)state;
	for (CK_ULONG i = 0; i < LARGE; i++)
		data[i] = (CK_BYTE)(i * 31 >> 5);
	assert_int_equal(p11->C_DigestInit(s, &m), CKR_OK);
	assert_int_equal(
	    p11->C_Digest(s, data, (CK_ULONG)81 << 20, whole, &len), CKR_DATA_LEN_RANGE);
	assert_int_equal(p11->C_Digest(s, data, LARGE, whole, &len), CKR_OK);
	assert_int_equal(p11->C_DigestInit(s, &m), CKR_OK);
	for (CK_ULONG at = 0; at < LARGE; at += LARGE / 4)
		assert_int_equal(p11->C_DigestUpdate(s, data + at, LARGE / 4), CKR_OK);
	len = sizeof(parts);
	assert_int_equal(p11->C_DigestFinal(s, parts, &len), CKR_OK);
	assert_memory_equal(whole, parts, sizeof(whole));
	free(data);
}

/* A template within a template, there and back. */
static void
test_nested_template(void **state)
{
	CK_MECHANISM gen = {CKM_AES_KEY_GEN, NULL, 0};
	CK_BBOOL yes = CK_TRUE, got_bool = 2;
	CK_KEY_TYPE aes = CKK_AES, got_type = 77;
	CK_ULONG bytes = 16;
	CK_ATTRIBUTE inner[] = {{CKA_KEY_TYPE, &aes, sizeof(aes)},
	    {CKA_EXTRACTABLE, &yes, sizeof(yes)}};
	CK_ATTRIBUTE t[] = {{CKA_VALUE_LEN, &bytes, sizeof(bytes)},
	    {CKA_WRAP, &yes, sizeof(yes)}, {CKA_WRAP_TEMPLATE, inner, sizeof(inner)}};
	CK_ATTRIBUTE room[2] = {{0}}, query = {CKA_WRAP_TEMPLATE, NULL, 0};
	CK_OBJECT_HANDLE key;

	(void)state;
	assert_int_equal(p11->C_GenerateKey(s, &gen, t, 3, &key), CKR_OK);
	assert_int_equal(p11->C_GetAttributeValue(s, key, &query, 1), CKR_OK);
	assert_int_equal(query.ulValueLen, sizeof(inner));
	query.pValue = room;
	assert_int_equal(p11->C_GetAttributeValue(s, key, &query, 1), CKR_OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(room[i].ulValueLen,
		    room[i].type == CKA_KEY_TYPE ? sizeof(aes) : sizeof(yes));
		room[i].pValue = room[i].type == CKA_KEY_TYPE ? (void *)&got_type
							      : (void *)&got_bool;
	}
	assert_int_equal(p11->C_GetAttributeValue(s, key, &query, 1), CKR_OK);
	assert_int_equal(got_type, CKK_AES);
	assert_int_equal(got_bool, CK_TRUE);
}

static void
test_replies_may_trickle(void **state)
{
	CK_BYTE random[4000];

	(void)state;
	fake->mode = FAKE_TRICKLE;
	assert_int_equal(p11->C_GenerateRandom(s, random, sizeof(random)), CKR_OK);
	assert_int_equal(p11->C_GenerateRandom(s, random, 16), CKR_OK);
	fake->mode = FAKE_HONEST;
}

/* The last one: the slot is not empty any more. */
static void
test_init_token_on_the_empty_slot(void **state)
{
	CK_UTF8CHAR label[32], pin[] = "4321";
	CK_SESSION_HANDLE t;
	CK_TOKEN_INFO info;

	(void)state;
	memset(label, ' ', sizeof(label));
	memcpy(label, "second", 6);
	assert_int_equal(p11->C_InitToken(FAKE_EMPTY_SLOT, pin, 4, NULL), CKR_ARGUMENTS_BAD);
	assert_int_equal(p11->C_InitToken(FAKE_EMPTY_SLOT, pin, 4, label), CKR_OK);
	/* The same slot has it, and this application's other session goes on. */
	assert_int_equal(p11->C_GetTokenInfo(FAKE_EMPTY_SLOT, &info), CKR_OK);
	assert_memory_equal(info.label, label, sizeof(label));
	assert_true(info.flags & CKF_TOKEN_INITIALIZED);
	assert_int_equal(p11->C_OpenSession(FAKE_EMPTY_SLOT, RW, NULL, NULL, &t), CKR_OK);
	assert_int_equal(p11->C_Login(t, CKU_SO, pin, 4), CKR_OK);
	assert_int_equal(p11->C_InitPIN(t, (CK_UTF8CHAR_PTR)"5555", 4), CKR_OK);
	assert_int_equal(p11->C_Logout(t), CKR_OK);
	assert_int_equal(p11->C_Login(t, CKU_USER, (CK_UTF8CHAR_PTR)"5555", 4), CKR_OK);
	assert_int_not_equal(client_data(t, "on the second", CK_TRUE), 0);
	assert_int_not_equal(client_data(s, "on the first", CK_FALSE), 0);
}

static void
test_unserved_is_said_honestly(void **state)
{
	CK_INTERFACE *i;
	CK_C_GetInterface get;
	CK_FUNCTION_LIST_3_0 *l;

	(void)state;
	*(void **)&get = client_symbol("C_GetInterface");
	assert_int_equal(get(NULL, NULL, &i, 0), CKR_OK);
	l = i->pFunctionList;
	assert_int_equal(l->C_LoginUser(s, CKU_USER, NULL, 0, NULL, 0),
	    CKR_FUNCTION_NOT_SUPPORTED);
	assert_int_equal(l->C_SessionCancel(s, 0), CKR_FUNCTION_NOT_SUPPORTED);
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_slot_list_is_one_snapshot_empty_last),
	    T(test_slot_rows),
	    T(test_session_info_has_our_slot),
	    T(test_unknown_session),
	    T(test_sign_and_verify),
	    T(test_found_twice_is_one_handle),
	    T(test_destroyed_object_is_unknown_for_ever),
	    T(test_session_objects_die_with_their_session),
	    T(test_last_session_takes_the_login_with_it),
	    T(test_close_all_sessions),
	    T(test_logout_voids_private_handles),
	    T(test_session_of_another_slot_does_not_see_the_object),
	    T(test_large_data_in_both_directions),
	    T(test_large_data_whole_and_in_parts),
	    T(test_nested_template),
	    T(test_replies_may_trickle),
	    T(test_unserved_is_said_honestly),
	    T(test_init_token_on_the_empty_slot),
	};
	int failed;

	fake = fake_start();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fake_stop(fake);
	return failed;
}
