/* test_kept.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/kept.h"

static const uint8_t bytes[KEPT_MAX_OBJECT + 1] = "an object";

static bool
survives(size_t pass_len, size_t object_len)
{
	struct kept k = {.handle = 7, .pass = bytes, .pass_len = pass_len, .object = bytes,
	    .object_len = object_len}, got;
	struct buf b;
	bool ok;

	buf_init(&b, 1 << 20);
	kept_write(&b, &k);
	assert_true(buf_ok(&b));
	ok = kept_read(&b, &got);
	if (ok) {
		assert_int_equal(got.handle, 7);
		assert_int_equal(got.pass_len, pass_len);
		assert_int_equal(got.object_len, object_len);
		assert_memory_equal(got.object, bytes, object_len);
	}
	buf_free(&b);
	return ok;
}

static void
round_trip(void **state)
{
	(void)state;
	assert_true(survives(0, 1));
	assert_true(survives(KEPT_MAX_PASS, KEPT_MAX_OBJECT));
}

static void
bounds(void **state)
{
	(void)state;
	assert_false(survives(0, 0));
	assert_false(survives(KEPT_MAX_PASS + 1, 1));
	assert_false(survives(0, KEPT_MAX_OBJECT + 1));
}

static void
torn(void **state)
{
	struct kept k = {.handle = 7, .pass = bytes, .pass_len = 3, .object = bytes,
	    .object_len = 9}, got;
	struct buf b, cut;

	(void)state;
	buf_init(&b, 1 << 20);
	kept_write(&b, &k);
	for (size_t len = 0; len < b.len; len++) {
		buf_view(&cut, b.data, len);
		assert_false(kept_read(&cut, &got));
	}
	buf_put_u8(&b, 0);
	assert_false(kept_read(&b, &got));
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(round_trip),
	    cmocka_unit_test(bounds),
	    cmocka_unit_test(torn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
