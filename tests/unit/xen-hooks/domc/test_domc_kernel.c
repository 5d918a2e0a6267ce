/* xen-hooks/domc/kernel.c: what can be tried without a kernel of one's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "xen-hooks/domc/domc.h"

static void
only_blanks_at_the_ends_do_not_count(void **state)
{
	(void)state;
	assert_true(kernel_same_line("a b\n", "a b"));
	assert_true(kernel_same_line(" a b", "a b \n"));
	assert_true(kernel_same_line("", "\n"));
	assert_false(kernel_same_line("a  b", "a b"));
	assert_false(kernel_same_line("a b c", "a b"));
	assert_false(kernel_same_line("a b", "a b c"));
	assert_false(kernel_same_line("init=/x a b", "a b"));
	assert_false(kernel_same_line("", "a b"));
}

static void
the_generator_is_ready_here(void **state)
{
	(void)state;
	assert_int_equal(kernel_wait_random(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(only_blanks_at_the_ends_do_not_count),
	    cmocka_unit_test(the_generator_is_ready_here)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
