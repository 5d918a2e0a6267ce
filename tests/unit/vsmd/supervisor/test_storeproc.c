/* The store dies, talks nonsense, or will not come back. */
#include "harness.h"

#include <signal.h>
#include <unistd.h>

static void
store_dies(void **state)
{
	struct vsmd *v = *state;
	struct hello_answer a;
	struct channel *c;
	pid_t store;
	char byte;

	vsmd_config(v, NULL, NULL);
	vsmd_start(v, true);
	store = (pid_t)vsmd_status(v, "store-pid");
	c = vsmd_hello(v, HELLO_TOKEN, FAKE_SLOT, &a);
	assert_int_equal(a.status, HELLO_OK);
	assert_int_equal(kill(store, SIGKILL), 0);
	/* What was not durable may not be seen again: applications start afresh. */
	assert_true(channel_read(c, &byte, 1, 20000) <= 0);
	channel_close(c);
	(void)vsmd_log(v, 0, "the store was killed by signal 9");
	(void)vsmd_log(v, 0, "the store is open again");
	assert_false(process_alive((pid_t)a.max_frame));
	assert_int_not_equal(vsmd_status(v, "store-pid"), store);
	channel_close(vsmd_hello(v, HELLO_TOKEN, FAKE_SLOT, &a));
	assert_int_equal(a.status, HELLO_OK);
	assert_int_equal(vsmd_stop(v), 0);
}

static void
busy_while_it_is_away(void **state)
{
	struct vsmd *v = *state;
	struct hello_answer a;
	size_t at;

	vsmd_config(v, NULL, NULL);
	vsmd_start(v, true);
	vsmd_mark(v, FAKE_STORE_FAILS, true);
	assert_int_equal(kill((pid_t)vsmd_status(v, "store-pid"), SIGKILL), 0);
	at = vsmd_log(v, 0, "the store ended with status 1");
	channel_close(vsmd_hello(v, HELLO_SLOTS, 0, &a));
	assert_int_equal(a.status, HELLO_BUSY);
	vsmd_mark(v, FAKE_STORE_FAILS, false);
	(void)vsmd_log(v, at, "the store is open again");
	assert_int_equal(vsmd_stop(v), 0);
}

static void
store_gives_up(void **state)
{
	struct vsmd *v = *state;

	vsmd_config(v, NULL, NULL);
	vsmd_start(v, true);
	vsmd_mark(v, FAKE_STORE_FAILS, true);
	assert_int_equal(kill((pid_t)vsmd_status(v, "store-pid"), SIGKILL), 0);
	assert_int_equal(vsmd_wait(v), 1);
	assert_true(vsmd_logged(v, "the store died 6 times: giving up"));
}

static void
nonsense_ends_it(void **state)
{
	struct vsmd *v = *state;
	pid_t store;

	vsmd_config(v, NULL, NULL);
	vsmd_start(v, true);
	store = (pid_t)vsmd_status(v, "store-pid");
	assert_int_equal(kill(store, SIGWINCH), 0);
	(void)vsmd_log(v, 0, "the store broke the protocol, ending it: unknown message");
	until_dead(store);
	(void)vsmd_log(v, 0, "the store is open again");
	assert_int_equal(vsmd_stop(v), 0);
}

static void
a_short_seed_ends_it(void **state)
{
	struct vsmd *v = *state;

	vsmd_config(v, NULL, NULL);
	vsmd_start(v, true);
	vsmd_mark(v, FAKE_STORE_SEED, true);
	assert_int_equal(kill((pid_t)vsmd_status(v, "store-pid"), SIGKILL), 0);
	(void)vsmd_log(v, 0, "the store broke the protocol, ending it: seed");
	vsmd_mark(v, FAKE_STORE_SEED, false);
	(void)vsmd_log(v, 0, "the store is open again");
	assert_int_equal(vsmd_stop(v), 0);
}

/* It was taken for open by what it had sent after that, while its end was on its way. */
static void
nothing_is_heard_after_a_breach(void **state)
{
	struct vsmd *v = *state;

	vsmd_config(v, NULL, NULL);
	vsmd_start(v, true);
	vsmd_mark(v, FAKE_STORE_SEED, true);
	assert_int_equal(kill((pid_t)vsmd_status(v, "store-pid"), SIGKILL), 0);
	assert_int_equal(vsmd_wait(v), 1);
	assert_true(vsmd_logged(v, "the store died 6 times: giving up"));
	assert_false(vsmd_logged(v, "the store is open again"));
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, vsmd_setup, vsmd_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(store_dies),
	    TEST(busy_while_it_is_away),
	    TEST(store_gives_up),
	    TEST(nonsense_ends_it),
	    TEST(a_short_seed_ends_it),
	    TEST(nothing_is_heard_after_a_breach),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
