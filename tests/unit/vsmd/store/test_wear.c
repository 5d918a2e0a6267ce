/* test_wear.c - a budget delays what may wait, and nothing else */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vsmd/store/wear.h"

#define DAY 86400000

static void
no_budget(void **state)
{
	struct wear w;

	(void)state;
	wear_init(&w, 0, 5);
	wear_spend(&w, 1000000, 5);
	assert_int_equal(wear_wait(&w, 5), 0);
	assert_int_equal(wear_left(&w, 5), 0);
}

static void
a_burst_and_what_follows(void **state)
{
	struct wear w;
	int64_t now = 1000, wait;

	(void)state;
	wear_init(&w, 240, now);
	assert_int_equal(wear_left(&w, now), 24);
	for (int i = 0; i < 24; i++) {
		assert_int_equal(wear_wait(&w, now), 0);
		wear_spend(&w, 1, now);
	}
	/* One every six minutes from now on. */
	wait = wear_wait(&w, now);
	assert_in_range(wait, DAY / 240 - 2, DAY / 240 + 2);
	assert_int_equal(wear_wait(&w, now + wait), 0);
	/* It does not fill without end. */
	assert_int_equal(wear_left(&w, now + 30 * (int64_t)DAY), 24);
}

static void
what_must_be_is_spent_in_advance(void **state)
{
	struct wear w;

	(void)state;
	wear_init(&w, 240, 0);
	wear_spend(&w, 24 + 240, 0);
	assert_int_equal(wear_left(&w, 0), 0);
	assert_in_range(wear_wait(&w, 0), DAY, DAY + DAY / 100);
	/* But by no more than a day. */
	wear_spend(&w, 1000000, 0);
	assert_in_range(wear_wait(&w, 0), DAY, DAY + DAY / 100);
}

static void
less_than_one_a_day_of_room(void **state)
{
	struct wear w;

	(void)state;
	wear_init(&w, 1, 0);
	assert_int_equal(wear_wait(&w, 0), 0);
	wear_spend(&w, 1, 0);
	assert_in_range(wear_wait(&w, 0), DAY - 1, DAY + 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_budget),
	    cmocka_unit_test(a_burst_and_what_follows),
	    cmocka_unit_test(what_must_be_is_spent_in_advance),
	    cmocka_unit_test(less_than_one_a_day_of_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
