/* test_metrics_counters.c - what workers count, in memory that another process reads */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "vsmd/metrics/counters.h"

static struct counters *writer;
static struct counters copy;
static int fd;

static int
setup(void **state)
{
	(void)state;
	fd = counters_make();
	assert_true(fd >= 0);
	assert_non_null(writer = counters_map(fd));
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	munmap(writer, sizeof(*writer));
	close(fd);
	return 0;
}

static void
look(struct counters_sum *ret)
{
	counters_copy(fd, &copy);
	counters_read(&copy, ret);
}

static uint32_t
sessions_of(pid_t pid, uint32_t max)
{
	counters_copy(fd, &copy);
	return counters_sessions_of(&copy, pid, max);
}

static void
buckets_have_their_bounds(void **state)
{
	struct counters_sum sum;

	(void)state;
	for (unsigned i = 1; i < COUNTERS_BOUNDS; i++)
		assert_true(counters_bounds[i] > counters_bounds[i - 1]);
	/* A bound is in its own bucket (le), the next number is not. */
	for (unsigned i = 0; i < COUNTERS_BOUNDS; i++) {
		counters_request(writer, 0, CLASS_USE, counters_bounds[i], 0, false);
		counters_request(writer, 1, CLASS_USE, counters_bounds[i] + 1, 0, false);
	}
	look(&sum);
	assert_int_equal(sum.classes[CLASS_USE].queue[0], 1);
	for (unsigned i = 1; i < COUNTERS_BOUNDS; i++)
		assert_int_equal(sum.classes[CLASS_USE].queue[i], 2);
	assert_int_equal(sum.classes[CLASS_USE].queue[COUNTERS_BOUNDS], 1);
	assert_int_equal(sum.classes[CLASS_USE].execution[0], 2 * COUNTERS_BOUNDS);
	assert_int_equal(sum.classes[CLASS_READ].execution[0], 0);
}

static void
processes_add(void **state)
{
	struct counters_sum sum;
	int status;

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		if (fork() == 0) {
			for (int k = 0; k < 1000; k++) {
				counters_request(writer, i, CLASS_RANDOM, 1, 1000, k % 4 == 0);
				counters_add(writer, i, COUNTER_QUOTA);
			}
			_exit(0);
		}
	for (int i = 0; i < 6; i++)
		assert_true(wait(&status) > 0 && status == 0);
	look(&sum);
	assert_int_equal(sum.classes[CLASS_RANDOM].execution[0], 6000);
	assert_int_equal(sum.classes[CLASS_RANDOM].execution_sum, 6000000);
	assert_int_equal(sum.classes[CLASS_RANDOM].failed, 1500);
	assert_int_equal(sum.others[COUNTER_QUOTA], 6000);
	assert_int_equal(sum.others[COUNTER_POLICY], 0);
}

/* Nobody makes the memory shorter; what is not there any more, or never was, is nothing. */
static void
of_one_size(void **state)
{
	(void)state;
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, 1 << 20), -1);
	counters_add(writer, 0, COUNTER_QUOTA);
	counters_copy(fd, &copy);
	assert_int_equal(copy.shards[0].others[COUNTER_QUOTA], 1);
	assert_int_equal(madvise(writer, sizeof(*writer), MADV_REMOVE), 0);
	counters_copy(fd, &copy);
	assert_int_equal(copy.shards[0].others[COUNTER_QUOTA], 0);
	counters_copy(-1, &copy);
	assert_int_equal(copy.shards[0].others[COUNTER_QUOTA], 0);
}

static void
cells(void **state)
{
	unsigned a = counters_cell_take(writer), b = counters_cell_take(writer), n;

	(void)state;
	assert_int_not_equal(a, b);
	counters_cell_is(writer, a, 100);
	counters_cell_is(writer, b, 200);
	counters_sessions(writer, a, 3);
	counters_sessions(writer, b, 1000000);
	assert_int_equal(sessions_of( 100, 4096), 3);
	assert_int_equal(sessions_of( 200, 4096), 4096);
	assert_int_equal(sessions_of( 300, 4096), 0);
	assert_int_equal(sessions_of( 0, 4096), 0);
	counters_cell_free(writer, 100);
	assert_int_equal(sessions_of( 100, 4096), 0);
	assert_int_equal(counters_cell_take(writer), a);
	counters_cell_is(writer, a, 101);
	assert_int_equal(sessions_of( 101, 4096), 0);
	/* Beyond the last there is none, and that is no harm. */
	for (n = 2; counters_cell_take(writer) != COUNTERS_NO_CELL; n++)
		;
	assert_int_equal(n, COUNTERS_CELLS);
	counters_sessions(writer, COUNTERS_NO_CELL, 5);
	counters_request(writer, COUNTERS_NO_CELL, CLASS_USE, 1, 1, false);
	counters_cells_clear(writer);
	assert_int_not_equal(counters_cell_take(writer), COUNTERS_NO_CELL);
}

/* A worker that was taken over writes what it likes. */
static void
any_bytes(void **state)
{
	struct counters_sum sum, again;
	struct buf b;

	(void)state;
	memset(writer, 0xff, sizeof(*writer));
	look(&sum);
	assert_true(sum.classes[CLASS_USE].queue[3] == UINT64_MAX);
	assert_true(sessions_of( 1, 10) <= 10);
	buf_init(&b, 65536);
	counters_sum_write(&b, &sum);
	assert_true(buf_ok(&b));
	assert_true(counters_sum_read(&b, &again) && buf_end(&b));
	assert_memory_equal(&sum, &again, sizeof(sum));
	buf_free(&b);
	assert_true(counters_plus(UINT64_MAX, 1) == UINT64_MAX);
	assert_true(counters_plus(2, 3) == 5);
}

static void
round_trip(void **state)
{
	struct counters_sum sum, again;
	struct buf b, view;

	(void)state;
	counters_request(writer, 0, CLASS_GENERATE, 5, 3000000000u, true);
	counters_add(writer, 0, COUNTER_WRONG_PINS);
	look(&sum);
	buf_init(&b, 65536);
	counters_sum_write(&b, &sum);
	for (size_t n = 0; n < b.len; n++) {
		buf_view(&view, b.data, n);
		assert_false(counters_sum_read(&view, &again));
	}
	assert_true(counters_sum_read(&b, &again) && buf_end(&b));
	assert_memory_equal(&sum, &again, sizeof(sum));
	b.pos = 0;
	b.data[1] = COUNTERS_CLASSES; /* no such class */
	assert_false(counters_sum_read(&b, &again));
	buf_free(&b);
}

static void
nowhere(void **state)
{
	struct counters_sum sum;

	(void)state;
	counters_request(NULL, 0, CLASS_USE, 1, 1, true);
	counters_add(NULL, 0, COUNTER_QUOTA);
	counters_sessions(NULL, 0, 1);
	counters_cells_clear(NULL);
	counters_cell_free(NULL, 5);
	assert_int_equal(counters_cell_take(NULL), COUNTERS_NO_CELL);
	assert_int_equal(counters_sessions_of(NULL, 5, 5), 0);
	counters_read(NULL, &sum);
	assert_int_equal(sum.others[COUNTER_QUOTA], 0);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(buckets_have_their_bounds),
	    T(processes_add),
	    T(of_one_size),
	    T(cells),
	    T(any_bytes),
	    T(round_trip),
	    T(nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
