/* test_loglimit.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/loglimit.h"

#define START 1000000

static void
first_at_once_then_one_in_a_while(void **state)
{
	struct log_limit l = {0};
	int64_t now = START;
	unsigned n = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		n += loglimit_take(&l, "loud", now);
	assert_int_equal(n, LOG_BURST);
	now += LOG_EVERY - 1;
	assert_false(loglimit_take(&l, "loud", now));
	assert_true(loglimit_take(&l, "loud", ++now));
	assert_false(loglimit_take(&l, "loud", now));
	/* After a long silence all are there again, and no more. */
	now += 1000 * LOG_EVERY;
	n = 0;
	for (int i = 0; i < 1000; i++)
		n += loglimit_take(&l, "loud", now);
	assert_int_equal(n, LOG_BURST);
}

static void
who_is_loud_hides_nobody_else(void **state)
{
	struct log_limit l = {0};
	unsigned n = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		(void)loglimit_take(&l, "loud", START);
	for (int i = 0; i < LOG_BURST; i++)
		n += loglimit_take(&l, "still", START);
	assert_int_equal(n, LOG_BURST);
	/* However many there are, the lines are bounded. */
	n = 0;
	for (int i = 0; i < 100000; i++) {
		char who[16];

		snprintf(who, sizeof(who), "%d", i);
		n += loglimit_take(&l, who, START);
	}
	assert_in_range(n, LOG_BURST * LOG_BUCKETS / 2, LOG_BURST * LOG_BUCKETS);
}

static void
what_was_left_out_is_told(void **state)
{
	struct log_limit l = {0};
	int64_t now = START;

	(void)state;
	assert_int_equal(loglimit_wait(&l, now), -1);
	assert_int_equal(loglimit_tell(&l, now), 0);
	for (int i = 0; i < LOG_BURST + 100; i++)
		(void)loglimit_take(&l, "loud", now);
	/* Not of the first one, but of those that come with it. */
	assert_int_equal(loglimit_wait(&l, now), LOG_EVERY);
	assert_int_equal(loglimit_tell(&l, now), 0);
	now += LOG_EVERY;
	assert_int_equal(loglimit_wait(&l, now), 0);
	assert_int_equal(loglimit_tell(&l, now), 100);
	assert_int_equal(loglimit_tell(&l, now), 0);
	assert_int_equal(loglimit_wait(&l, now), -1);
	/* At most one in LOG_EVERY, and none is forgotten. */
	now++;
	for (int i = 0; i < 10; i++)
		(void)loglimit_take(&l, "loud", now);
	assert_int_equal(loglimit_tell(&l, now), 0);
	assert_int_equal(loglimit_wait(&l, now), LOG_EVERY - 1);
	assert_int_equal(loglimit_tell(&l, now + LOG_EVERY), 9);
}

/* Each of them lives for one line. */
static void
processes_share(void **state)
{
	struct log_limit *l = mmap(
	    NULL, sizeof(*l), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned n = 0;
	int status;

	(void)state;
	assert_ptr_not_equal(l, MAP_FAILED);
	for (int i = 0; i < LOG_BURST + 10; i++) {
		if (fork() == 0)
			_exit(loglimit_take(l, "loud", START));
		assert_true(wait(&status) > 0);
		n += (unsigned)WEXITSTATUS(status);
	}
	assert_int_equal(n, LOG_BURST);
	assert_int_equal(loglimit_tell(l, START + LOG_EVERY), 10);
	munmap(l, sizeof(*l));
}

/* One of them may write what it likes. */
static void
what_cannot_be_counts_for_nothing(void **state)
{
	static const int64_t odd[] = {INT64_MAX, INT64_MIN, -1, START + 1000000000};

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct log_limit l;

		for (size_t k = 0; k < LOG_BUCKETS; k++)
			atomic_init(&l.full[k], odd[i]);
		atomic_init(&l.told, odd[i]);
		atomic_init(&l.left_out, 7);
		assert_true(loglimit_take(&l, "still", START));
		assert_int_equal(loglimit_wait(&l, START), 0);
		assert_int_equal(loglimit_tell(&l, START), 7);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(first_at_once_then_one_in_a_while),
	    cmocka_unit_test(who_is_loud_hides_nobody_else),
	    cmocka_unit_test(what_was_left_out_is_told),
	    cmocka_unit_test(processes_share),
	    cmocka_unit_test(what_cannot_be_counts_for_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
