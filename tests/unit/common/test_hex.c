/* common/hex.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/hex.h"

static void
there_and_back(void **state)
{
	uint8_t bytes[256], back[256];
	char text[513];

	(void)state;
	for (unsigned i = 0; i < 256; i++)
		bytes[i] = (uint8_t)i;
	assert_ptr_equal(hex_put(text, bytes, 256), text);
	assert_int_equal(text[512], '\0');
	assert_memory_equal(text, "000102", 6);
	assert_true(hex_get(text, back, 256));
	assert_memory_equal(bytes, back, 256);
	assert_true(hex_get_any(text, back, 256));
	assert_memory_equal(bytes, back, 256);
	assert_string_equal(hex_put(text, bytes, 0), "");
	assert_true(hex_get("", back, 0));
}

static void
nothing_else(void **state)
{
	static const char *const bad[] = {
	    "", "00f", "00ff0", "00fg", "0x01", "00 f", "-001"};
	uint8_t b[2];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(hex_get(bad[i], b, 2));
		assert_false(hex_get_any(bad[i], b, 2));
	}
}

static void
capitals(void **state)
{
	uint8_t b[2];

	(void)state;
	assert_false(hex_get("00fF", b, 2));
	assert_true(hex_get_any("0afF", b, 2));
	assert_int_equal(b[0], 10);
	assert_int_equal(b[1], 255);
}

static void
uuid(void **state)
{
	uint8_t id[16];
	char text[HEX_UUID];

	(void)state;
	for (unsigned i = 0; i < 16; i++)
		id[i] = 0xff;
	hex_uuid_random(id);
	hex_uuid(text, id);
	assert_string_equal(text, "ffffffff-ffff-4fff-bfff-ffffffffffff");
}

static void
uuid_back(void **state)
{
	static const char *const bad[] = {"", "12345678-9abc-4def-8123-456789abcde",
	    "12345678-9abc-4def-8123-456789abcdef0", "12345678+9abc-4def-8123-456789abcdef",
	    "123456789-abc-4def-8123-456789abcdef", "12345678-9abc-4def-8123-456789abcdeg",
	    "123456789abc4def8123456789abcdef"};
	uint8_t id[16];
	char text[HEX_UUID];

	(void)state;
	assert_true(hex_uuid_get("12345678-9aBc-4dEf-8123-456789abcdeF", id));
	hex_uuid(text, id);
	assert_string_equal(text, "12345678-9abc-4def-8123-456789abcdef");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(hex_uuid_get(bad[i], id));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(there_and_back),
	    cmocka_unit_test(nothing_else),
	    cmocka_unit_test(capitals),
	    cmocka_unit_test(uuid),
	    cmocka_unit_test(uuid_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
