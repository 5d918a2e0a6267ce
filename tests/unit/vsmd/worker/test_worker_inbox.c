/* test_worker_inbox.c - frames in any pieces */
#include "rig.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vsmd/worker/inbox.h"

#define MAX_FRAME (4u << 20)

struct pipe_end {
	int fd;
	struct channel *c;
	struct inbox *in;
	struct buf body;
	struct frame f;
};

static int
setup(void **state)
{
	struct pipe_end *x = calloc(1, sizeof(*x));
	int pair[2];

	assert_non_null(x);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	x->fd = pair[0];
	x->c = channel_from_fd(pair[1]);
	assert_non_null(x->c);
	x->in = calloc(1, sizeof(*x->in));
	inbox_init(x->in, MAX_FRAME);
	buf_init(&x->body, MAX_FRAME);
	*state = x;
	return 0;
}

static int
teardown(void **state)
{
	struct pipe_end *x = *state;

	close(x->fd);
	channel_close(x->c);
	free(x->in);
	buf_free(&x->body);
	free(x);
	return 0;
}

static void
put(struct buf *b, uint32_t id, const void *body, size_t len)
{
	frame_begin(b, id, CALL_C_Sign);
	buf_put_raw(b, body, len);
	frame_end(b);
	assert_true(buf_ok(b));
}

static enum inbox_result
get(struct pipe_end *x)
{
	return inbox_read(x->in, x->c, &x->f, &x->body);
}

static void
test_several_at_once(void **state)
{
	struct pipe_end *x = *state;
	uint64_t one = 1, two = 2;
	struct buf b;

	buf_init(&b, MAX_FRAME);
	put(&b, 1, &one, sizeof(one));
	put(&b, 2, &one, sizeof(one));
	put(&b, 3, &two, sizeof(two));
	put(&b, 4, NULL, 0);
	assert_int_equal(send(x->fd, b.data, b.len, 0), b.len);
	assert_int_equal(get(x), INBOX_FRAME);
	assert_int_equal(x->f.id, 1);
	assert_int_equal(x->body.len, 8);
	assert_false(inbox_has_other(x->in, one));
	assert_true(inbox_has_other(x->in, two));
	assert_int_equal(get(x), INBOX_FRAME);
	assert_true(inbox_has_other(x->in, one));
	assert_int_equal(get(x), INBOX_FRAME);
	assert_int_equal(get(x), INBOX_FRAME);
	assert_int_equal(x->f.id, 4);
	assert_int_equal(x->body.len, 0);
	close(x->fd);
	assert_int_equal(get(x), INBOX_CLOSED);
	buf_free(&b);
}

static void *
send_slowly(void *arg)
{
	struct pipe_end *x = arg;
	uint8_t *body = malloc(300000);
	struct buf b;

	for (size_t i = 0; i < 300000; i++)
		body[i] = (uint8_t)(i * 7);
	buf_init(&b, MAX_FRAME);
	put(&b, 9, body, 300000);
	for (size_t off = 0, n; off < b.len; off += n) {
		n = off < 40 ? 1 : off < 70000 ? 1111 : 50000;
		if (n > b.len - off)
			n = b.len - off;
		if (send(x->fd, b.data + off, n, 0) != (ssize_t)n)
			abort();
	}
	buf_free(&b);
	free(body);
	return NULL;
}

static void
test_in_pieces(void **state)
{
	struct pipe_end *x = *state;
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, send_slowly, x), 0);
	assert_int_equal(get(x), INBOX_FRAME);
	pthread_join(t, NULL);
	assert_int_equal(x->f.id, 9);
	assert_int_equal(x->body.len, 300000);
	for (size_t i = 0; i < 300000; i++)
		if (x->body.data[i] != (uint8_t)(i * 7))
			fail();
}

static void
test_length_alone_allocates_little(void **state)
{
	struct pipe_end *x = *state;
	struct buf b;

	buf_init(&b, FRAME_HEADER);
	frame_begin(&b, 1, CALL_C_Sign);
	buf_set_u32(&b, 0, MAX_FRAME); /* so much is announced, nothing follows */
	assert_int_equal(send(x->fd, b.data, b.len, 0), b.len);
	close(x->fd);
	assert_int_equal(get(x), INBOX_CUT);
	assert_true(x->body.size <= 2 * INBOX_AHEAD);
	buf_free(&b);
}

static void
test_cut_in_header(void **state)
{
	struct pipe_end *x = *state;

	assert_int_equal(send(x->fd, "\x08\0\0\0", 4, 0), 4);
	close(x->fd);
	assert_int_equal(get(x), INBOX_CUT);
}

static void
test_too_long(void **state)
{
	struct pipe_end *x = *state;
	struct buf b;

	buf_init(&b, FRAME_HEADER);
	frame_begin(&b, 1, CALL_C_Sign);
	buf_set_u32(&b, 0, MAX_FRAME + 1);
	assert_int_equal(send(x->fd, b.data, b.len, 0), b.len);
	assert_int_equal(get(x), INBOX_BREACH);
	buf_free(&b);
}

static void
test_flags(void **state)
{
	struct pipe_end *x = *state;
	uint8_t header[FRAME_HEADER] = {0};

	header[12] = FRAME_REPEATED << 1;
	assert_int_equal(send(x->fd, header, sizeof(header), 0), sizeof(header));
	assert_int_equal(get(x), INBOX_BREACH);
}

/* Frames of these sessions, sent by threads here (1) or elsewhere; `order` has the places in
 * which they are read. */
static void
check_order(struct pipe_end *x, const char *sessions, const char *from_here, const char *order)
{
	unsigned here = (unsigned)sched_getcpu();
	struct buf b;

	buf_init(&b, MAX_FRAME);
	for (unsigned i = 0; sessions[i] != '\0'; i++) {
		uint64_t session = (uint64_t)sessions[i];

		put(&b, FRAME_ID(i + 1, from_here[i] == '1' ? here : here + 1, i), &session,
		    sizeof(session));
	}
	assert_int_equal(send(x->fd, b.data, b.len, 0), b.len);
	for (unsigned i = 0; order[i] != '\0'; i++) {
		uint64_t session = (uint64_t)sessions[order[i] - '0'];

		assert_int_equal(get(x), INBOX_FRAME);
		assert_int_equal(FRAME_BERTH(x->f.id), (unsigned)(order[i] - '0'));
		assert_int_equal(x->body.len, sizeof(session));
		assert_memory_equal(x->body.data, &session, sizeof(session));
	}
	assert_int_equal(x->in->pos, x->in->len);
	buf_free(&b);
}

static void
test_nearest_first(void **state)
{
	struct pipe_end *x = *state;
	cpu_set_t before, one;

	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	check_order(x, "abcd", "0101", "0123"); /* not on a stream */
	x->in->near = true;
	check_order(x, "abcd", "0101", "1302");
	check_order(x, "abcd", "1111", "0123");
	check_order(x, "abcd", "0000", "0123");
	/* None overtakes one of its own session. */
	check_order(x, "abab", "0011", "0213");
	check_order(x, "aab", "011", "012");
	check_order(x, "aba", "011", "102");
	/* The first one waits for four at most. */
	check_order(x, "abcdefgh", "01111111", "12340567");
	/* And nobody looks further than eight. */
	check_order(x, "abcdefghi", "000000001", "081234567");
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

/* Other calls than small ones on sessions are not overtaken. */
static void
test_barriers(void **state)
{
	struct pipe_end *x = *state;
	uint32_t other = FRAME_ID(1, sched_getcpu() + 1, 0);
	uint64_t session = 7;
	struct buf b;

	x->in->near = true;
	for (int kind = 0; kind < 4; kind++) {
		buf_init(&b, MAX_FRAME);
		if (kind == 0)
			frame_begin(&b, other, CALL_C_CloseAllSessions);
		else if (kind == 1)
			frame_begin(&b, other, FRAME_FETCH);
		else if (kind == 2)
			frame_begin_flags(&b, other, CALL_C_CreateObject, FRAME_ONCE);
		else
			frame_begin(&b, other, CALL_C_Sign);
		for (int i = 0; i < (kind == 3 ? 1000 : 3); i++)
			buf_put_u64(&b, (uint64_t)i);
		frame_end(&b);
		for (unsigned cpu = 0; cpu < 256; cpu++) /* one of them is here */
			put(&b, FRAME_ID(cpu + 2, cpu, 1), &session, sizeof(session));
		assert_int_equal(send(x->fd, b.data, b.len, 0), b.len);
		for (unsigned i = 0; i < 257; i++) {
			assert_int_equal(get(x), INBOX_FRAME);
			assert_int_equal(x->f.id >> 14, i + 1);
		}
		buf_free(&b);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_several_at_once),
	    TEST(test_in_pieces),
	    TEST(test_length_alone_allocates_little),
	    TEST(test_cut_in_header),
	    TEST(test_too_long),
	    TEST(test_flags),
	    TEST(test_nearest_first),
	    TEST(test_barriers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
