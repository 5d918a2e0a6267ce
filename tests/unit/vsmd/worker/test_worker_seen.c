/* test_worker_seen.c - numbers that cannot have changed */
#include "rig.h"

#include <string.h>

#include "vsmd/worker/seen.h"

static _Atomic uint64_t changes;

static void
make_name(uint8_t name[SEEN_NAME], unsigned number)
{
	memset(name, 0, SEEN_NAME);
	name[0] = (uint8_t)(number % 7); /* many in one place */
	memcpy(name + 8, &number, sizeof(number));
}

static void
test_until_a_change(void **state)
{
	uint8_t name[SEEN_NAME];
	uint64_t got, now;

	(void)state;
	seen_start(&changes);
	make_name(name, 1);
	assert_false(seen_get(name, &got));
	seen_set(name, 28, seen_now());
	assert_true(seen_get(name, &got));
	assert_int_equal(got, 28);
	seen_changed();
	assert_false(seen_get(name, &got));
	/* Changed by another process, after the file was opened. */
	now = seen_now();
	changes++;
	seen_set(name, 29, now);
	assert_false(seen_get(name, &got));
	seen_set(name, 30, seen_now());
	assert_true(seen_get(name, &got));
	assert_int_equal(got, 30);
}

static void
test_many(void **state)
{
	uint8_t name[SEEN_NAME];
	uint64_t got;

	(void)state;
	seen_start(&changes);
	for (unsigned i = 0; i < 5000; i++) {
		make_name(name, i);
		seen_set(name, i, seen_now());
	}
	for (unsigned i = 0; i < 5000; i++) {
		make_name(name, i);
		assert_true(seen_get(name, &got));
		assert_int_equal(got, i);
	}
	make_name(name, 5000);
	assert_false(seen_get(name, &got));
}

static void
test_without_a_count(void **state)
{
	uint8_t name[SEEN_NAME];
	uint64_t got;

	(void)state;
	seen_start(NULL);
	make_name(name, 1);
	seen_changed();
	seen_set(name, 1, seen_now());
	assert_false(seen_get(name, &got));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_until_a_change),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_without_a_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
