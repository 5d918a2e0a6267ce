/* link.c and inbox.c: one channel, its peer in the hand of the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <assert.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libcaas-p11/link.h"
#include "protocol/frame.h"
#include "vchan-transport/shm.h"

#define MAX_FRAME (1u << 20)

static const struct lock_how native;
static struct link *l;
static int peer;

static int
begin_with(int silence)
{
	int fds[2];

	assert(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	l = link_new(channel_from_fd(fds[0]), MAX_FRAME, silence, 0, &native);
	peer = fds[1];
	return l != NULL ? 0 : -1;
}

static int
begin(void **state)
{
	(void)state;
	return begin_with(20000);
}

static int
end(void **state)
{
	(void)state;
	link_release(l);
	(void)close(peer);
	return 0;
}

static void
send_bytes(const void *p, size_t len)
{
	assert(send(peer, p, len, MSG_NOSIGNAL) == (ssize_t)len);
}

/* Read a request and return its id. */
static uint32_t
receive(void)
{
	uint8_t header[FRAME_HEADER], body[4096];
	struct frame f;

	assert(recv(peer, header, sizeof(header), MSG_WAITALL) == FRAME_HEADER);
	assert(frame_parse(header, MAX_FRAME, &f) && f.length <= sizeof(body));
	assert(f.length == 0 ||
	       recv(peer, body, f.length, MSG_WAITALL) == (ssize_t)f.length);
	return f.id;
}

static void
reply(uint32_t id, uint32_t call, size_t len, uint8_t fill)
{
	struct buf b;

	buf_init(&b, FRAME_HEADER + len);
	frame_begin(&b, id, call);
	memset(buf_reserve(&b, len), fill, len);
	frame_end(&b);
	send_bytes(b.data, b.len);
	buf_free(&b);
}

static CK_RV
call(uint32_t number, struct waiter *w)
{
	struct buf b;
	CK_RV rv;

	buf_init(&b, 64);
	frame_begin(&b, 0, number);
	frame_end(&b);
	rv = link_call(l, &b, number, w);
	buf_free(&b);
	return rv;
}

/* Ids count from one, so a reply can lie there before the request is made. */
static void
test_small_and_large(void **state)
{
	static const size_t sizes[] = {0, 1, LINK_SMALL, LINK_SMALL + 1, 70000};
	struct waiter w;

	(void)state;
	for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		reply(i + 1, 44, sizes[i], (uint8_t)i);
		assert_int_equal(call(44, &w), CKR_OK);
		assert_int_equal(w.len, sizes[i]);
		for (size_t k = 0; k < w.len; k++)
			assert_int_equal(w.body[k], i);
		waiter_free(&w);
		assert_int_equal(receive(), i + 1);
	}
	assert_false(link_broken(l));
}

static void
test_beats_are_skipped(void **state)
{
	struct waiter w;

	(void)state;
	reply(0, FRAME_BEAT, 0, 0);
	reply(0, FRAME_BEAT, 0, 0);
	reply(1, 44, 3, 9);
	assert_int_equal(call(44, &w), CKR_OK);
	assert_int_equal(w.len, 3);
	waiter_free(&w);
}

static void
expect_break(CK_RV why)
{
	struct waiter w;

	assert_int_equal(call(44, &w), why);
	assert_true(link_broken(l));
	waiter_free(&w);
	/* For good, and the peer never sees another call. */
	assert_int_equal(call(44, &w), why);
	assert_true(w.unsent);
}

static void
test_unknown_id(void **state)
{
	(void)state;
	reply(2, 44, 3, 9);
	expect_break(CKR_DEVICE_ERROR);
}

static void
test_other_call(void **state)
{
	(void)state;
	reply(1, 45, 3, 9);
	expect_break(CKR_DEVICE_ERROR);
}

static void
test_large_for_nobody(void **state)
{
	(void)state;
	reply(2, 44, LINK_SMALL + 1, 9);
	expect_break(CKR_DEVICE_ERROR);
}

static void
test_beat_with_a_body(void **state)
{
	(void)state;
	reply(0, FRAME_BEAT, 1, 9);
	expect_break(CKR_DEVICE_ERROR);
}

/* The worker did not serve it and serves no more: to be asked on another link. */
static void
test_again(void **state)
{
	struct waiter w;

	(void)state;
	reply(1, FRAME_AGAIN, 0, 0);
	assert_int_equal(call(44, &w), CKR_DEVICE_REMOVED);
	assert_true(w.unsent);
	assert_true(link_broken(l));
}

static void
test_again_with_a_body(void **state)
{
	(void)state;
	reply(1, FRAME_AGAIN, 1, 9);
	expect_break(CKR_DEVICE_ERROR);
}

static void
test_again_for_nobody(void **state)
{
	(void)state;
	reply(2, FRAME_AGAIN, 0, 0);
	expect_break(CKR_DEVICE_ERROR);
}

static void
test_too_long(void **state)
{
	uint32_t header[4] = {MAX_FRAME + 1, 1, 44, 0};

	(void)state;
	send_bytes(header, sizeof(header));
	expect_break(CKR_DEVICE_ERROR);
}

static void
test_end_in_a_large_body(void **state)
{
	uint32_t header[4] = {100000, 1, 44, 0};

	(void)state;
	send_bytes(header, sizeof(header));
	(void)shutdown(peer, SHUT_WR);
	expect_break(CKR_DEVICE_REMOVED);
}

static void
test_end(void **state)
{
	struct waiter w;

	(void)state;
	(void)shutdown(peer, SHUT_WR);
	assert_int_equal(call(44, &w), CKR_DEVICE_REMOVED);
	assert_false(w.unsent); /* it lies in the peer's buffer */
}

static void
test_gone_before_the_call(void **state)
{
	struct waiter w;

	(void)state;
	(void)close(peer);
	peer = -1;
	assert_int_equal(call(44, &w), CKR_DEVICE_REMOVED);
	assert_true(w.unsent);
}

static int
begin_impatient(void **state)
{
	(void)state;
	return begin_with(50);
}

static void
test_silence(void **state)
{
	(void)state;
	expect_break(CKR_DEVICE_ERROR);
}

#define N 16

static void *
call_in_thread(void *arg)
{
	struct waiter *w = arg;

	return call(44, w) == CKR_OK ? arg : NULL;
}

/* Replies in another order than the requests, small and large in turn; the leader of the
 * moment may be anybody. */
static void
test_any_order(void **state)
{
	struct waiter *w = calloc(N, sizeof(*w));
	pthread_t threads[N];
	uint32_t ids[N];
	void *result;

	(void)state;
	for (int i = 0; i < N; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, call_in_thread, &w[i]), 0);
	for (int i = 0; i < N; i++)
		ids[i] = receive();
	for (int i = N - 1; i >= 0; i--)
		reply(ids[i], 44, i % 2 ? 20000 : 4, (uint8_t)ids[i]);
	for (int i = 0; i < N; i++) {
		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_ptr_equal(result, &w[i]);
		assert_int_equal(w[i].body[0], w[i].id);
		assert_int_equal(w[i].body[w[i].len - 1], w[i].id);
		waiter_free(&w[i]);
	}
	free(w);
}

static void
test_break_wakes_all(void **state)
{
	struct waiter *w = calloc(N, sizeof(*w));
	pthread_t threads[N];
	void *result;

	(void)state;
	for (int i = 0; i < N; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, call_in_thread, &w[i]), 0);
	for (int i = 0; i < N; i++)
		(void)receive();
	link_break(l, CKR_FUNCTION_CANCELED);
	link_break(l, CKR_DEVICE_ERROR);
	for (int i = 0; i < N; i++) {
		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_null(result);
		assert_int_equal(w[i].why, CKR_FUNCTION_CANCELED);
	}
	free(w);
}

static struct channel *shared_peer;

static void *
offer(void *arg)
{
	return shm_offer(arg, 20000);
}

/* Both sides through shared memory. */
static int
begin_shared(void **state)
{
	struct channel *c;
	int fds[2];
	pthread_t t;
	void *offered;

	(void)state;
	assert(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	assert(pthread_create(&t, NULL, offer, channel_from_fd(fds[1])) == 0);
	c = shm_accept(channel_from_fd(fds[0]), 20000);
	(void)pthread_join(t, &offered);
	shared_peer = offered;
	l = c != NULL ? link_new(c, MAX_FRAME, 20000, 0, &native) : NULL;
	return l != NULL && shared_peer != NULL ? 0 : -1;
}

static int
end_shared(void **state)
{
	(void)state;
	link_release(l);
	channel_close(shared_peer);
	return 0;
}

/* What the memory shows: a request that the peer has not read it did not serve. */
static void
test_unread_is_unsent(void **state)
{
	uint8_t header[FRAME_HEADER];
	struct waiter w[2];
	pthread_t t[2];
	void *result;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_create(&t[i], NULL, call_in_thread, &w[i]), 0);
		while (!channel_arrived(shared_peer))
			(void)usleep(1000);
		/* The first is read, the second stays where it is. */
		if (i == 0)
			assert_int_equal(channel_read_all(shared_peer, header,
					     sizeof(header), 20000), 0);
	}
	channel_shutdown(shared_peer);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(t[i], &result), 0);
		assert_int_equal(w[i].why, CKR_DEVICE_REMOVED);
	}
	assert_false(w[0].unsent);
	assert_true(w[1].unsent);
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_small_and_large),
	    T(test_beats_are_skipped),
	    T(test_unknown_id),
	    T(test_other_call),
	    T(test_large_for_nobody),
	    T(test_beat_with_a_body),
	    T(test_again),
	    T(test_again_with_a_body),
	    T(test_again_for_nobody),
	    T(test_too_long),
	    T(test_end_in_a_large_body),
	    T(test_end),
	    T(test_gone_before_the_call),
	    cmocka_unit_test_setup_teardown(test_silence, begin_impatient, end),
	    T(test_any_order),
	    T(test_break_wakes_all),
	    cmocka_unit_test_setup_teardown(test_unread_is_unsent, begin_shared, end_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
