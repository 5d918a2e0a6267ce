/* bytes.c - all of them arrive, in order, whatever their number */
#include "contract.h"

#define TOTAL (3 * 1024 * 1024 + 7)
#define CHUNK 70001

/* Byte i of a stream that repeats late enough. */
static uint8_t
byte_at(size_t i)
{
	return (uint8_t)((i * 2654435761u) >> 13);
}

struct stream {
	struct channel *c;
	int deadline;
	bool slow;
	bool failed;
};

static void *
send_stream(void *arg)
{
	struct stream *s = arg;
	uint8_t *p = malloc(CHUNK);
	size_t n;

	for (size_t at = 0; at < TOTAL && !s->failed; at += n) {
		struct iovec v[3];

		n = 1 + at * 7919 % CHUNK;
		n = n < TOTAL - at ? n : TOTAL - at;
		for (size_t i = 0; i < n; i++)
			p[i] = byte_at(at + i);
		v[0] = (struct iovec){p, n / 3};
		v[1] = (struct iovec){p, 0};
		v[2] = (struct iovec){p + n / 3, n - n / 3};
		s->failed = channel_writev(s->c, v, 3, s->deadline) < 0;
	}
	free(p);
	return NULL;
}

static void *
receive_stream(void *arg)
{
	struct stream *s = arg;
	uint8_t *p = malloc(CHUNK);
	ssize_t n;

	for (size_t at = 0; at < TOTAL && !s->failed; at += (size_t)n) {
		n = channel_read(s->c, p, 1 + at * 104729 % CHUNK, s->deadline);
		s->failed = n <= 0;
		for (ssize_t i = 0; i < n; i++)
			s->failed |= p[i] != byte_at(at + (size_t)i);
		if (s->slow && at % 16 == 0)
			usleep(1000);
	}
	free(p);
	return NULL;
}

static void
transfer(struct ends *e, int deadline, bool slow)
{
	struct stream s[4] = {{e->client, deadline, false, false},
	    {e->server, deadline, slow, false}, {e->server, deadline, false, false},
	    {e->client, deadline, slow, false}};
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		start(&t[i], i % 2 ? receive_stream : send_stream, &s[i]);
	for (int i = 0; i < 4; i++)
		(void)pthread_join(t[i], NULL);
	for (int i = 0; i < 4; i++)
		assert_false(s[i].failed);
	assert_works(e->client, e->server);
}

static void
test_both_ways_without_deadline(void **state)
{
	transfer(*state, -1, false);
}

static void
test_both_ways_with_deadline(void **state)
{
	transfer(*state, PATIENCE, false);
}

static void
test_slow_readers_slow_the_writers(void **state)
{
	transfer(*state, PATIENCE, true);
}

static void
test_pieces_stay_the_callers(void **state)
{
	struct ends *e = *state;
	char text[] = "onetwothree", got[12] = "";
	struct iovec v[5] = {{text, 3}, {NULL, 0}, {text + 3, 3}, {text + 6, 5}, {NULL, 0}};
	struct iovec before[5];

	memcpy(before, v, sizeof(v));
	assert_int_equal(channel_writev(e->client, v, 5, PATIENCE), 0);
	assert_memory_equal(before, v, sizeof(v));
	assert_int_equal(channel_read_all(e->server, got, 11, PATIENCE), 0);
	assert_string_equal(got, text);
	assert_int_equal(channel_writev(e->client, v, 0, PATIENCE), 0);
	assert_int_equal(channel_writev(e->client, v + 1, 1, PATIENCE), 0);
	assert_int_equal(channel_read_all(e->server, got, 0, PATIENCE), 0);
}

static void
test_nothing_asked_is_a_mistake(void **state)
{
	struct ends *e = *state;
	char c;

	assert_int_equal(channel_read(e->client, &c, 0, 0), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(channel_write(e->client, &c, 0, 0), -1);
	assert_int_equal(errno, EINVAL);
}

static void
test_descriptor_travels(void **state)
{
	struct ends *e = *state;
	char c;
	int fd;

	/* A deadline that was set does not travel with it. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(channel_read(e->server, &c, 1, 2), -1);
	fd = channel_take_fd(e->server);
	if (!has_descriptor) {
		assert_int_equal(fd, -1);
		assert_int_equal(errno, EOPNOTSUPP);
		assert_works(e->client, e->server);
		return;
	}
	assert_true(fd >= 0);
	e->server = channel_from_fd(fd);
	assert_non_null(e->server);
	assert_works(e->client, e->server);
}

int
contract_bytes(void)
{
	const struct CMUnitTest tests[] = {
	    with_ends(test_both_ways_without_deadline),
	    with_ends(test_both_ways_with_deadline),
	    with_ends(test_slow_readers_slow_the_writers),
	    with_ends(test_pieces_stay_the_callers),
	    with_ends(test_nothing_asked_is_a_mistake),
	    with_ends(test_descriptor_travels),
	};

	return cmocka_run_group_tests_name("bytes", tests, NULL, NULL);
}
