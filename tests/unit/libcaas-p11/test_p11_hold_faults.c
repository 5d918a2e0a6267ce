/* hold.c: forked, and with a worker that is lost, or hostile, while something is held. */
#include "holding.h"

static int
child_signs_what_was_begun(void)
{
	return sign(s) == CKR_OK && client_sign(s, key) == CKR_OK &&
	    client_sign(other, key) == CKR_OK && client_sign(other, key) == CKR_OK;
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

#define T(f) cmocka_unit_test_setup_teardown(f, holding_begin, shortcuts_end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_fork_between),
	    T(test_worker_lost_between),
	    T(test_asked_again_with_what_it_holds),
	    T(test_hostile_replies),
	};

	return cmocka_run_group_tests(tests, shortcuts_start, shortcuts_stop);
}
