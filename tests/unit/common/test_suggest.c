/* Did you mean: near words are found, far ones are not forced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/conf.h"

static void
nearest(void **state)
{
	static const char *const words[] = {"listen", "state", "user", "id", "tpm"};

	(void)state;
	assert_string_equal(suggest("lisen", words, 5), "listen");
	assert_string_equal(suggest("listens", words, 5), "listen");
	assert_string_equal(suggest("satte", words, 5), "state");
	assert_string_equal(suggest("usr", words, 5), "user");
	assert_null(suggest("xy", words, 5));
	assert_null(suggest("frobnicate", words, 5));
	assert_null(suggest("", words, 5));
	assert_null(suggest(
	    "a-word-that-is-longer-than-any-key-could-ever-hope-to-be", words, 5));
	assert_null(suggest("state", words, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(nearest)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
