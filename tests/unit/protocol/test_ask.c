/* test_ask.c - requests: every row, NULLs everywhere, hostile bytes */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/message.h"
#include "sample.h"

#define ROUNDS 200

static bool
crosses(const struct call *call)
{
	return call->where == WHERE_SLOT || call->where == WHERE_SESSION;
}

/* What is written, read, and written again is the same. */
static void
round_trip(const struct call *call, uint64_t seed)
{
	struct arg got[ARGS_MAX];
	struct arena arena;
	struct buf b, again;
	struct sample s;

	sample_init(&s, seed);
	sample_args(&s, call);
	arena_init(&arena, 1 << 20);
	buf_init(&b, 1 << 20);
	buf_init(&again, 1 << 20);
	assert_int_equal(ask_write(&b, call, s.args), CKR_OK);
	assert_true(ask_read(&b, call, got, &arena));
	for (size_t i = 0; i < call_nargs(call); i++) {
		if (call->args[i] == ARG_POINTER || call->args[i] == ARG_NOTIFY)
			continue;
		assert_int_equal(got[i].ptr == NULL, s.args[i].ptr == NULL);
		assert_int_equal(got[i].plen == NULL, s.args[i].plen == NULL);
	}
	assert_int_equal(ask_write(&again, call, got), CKR_OK);
	assert_int_equal(again.len, b.len);
	assert_memory_equal(again.data, b.data, b.len);
	buf_free(&again);
	buf_free(&b);
	arena_free(&arena);
	sample_free(&s);
}

static void
every_row_round_trips(void **state)
{
	size_t n;
	const struct call *calls = call_table(&n);

	(void)state;
	for (size_t i = 0; i < n; i++)
		for (uint64_t seed = 0; crosses(&calls[i]) && seed < ROUNDS; seed++)
			round_trip(&calls[i], seed);
}

static void
rows_that_never_cross_are_refused(void **state)
{
	struct arg args[ARGS_MAX] = {0};
	struct arena arena;
	size_t n;
	const struct call *calls = call_table(&n);
	struct buf b;

	(void)state;
	arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < n; i++) {
		if (crosses(&calls[i]))
			continue;
		buf_init(&b, 1000);
		assert_int_equal(
		    ask_write(&b, &calls[i], args), CKR_FUNCTION_NOT_SUPPORTED);
		assert_false(ask_read(&b, &calls[i], args, &arena));
		buf_free(&b);
	}
	arena_free(&arena);
}

/* Each byte changed, each length cut: never beyond the bytes, and never a pointer that
 * was not made here (a sanitizer watches). */
static void
hostile_bytes_do_no_harm(void **state)
{
	size_t n;
	const struct call *calls = call_table(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		struct arg got[ARGS_MAX];
		struct arena arena;
		struct buf b, view;
		struct sample s;

		if (!crosses(&calls[i]))
			continue;
		sample_init(&s, i);
		sample_full_args(&s, &calls[i]);
		buf_init(&b, 1 << 20);
		arena_init(&arena, 4 << 20);
		assert_int_equal(ask_write(&b, &calls[i], s.args), CKR_OK);
		for (size_t len = 0; len < b.len; len++) {
			uint8_t *cut = malloc(len + 1);

			memcpy(cut, b.data, len);
			buf_view(&view, cut, len);
			assert_false(ask_read(&view, &calls[i], got, &arena));
			arena_free(&arena);
			free(cut);
		}
		for (size_t at = 0; at < b.len; at++) {
			b.data[at] ^= 0xff;
			buf_view(&view, b.data, b.len);
			(void)ask_read(&view, &calls[i], got, &arena);
			arena_free(&arena);
			b.data[at] ^= 0xff;
		}
		buf_put_u8(&b, 0); /* one byte left over */
		buf_view(&view, b.data, b.len);
		assert_false(ask_read(&view, &calls[i], got, &arena));
		arena_free(&arena);
		buf_free(&b);
		sample_free(&s);
	}
}

/* The worker's arguments for C_Sign with that room, in an arena of `max` bytes. */
static CK_ULONG
room_for(CK_ULONG claimed, size_t max)
{
	const struct call *call = call_by_name("C_Sign");
	uint8_t byte;
	struct arg args[ARGS_MAX] = {[0] = {.len = 1},
	    [1] = {.ptr = &byte, .len = 0},
	    [2] = {.ptr = &byte, .plen = &claimed}};
	struct arg got[ARGS_MAX];
	struct arena arena;
	struct buf b;
	CK_ULONG room;

	arena_init(&arena, max);
	buf_init(&b, 1000);
	assert_int_equal(ask_write(&b, call, args), CKR_OK);
	assert_true(ask_read(&b, call, got, &arena));
	assert_non_null(got[2].ptr);
	room = *got[2].plen;
	assert_int_equal(room, got[2].len);
	arena_free(&arena);
	buf_free(&b);
	return room;
}

static void
claimed_room_is_bounded(void **state)
{
	(void)state;
	assert_int_equal(room_for(256, 1 << 20), 256);
	assert_int_equal(room_for(0, 1 << 20), 0);
	assert_int_equal(room_for(1 << 21, 1 << 20), 1 << 20);
	assert_int_equal(
	    room_for(CK_UNAVAILABLE_INFORMATION, MSG_ARENA_MAX), MSG_MAX_ROOM);
}

static void
templates_without_a_pointer_are_refused(void **state)
{
	const struct call *call = call_by_name("C_FindObjectsInit");
	struct arg args[ARGS_MAX] = {[1] = {.ptr = NULL, .len = 1}};
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	assert_int_equal(ask_write(&b, call, args), CKR_ARGUMENTS_BAD);
	buf_free(&b);
}

static void
what_does_not_fit_is_refused(void **state)
{
	static uint8_t data[5000];
	const struct call *call = call_by_name("C_SignUpdate");
	const struct call *fill = call_by_name("C_GenerateRandom");
	struct arg args[ARGS_MAX] = {[1] = {.ptr = data, .len = sizeof(data)}};
	struct buf b;

	(void)state;
	buf_init(&b, 5000);
	assert_int_equal(ask_write(&b, call, args), CKR_DATA_LEN_RANGE);
	buf_free(&b);
	args[1].len = MSG_MAX_ROOM + 1;
	assert_int_equal(ask_write(&b, fill, args), CKR_DATA_LEN_RANGE);
	buf_free(&b);
}

static void
large_data_is_not_copied_by_the_reader(void **state)
{
	const struct call *call = call_by_name("C_DigestUpdate");
	const size_t len = 8 << 20;
	uint8_t *data = calloc(1, len);
	struct arg args[ARGS_MAX] = {[1] = {.ptr = data, .len = len}}, got[ARGS_MAX];
	struct arena arena;
	struct buf b;

	(void)state;
	arena_init(&arena, 1000);
	buf_init(&b, 16 << 20);
	assert_int_equal(ask_write(&b, call, args), CKR_OK);
	assert_true(ask_read(&b, call, got, &arena));
	assert_true((uint8_t *)got[1].ptr > b.data &&
		    (uint8_t *)got[1].ptr + len <= b.data + b.len);
	arena_free(&arena);
	buf_free(&b);
	free(data);
}

/* A request with its beginning, as call.c writes it; both on session 7 unless told. */
static void
write_fused(struct buf *b, const struct call *call, uint64_t seed, CK_ULONG session)
{
	const struct call *begin = call_beginning(call);
	struct sample s;

	buf_reset(b);
	sample_init(&s, seed);
	sample_args(&s, begin);
	s.args[0].len = 7;
	assert_int_equal(ask_write(b, begin, s.args), CKR_OK);
	sample_free(&s);
	sample_init(&s, seed + 1);
	sample_args(&s, call);
	s.args[0].len = session;
	assert_int_equal(ask_write(b, call, s.args), CKR_OK);
	sample_free(&s);
}

static bool
read_fused(struct buf *b, const struct call *call, struct arg args[2][ARGS_MAX])
{
	struct arena arena;
	bool ok;

	b->pos = 0;
	arena_init(&arena, 1 << 20);
	ok = ask_read_fused(b, call_beginning(call), args[1], call, args[0], &arena);
	arena_free(&arena);
	return ok;
}

static void
fused_round_trip(const struct call *call, uint64_t seed)
{
	struct arg got[2][ARGS_MAX];
	struct arena arena;
	struct buf b, again;

	arena_init(&arena, 1 << 20);
	buf_init(&b, 1 << 20);
	buf_init(&again, 1 << 20);
	write_fused(&b, call, seed, 7);
	assert_true(
	    ask_read_fused(&b, call_beginning(call), got[1], call, got[0], &arena));
	assert_int_equal(got[0][0].len, 7);
	assert_int_equal(got[1][0].len, 7);
	assert_int_equal(ask_write(&again, call_beginning(call), got[1]), CKR_OK);
	assert_int_equal(ask_write(&again, call, got[0]), CKR_OK);
	assert_int_equal(again.len, b.len);
	assert_memory_equal(again.data, b.data, b.len);
	buf_free(&again);
	buf_free(&b);
	arena_free(&arena);
}

static void
every_fused_pair_round_trips(void **state)
{
	size_t n;
	const struct call *calls = call_table(&n);

	(void)state;
	for (size_t i = 0; i < n; i++)
		for (uint64_t seed = 0; calls[i].after != 0 && seed < ROUNDS; seed++)
			fused_round_trip(&calls[i], seed);
}

static void
fused_on_two_sessions_is_refused(void **state)
{
	struct arg got[2][ARGS_MAX];
	size_t n;
	const struct call *calls = call_table(&n);
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	for (size_t i = 0; i < n; i++) {
		if (calls[i].after == 0)
			continue;
		write_fused(&b, &calls[i], 1, 8);
		assert_false(read_fused(&b, &calls[i], got));
		write_fused(&b, &calls[i], 1, 7);
		assert_true(read_fused(&b, &calls[i], got));
	}
	buf_free(&b);
}

static void
fused_too_long_or_too_short_is_refused(void **state)
{
	const struct call *sign = call_by_name("C_Sign"), *begin = call_by_name("C_SignInit");
	struct arg got[2][ARGS_MAX];
	struct sample s;
	struct buf b, cut;

	(void)state;
	buf_init(&b, 1 << 20);
	write_fused(&b, sign, 3, 7);
	for (size_t len = 0; len < b.len; len++) {
		buf_view(&cut, b.data, len);
		assert_false(read_fused(&cut, sign, got));
	}
	buf_put_u8(&b, 0);
	assert_false(read_fused(&b, sign, got));
	/* The beginning alone, or the call alone, is no fused request. */
	sample_init(&s, 3);
	sample_full_args(&s, begin);
	buf_reset(&b);
	assert_int_equal(ask_write(&b, begin, s.args), CKR_OK);
	assert_false(read_fused(&b, sign, got));
	sample_free(&s);
	sample_init(&s, 3);
	sample_full_args(&s, sign);
	buf_reset(&b);
	assert_int_equal(ask_write(&b, sign, s.args), CKR_OK);
	assert_false(read_fused(&b, sign, got));
	sample_free(&s);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_row_round_trips),
	    cmocka_unit_test(rows_that_never_cross_are_refused),
	    cmocka_unit_test(hostile_bytes_do_no_harm),
	    cmocka_unit_test(claimed_room_is_bounded),
	    cmocka_unit_test(templates_without_a_pointer_are_refused),
	    cmocka_unit_test(what_does_not_fit_is_refused),
	    cmocka_unit_test(every_fused_pair_round_trips),
	    cmocka_unit_test(fused_on_two_sessions_is_refused),
	    cmocka_unit_test(fused_too_long_or_too_short_is_refused),
	    cmocka_unit_test(large_data_is_not_copied_by_the_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
