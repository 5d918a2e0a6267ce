/* Applications reach workers; nurseries are kept, replaced, ended. */
#include "harness.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct channel *
attach(struct vsmd *v, uint32_t slot, struct hello_answer *a)
{
	struct channel *c = vsmd_hello(v, HELLO_TOKEN, slot, a);

	assert_non_null(c);
	assert_int_equal(a->status, HELLO_OK);
	return c;
}

/* Tell the fake worker to act; true when it still answers. */
static bool
say(struct channel *c, char what)
{
	struct iovec iov = {.iov_base = &what, .iov_len = 1};
	char back;

	return channel_writev(c, &iov, 1, 5000) == 0 &&
	       channel_read_all(c, &back, 1, 20000) == 0 && back == what;
}

static void
one_nursery_per_slot(void **state)
{
	struct vsmd *v = *state;
	struct hello_answer a, b, other;
	struct channel *c[3];

	vsmd_config(v, "threads = 9\n", NULL);
	vsmd_start(v, true);
	assert_false(vsmd_logged(v, "fake: nursery")); /* only when needed */
	c[0] = attach(v, FAKE_SLOT, &a);
	c[1] = attach(v, FAKE_SLOT, &b);
	c[2] = attach(v, FAKE_OTHER, &other);
	assert_int_equal(a.max_frame, b.max_frame);
	assert_int_not_equal(a.silence, b.silence);
	assert_int_not_equal(a.max_frame, other.max_frame);
	assert_true(vsmd_logged(v, "/gates/1 threads=9"));
	for (int i = 0; i < 3; i++)
		assert_true(say(c[i], 'B'));
	vsmd_until(v, "applications", 3);
	for (int i = 0; i < 3; i++)
		channel_close(c[i]);
	vsmd_until(v, "applications", 0);
	/* The nursery is kept for the next. */
	c[0] = attach(v, FAKE_SLOT, &b);
	assert_int_equal(a.max_frame, b.max_frame);
	channel_close(c[0]);
	assert_int_equal(vsmd_stop(v), 0);
}

static void
new_token_new_nursery(void **state)
{
	struct vsmd *v = *state;
	struct hello_answer before, after;
	struct channel *c, *d;

	vsmd_config(v, NULL, NULL);
	vsmd_start(v, true);
	c = attach(v, FAKE_EMPTY, &before);
	assert_int_equal(kill((pid_t)vsmd_status(v, "store-pid"), SIGUSR2), 0);
	(void)vsmd_log(v, 0, "slots changed epoch=42");
	d = attach(v, FAKE_EMPTY, &after);
	assert_int_not_equal(before.max_frame, after.max_frame);
	/* The application that made the token goes on; with it, its nursery ends. */
	assert_true(say(c, 'B'));
	assert_true(process_alive((pid_t)before.max_frame));
	channel_close(c);
	until_dead((pid_t)before.max_frame);
	assert_true(say(d, 'B'));
	channel_close(d);
	assert_int_equal(vsmd_stop(v), 0);
}

static void
discarded_token(void **state)
{
	struct vsmd *v = *state;
	struct hello_answer a, other, again;
	struct channel *c, *d;
	char byte;

	vsmd_config(v, NULL, NULL);
	vsmd_start(v, true);
	c = attach(v, FAKE_SLOT, &a);
	d = attach(v, FAKE_OTHER, &other);
	assert_int_equal(kill((pid_t)vsmd_status(v, "store-pid"), SIGUSR1), 0);
	assert_true(channel_read(c, &byte, 1, 20000) <= 0);
	(void)vsmd_log(v, 0, "fake: discarded slot=1");
	/* The store hears so only when the processes are gone. */
	assert_false(process_alive((pid_t)a.silence));
	assert_false(process_alive((pid_t)a.max_frame));
	assert_true(vsmd_logged(
	    v, "ending the applications of a token: fake commit failed slot=1"));
	(void)vsmd_log(v, 0, "slots changed epoch=42");
	channel_close(c);
	c = attach(v, FAKE_SLOT, &again);
	assert_int_not_equal(a.max_frame, again.max_frame);
	assert_true(say(d, 'B'));
	vsmd_until(v, "applications", 2);
	channel_close(c);
	channel_close(d);
	assert_int_equal(vsmd_stop(v), 0);
}

static void
worker_dies(void **state)
{
	struct vsmd *v = *state;
	struct hello_answer a, b;
	struct channel *c, *d;

	vsmd_config(v, NULL, NULL);
	vsmd_start(v, true);
	c = attach(v, FAKE_SLOT, &a);
	d = attach(v, FAKE_SLOT, &b);
	assert_false(say(c, 'S'));
	(void)vsmd_log(v, 0, "a system call outside its confinement");
	(void)vsmd_log(v, 0, "slot=1 principal=all");
	assert_true(say(d, 'B'));
	vsmd_until(v, "applications", 1);
	channel_close(c);
	channel_close(d);
	assert_int_equal(vsmd_stop(v), 0);
}

static void
nursery_dies(void **state)
{
	struct vsmd *v = *state;
	struct hello_answer a, b, again;
	struct channel *c, *d;
	char byte;

	vsmd_config(v, NULL, NULL);
	vsmd_start(v, true);
	c = attach(v, FAKE_SLOT, &a);
	d = attach(v, FAKE_SLOT, &b);
	(void)say(c, 'K');
	/* With it go all its workers, and the next application gets a new one. */
	assert_true(channel_read(d, &byte, 1, 20000) <= 0);
	(void)vsmd_log(v, 0, "a nursery was killed by signal 9");
	channel_close(c);
	channel_close(d);
	c = attach(v, FAKE_SLOT, &again);
	assert_int_not_equal(again.max_frame, a.max_frame);
	vsmd_until(v, "applications", 1);
	channel_close(c);
	assert_int_equal(vsmd_stop(v), 0);
}

static void
nursery_that_fails(void **state)
{
	struct vsmd *v = *state;
	struct hello_answer a;

	vsmd_config(v, NULL, NULL);
	vsmd_mark(v, FAKE_NURSERY_FAILS, true);
	vsmd_start(v, true);
	channel_close(vsmd_hello(v, HELLO_TOKEN, FAKE_SLOT, &a));
	assert_int_equal(a.status, HELLO_FAILED);
	(void)vsmd_log(v, 0, "a nursery ended with status 1 slot=1");
	vsmd_until(v, "applications", 0);
	vsmd_mark(v, FAKE_NURSERY_FAILS, false);
	channel_close(attach(v, FAKE_SLOT, &a));
	assert_int_equal(vsmd_stop(v), 0);
}

/* One that hangs holds up its own slot alone, and no stop. */
static void
nursery_that_hangs(void **state)
{
	struct vsmd *v = *state;
	struct hello_ask ask = {
	    .version = HELLO_VERSION, .purpose = HELLO_TOKEN, .slot = FAKE_SLOT};
	struct hello_answer a;
	uint8_t bytes[HELLO_LEN];
	struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};
	struct channel *c;

	vsmd_config(v, NULL, NULL);
	vsmd_mark(v, FAKE_NURSERY_HANGS, true);
	vsmd_start(v, true);
	assert_non_null(c = transport_connect(v->address, 5000));
	hello_ask_write(bytes, &ask);
	assert_int_equal(channel_writev(c, &iov, 1, 5000), 0);
	vsmd_until(v, "applications", 1);
	(void)vsmd_log(v, 0, "nursery forked slot=1");
	/* Nobody else is held up. */
	assert_int_equal(vsmd_status(v, "slots"), 3);
	assert_int_equal(vsmd_stop(v), 0);
	assert_int_equal(channel_read_all(c, bytes, sizeof(bytes), 5000), 0);
	assert_true(hello_answer_read(bytes, &a));
	assert_int_equal(a.status, HELLO_BUSY);
	channel_close(c);
}

static void
limits_hold(void **state)
{
	struct vsmd *v = *state;
	struct hello_answer a;
	struct channel *c, *d;

	vsmd_config(v, "max-applications = 2\n", NULL);
	vsmd_start(v, true);
	c = attach(v, FAKE_SLOT, &a);
	d = attach(v, FAKE_OTHER, &a);
	channel_close(vsmd_hello(v, HELLO_TOKEN, FAKE_SLOT, &a));
	assert_int_equal(a.status, HELLO_BUSY);
	(void)vsmd_log(v, 0, "too many applications principal=all");
	channel_close(c);
	vsmd_until(v, "applications", 1);
	c = attach(v, FAKE_SLOT, &a);
	channel_close(c);
	channel_close(d);
	assert_int_equal(vsmd_stop(v), 0);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, vsmd_setup, vsmd_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(one_nursery_per_slot),
	    TEST(new_token_new_nursery),
	    TEST(discarded_token),
	    TEST(worker_dies),
	    TEST(nursery_dies),
	    TEST(nursery_that_fails),
	    TEST(nursery_that_hangs),
	    TEST(limits_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
