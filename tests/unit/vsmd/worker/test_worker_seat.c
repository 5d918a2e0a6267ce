/* test_worker_seat.c - the reader role alone, without frames; the rest of pool.c is tested in
 * test_worker_pool.c */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "vsmd/worker/state.h"

static struct worker w;

static int
setup(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	pthread_mutex_init(&w.pool.lock, NULL);
	pthread_cond_init(&w.pool.follow, NULL);
	pthread_cond_init(&w.pool.watch, NULL);
	w.pool.vacant = true;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	pthread_cond_destroy(&w.pool.watch);
	pthread_cond_destroy(&w.pool.follow);
	pthread_mutex_destroy(&w.pool.lock);
	return 0;
}

/* Who gives the role up has it no more, nobody has, and the next one who asks gets it. */
static void
test_vacate(void **state)
{
	struct seat first = {.number = 0}, second = {.number = 1};

	(void)state;
	assert_true(pool_lead(&w, &first));
	assert_false(w.pool.vacant);
	assert_int_equal(w.pool.role, first.role);
	pool_vacate(&w, &first);
	assert_int_equal(first.role, 0);
	assert_int_equal(w.pool.role, 0);
	assert_true(w.pool.vacant);
	/* No thread was made for it: max is 0, and none was counted. */
	assert_int_equal(w.pool.total, 0);
	assert_true(pool_lead(&w, &second));
	assert_int_not_equal(second.role, 0);
	assert_int_equal(w.pool.role, second.role);
}

/* Twice, and by a seat that has no role: nothing. */
static void
test_vacate_without_the_role(void **state)
{
	struct seat first = {.number = 0}, other = {.number = 1};
	uint64_t role;

	(void)state;
	assert_true(pool_lead(&w, &first));
	role = first.role;
	pool_vacate(&w, &other);
	assert_int_equal(w.pool.role, role);
	assert_false(w.pool.vacant);
	pool_vacate(&w, &first);
	pool_vacate(&w, &first);
	assert_true(w.pool.vacant);
}

/* The watch took the role and gave it to another, which must not lose it. */
static void
test_vacate_after_the_watch(void **state)
{
	struct seat slow = {.number = 0}, heir = {.number = 1};

	(void)state;
	assert_true(pool_lead(&w, &slow));
	w.pool.role = 0;
	w.pool.vacant = true;
	assert_true(pool_lead(&w, &heir));
	pool_vacate(&w, &slow);
	assert_int_equal(slow.role, 0);
	assert_int_equal(w.pool.role, heir.role);
	assert_false(w.pool.vacant);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_vacate),
	    T(test_vacate_without_the_role),
	    T(test_vacate_after_the_watch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
