/* test_worker_serve.c - one guest, every class of call */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static struct rig rig;
static struct guest g;

static int
setup(void **state)
{
	(void)state;
	rig_start(&rig, true);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

static int
attach(void **state)
{
	struct grant grant = rig_grant();

	(void)state;
	guest_attach(&g, &rig, &grant, 9000);
	return 0;
}

static int
leave(void **state)
{
	(void)state;
	assert_int_equal(guest_leave(&g), 0);
	return 0;
}

static void
test_hello(void **state)
{
	(void)state;
	assert_int_equal(g.hello.status, HELLO_OK);
	assert_int_equal(g.hello.version, HELLO_VERSION);
	assert_int_equal(g.hello.max_frame, FRAME_MAX_DEFAULT);
	assert_int_equal(g.hello.silence, 9000);
	assert_int_equal(g.hello.count, 0);
	assert_memory_equal(g.hello.instance, ((uint8_t[HELLO_APP_LEN]){1, 2, 3}),
	    HELLO_APP_LEN);
}

static void
test_slot(void **state)
{
	CK_SLOT_INFO slot;
	CK_TOKEN_INFO token;
	CK_SESSION_INFO session;

	(void)state;
	assert_int_equal(CALLX(&g, C_GetSlotInfo, N(RIG_SLOT), P(&slot)), CKR_OK);
	assert_memory_equal(slot.slotDescription, "CaaS slot 7                     ", 32);
	assert_memory_equal(slot.manufacturerID, "CaaS                            ", 32);
	assert_true(slot.flags & CKF_TOKEN_PRESENT);
	assert_int_equal(CALLX(&g, C_GetTokenInfo, N(RIG_SLOT), P(&token)), CKR_OK);
	assert_memory_equal(token.label, "rig                             ", 32);
	assert_memory_equal(token.manufacturerID, "CaaS                            ", 32);
	assert_memory_equal(token.model, "vsmd            ", 16);
	assert_true(token.flags & CKF_USER_PIN_INITIALIZED);
	assert_false(token.flags & CKF_PROTECTED_AUTHENTICATION_PATH);
	assert_int_equal(token.ulMaxSessionCount, 64);
	guest_open(&g);
	assert_int_equal(
	    CALLX(&g, C_GetSessionInfo, N(g.session), P(&session)), CKR_OK);
	assert_int_equal(session.slotID, RIG_SLOT);
	assert_int_equal(session.state, CKS_RW_PUBLIC_SESSION);
	/* SoftHSM2's own number is not a way around. */
	for (CK_SLOT_ID i = 0; i < 4; i++)
		assert_int_equal(
		    CALLX(&g, C_GetSlotInfo, N(i), P(&slot)), CKR_SLOT_ID_INVALID);
}

static void
test_mechanisms(void **state)
{
	CK_MECHANISM_TYPE all[256];
	CK_MECHANISM_INFO info;
	CK_ULONG n = 0, few = 1;

	(void)state;
	assert_int_equal(
	    CALLX(&g, C_GetMechanismList, N(RIG_SLOT), PLP(NULL, &n)), CKR_OK);
	assert_true(n > 50 && n < 256);
	assert_int_equal(CALLX(&g, C_GetMechanismList, N(RIG_SLOT),
			     {.ptr = all, .len = few, .plen = &few}), CKR_BUFFER_TOO_SMALL);
	assert_int_equal(few, n);
	assert_int_equal(CALLX(&g, C_GetMechanismInfo, N(RIG_SLOT), N(CKM_RSA_PKCS), P(&info)),
	    CKR_OK);
	assert_true(info.flags & CKF_SIGN);
}

static void
test_sign_verify(void **state)
{
	CK_OBJECT_HANDLE pub, priv;
	CK_MECHANISM mech = {CKM_SHA256_RSA_PKCS, NULL, 0};
	uint8_t signature[128];
	CK_ULONG len = sizeof(signature);
	static const uint8_t zero[MSG_ID_LEN];

	(void)state;
	guest_login(&g);
	assert_int_equal(guest_make_rsa(&g, 1024, "key", true, &pub, &priv), CKR_OK);
	assert_int_equal(g.reply.nrefs, 2);
	assert_int_equal(g.reply.refs[0].handle, pub);
	assert_int_equal(g.reply.refs[1].handle, priv);
	assert_memory_not_equal(g.reply.refs[0].id, zero, MSG_ID_LEN);
	assert_memory_not_equal(g.reply.refs[0].id, g.reply.refs[1].id, MSG_ID_LEN);
	assert_int_equal(g.reply.refs[0].id[MSG_ID_FLAGS], 0);
	assert_int_equal(g.reply.refs[1].id[MSG_ID_FLAGS], MSG_ID_PRIVATE);
	assert_int_equal(guest_sign(&g, priv), CKR_OK);
	assert_int_equal(CALLX(&g, C_SignInit, N(g.session), P(&mech), N(priv)), CKR_OK);
	assert_int_equal(CALLX(&g, C_SignUpdate, N(g.session), PL("ab", 2)), CKR_OK);
	assert_int_equal(CALLX(&g, C_SignUpdate, N(g.session), PL("cd", 2)), CKR_OK);
	assert_int_equal(CALLX(&g, C_SignFinal, N(g.session),
			     {.ptr = signature, .len = len, .plen = &len}), CKR_OK);
	assert_int_equal(CALLX(&g, C_VerifyInit, N(g.session), P(&mech), N(pub)), CKR_OK);
	assert_int_equal(CALLX(&g, C_Verify, N(g.session), PL("abcd", 4), PL(signature, len)),
	    CKR_OK);
	signature[3] ^= 1;
	assert_int_equal(CALLX(&g, C_VerifyInit, N(g.session), P(&mech), N(pub)), CKR_OK);
	assert_int_equal(CALLX(&g, C_Verify, N(g.session), PL("abcd", 4), PL(signature, len)),
	    CKR_SIGNATURE_INVALID);
}

static void
test_too_short_keeps_the_operation(void **state)
{
	CK_OBJECT_HANDLE pub, priv;
	CK_MECHANISM mech = {CKM_RSA_PKCS, NULL, 0};
	uint8_t signature[128];
	CK_ULONG len = 0;

	(void)state;
	guest_login(&g);
	assert_int_equal(guest_make_rsa(&g, 1024, "short", false, &pub, &priv), CKR_OK);
	assert_int_equal(CALLX(&g, C_SignInit, N(g.session), P(&mech), N(priv)), CKR_OK);
	assert_int_equal(
	    CALLX(&g, C_Sign, N(g.session), PL("x", 1), PLP(NULL, &len)), CKR_OK);
	assert_int_equal(len, 128);
	len = 10;
	assert_int_equal(CALLX(&g, C_Sign, N(g.session), PL("x", 1),
			     {.ptr = signature, .len = len, .plen = &len}),
	    CKR_BUFFER_TOO_SMALL);
	assert_int_equal(len, 128);
	assert_int_equal(CALLX(&g, C_Sign, N(g.session), PL("x", 1),
			     {.ptr = signature, .len = len, .plen = &len}), CKR_OK);
}

static void
test_encrypt_digest_random(void **state)
{
	CK_MECHANISM cbc = {CKM_AES_CBC_PAD, (uint8_t[16]){1}, 16};
	CK_MECHANISM sha = {CKM_SHA256, NULL, 0};
	static uint8_t big[1 << 20], out[(1 << 20) + 64];
	CK_OBJECT_HANDLE key;
	CK_ULONG len = sizeof(out);

	(void)state;
	guest_login(&g);
	assert_int_equal(guest_make_aes(&g, "aes", false, false, &key), CKR_OK);
	assert_int_equal(CALLX(&g, C_EncryptInit, N(g.session), P(&cbc), N(key)), CKR_OK);
	assert_int_equal(CALLX(&g, C_Encrypt, N(g.session), PL(big, sizeof(big)),
			     {.ptr = out, .len = len, .plen = &len}), CKR_OK);
	assert_int_equal(len, sizeof(big) + 16);
	len = 32;
	assert_int_equal(CALLX(&g, C_DigestInit, N(g.session), P(&sha)), CKR_OK);
	assert_int_equal(CALLX(&g, C_Digest, N(g.session), PL("abc", 3),
			     {.ptr = out, .len = len, .plen = &len}), CKR_OK);
	assert_memory_equal(out, "\xba\x78\x16\xbf", 4);
	assert_int_equal(CALLX(&g, C_GenerateRandom, N(g.session), PL(big, 5000)), CKR_OK);
	assert_int_equal(CALLX(&g, C_SeedRandom, N(g.session), PL("seed", 4)), CKR_OK);
}

static void
test_find_identities(void **state)
{
	CK_OBJECT_HANDLE all[64], again[64], session_key;
	uint8_t ids[64][MSG_ID_LEN];
	CK_ULONG n;
	static const uint8_t zero[MSG_ID_LEN];
	struct guest other;
	struct grant grant = rig_grant();

	(void)state;
	guest_login(&g);
	for (int i = 0; i < 5; i++) {
		char label[8];

		snprintf(label, sizeof(label), "f%d", i);
		assert_int_equal(guest_make_aes(&g, label, true, false, &all[0]), CKR_OK);
	}
	assert_int_equal(guest_make_aes(&g, "gone", false, false, &session_key), CKR_OK);
	assert_int_equal(CALLX(&g, C_FindObjectsInit, N(g.session), PL(NULL, 0)), CKR_OK);
	assert_int_equal(CALLX(&g, C_FindObjects, N(g.session),
			     {.ptr = all, .len = 64, .plen = &n}), CKR_OK);
	assert_true(n >= 6);
	assert_int_equal(g.reply.nrefs, n);
	for (CK_ULONG i = 0; i < n; i++) {
		assert_int_equal(g.reply.refs[i].handle, all[i]);
		memcpy(ids[i], g.reply.refs[i].id, MSG_ID_LEN);
		if (all[i] == session_key)
			assert_memory_equal(ids[i], zero, MSG_ID_FLAGS);
		else
			assert_memory_not_equal(ids[i], zero, MSG_ID_FLAGS);
		assert_int_equal((ids[i][MSG_ID_FLAGS] & MSG_ID_SESSION) != 0,
		    all[i] == session_key);
	}
	/* Another worker computes the same, whatever its handles are. */
	guest_attach(&other, &rig, &grant, 0);
	guest_login(&other);
	assert_int_equal(
	    CALLX(&other, C_FindObjectsInit, N(other.session), PL(NULL, 0)), CKR_OK);
	assert_int_equal(CALLX(&other, C_FindObjects, N(other.session),
			     {.ptr = again, .len = 64, .plen = &n}), CKR_OK);
	for (CK_ULONG i = 0; i < n; i++) {
		bool found = false;

		for (CK_ULONG k = 0; k <= n; k++)
			found |= memcmp(other.reply.refs[i].id, ids[k], MSG_ID_LEN) == 0;
		assert_true(found);
	}
	assert_int_equal(guest_leave(&other), 0);
}

static void
test_honest_answers(void **state)
{
	struct frame f;
	uint8_t header[FRAME_HEADER] = {0};

	(void)state;
	/* A call that no version has, one that the guest answers, one that nobody does. */
	for (size_t i = 0; i < 3; i++) {
		uint32_t number =
		    (const uint32_t[]){4711, CALL_C_GetInfo, CALL_C_SessionCancel}[i];

		header[4] = (uint8_t)(i + 1);
		memcpy(header + 8, &number, 4);
		guest_send_raw(&g, header, sizeof(header));
		assert_true(guest_receive(&g, &f));
		assert_int_equal(f.id, i + 1);
		assert_int_equal(buf_get_u64(&g.in), CKR_FUNCTION_NOT_SUPPORTED);
		(void)buf_get_u64(&g.in);
		assert_true(buf_end(&g.in));
	}
	/* And the channel lives. */
	g.next_id = 100;
	guest_open(&g);
}

static void
test_session_handles(void **state)
{
	CK_SESSION_HANDLE first, extra[64];
	CK_RV rv = CKR_OK;
	int n;

	(void)state;
	guest_open(&g);
	first = g.session;
	assert_int_equal(CALLX(&g, C_CloseSession, N(first)), CKR_OK);
	assert_int_equal(CALLX(&g, C_CloseSession, N(first)), CKR_SESSION_HANDLE_INVALID);
	guest_open(&g);
	assert_int_not_equal(g.session, first);
	assert_int_equal(CALLX(&g, C_Logout, N(first)), CKR_SESSION_HANDLE_INVALID);
	for (n = 0; n < 64 && rv == CKR_OK; n++)
		rv = CALLX(&g, C_OpenSession, N(RIG_SLOT), N(CKF_SERIAL_SESSION), P(NULL),
		    P(NULL), P(&extra[n]));
	assert_int_equal(rv, CKR_SESSION_COUNT);
	assert_int_equal(n, 64); /* 63 beside g.session, and one refused */
	assert_int_equal(CALLX(&g, C_CloseAllSessions, N(RIG_SLOT)), CKR_OK);
	assert_int_equal(
	    CALLX(&g, C_CloseSession, N(extra[0])), CKR_SESSION_HANDLE_INVALID);
	guest_open(&g);
	assert_int_equal(CALLX(&g, C_OpenSession, N(RIG_SLOT), N(0), P(NULL), P(NULL),
			     P(&extra[0])), CKR_SESSION_PARALLEL_NOT_SUPPORTED);
	assert_int_equal(CALLX(&g, C_OpenSession, N(RIG_SLOT), N(CKF_SERIAL_SESSION), P(NULL),
			     P(NULL), P(NULL)), CKR_ARGUMENTS_BAD);
}

static void
test_attributes(void **state)
{
	CK_OBJECT_HANDLE key;
	uint8_t label[32], value[64];
	CK_OBJECT_CLASS class = 0;
	CK_ATTRIBUTE ask[] = {
	    {CKA_CLASS, &class, sizeof(class)},
	    {CKA_LABEL, label, sizeof(label)},
	    {CKA_VALUE, value, sizeof(value)},
	    {CKA_MODULUS, NULL, 0},
	};
	CK_ATTRIBUTE set = {CKA_LABEL, (void *)(uintptr_t)"renamed", 7};

	(void)state;
	guest_login(&g);
	assert_int_equal(guest_make_aes(&g, "attributes", true, false, &key), CKR_OK);
	assert_int_equal(CALLX(&g, C_GetAttributeValue, N(g.session), N(key), PL(ask, 2)),
	    CKR_OK);
	assert_int_equal(class, CKO_SECRET_KEY);
	assert_int_equal(ask[1].ulValueLen, 10);
	ask[1].ulValueLen = sizeof(label);
	assert_int_equal(CALLX(&g, C_GetAttributeValue, N(g.session), N(key), PL(ask, 3)),
	    CKR_ATTRIBUTE_SENSITIVE);
	assert_int_equal(ask[2].ulValueLen, CK_UNAVAILABLE_INFORMATION);
	assert_int_equal(ask[1].ulValueLen, 10);
	assert_int_equal(
	    CALLX(&g, C_GetAttributeValue, N(g.session), N(key), PL(ask + 3, 1)),
	    CKR_ATTRIBUTE_TYPE_INVALID);
	assert_int_equal(
	    CALLX(&g, C_SetAttributeValue, N(g.session), N(key), PL(&set, 1)), CKR_OK);
	ask[1].ulValueLen = sizeof(label);
	assert_int_equal(
	    CALLX(&g, C_GetAttributeValue, N(g.session), N(key), PL(ask + 1, 1)), CKR_OK);
	assert_memory_equal(label, "renamed", 7);
	assert_int_equal(CALLX(&g, C_DestroyObject, N(g.session), N(key)), CKR_OK);
	assert_int_equal(CALLX(&g, C_DestroyObject, N(g.session), N(key)),
	    CKR_OBJECT_HANDLE_INVALID);
}

static void
test_hostile_arguments(void **state)
{
	CK_ATTRIBUTE t = {CKA_TOKEN, NULL, 1};
	CK_MECHANISM mech = {CKM_RSA_PKCS, NULL, 0};
	CK_OBJECT_HANDLE h;
	CK_ULONG len = 10;
	uint8_t b[10];

	(void)state;
	guest_login(&g);
	/* NULL where SoftHSM2 would read. */
	assert_int_equal(CALLX(&g, C_FindObjectsInit, N(g.session), PL(&t, 1)),
	    CKR_ATTRIBUTE_VALUE_INVALID);
	assert_int_equal(CALLX(&g, C_CreateObject, N(g.session), PL(&t, 1), P(&h)),
	    CKR_ATTRIBUTE_VALUE_INVALID);
	assert_int_equal(
	    CALLX(&g, C_SignInit, N(g.session), P(NULL), N(1)), CKR_ARGUMENTS_BAD);
	assert_int_not_equal(
	    CALLX(&g, C_SignInit, N(g.session), P(&mech), N(0xffffffffffff)), CKR_OK);
	assert_int_equal(CALLX(&g, C_Sign, N(g.session), PL("x", 1),
			     {.ptr = b, .len = len, .plen = &len}),
	    CKR_OPERATION_NOT_INITIALIZED);
	assert_int_equal(
	    CALLX(&g, C_GetTokenInfo, N(RIG_SLOT), P(NULL)), CKR_ARGUMENTS_BAD);
	assert_int_equal(
	    CALLX(&g, C_GetSessionInfo, N(g.session), P(NULL)), CKR_ARGUMENTS_BAD);
	assert_int_equal(
	    CALLX(&g, C_GetSlotInfo, N(RIG_SLOT), P(NULL)), CKR_ARGUMENTS_BAD);
	assert_int_equal(CALLX(&g, C_InitToken, N(RIG_SLOT), PL(NULL, 0), P(NULL)),
	    CKR_ARGUMENTS_BAD);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, attach, leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_hello),
	    TEST(test_slot),
	    TEST(test_mechanisms),
	    TEST(test_sign_verify),
	    TEST(test_too_short_keeps_the_operation),
	    TEST(test_encrypt_digest_random),
	    TEST(test_find_identities),
	    TEST(test_honest_answers),
	    TEST(test_session_handles),
	    TEST(test_attributes),
	    TEST(test_hostile_arguments),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
