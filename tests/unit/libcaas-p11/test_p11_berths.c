/* await.c in shared memory: threads in berths, and a worker that does or does not wake them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <assert.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "libcaas-p11/link.h"
#include "protocol/frame.h"
#include "vchan-transport/berth.h"
#include "vchan-transport/shm.h"

#define MAX_FRAME (1u << 20)
#define CROWD 100    /* threads: more than there are berths */
#define PATIENCE 20000
#define SILENCE 900  /* ms, where it matters */

static const struct lock_how native;
static struct link *l;
static struct channel *peer;

static void *
offer(void *arg)
{
	return shm_offer(arg, PATIENCE);
}

static int
begin_with(int silence)
{
	struct channel *c;
	int fds[2];
	pthread_t t;
	void *offered;

	assert(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	assert(pthread_create(&t, NULL, offer, channel_from_fd(fds[1])) == 0);
	c = shm_accept(channel_from_fd(fds[0]), PATIENCE);
	(void)pthread_join(t, &offered);
	peer = offered;
	l = c != NULL ? link_new(c, MAX_FRAME, silence, 0, &native) : NULL;
	return l != NULL && peer != NULL ? 0 : -1;
}

static int
begin(void **state)
{
	(void)state;
	return begin_with(PATIENCE);
}

static int
begin_impatient(void **state)
{
	(void)state;
	return begin_with(SILENCE);
}

static int
end(void **state)
{
	(void)state;
	link_release(l);
	channel_close(peer);
	return 0;
}

static uint32_t
receive(void)
{
	uint8_t header[FRAME_HEADER];
	struct frame f;

	assert(channel_read_all(peer, header, sizeof(header), PATIENCE) == 0);
	assert(frame_parse(header, MAX_FRAME, &f) && f.length == 0);
	return f.id;
}

/* A reply whose body is its id, over and over. */
static struct buf
compose(uint32_t id, uint32_t call, size_t words)
{
	struct buf b;

	buf_init(&b, FRAME_HEADER + words * 4);
	frame_begin(&b, id, call);
	for (size_t i = 0; i < words; i++)
		buf_put_u32(&b, id);
	frame_end(&b);
	assert(buf_ok(&b));
	return b;
}

static void
reply(uint32_t id, uint32_t call, size_t words, uint64_t berths)
{
	struct buf b = compose(id, call, words);
	struct iovec v = {.iov_base = b.data, .iov_len = b.len};

	channel_address(peer, berths);
	assert(channel_writev(peer, &v, 1, PATIENCE) == 0);
	buf_free(&b);
}

/* Replies to both at once. */
static void
reply_both(uint32_t id, uint32_t other, uint64_t berths)
{
	struct buf b[2] = {compose(id, 44, 1), compose(other, 44, 1)};
	struct iovec v[2] = {{b[0].data, b[0].len}, {b[1].data, b[1].len}};

	channel_address(peer, berths);
	assert(channel_writev(peer, v, 2, PATIENCE) == 0);
	buf_free(&b[0]);
	buf_free(&b[1]);
}

static uint64_t
berth_of(uint32_t id)
{
	return UINT64_C(1) << FRAME_BERTH(id);
}

static CK_RV
call(struct waiter *w)
{
	struct buf b;
	CK_RV rv;

	buf_init(&b, 64);
	frame_begin(&b, 0, 44);
	frame_end(&b);
	rv = link_call(l, &b, 44, w);
	buf_free(&b);
	return rv;
}

struct caller {
	pthread_t thread;
	struct waiter w;
	CK_RV rv;
	int calls;
	bool wrong;
};

static void *
caller(void *arg)
{
	struct caller *c = arg;

	while (c->calls-- > 0 && (c->rv = call(&c->w)) == CKR_OK) {
		for (size_t i = 0; i < c->w.len; i += 4)
			c->wrong |= memcmp(c->w.body + i, &c->w.id, 4) != 0;
		waiter_free(&c->w);
	}
	return NULL;
}

static struct caller *
start(int n, int calls)
{
	struct caller *c = calloc((size_t)n, sizeof(*c));

	assert(c != NULL);
	for (int i = 0; i < n; i++) {
		c[i].calls = calls;
		assert(pthread_create(&c[i].thread, NULL, caller, &c[i]) == 0);
	}
	return c;
}

static void
finish(struct caller *c, int n, CK_RV expected)
{
	for (int i = 0; i < n; i++) {
		assert(pthread_join(c[i].thread, NULL) == 0);
		assert_int_equal(c[i].rv, expected);
		assert_false(c[i].wrong);
	}
	free(c);
}

static long
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Different ones, and the rest without. */
static void
test_each_has_a_berth_of_its_own(void **state)
{
	struct caller *c = start(CROWD, 1);
	uint32_t ids[CROWD];
	uint64_t taken = 0;
	int none = 0;

	(void)state;
	for (int i = 0; i < CROWD; i++) {
		uint32_t berth = FRAME_BERTH(ids[i] = receive());

		if (berth == FRAME_NO_BERTH) {
			none++;
			continue;
		}
		assert_true(berth < RING_BERTHS);
		assert_false(taken & UINT64_C(1) << berth);
		taken |= UINT64_C(1) << berth;
	}
	assert_int_equal(none, CROWD - RING_BERTHS);
	for (int i = CROWD - 1; i >= 0; i--)
		reply(ids[i], 44, i % 2 ? 5000 : 1, berth_of(ids[i]));
	finish(c, CROWD, CKR_OK);
	/* And they are free again. */
	c = start(1, 1);
	ids[0] = receive();
	assert_int_equal(FRAME_BERTH(ids[0]), 0);
	reply(ids[0], 44, 1, berth_of(ids[0]));
	finish(c, 1, CKR_OK);
}

enum aim { RIGHT, NONE, ALL, WRONG, AIMS };

static uint64_t
aim_at(enum aim aim, uint32_t id)
{
	switch (aim) {
	case RIGHT:
		return berth_of(id);
	case NONE:
		return 0;
	case ALL:
		return UINT64_MAX;
	default:
		return berth_of(id + 1);
	}
}

/* Serves n calls, a few at a time in the opposite order. */
static void
serve(int n, enum aim aim)
{
	uint32_t ids[7];
	unsigned have = 0;

	while (n > 0) {
		ids[have++] = receive();
		if (have < 1 + (unsigned)n % 7 && channel_arrived(peer))
			continue;
		for (; have > 0; have--, n--)
			reply(ids[have - 1], 44, n % 100 == 0 ? 20000 : (size_t)n % 50,
			    aim_at(aim, ids[have - 1]));
	}
}

static void
test_a_crowd(void **state)
{
	static const int threads[] = {1, 2, 8, 64, CROWD};

	(void)state;
	for (size_t i = 0; i < sizeof(threads) / sizeof(threads[0]); i++) {
		struct caller *c = start(threads[i], 200);

		serve(threads[i] * 200, RIGHT);
		finish(c, threads[i], CKR_OK);
	}
	assert_false(link_broken(l));
}

/* Nothing is lost by a worker that wakes nobody, everybody or another. */
static void
test_a_worker_that_wakes_others(void **state)
{
	(void)state;
	for (enum aim aim = NONE; aim < AIMS; aim++) {
		struct caller *c = start(10, 10);

		serve(100, aim);
		finish(c, 10, CKR_OK);
	}
	assert_false(link_broken(l));
}

/* While one has waited for long, and leads, the others are woken all the same. */
static void
test_beside_a_leader(void **state)
{
	struct caller *slow = start(1, 1), *c;
	uint32_t id = receive();

	(void)state;
	(void)usleep(4 * SHM_NAP * 1000);
	c = start(4, 500);
	serve(2000, RIGHT);
	finish(c, 4, CKR_OK);
	reply(id, 44, 3, berth_of(id));
	finish(slow, 1, CKR_OK);
}

/* The reply to the leader, which sleeps, comes along with another thread's, which reads both. */
static void
test_another_reads_for_the_leader(void **state)
{
	struct caller *leader = start(1, 1), *other;
	uint32_t id = receive(), other_id;
	long began;

	(void)state;
	(void)usleep(4 * SHM_NAP * 1000);
	other = start(1, 1);
	other_id = receive();
	(void)usleep(SHM_NAP / 2 * 1000);
	began = now_ms();
	reply_both(id, other_id, berth_of(other_id));
	finish(other, 1, CKR_OK);
	finish(leader, 1, CKR_OK);
	assert_true(now_ms() - began < PATIENCE / 2);
}

/* The same, when the leader is one that has no berth: it was parked, and is the heir. */
static void
test_another_reads_for_a_leader_without_berth(void **state)
{
	struct caller *first = start(1, 1), *c;
	uint32_t first_id = receive(), ids[RING_BERTHS];
	int heir = 0;
	long began;

	(void)state;
	(void)usleep(4 * SHM_NAP * 1000);
	c = start(RING_BERTHS, 1);
	for (int i = 0; i < RING_BERTHS; i++)
		ids[i] = receive();
	while (FRAME_BERTH(ids[heir]) != FRAME_NO_BERTH)
		heir++;
	(void)usleep(SHM_NAP / 2 * 1000);
	reply(first_id, 44, 1, berth_of(first_id));
	finish(first, 1, CKR_OK);
	(void)usleep(SHM_NAP * 1000);
	began = now_ms();
	for (int i = 0; i < RING_BERTHS; i++)
		if (i / 2 != heir / 2)
			reply(ids[i], 44, 1, berth_of(ids[i]));
	reply_both(ids[heir], ids[heir ^ 1], berth_of(ids[heir]) | berth_of(ids[heir ^ 1]));
	finish(c, RING_BERTHS, CKR_OK);
	assert_true(now_ms() - began < PATIENCE / 2);
}

static void
test_the_end_is_noticed(void **state)
{
	struct caller *c = start(CROWD, 1);

	(void)state;
	for (int i = 0; i < CROWD; i++)
		(void)receive();
	channel_shutdown(peer);
	finish(c, CROWD, CKR_DEVICE_REMOVED);
}

static void
test_break_wakes_all(void **state)
{
	struct caller *c = start(CROWD, 1);
	long began;

	(void)state;
	for (int i = 0; i < CROWD; i++)
		(void)receive();
	began = now_ms();
	link_break(l, CKR_FUNCTION_CANCELED);
	finish(c, CROWD, CKR_FUNCTION_CANCELED);
	assert_true(now_ms() - began < PATIENCE / 2);
}

static void
test_silence(void **state)
{
	long began = now_ms();
	struct caller *c = start(3, 1);

	(void)state;
	finish(c, 3, CKR_DEVICE_ERROR);
	assert_true(now_ms() - began >= SILENCE);
}

/* Neither a worker that beats is silent, nor one that answers others. */
static void
test_no_silence(void **state)
{
	struct caller *slow = start(2, 1), *c;
	uint32_t ids[2] = {receive(), receive()};

	(void)state;
	for (int i = 0; i < 5; i++) {
		(void)usleep(SILENCE / 3 * 1000);
		reply(0, FRAME_BEAT, 0, 0);
	}
	for (int i = 0; i < 5; i++) {
		(void)usleep(SILENCE / 3 * 1000);
		c = start(1, 1);
		serve(1, RIGHT);
		finish(c, 1, CKR_OK);
	}
	for (int i = 0; i < 2; i++)
		reply(ids[i], 44, 1, berth_of(ids[i]));
	finish(slow, 2, CKR_OK);
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
#define T_IMPATIENT(f) cmocka_unit_test_setup_teardown(f, begin_impatient, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_each_has_a_berth_of_its_own),
	    T(test_a_crowd),
	    T(test_a_worker_that_wakes_others),
	    T(test_beside_a_leader),
	    T(test_another_reads_for_the_leader),
	    T(test_another_reads_for_a_leader_without_berth),
	    T(test_the_end_is_noticed),
	    T(test_break_wakes_all),
	    T_IMPATIENT(test_silence),
	    T_IMPATIENT(test_no_silence),
	};

	return cmocka_run_group_tests_name("berths", tests, NULL, NULL);
}
