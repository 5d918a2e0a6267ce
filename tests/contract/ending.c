/* ending.c - close, half-close, reset, shutdown, fork */
#include "contract.h"

static void
test_close_comes_after_the_bytes(void **state)
{
	struct ends *e = *state;
	char got[4];

	write_all(e->client, "last", 4);
	channel_close(e->client);
	e->client = NULL;
	assert_int_equal(channel_read_all(e->server, got, 4, PATIENCE), 0);
	assert_memory_equal(got, "last", 4);
	assert_int_equal(channel_read(e->server, got, 1, PATIENCE), 0);
	assert_int_equal(channel_read(e->server, got, 1, -1), 0);
	/* Nobody hears us now; it may take a byte to notice, and no SIGPIPE. */
	for (int i = 0; i < 1000; i++)
		if (channel_write(e->server, "x", 1, A_WHILE) < 0)
			break;
	assert_int_equal(errno, ECONNRESET);
}

static void
test_close_in_a_message(void **state)
{
	struct ends *e = *state;
	char got[8];

	write_all(e->client, "half", 4);
	channel_close(e->client);
	e->client = NULL;
	assert_int_equal(channel_read_all(e->server, got, 8, PATIENCE), -1);
	assert_int_equal(errno, ECONNRESET);
}

static void
test_close_with_bytes_unread(void **state)
{
	struct ends *e = *state;
	char got[8];
	ssize_t n;

	write_all(e->server, "unread", 6);
	channel_close(e->client);
	e->client = NULL;
	n = channel_read(e->server, got, sizeof(got), PATIENCE);
	assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
}

static void
test_half_close(void **state)
{
	struct ends *e = *state;
	char c = 0;

	if (!has_streams) {
		assert_int_equal(channel_finish(e->client), -1);
		assert_int_equal(errno, EOPNOTSUPP);
		assert_works(e->client, e->server);
		return;
	}
	write_all(e->client, "q", 1);
	assert_int_equal(channel_finish(e->client), 0);
	assert_int_equal(channel_read(e->server, &c, 1, PATIENCE), 1);
	assert_int_equal(channel_read(e->server, &c, 1, PATIENCE), 0);
	write_all(e->server, "r", 1);
	assert_int_equal(channel_read(e->client, &c, 1, PATIENCE), 1);
	assert_int_equal(c, 'r');
}

struct blocked {
	struct channel *c;
	int deadline;
	ssize_t n;
	int err;
};

static void *
blocked_read(void *arg)
{
	struct blocked *b = arg;
	char c;

	b->n = channel_read(b->c, &c, 1, b->deadline);
	b->err = errno;
	return NULL;
}

static void *
blocked_write(void *arg)
{
	struct blocked *b = arg;
	static const char zeroes[65536];
	struct iovec v = {(void *)(uintptr_t)zeroes, sizeof(zeroes)};

	while ((b->n = channel_writev(b->c, &v, 1, b->deadline)) == 0)
		continue;
	b->err = errno;
	return NULL;
}

static void
test_shutdown_wakes_all(void **state)
{
	static const int deadlines[] = {-1, PATIENCE};
	struct ends *e = *state;

	for (int i = 0; i < 2; i++) {
		struct channel *c, *s;
		struct peer peer;
		struct blocked r, w;
		pthread_t tr, tw;

		connect_ends(e->listener, &c, &s, &peer);
		r = w = (struct blocked){c, deadlines[i], 0, 0};
		start(&tr, blocked_read, &r);
		start(&tw, blocked_write, &w);
		usleep(A_WHILE * 1000);
		channel_shutdown(c);
		(void)pthread_join(tr, NULL);
		(void)pthread_join(tw, NULL);
		assert_int_equal(r.n, -1);
		assert_int_equal(r.err, ECONNRESET);
		assert_int_equal(w.n, -1);
		assert_int_equal(w.err, ECONNRESET);
		/* And it stays so. */
		blocked_read(&r);
		assert_int_equal(r.err, ECONNRESET);
		blocked_write(&w);
		assert_int_equal(w.err, ECONNRESET);
		channel_shutdown(c);
		channel_close(c);
		channel_close(s);
	}
	assert_works(e->client, e->server);
}

static void
test_child_drops_unnoticed(void **state)
{
	struct ends *e = *state;
	char c;

	child_drops(e, NULL);
	assert_int_equal(channel_read(e->server, &c, 1, A_WHILE), -1);
	assert_int_equal(errno, ETIMEDOUT);
	assert_works(e->client, e->server);
}

static void
test_close_of_none(void **state)
{
	(void)state;
	channel_close(NULL);
	channel_drop(NULL);
	listener_close(NULL);
}

int
contract_ending(void)
{
	const struct CMUnitTest tests[] = {
	    with_ends(test_close_comes_after_the_bytes),
	    with_ends(test_close_in_a_message),
	    with_ends(test_close_with_bytes_unread),
	    with_ends(test_half_close),
	    with_ends(test_shutdown_wakes_all),
	    with_ends(test_child_drops_unnoticed),
	    cmocka_unit_test(test_close_of_none),
	};

	return cmocka_run_group_tests_name("ending", tests, NULL, NULL);
}
