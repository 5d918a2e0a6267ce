/* test_worker_sessions.c - turns in the order of arrival */
#include "rig.h"

#include <string.h>

#include "vsmd/worker/sessions.h"

static struct sessions t;

static int
setup(void **state)
{
	(void)state;
	sessions_init(&t, 3);
	assert_true(sessions_reserve(&t));
	assert_true(sessions_add(&t, 1));
	return 0;
}

static void
test_alone_in_order(void **state)
{
	struct turn a = {0}, b = {0}, c = {0};

	(void)state;
	assert_true(turn_take(&t, 1, false, &a));
	assert_false(turn_take(&t, 1, false, &b));
	assert_false(turn_take(&t, 1, false, &c));
	turn_done(&t, &a);
	assert_true(b.taken);
	assert_false(c.taken);
	turn_done(&t, &b);
	assert_true(c.taken);
	turn_done(&t, &c);
}

static void
test_shared_together(void **state)
{
	struct turn a = {0}, b = {0}, c = {0}, d = {0};

	(void)state;
	assert_true(turn_take(&t, 1, true, &a));
	assert_true(turn_take(&t, 1, true, &b));
	assert_false(turn_take(&t, 1, false, &c));
	/* Does not overtake c, though it could share with a and b. */
	assert_false(turn_take(&t, 1, true, &d));
	turn_done(&t, &a);
	assert_false(c.taken);
	turn_done(&t, &b);
	assert_true(c.taken);
	assert_false(d.taken);
	turn_done(&t, &c);
	assert_true(d.taken);
	turn_done(&t, &d);
}

static void
test_no_session(void **state)
{
	struct turn a = {0};

	(void)state;
	assert_true(turn_take(&t, 99, false, &a));
	assert_null(a.session);
	turn_done(&t, &a);
}

static void
test_limit(void **state)
{
	(void)state;
	assert_true(sessions_reserve(&t));
	assert_true(sessions_add(&t, 2));
	assert_true(sessions_reserve(&t));
	assert_false(sessions_reserve(&t));
	assert_false(sessions_add(&t, 0)); /* gives the place back */
	assert_true(sessions_reserve(&t));
	assert_true(sessions_add(&t, 1 + SESSIONS_BUCKETS)); /* in the bucket of 1 */
	assert_int_equal(sessions_count(&t), 3);
}

static void
test_close_while_others_wait(void **state)
{
	CK_SESSION_HANDLE all[4];
	struct turn a = {0}, b = {0}, c = {0};

	(void)state;
	assert_true(turn_take(&t, 1, false, &a));
	assert_false(turn_take(&t, 1, true, &b));
	assert_false(sessions_remove(&t, a.session));
	assert_false(sessions_remove(&t, a.session)); /* only once */
	assert_int_equal(sessions_count(&t), 2);
	/* The number is gone for those who come now, b still gets its turn. */
	assert_true(turn_take(&t, 1, false, &c));
	assert_null(c.session);
	turn_done(&t, &a);
	assert_true(b.taken);
	turn_done(&t, &b);
	assert_int_equal(sessions_list(&t, all, 4), 2);
	for (int i = 0; i < 2; i++) {
		assert_true(turn_take(&t, all[i], false, &a));
		assert_int_equal(sessions_remove(&t, a.session), i == 1);
		turn_done(&t, &a);
	}
	assert_int_equal(sessions_count(&t), 0);
}

static void
test_which_calls_share(void **state)
{
	(void)state;
	assert_true(session_shares(call_by_number(CALL_C_GenerateKeyPair)));
	assert_true(session_shares(call_by_number(CALL_C_GenerateRandom)));
	/* What an operation, a search or the session's end depends on does not. */
	assert_false(session_shares(call_by_number(CALL_C_SignInit)));
	assert_false(session_shares(call_by_number(CALL_C_Sign)));
	assert_false(session_shares(call_by_number(CALL_C_FindObjects)));
	assert_false(session_shares(call_by_number(CALL_C_CloseSession)));
	assert_false(session_shares(call_by_number(CALL_C_Login)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_alone_in_order),
	    cmocka_unit_test(test_shared_together),
	    cmocka_unit_test(test_no_session),
	    cmocka_unit_test(test_limit),
	    cmocka_unit_test(test_close_while_others_wait),
	    cmocka_unit_test(test_which_calls_share),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
