/* test_buf.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"

static void
numbers_are_little_endian(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_put_u8(&b, 0x11);
	buf_put_u16(&b, 0x2233);
	buf_put_u32(&b, 0x44556677);
	buf_put_u64(&b, 0x8899aabbccddeeff);
	assert_true(buf_ok(&b));
	assert_memory_equal(
	    b.data, "\x11\x33\x22\x77\x66\x55\x44\xff\xee\xdd\xcc\xbb\xaa\x99\x88", 15);
	assert_int_equal(buf_get_u8(&b), 0x11);
	assert_int_equal(buf_get_u16(&b), 0x2233);
	assert_int_equal(buf_get_u32(&b), 0x44556677);
	assert_false(buf_end(&b));
	assert_true(buf_get_u64(&b) == 0x8899aabbccddeeff);
	assert_true(buf_end(&b));
	buf_free(&b);
}

static void
strings_and_bytes(void **state)
{
	struct buf b;
	char s[6];
	size_t len;
	const uint8_t *p;

	(void)state;
	buf_init(&b, 200);
	buf_put_str(&b, "hello");
	buf_put_str(&b, NULL);
	buf_put_bytes(&b, "ab", 2);
	buf_put_bytes(&b, NULL, 0);
	buf_put_raw(&b, "xyz", 3);
	buf_get_str(&b, s, sizeof(s));
	assert_string_equal(s, "hello");
	buf_get_str(&b, s, sizeof(s));
	assert_string_equal(s, "");
	p = buf_get_bytes(&b, &len);
	assert_int_equal(len, 2);
	assert_memory_equal(p, "ab", 2);
	assert_non_null(buf_get_bytes(&b, &len));
	assert_int_equal(len, 0);
	assert_memory_equal(buf_get_raw(&b, 3), "xyz", 3);
	assert_true(buf_end(&b));
	buf_free(&b);
}

static void
strings_that_do_not_fit(void **state)
{
	struct buf b;
	char s[5];

	(void)state;
	buf_init(&b, 200);
	buf_put_str(&b, "hello");
	buf_get_str(&b, s, sizeof(s));
	assert_false(buf_ok(&b));
	assert_string_equal(s, "");
	buf_free(&b);
	buf_put_bytes(&b, "a\0b", 3);
	buf_get_str(&b, s, sizeof(s));
	assert_false(buf_ok(&b));
	buf_free(&b);
}

static void
the_bound_holds(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	buf_put_u64(&b, 1);
	buf_put_u16(&b, 1);
	assert_true(buf_ok(&b));
	buf_put_u8(&b, 1);
	assert_false(buf_ok(&b));
	assert_int_equal(b.len, 10);
	/* The error sticks, to writers and readers. */
	buf_truncate(&b, 0);
	buf_put_u8(&b, 1);
	assert_int_equal(b.len, 0);
	assert_int_equal(buf_get_u8(&b), 0);
	buf_reset(&b);
	buf_put_u8(&b, 1);
	assert_true(buf_ok(&b));
	buf_free(&b);
}

static void
nothing_beyond_the_end(void **state)
{
	struct buf b;
	size_t len;

	(void)state;
	buf_view(&b, "abc", 3);
	assert_null(buf_get_raw(&b, 4));
	assert_false(buf_ok(&b));
	assert_int_equal(buf_left(&b), 0);
	buf_view(&b, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
	assert_null(buf_get_bytes(&b, &len));
	assert_int_equal(len, 0);
	buf_view(&b, "abc", 3);
	assert_int_equal(buf_get_u32(&b), 0);
	assert_false(buf_end(&b));
}

static void
counts_are_checked(void **state)
{
	struct buf b;

	(void)state;
	buf_view(&b, "0123456789", 10);
	assert_true(buf_fits(&b, 5, 2));
	assert_true(buf_fits(&b, UINT64_MAX, 0));
	assert_false(buf_fits(&b, 6, 2));
	assert_false(buf_ok(&b));
	buf_view(&b, "0123456789", 10);
	assert_false(buf_fits(&b, UINT64_MAX / 2, 16));
}

static void
views_are_not_written(void **state)
{
	char text[] = "abc";
	struct buf b;

	(void)state;
	buf_view(&b, text, 3);
	buf_put_u8(&b, 'x');
	assert_false(buf_ok(&b));
	buf_view(&b, text, 3);
	buf_set_u32(&b, 0, 1);
	assert_false(buf_ok(&b));
	buf_free(&b);
	assert_string_equal(text, "abc");
}

static void
reserve_truncate_and_set(void **state)
{
	struct buf b;
	uint8_t *p;

	(void)state;
	buf_init(&b, 1 << 20);
	buf_put_u32(&b, 0);
	assert_non_null(p = buf_reserve(&b, 100000));
	memset(p, 7, 100000);
	buf_set_u32(&b, 0, 0x01020304);
	assert_int_equal(b.data[0], 4);
	assert_int_equal(b.data[100003], 7);
	buf_truncate(&b, 10);
	assert_int_equal(b.len, 10);
	buf_set_u32(&b, 7, 1);
	assert_false(buf_ok(&b));
	buf_reset(&b);
	buf_truncate(&b, 1);
	assert_false(buf_ok(&b));
	buf_free(&b);
	assert_non_null(buf_reserve(&b, 0));
	assert_null(buf_reserve(&b, (1 << 20) + 1));
	buf_free(&b);
}

static void
content_survives_growth(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	for (uint32_t i = 0; i < 10000; i++)
		buf_put_u32(&b, i);
	for (uint32_t i = 0; i < 10000; i++)
		assert_int_equal(buf_get_u32(&b), i);
	assert_true(buf_end(&b));
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers_are_little_endian),
	    cmocka_unit_test(strings_and_bytes),
	    cmocka_unit_test(strings_that_do_not_fit),
	    cmocka_unit_test(the_bound_holds),
	    cmocka_unit_test(nothing_beyond_the_end),
	    cmocka_unit_test(counts_are_checked),
	    cmocka_unit_test(views_are_not_written),
	    cmocka_unit_test(reserve_truncate_and_set),
	    cmocka_unit_test(content_survives_growth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
