/* tarry.c: when one looks, and how soon one gives it up and begins with it again. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "vchan-transport/tarry.h"

static unsigned looks;

static bool
there(void *arg)
{
	looks++;
	return *(bool *)arg;
}

/* So many calls in a row do not look, and one does, to no avail. */
static void
in_vain_after(struct tarry *t, unsigned left_out)
{
	bool no = false;

	looks = 0;
	for (unsigned i = 0; i < left_out; i++)
		assert_false(tarry(t, there, &no));
	assert_int_equal(looks, 0);
	assert_false(tarry(t, there, &no));
	assert_true(looks > 0);
}

static void
found_after(struct tarry *t, unsigned left_out)
{
	bool yes = true;

	looks = 0;
	for (unsigned i = 0; i < left_out; i++)
		assert_false(tarry(t, there, &yes));
	assert_int_equal(looks, 0);
	assert_true(tarry(t, there, &yes));
	assert_int_equal(looks, 1);
}

static void
what_is_there_is_found_each_time(void **state)
{
	struct tarry t = {.vain = 0};

	(void)state;
	for (int i = 0; i < 1000; i++)
		found_after(&t, 0);
}

static void
left_out_more_and_more(void **state)
{
	struct tarry t = {.vain = 0};

	(void)state;
	in_vain_after(&t, 0);
	in_vain_after(&t, 3);
	in_vain_after(&t, 15);
	in_vain_after(&t, 63);
	for (int i = 0; i < 10; i++)
		in_vain_after(&t, TARRY_LEFT_OUT);
}

/* Each that finds it takes back half of one that did not. */
static void
slowly_back(void **state)
{
	static const unsigned then[] = {TARRY_LEFT_OUT, 127, 63, 31, 15, 7, 3, 1, 0, 0};
	struct tarry t = {.vain = 0};

	(void)state;
	in_vain_after(&t, 0);
	for (unsigned left_out = 3; left_out < TARRY_LEFT_OUT; left_out = 4 * left_out + 3)
		in_vain_after(&t, left_out);
	for (size_t i = 0; i < sizeof(then) / sizeof(then[0]); i++)
		found_after(&t, then[i]);
	in_vain_after(&t, 0);
	found_after(&t, 3);
	in_vain_after(&t, 1);
	found_after(&t, 7);
}

struct other {
	struct tarry t;
	atomic_bool looks, over;
};

static bool
holds(void *arg)
{
	struct other *o = arg;

	atomic_store(&o->looks, true);
	while (!atomic_load(&o->over))
		usleep(1000);
	return true;
}

static void *
look(void *arg)
{
	struct other *o = arg;

	return tarry(&o->t, holds, o) ? o : NULL;
}

/* While another thread looks. */
static void
one_at_a_time(void **state)
{
	struct other o = {.looks = false};
	bool yes = true;
	pthread_t thread;
	void *found;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, look, &o), 0);
	while (!atomic_load(&o.looks))
		usleep(1000);
	looks = 0;
	assert_false(tarry(&o.t, there, &yes));
	assert_int_equal(looks, 0);
	atomic_store(&o.over, true);
	assert_int_equal(pthread_join(thread, &found), 0);
	assert_ptr_equal(found, &o);
	found_after(&o.t, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_there_is_found_each_time),
	    cmocka_unit_test(left_out_more_and_more),
	    cmocka_unit_test(slowly_back),
	    cmocka_unit_test(one_at_a_time),
	};

	return cmocka_run_group_tests_name("tarry", tests, NULL, NULL);
}
