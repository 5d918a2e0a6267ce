/* xen-hooks/domc/template.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "xen-hooks/domc/template.h"

static uint8_t bytes[(TEMPLATE_MAX + 1) * TEMPLATE_RECORD];

static void
number(size_t i, uint32_t n)
{
	for (int b = 0; b < 4; b++)
		bytes[i * TEMPLATE_RECORD + (size_t)b] = (uint8_t)(n >> 8 * b);
	memset(bytes + i * TEMPLATE_RECORD + 4, (int)(i + 1), TEMPLATE_BLOCK);
}

static void
blocks_are_found(void **state)
{
	struct template t;

	(void)state;
	number(0, 0);
	number(1, 2);
	number(2, 0x01020304);
	assert_int_equal(template_parse(&t, bytes, 3 * TEMPLATE_RECORD), 0);
	assert_int_equal(t.n, 3);
	assert_int_equal(template_number(&t, 2), 0x01020304);
	assert_ptr_equal(template_block(&t, 2), template_at(&t, 1));
	assert_ptr_equal(template_block(&t, 0x01020304), template_at(&t, 2));
	assert_null(template_block(&t, 1));
	assert_null(template_block(&t, 0x101020304));
}

static void
others_are_none(void **state)
{
	struct template t;

	(void)state;
	for (size_t i = 0; i <= TEMPLATE_MAX; i++)
		number(i, (uint32_t)i);
	assert_int_equal(template_parse(&t, bytes, TEMPLATE_MAX * TEMPLATE_RECORD), 0);
	assert_int_equal(template_parse(&t, bytes, (TEMPLATE_MAX + 1) * TEMPLATE_RECORD), -1);
	assert_int_equal(template_parse(&t, bytes, 0), -1);
	assert_int_equal(template_parse(&t, bytes, TEMPLATE_RECORD - 1), -1);
	number(1, 0);
	assert_int_equal(template_parse(&t, bytes, 2 * TEMPLATE_RECORD), -1);
	number(0, 1);
	number(1, 2);
	assert_int_equal(template_parse(&t, bytes, 2 * TEMPLATE_RECORD), -1);
	assert_int_equal(template_read(&t, "/nonexistent"), -1);
	assert_null(t.bytes);
}

static void
zeroes(void **state)
{
	uint8_t b[16] = {0};

	(void)state;
	assert_true(template_zero(b, 0));
	assert_true(template_zero(b, 1));
	assert_true(template_zero(b, sizeof(b)));
	for (size_t i = 0; i < sizeof(b); i++) {
		b[i] = 1;
		assert_false(template_zero(b, sizeof(b)));
		b[i] = 0;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(blocks_are_found),
	    cmocka_unit_test(others_are_none), cmocka_unit_test(zeroes)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
