/* test_worker_quota.c - token buckets in shared memory */
#include "rig.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vsmd/worker/quota.h"

#define SECOND 1000000000ull
#define ME 1

static char path[] = "/tmp/test_quota.XXXXXX";
static struct gate_file file;

static void
test_burst_then_rate(void **state)
{
	uint64_t now = 100 * SECOND;

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_true(quota_take_at(&file, ME, 11, 2, 5, now));
	assert_false(quota_take_at(&file, ME, 11, 2, 5, now));
	now += SECOND / 2;
	assert_true(quota_take_at(&file, ME, 11, 2, 5, now));
	assert_false(quota_take_at(&file, ME, 11, 2, 5, now));
	/* A long pause gives the burst back, not more. */
	now += 1000 * SECOND;
	for (int i = 0; i < 5; i++)
		assert_true(quota_take_at(&file, ME, 11, 2, 5, now));
	assert_false(quota_take_at(&file, ME, 11, 2, 5, now));
}

static void
test_limits(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_true(quota_take_at(&file, ME, 12, 0, 0, SECOND)); /* no quota */
	assert_true(quota_take_at(&file, ME, 13, 1, 0, SECOND));     /* burst 0 is 1 */
	assert_false(quota_take_at(&file, ME, 13, 1, 0, SECOND));
	assert_true(quota_take_at(&file, ME, 14, 1, 0, SECOND)); /* another bucket */
}

/* Crowded: refused, and never another's bucket. */
static void
test_more_buckets_than_places(void **state)
{
	static bool has[2 * QUOTA_BUCKETS];
	uint64_t now = 5000 * SECOND;
	unsigned n = 0;

	(void)state;
	for (uint64_t k = 0; k < 2 * QUOTA_BUCKETS; k++)
		n += has[k] = quota_take_at(&file, ME, k * 77 + 1, 1, 2, now);
	assert_in_range(n, QUOTA_BUCKETS / 2, QUOTA_BUCKETS);
	/* Each that has one has it alone: what is left in it is what it has left. */
	for (uint64_t k = 0; k < 2 * QUOTA_BUCKETS; k++) {
		assert_int_equal(quota_take_at(&file, ME, k * 77 + 1, 1, 2, now), has[k]);
		assert_false(quota_take_at(&file, ME, k * 77 + 1, 1, 2, now));
	}
	/* Once they are full again they make room. */
	now += 2 * SECOND;
	for (uint64_t k = 0; k < QUOTA_BUCKETS / 2; k++) {
		assert_true(quota_take_at(&file, ME, k + 1000000, 1, 1, now));
		assert_false(quota_take_at(&file, ME, k + 1000000, 1, 1, now));
	}
}

/* However many keys one principal uses, the others notice nothing. */
static void
test_crowd_of_another(void **state)
{
	uint64_t now = 6000 * SECOND;
	unsigned refused = 0;

	(void)state;
	for (uint64_t k = 1; k < 4 * QUOTA_BUCKETS; k++)
		refused += !quota_take_at(&file, 2, k, 1, 1, now);
	assert_true(refused > 0);
	for (uint64_t k = 1; k <= QUOTA_BUCKETS / 2; k++) {
		assert_true(quota_take_at(&file, 3, k, 1, 1, now));
		assert_false(quota_take_at(&file, 3, k, 1, 1, now));
	}
	/* Nor do more principals than there are regions. */
	for (uint64_t p = 100; p < 100 + 2 * QUOTA_PRINCIPALS; p++) {
		assert_true(quota_take_at(&file, p, p * 1000, 1, 1, now + 10 * SECOND));
		assert_false(quota_take_at(&file, p, p * 1000, 1, 1, now + 10 * SECOND));
	}
}

/* What requests have made lies in the same file. */
static void
test_only_quotas_are_written(void **state)
{
	static uint8_t before[GATE_QUOTA];

	(void)state;
	memcpy(before, (const void *)file.shared, sizeof(before));
	for (uint64_t k = 1; k < 20000; k++)
		(void)quota_take_at(&file, ME, k, 1, 1, 7000 * SECOND);
	assert_memory_equal(before, (const void *)file.shared, sizeof(before));
}

static void
test_processes_share(void **state)
{
	int taken = 0, status;

	(void)state;
	for (int i = 0; i < 4; i++)
		if (fork() == 0) {
			int n = 0;

			for (int k = 0; k < 100; k++)
				n += quota_take_at(&file, ME, 77, 1, 60, 20000 * SECOND);
			_exit(n);
		}
	for (int i = 0; i < 4; i++) {
		assert_true(wait(&status) > 0);
		taken += WEXITSTATUS(status);
	}
	assert_int_equal(taken, 60);
}

/* One for each bucket and second, with the number of those that had none. */
static void
test_refusals_told(void **state)
{
	uint64_t now = 30000 * SECOND;

	(void)state;
	assert_int_equal(quota_refused_at(&file, ME, 88, now), 1);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(quota_refused_at(&file, ME, 88, now + SECOND - 1), 0);
	assert_int_equal(quota_refused_at(&file, ME, 89, now), 1);
	assert_int_equal(quota_refused_at(&file, ME, 88, now + SECOND), 1001);
	assert_int_equal(quota_refused_at(&file, ME, 88, now + SECOND + 1), 0);
	assert_int_equal(quota_refused_at(&file, ME, 88, now + 5 * SECOND), 2);
	/* Whoever has written a time to come does not silence it. */
	assert_int_equal(quota_refused_at(&file, ME, 88, now), 1);
}

static void
test_given_back(void **state)
{
	uint64_t now = 40000 * SECOND;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(quota_take_at(&file, ME, 90, 1, 3, now));
	assert_false(quota_take_at(&file, ME, 90, 1, 3, now));
	quota_give(&file, ME, 90, 1);
	assert_true(quota_take_at(&file, ME, 90, 1, 3, now));
	assert_false(quota_take_at(&file, ME, 90, 1, 3, now));
	quota_give(&file, ME, 90, 0); /* no quota */
}

static void
test_keys(void **state)
{
	(void)state;
	assert_int_not_equal(quota_key(0, "a", 1), quota_key(0, "b", 1));
	assert_int_not_equal(quota_key(1, "a", 1), quota_key(2, "a", 1));
	assert_int_equal(quota_key(3, "abc", 3), quota_key(3, "abc", 3));
	assert_int_not_equal(quota_key(0, NULL, 0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_burst_then_rate),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_more_buckets_than_places),
	    cmocka_unit_test(test_crowd_of_another),
	    cmocka_unit_test(test_only_quotas_are_written),
	    cmocka_unit_test(test_processes_share),
	    cmocka_unit_test(test_refusals_told),
	    cmocka_unit_test(test_given_back),
	    cmocka_unit_test(test_keys),
	};
	int rc, fd = mkstemp(path);

	if (fd < 0 || gate_file_open(&file, path) != 0)
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	close(fd);
	unlink(path);
	return rc;
}
