/* hold.c: what other threads do meanwhile. */
#include "holding.h"

#include <unistd.h>

#include "crowd.h"
#include "protocol/calls.h"

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
	t = call_in_thread(begin_on_other, &rv);
	(void)usleep(FAKE_LATE_MS * 1000 / 4);
	assert_int_equal(p11->C_SetAttributeValue(s, key, &may, 1), CKR_OK);
	assert_int_equal(pthread_join(t, NULL), 0);
	fake->late_after = 0;
	assert_int_equal(rv, CKR_OK);
	assert_int_equal(p11->C_SignInit(s, &rsa, key), CKR_KEY_FUNCTION_NOT_PERMITTED);
}

static CK_RV
change_aes(void)
{
	CK_ATTRIBUTE label = {CKA_LABEL, (void *)(uintptr_t)"y", 1};

	return p11->C_SetAttributeValue(other, aes, &label, 1);
}

static void *
change_on_other(void *arg)
{
	*(CK_RV *)arg = change_aes();
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
	t = call_in_thread(change_on_other, &rv);
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
	t = call_in_thread(change_on_other, &rv);
	assert_int_equal(client_in_child(child_signs), 0);
	assert_int_equal(pthread_join(t, NULL), 0);
	fake->late_before = 0;
	assert_int_equal(rv, CKR_OK);
	assert_int_equal(sign(s), CKR_OK);
}

static CK_RV
sign_with_key(CK_SESSION_HANDLE in)
{
	return client_sign(in, key);
}

/* Many threads sign while one changes objects that are none of theirs. */
static void
test_signers_do_not_notice_changes(void **state)
{
	(void)state;
	crowd_during(sign_with_key, change_aes, 300);
}

#define T(f) cmocka_unit_test_setup_teardown(f, holding_begin, shortcuts_end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_accepted_before_a_change_is_not_believed),
	    T(test_operation_does_not_overtake_its_beginning),
	    T(test_fork_while_a_change_sends_first),
	    T(test_signers_do_not_notice_changes),
	};

	return cmocka_run_group_tests(tests, shortcuts_start, shortcuts_stop);
}
