/* hold.c: what is held goes before a call that could tell the difference, and what was
 * accepted is forgotten with whatever may change the answer. */
#include "holding.h"

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
test_with_the_applications_mutexes(void **state)
{
	CK_C_INITIALIZE_ARGS args = client_mutexes();

	restart(&args, NULL);
	test_changes_send_first_and_forget(state);
}

#define T(f) cmocka_unit_test_setup_teardown(f, holding_begin, shortcuts_end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_changes_send_first_and_forget),
	    T(test_logout_sends_first_and_forgets),
	    T(test_closed_with_what_it_holds),
	    T(test_another_epoch_forgets),
	    T(test_key_destroyed_by_another_application),
	    T(test_refused_by_itself_forgets),
	    T(test_login_for_the_operation),
	    T(test_with_the_applications_mutexes),
	};

	return cmocka_run_group_tests(tests, shortcuts_start, shortcuts_stop);
}
