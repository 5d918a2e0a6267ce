/* test_ring.c - bytes in order, and a peer that writes what it likes into the memory */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vchan-transport/ring.h"

#define LONG 5000 /* ms: longer than any wake-up takes */

struct both {
	struct ring *ring;
	struct ring_end producer, consumer;
};

static int
setup(void **state)
{
	struct both *b = calloc(1, sizeof(*b));

	b->ring = aligned_alloc(4096, sizeof(*b->ring));
	assert_non_null(b->ring);
	memset(b->ring, 0, sizeof(*b->ring));
	b->producer.ring = b->consumer.ring = b->ring;
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	struct both *b = *state;

	free(b->ring);
	free(b);
	return 0;
}

/* As after that many bytes. */
static void
move_to(struct both *b, uint32_t at)
{
	atomic_store(&b->producer.mine, at);
	atomic_store(&b->consumer.mine, at);
	atomic_store(&b->ring->produced.index, at);
	atomic_store(&b->ring->consumed.index, at);
}

static void
test_all_lengths_at_all_places(void **state)
{
	static uint8_t in[RING_SIZE], out[RING_SIZE];
	struct both *b = *state;
	uint32_t at = UINT32_MAX - 3 * RING_SIZE; /* and past the end of the numbers */

	move_to(b, at);
	for (size_t len = 1; len <= RING_SIZE; len = len * 3 / 2 + 1) {
		for (int i = 0; i < 5; i++) {
			for (size_t j = 0; j < len; j++)
				in[j] = (uint8_t)(rand() & 0xff);
			assert_int_equal(ring_put(&b->producer, in, len), len);
			assert_int_equal(ring_used(&b->consumer), len);
			assert_int_equal(ring_room(&b->producer), RING_SIZE - len);
			memset(out, 0, sizeof(out));
			assert_int_equal(ring_get(&b->consumer, out, sizeof(out)), len);
			assert_memory_equal(in, out, len);
			assert_int_equal(ring_used(&b->consumer), 0);
		}
	}
	assert_true(atomic_load(&b->producer.mine) < at);
}

static void
test_full_and_empty(void **state)
{
	static uint8_t bytes[RING_SIZE];
	struct both *b = *state;

	assert_int_equal(ring_get(&b->consumer, bytes, 1), 0);
	assert_int_equal(ring_put(&b->producer, bytes, RING_SIZE - 1), RING_SIZE - 1);
	assert_int_equal(ring_put(&b->producer, bytes, 5), 1);
	assert_int_equal(ring_put(&b->producer, bytes, 5), 0);
	assert_int_equal(ring_room(&b->producer), 0);
	assert_int_equal(ring_get(&b->consumer, bytes, 3), 3);
	assert_int_equal(ring_put(&b->producer, bytes, 5), 3);
}

static void
test_what_was_read_is_wiped(void **state)
{
	static uint8_t bytes[1000];
	struct both *b = *state;

	move_to(b, RING_SIZE - 300); /* in two pieces */
	memset(bytes, 0xa5, sizeof(bytes));
	assert_int_equal(ring_put(&b->producer, bytes, sizeof(bytes)), sizeof(bytes));
	assert_non_null(memchr(b->ring->data, 0xa5, RING_SIZE));
	assert_int_equal(ring_get(&b->consumer, bytes, sizeof(bytes)), sizeof(bytes));
	assert_null(memchr(b->ring->data, 0xa5, RING_SIZE));
}

static void
test_indices_that_cannot_be(void **state)
{
	static const uint32_t wrong[] = {RING_SIZE + 1, RING_SIZE * 2, 1u << 31, UINT32_MAX};
	struct both *b = *state;
	uint8_t byte = 0;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		move_to(b, 77);
		atomic_store(&b->ring->produced.index, 77 + wrong[i]);
		assert_int_equal(ring_used(&b->consumer), -1);
		assert_int_equal(ring_get(&b->consumer, &byte, 1), -1);
		atomic_store(&b->ring->consumed.index, 77 - wrong[i]);
		assert_int_equal(ring_room(&b->producer), -1);
		assert_int_equal(ring_put(&b->producer, &byte, 1), -1);
	}
	/* One that could be true is believed, and gives no more than the ring has. */
	move_to(b, 77);
	atomic_store(&b->ring->produced.index, 77 + RING_SIZE);
	assert_int_equal(ring_get(&b->consumer, &byte, 1), 1);
}

/* This side's own index is not read back from where the peer can write. */
static void
test_own_index_is_kept(void **state)
{
	struct both *b = *state;
	char got[4] = "";

	assert_int_equal(ring_put(&b->producer, "one", 3), 3);
	atomic_store(&b->ring->consumed.index, 0x12345678); /* the consumer's */
	assert_int_equal(ring_get(&b->consumer, got, 3), 3);
	assert_string_equal(got, "one");
	assert_int_equal(atomic_load(&b->ring->consumed.index), 3);
	atomic_store(&b->ring->produced.index, 0x12345678); /* the producer's */
	assert_int_equal(ring_put(&b->producer, "two", 3), 3);
	assert_int_equal(ring_get(&b->consumer, got, 3), 3);
	assert_string_equal(got, "two");
}

static void
test_a_bell_is_for_who_waits_for_it(void **state)
{
	_Atomic uint32_t word = RING_AWAKE;

	(void)state;
	assert_int_equal(ring_wake(&word), RING_AWAKE);
	ring_drowse(&word, RING_BELL);
	assert_int_equal(ring_wake(&word), RING_BELL);
	assert_int_equal(word, RING_AWAKE);
	assert_int_equal(ring_wake(&word), RING_AWAKE);
	ring_drowse(&word, RING_FUTEX);
	assert_int_equal(ring_wake(&word), RING_FUTEX);
	assert_int_equal(word, RING_AWAKE);
	/* What the peer may have written there. */
	atomic_store(&word, 0xdeadbeef);
	assert_int_equal(ring_wake(&word), RING_AWAKE);
}

static void
test_sleep_ends_in_time(void **state)
{
	_Atomic uint32_t word = RING_AWAKE;

	(void)state;
	/* Woken already. */
	assert_true(ring_sleep(&word, LONG));
	ring_drowse(&word, RING_FUTEX);
	assert_false(ring_sleep(&word, 1));
}

static void *
sleeper(void *arg)
{
	return ring_sleep(arg, LONG) ? arg : NULL;
}

static void
test_a_sleeper_is_woken(void **state)
{
	_Atomic uint32_t word;
	pthread_t t;
	void *woken;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		ring_drowse(&word, RING_FUTEX);
		assert_int_equal(pthread_create(&t, NULL, sleeper, &word), 0);
		assert_int_equal(ring_wake(&word), RING_FUTEX);
		(void)pthread_join(t, &woken);
		assert_non_null(woken);
	}
}

#define with_ring(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* What the peer says of its processor is believed for a hint, and nothing else. */
static void
test_apart(void **state)
{
	struct both *b = *state;
	cpu_set_t here, before;

	assert_false(ring_apart(&b->consumer)); /* it has put nothing yet */
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	assert_int_equal(sched_setaffinity(0, sizeof(here), &here), 0);
	assert_int_equal(ring_put(&b->producer, "x", 1), 1);
	assert_false(ring_apart(&b->consumer));
	atomic_fetch_add(&b->ring->produced.cpu, 1);
	assert_true(ring_apart(&b->consumer));
	atomic_store(&b->ring->produced.cpu, UINT32_MAX);
	assert_true(ring_apart(&b->consumer));
	atomic_store(&b->ring->produced.cpu, 0);
	assert_false(ring_apart(&b->consumer));
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    with_ring(test_all_lengths_at_all_places),
	    with_ring(test_full_and_empty),
	    with_ring(test_what_was_read_is_wiped),
	    with_ring(test_indices_that_cannot_be),
	    with_ring(test_own_index_is_kept),
	    with_ring(test_apart),
	    cmocka_unit_test(test_a_bell_is_for_who_waits_for_it),
	    cmocka_unit_test(test_sleep_ends_in_time),
	    cmocka_unit_test(test_a_sleeper_is_woken),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
