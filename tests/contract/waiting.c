/* waiting.c - deadlines, and descriptors to poll */
#include "contract.h"

#include <signal.h>
#include <sys/time.h>

static void
test_nothing_to_read(void **state)
{
	struct ends *e = *state;
	char c;

	for (int i = 0; i < 4; i++) {
		/* Different ones, and the same again: each is its own. */
		assert_int_equal(channel_read(e->client, &c, 1, i % 3 ? A_WHILE / 2 : 0), -1);
		assert_int_equal(errno, ETIMEDOUT);
	}
	assert_works(e->client, e->server);
}

static void
test_half_a_message(void **state)
{
	struct ends *e = *state;
	char got[8];

	write_all(e->client, "half", 4);
	assert_int_equal(channel_read_all(e->server, got, sizeof(got), A_WHILE), -1);
	assert_int_equal(errno, ETIMEDOUT);
}

/* Returns how many bytes went in until a wait of A_WHILE found no room. */
static size_t
fill(struct channel *c)
{
	static const uint8_t zeroes[4096];
	size_t total = 0;
	ssize_t n;

	while ((n = channel_write(c, zeroes, sizeof(zeroes), A_WHILE)) > 0)
		total += (size_t)n;
	assert_int_equal(errno, ETIMEDOUT);
	return total;
}

static void
test_no_room_to_write(void **state)
{
	struct ends *e = *state;
	size_t total = fill(e->client), got = 0;
	static uint8_t p[65536];
	struct iovec v = {p, sizeof(p)};

	assert_int_equal(channel_writev(e->client, &v, 1, A_WHILE), -1);
	assert_int_equal(errno, ETIMEDOUT);
	assert_int_equal(channel_write(e->client, p, 1, 0), -1);
	assert_int_equal(errno, ETIMEDOUT);
	while (got < total) {
		ssize_t n = channel_read(e->server, p, sizeof(p), PATIENCE);

		assert_true(n > 0);
		got += (size_t)n;
	}
	assert_true(channel_write(e->client, p, 1, PATIENCE) == 1);
}

struct late {
	struct channel *c;
	const char *byte;
};

static void *
write_late(void *arg)
{
	struct late *l = arg;

	usleep(A_WHILE * 1000);
	(void)channel_write(l->c, l->byte, 1, PATIENCE);
	return NULL;
}

static void
test_a_late_byte_ends_the_wait(void **state)
{
	static const int deadlines[] = {-1, PATIENCE, PATIENCE, PATIENCE, -1};
	struct ends *e = *state;

	for (size_t i = 0; i < sizeof(deadlines) / sizeof(deadlines[0]); i++) {
		struct late l = {e->client, "z"};
		pthread_t t;
		char c = 0;

		start(&t, write_late, &l);
		assert_int_equal(channel_read(e->server, &c, 1, deadlines[i]), 1);
		assert_int_equal(c, 'z');
		(void)pthread_join(t, NULL);
	}
}

static void
on_alarm(int sig)
{
	(void)sig;
}

static void
test_signals_do_not_end_it(void **state)
{
	struct ends *e = *state;
	const struct sigaction sa = {.sa_handler = on_alarm};
	const struct itimerval often = {{0, 3000}, {0, 3000}}, never = {{0, 0}, {0, 0}};
	struct sigaction old;
	struct late l = {e->client, "y"};
	pthread_t t;
	sigset_t set;
	char c = 0;

	/* The alarm is for this thread. */
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGALRM);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	start(&t, write_late, &l);
	(void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	(void)sigaction(SIGALRM, &sa, &old);
	(void)setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < 3; i++) {
		if (i == 0)
			assert_int_equal(channel_read(e->server, &c, 1, PATIENCE), 1);
		else
			assert_int_equal(channel_read(e->server, &c, 1, A_WHILE), -1);
	}
	assert_int_equal(errno, ETIMEDOUT);
	(void)setitimer(ITIMER_REAL, &never, NULL);
	(void)sigaction(SIGALRM, &old, NULL);
	(void)pthread_join(t, NULL);
	assert_int_equal(c, 'y');
}

static void
test_polling_finds_every_byte(void **state)
{
	struct ends *e = *state;
	char c = 0;

	for (int i = 0; i < 200; i++) {
		write_all(e->client, "p", 1);
		do {
			assert_true(can_do(e->server, true, false));
		} while (channel_read(e->server, &c, 1, 0) != 1);
		assert_int_equal(c, 'p');
		/* Now it is quiet: at most one event is left over. */
		assert_int_equal(channel_read(e->server, &c, 1, 0), -1);
		assert_int_equal(errno, ETIMEDOUT);
		assert_false(channel_pending(e->server));
	}
}

static void
test_polling_sees_the_end(void **state)
{
	struct ends *e = *state;
	char c;
	ssize_t n;

	channel_close(e->client);
	e->client = NULL;
	do {
		assert_true(can_do(e->server, true, false));
		n = channel_read(e->server, &c, 1, 0);
	} while (n < 0 && errno == ETIMEDOUT);
	assert_int_equal(n, 0);
}

static void
test_polling_for_room(void **state)
{
	struct ends *e = *state;
	size_t total = fill(e->client), got = 0;
	static uint8_t buf[65536];

	while (got < total)
		got += (size_t)channel_read(e->server, buf, sizeof(buf), PATIENCE);
	for (;;) {
		assert_true(can_do(e->client, true, true));
		if (channel_write(e->client, "r", 1, 0) == 1)
			break;
		assert_int_equal(errno, ETIMEDOUT);
	}
}

int
contract_waiting(void)
{
	const struct CMUnitTest tests[] = {
	    with_ends(test_nothing_to_read),
	    with_ends(test_half_a_message),
	    with_ends(test_no_room_to_write),
	    with_ends(test_a_late_byte_ends_the_wait),
	    with_ends(test_signals_do_not_end_it),
	    with_ends(test_polling_finds_every_byte),
	    with_ends(test_polling_sees_the_end),
	    with_ends(test_polling_for_room),
	};

	return cmocka_run_group_tests_name("waiting", tests, NULL, NULL);
}
