/* SIGHUP: what takes effect, what does not, and a bad file changes nothing. */
#include "harness.h"

#include <signal.h>

#define ALL "[principal all]\nuid = *\nrole = admin\n[grant all *]\nallow = all\n"
#define NONE "[principal all]\nuid = *\nrole = admin\n[grant all other]\n"

static size_t
hup(struct vsmd *v, size_t from, const char *want)
{
	assert_int_equal(kill(v->pid, SIGHUP), 0);
	return vsmd_log(v, from, want);
}

static void
policy_changes(void **state)
{
	struct vsmd *v = *state;
	struct hello_answer a, b;
	struct channel *c;
	size_t at;

	vsmd_config(v, NULL, ALL);
	vsmd_start(v, true);
	c = vsmd_hello(v, HELLO_TOKEN, FAKE_SLOT, &a);
	assert_int_equal(a.status, HELLO_OK);
	vsmd_config(v, NULL, NONE);
	at = hup(v, 0, "reloaded ");
	channel_close(vsmd_hello(v, HELLO_TOKEN, FAKE_SLOT, &b));
	assert_int_equal(b.status, HELLO_NO_SLOT);
	/* Channels that were accepted stay. */
	assert_true(process_alive((pid_t)a.silence));
	vsmd_config(v, "threads = 3\n", ALL);
	(void)hup(v, at, "reloaded ");
	channel_close(vsmd_hello(v, HELLO_TOKEN, FAKE_SLOT, &b));
	assert_int_equal(b.status, HELLO_OK);
	assert_int_not_equal(a.max_frame, b.max_frame);
	assert_true(vsmd_logged(v, "threads=3"));
	channel_close(c);
	until_dead((pid_t)a.max_frame);
	assert_int_equal(vsmd_stop(v), 0);
}

static void
bad_file(void **state)
{
	struct vsmd *v = *state;
	struct hello_answer a;
	size_t at;

	vsmd_config(v, NULL, ALL);
	vsmd_start(v, true);
	vsmd_config(v, "threads = x\nsandbox = maybe\n", NONE);
	at = hup(v, 0, ": threads: `x' is not a number from 1 to 1024");
	at = vsmd_log(v, at, "has errors: going on with the configuration as it was");
	channel_close(vsmd_hello(v, HELLO_TOKEN, FAKE_SLOT, &a));
	assert_int_equal(a.status, HELLO_OK);
	assert_int_equal(vsmd_stop(v), 0);
}

static void
what_needs_a_restart(void **state)
{
	struct vsmd *v = *state;

	vsmd_config(v, NULL, ALL);
	vsmd_start(v, true);
	vsmd_config(v,
	    "tpm = tpm2:device:/dev/tpmrm0\npin-tries = 3\nmax-applications = 7\n"
	    "max-per-principal = 7\n",
	    ALL);
	(void)hup(v, 0, "reloaded ");
	assert_true(vsmd_logged(
	    v, "`tpm' has changed: that takes effect when vsmd is restarted"));
	assert_true(vsmd_logged(v, "`pcrs' has changed"));
	assert_true(vsmd_logged(v, "`pin-tries' has changed"));
	assert_false(vsmd_logged(v, "`max-applications' has changed"));
	assert_false(vsmd_logged(v, "`state' has changed"));
	assert_int_equal(vsmd_status(v, "max-applications"), 7);
	assert_int_equal(vsmd_stop(v), 0);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, vsmd_setup, vsmd_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(policy_changes),
	    TEST(bad_file),
	    TEST(what_needs_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
