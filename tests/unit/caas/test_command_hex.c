/* caas/hex.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "caas/hex.h"

static void
digits(void **state)
{
	uint8_t b[2];

	(void)state;
	assert_true(hex_read("00fF", b, 2));
	assert_int_equal(b[0], 0);
	assert_int_equal(b[1], 255);
	assert_true(hex_read("", b, 0));
	assert_false(hex_read("00f", b, 2));
	assert_false(hex_read("00ff0", b, 2));
	assert_false(hex_read("00fg", b, 2));
	assert_false(hex_read("0x01", b, 2));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(digits)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
