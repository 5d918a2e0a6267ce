/* test_info.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/info.h"

#define HEAD (8 + 8)
#define STRUCTS (108 + 204)

static struct info_mech mechs[INFO_MECHS + 1];

/* What a worker says that has this many mechanisms. */
static struct info
sample(uint32_t count)
{
	struct info info = {.rv = CKR_OK, .epoch = 12, .count = count, .mechs = mechs};

	memset(info.slot.slotDescription, 's', sizeof(info.slot.slotDescription));
	info.slot.flags = CKF_TOKEN_PRESENT;
	info.slot.firmwareVersion.minor = 9;
	memset(info.token.label, 'l', sizeof(info.token.label));
	info.token.flags = CKF_RNG | CKF_USER_PIN_COUNT_LOW;
	memcpy(info.token.utcTime, "2001020304050600", sizeof(info.token.utcTime));
	for (uint32_t i = 0; i <= INFO_MECHS; i++)
		mechs[i] = (struct info_mech){i, {i + 1, i + 2, i + 3}};
	return info;
}

/* From memory of exactly this size. */
static bool
read_bytes(const uint8_t *p, size_t len, size_t room)
{
	uint8_t *exact = malloc(len ? len : 1);
	struct arena arena;
	struct info got;
	struct buf b;
	bool ok;

	assert_non_null(exact);
	if (len > 0)
		memcpy(exact, p, len);
	arena_init(&arena, room);
	buf_view(&b, exact, len);
	ok = info_read(&b, &got, &arena);
	arena_free(&arena);
	free(exact);
	return ok;
}

static bool
reads(const struct buf *b)
{
	assert_true(buf_ok(b));
	return read_bytes(b->data, b->len, 1 << 20);
}

static void
test_ask(void **state)
{
	CK_SLOT_ID slot = 0;
	struct buf b, v;

	(void)state;
	buf_init(&b, 64);
	info_ask_write(&b, 0x123456789a);
	assert_true(buf_ok(&b));
	for (size_t len = 0; len <= b.len; len++) {
		buf_view(&v, b.data, len);
		assert_int_equal(info_ask_read(&v, &slot), len == b.len);
	}
	assert_int_equal(slot, 0x123456789a);
	buf_put_u8(&b, 0);
	assert_false(info_ask_read(&b, &slot));
	buf_free(&b);
}

static void
test_round_trip(void **state)
{
	static const uint32_t counts[] = {0, 1, 70, INFO_MECHS};
	struct info want, got;
	struct arena arena;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		want = sample(counts[i]);
		arena_init(&arena, 1 << 20);
		buf_init(&b, 1 << 20);
		info_write(&b, &want);
		assert_int_equal(b.len, HEAD + STRUCTS + 4 + counts[i] * 32);
		assert_true(info_read(&b, &got, &arena));
		assert_int_equal(got.rv, CKR_OK);
		assert_int_equal(got.epoch, 12);
		assert_memory_equal(&got.slot, &want.slot, 108);
		assert_memory_equal(&got.token, &want.token, 204);
		assert_int_equal(got.count, counts[i]);
		for (uint32_t k = 0; k < counts[i]; k++)
			assert_memory_equal(&got.mechs[k], &mechs[k], sizeof(mechs[k]));
		arena_free(&arena);
		buf_free(&b);
	}
}

/* The code and the epoch, and no more. */
static void
test_refusal(void **state)
{
	struct info want = sample(3), got;
	struct arena arena;
	struct buf b;

	(void)state;
	want.rv = CKR_FUNCTION_NOT_SUPPORTED;
	arena_init(&arena, 1 << 20);
	buf_init(&b, 1 << 20);
	info_write(&b, &want);
	assert_int_equal(b.len, HEAD);
	assert_true(info_read(&b, &got, &arena));
	assert_int_equal(got.rv, CKR_FUNCTION_NOT_SUPPORTED);
	assert_int_equal(got.epoch, 12);
	assert_int_equal(got.count, 0);
	buf_put_u8(&b, 0);
	assert_false(reads(&b));
	arena_free(&arena);
	buf_free(&b);
}

static void
test_every_truncation(void **state)
{
	struct info want = sample(2);
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	info_write(&b, &want);
	for (size_t len = 0; len < b.len; len++)
		assert_false(read_bytes(b.data, len, 1 << 20));
	assert_true(reads(&b));
	buf_put_u8(&b, 0);
	assert_false(reads(&b));
	buf_free(&b);
}

/* A count that is not that of the mechanisms, or more than there may be. */
static void
test_count(void **state)
{
	static const uint32_t wrong[] = {0, 2, 4, INFO_MECHS, INFO_MECHS + 1, 1u << 27, UINT32_MAX};
	struct info want = sample(3);
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	info_write(&b, &want);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		buf_set_u32(&b, HEAD + STRUCTS, wrong[i]);
		assert_false(reads(&b));
	}
	buf_set_u32(&b, HEAD + STRUCTS, 3);
	assert_true(reads(&b));
	buf_reset(&b);
	want = sample(INFO_MECHS + 1);
	info_write(&b, &want);
	assert_false(reads(&b));
	buf_free(&b);
}

/* An arena that is too small for the mechanisms. */
static void
test_no_memory(void **state)
{
	struct info want = sample(3);
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	info_write(&b, &want);
	assert_false(read_bytes(b.data, b.len, 64));
	assert_true(read_bytes(b.data, b.len, 128));
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ask),
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_refusal),
	    cmocka_unit_test(test_every_truncation),
	    cmocka_unit_test(test_count),
	    cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
