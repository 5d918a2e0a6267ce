/* test_hello.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/hello.h"

static const struct hello_ask ask = {.version = HELLO_VERSION,
    .purpose = HELLO_TOKEN,
    .slot = 17,
    .max_frame = 80u << 20,
    .silence = 30000,
    .app = "0123456789abcde"};

static void
ask_round_trip(void **state)
{
	uint8_t bytes[HELLO_LEN];
	struct hello_ask got;

	(void)state;
	hello_ask_write(bytes, &ask);
	assert_memory_equal(bytes, "CaaS\1\0\0\0\2\0\0\0\x11", 13);
	assert_true(hello_ask_read(bytes, &got));
	assert_memory_equal(&got, &ask, sizeof(ask));
}

static void
every_other_byte_of_an_ask_is_refused(void **state)
{
	uint8_t bytes[HELLO_LEN];
	struct hello_ask got;

	(void)state;
	for (size_t i = 0; i < HELLO_LEN; i++) {
		bool value = (i >= 12 && i < 28) || (i >= 32 && i < 48);

		hello_ask_write(bytes, &ask);
		bytes[i] ^= 0x40;
		if (i >= 4 && i < 8) /* the caller judges the version */
			assert_true(hello_ask_read(bytes, &got) && got.version != 1);
		else
			assert_int_equal(hello_ask_read(bytes, &got), value);
	}
	hello_ask_write(bytes, &ask);
	/* A newer guest can more. */
	bytes[24] = 0xff;
	assert_true(hello_ask_read(bytes, &got));
	assert_int_equal(got.flags, HELLO_FLAGS);
	hello_ask_write(bytes, &ask);
	bytes[8] = 0;
	assert_false(hello_ask_read(bytes, &got));
	bytes[8] = HELLO_ADMIN + 1;
	assert_false(hello_ask_read(bytes, &got));
}

/* What an agent puts in, whatever stood there. */
static void
a_hint(void **state)
{
	uint8_t bytes[HELLO_LEN], other[HELLO_LEN];
	struct hello_ask got;

	(void)state;
	hello_ask_write(bytes, &ask);
	for (size_t i = 0; i < HELLO_LEN; i++)
		assert_false(hello_ask_hint(bytes, i, 33, 34));
	assert_true(hello_ask_hint(bytes, HELLO_LEN, 5, 6));
	assert_true(hello_ask_hint(bytes, sizeof(bytes), 33, 34));
	assert_true(hello_ask_read(bytes, &got));
	assert_true(got.hint.given);
	assert_int_equal(got.hint.uid, 33);
	assert_int_equal(got.hint.gid, 34);
	hello_ask_write(other, &got);
	assert_memory_equal(other, bytes, HELLO_LEN);
	/* What is another version, or nothing of ours, is not touched and not held. */
	bytes[4] = 2;
	memcpy(other, bytes, HELLO_LEN);
	for (size_t i = 5; i <= HELLO_LEN; i++)
		assert_true(hello_ask_hint(bytes, i, 1, 1));
	assert_memory_equal(other, bytes, HELLO_LEN);
	other[0] = 'x';
	assert_true(hello_ask_hint(other, 1, 1, 1));
}

static void
another_version_gets_an_answer(void **state)
{
	uint8_t bytes[HELLO_LEN];
	struct hello_ask got;
	struct hello_answer answer = {.version = 9, .status = HELLO_BAD_VERSION}, back;

	(void)state;
	memset(bytes, 0xee, sizeof(bytes));
	memcpy(bytes, "CaaS\2\0\0\0", 8);
	assert_true(hello_ask_read(bytes, &got));
	assert_int_equal(got.version, 2);
	assert_int_equal(got.purpose, 0);
	hello_answer_write(bytes, &answer);
	assert_true(hello_answer_read(bytes, &back));
	assert_int_equal(back.version, 9);
	assert_int_equal(back.status, HELLO_BAD_VERSION);
}

static void
answer_round_trip(void **state)
{
	const struct hello_answer answer = {.version = HELLO_VERSION,
	    .status = HELLO_OK,
	    .count = 3,
	    .max_frame = 1u << 20,
	    .silence = 5000,
	    .flags = HELLO_SHARED_MEMORY,
	    .epoch = 0x1122334455667788,
	    .instance = "fedcba987654321"};
	struct hello_answer got;
	uint8_t bytes[HELLO_LEN];

	(void)state;
	hello_answer_write(bytes, &answer);
	memset(&got, 0, sizeof(got));
	assert_true(hello_answer_read(bytes, &got));
	assert_int_equal(got.epoch, answer.epoch);
	assert_int_equal(got.count, 3);
	assert_int_equal(got.max_frame, 1u << 20);
	assert_int_equal(got.silence, 5000);
	assert_memory_equal(got.instance, answer.instance, HELLO_APP_LEN);
	assert_int_equal(got.flags, HELLO_SHARED_MEMORY);
	bytes[63] = 1;
	assert_false(hello_answer_read(bytes, &got));
	bytes[63] = 0;
	bytes[48] |= 1;
	assert_false(hello_answer_read(bytes, &got));
	bytes[48] = 0;
	bytes[8] = HELLO_FAILED + 1;
	assert_false(hello_answer_read(bytes, &got));
}

static void
too_many_slots_are_refused(void **state)
{
	struct hello_answer answer = {.version = HELLO_VERSION, .count = HELLO_MAX_SLOTS},
			    got;
	uint8_t bytes[HELLO_LEN];

	(void)state;
	hello_answer_write(bytes, &answer);
	assert_true(hello_answer_read(bytes, &got));
	answer.count++;
	hello_answer_write(bytes, &answer);
	assert_false(hello_answer_read(bytes, &got));
}

static void
slot_round_trip(void **state)
{
	const struct hello_slot slot = {
	    .slot = 4000000000, .flags = HELLO_SLOT_INITIALIZED};
	struct hello_slot got;
	uint8_t bytes[HELLO_SLOT_LEN];

	(void)state;
	hello_slot_write(bytes, &slot);
	assert_true(hello_slot_read(bytes, &got));
	assert_int_equal(got.slot, slot.slot);
	assert_int_equal(got.flags, slot.flags);
	bytes[7] = 1;
	assert_false(hello_slot_read(bytes, &got));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ask_round_trip),
	    cmocka_unit_test(every_other_byte_of_an_ask_is_refused),
	    cmocka_unit_test(a_hint),
	    cmocka_unit_test(another_version_gets_an_answer),
	    cmocka_unit_test(answer_round_trip),
	    cmocka_unit_test(too_many_slots_are_refused),
	    cmocka_unit_test(slot_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
