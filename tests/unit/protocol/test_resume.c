/* test_resume.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/resume.h"

static CK_FLAGS flags[2] = {CKF_SERIAL_SESSION, CKF_SERIAL_SESSION | CKF_RW_SESSION};
static uint8_t ids[3][MSG_ID_LEN] = {"first", "second", "third"};
static const struct resume asked = {.user = 1 + CKU_USER,
    .ticket = (const uint8_t *)"tick",
    .ticket_len = 4,
    .session_flags = flags,
    .nsessions = 2,
    .ids = ids,
    .nids = 3};

static void
ask_round_trip(void **state)
{
	struct arena arena;
	struct resume got;
	struct buf b, cut;

	(void)state;
	arena_init(&arena, 1 << 20);
	buf_init(&b, 1 << 20);
	resume_ask_write(&b, &asked);
	assert_true(buf_ok(&b));
	assert_true(resume_ask_read(&b, &got, &arena));
	assert_int_equal(got.user, 1 + CKU_USER);
	assert_int_equal(got.ticket_len, 4);
	assert_memory_equal(got.ticket, "tick", 4);
	assert_int_equal(got.nsessions, 2);
	assert_memory_equal(got.session_flags, flags, sizeof(flags));
	assert_int_equal(got.nids, 3);
	assert_memory_equal(got.ids, ids, sizeof(ids));
	for (size_t len = 0; len < b.len; len++) {
		buf_view(&cut, b.data, len);
		assert_false(resume_ask_read(&cut, &got, &arena));
	}
	arena_free(&arena);
	buf_free(&b);
}

/* Session objects too, each in a session that there is. */
static void
kept_round_trip(void **state)
{
	struct resume_kept kept[2] = {{(const uint8_t *)"one", 3, 1}, {(const uint8_t *)"two", 3, 0}};
	struct resume ask = asked, got;
	struct arena arena;
	struct buf b, cut;
	size_t without;

	(void)state;
	ask.kept = kept;
	ask.nkept = 2;
	ask.pass = (const uint8_t *)"pass";
	ask.pass_len = 4;
	arena_init(&arena, 1 << 20);
	buf_init(&b, 1 << 20);
	resume_ask_write(&b, &asked);
	without = b.len;
	buf_reset(&b);
	resume_ask_write(&b, &ask);
	assert_true(resume_ask_read(&b, &got, &arena));
	assert_int_equal(got.nkept, 2);
	assert_int_equal(got.pass_len, 4);
	assert_memory_equal(got.pass, "pass", 4);
	assert_int_equal(got.kept[0].session, 1);
	assert_int_equal(got.kept[1].session, 0);
	assert_int_equal(got.kept[1].len, 3);
	assert_memory_equal(got.kept[1].object, "two", 3);
	for (size_t len = 0; len < b.len; len++) {
		buf_view(&cut, b.data, len);
		assert_int_equal(resume_ask_read(&cut, &got, &arena), len == without);
	}
	buf_reset(&b);
	kept[0].session = 2;
	resume_ask_write(&b, &ask);
	assert_false(resume_ask_read(&b, &got, &arena));
	buf_reset(&b);
	kept[0].session = 0;
	ask.pass_len = KEPT_MAX_PASS + 1;
	ask.pass = (const uint8_t[KEPT_MAX_PASS + 1]){0};
	resume_ask_write(&b, &ask);
	assert_false(resume_ask_read(&b, &got, &arena));
	/* A pass, and nothing that it is for: there is one way to say that. */
	buf_reset(&b);
	resume_ask_write(&b, &asked);
	buf_put_bytes(&b, "pass", 4);
	buf_put_u32(&b, 0);
	assert_false(resume_ask_read(&b, &got, &arena));
	arena_free(&arena);
	buf_free(&b);
}

static void
kept_answer(void **state)
{
	CK_SESSION_HANDLE sessions[2] = {1, 2};
	CK_OBJECT_HANDLE objects[3] = {3, 4, 5}, kept[2] = {6, 0};
	struct resumed done = {.sessions = sessions, .nsessions = 2, .objects = objects,
	    .nobjects = 3, .kept = kept, .nkept = 2}, got;
	struct resume ask = asked;
	struct arena arena;
	struct buf b, cut;

	(void)state;
	ask.nkept = 2;
	arena_init(&arena, 1 << 20);
	buf_init(&b, 1 << 20);
	resume_answer_write(&b, &done);
	assert_true(resume_answer_read(&b, &ask, &got, &arena));
	assert_int_equal(got.nkept, 2);
	assert_memory_equal(got.kept, kept, sizeof(kept));
	for (size_t len = 0; len < b.len; len++) {
		buf_view(&cut, b.data, len);
		assert_false(resume_answer_read(&cut, &ask, &got, &arena));
	}
	/* Nobody asked for them, or for another number. */
	for (ask.nkept = 0; ask.nkept < 4; ask.nkept++) {
		buf_view(&cut, b.data, b.len);
		assert_int_equal(
		    resume_answer_read(&cut, &ask, &got, &arena), ask.nkept == 2);
	}
	arena_free(&arena);
	buf_free(&b);
}

static void
nothing_to_resume(void **state)
{
	const struct resume none = {0};
	struct resume got;
	struct arena arena;
	struct buf b;

	(void)state;
	arena_init(&arena, 1 << 20);
	buf_init(&b, 1 << 20);
	resume_ask_write(&b, &none);
	assert_true(resume_ask_read(&b, &got, &arena));
	assert_int_equal(got.nsessions + got.nids + got.ticket_len, 0);
	arena_free(&arena);
	buf_free(&b);
}

/* user, ticket length, sessions, ids: one of them not to be believed. */
static bool
hostile(uint8_t user, size_t ticket, uint32_t sessions, uint32_t nids)
{
	static const uint8_t filler[RESUME_MAX_TICKET + 1];
	struct resume got;
	struct arena arena;
	struct buf b;
	bool ok;

	arena_init(&arena, 1 << 20);
	buf_init(&b, 1 << 20);
	buf_put_u8(&b, user);
	buf_put_bytes(&b, filler, ticket);
	buf_put_u32(&b, sessions);
	buf_put_u32(&b, nids);
	ok = resume_ask_read(&b, &got, &arena);
	arena_free(&arena);
	buf_free(&b);
	return ok;
}

static void
hostile_asks_are_refused(void **state)
{
	(void)state;
	assert_true(hostile(2, RESUME_MAX_TICKET, 0, 0));
	assert_false(hostile(3, 0, 0, 0));
	assert_false(hostile(0, RESUME_MAX_TICKET + 1, 0, 0));
	assert_false(hostile(0, 0, 1, 0));
	assert_false(hostile(0, 0, UINT32_MAX, 0));
	assert_false(hostile(0, 0, 0, 1));
	assert_false(hostile(0, 0, 0, UINT32_MAX));
}

static void
answer_round_trip(void **state)
{
	CK_SESSION_HANDLE sessions[2] = {5, 0};
	CK_OBJECT_HANDLE objects[3] = {8, 0, 9};
	struct resumed answer = {.rv = CKR_OK,
	    .epoch = 12,
	    .sessions = sessions,
	    .objects = objects,
	    .nsessions = 2,
	    .nobjects = 3};
	struct resumed got;
	struct arena arena;
	struct buf b;

	(void)state;
	arena_init(&arena, 1 << 20);
	buf_init(&b, 1 << 20);
	resume_answer_write(&b, &answer);
	assert_true(resume_answer_read(&b, &asked, &got, &arena));
	assert_int_equal(got.epoch, 12);
	assert_memory_equal(got.sessions, sessions, sizeof(sessions));
	assert_memory_equal(got.objects, objects, sizeof(objects));
	for (uint32_t n = 0; n < 3; n++) {
		if (n == 2)
			continue;
		answer.nsessions = n;
		buf_reset(&b);
		resume_answer_write(&b, &answer);
		assert_false(resume_answer_read(&b, &asked, &got, &arena));
	}
	arena_free(&arena);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ask_round_trip),
	    cmocka_unit_test(kept_round_trip),
	    cmocka_unit_test(kept_answer),
	    cmocka_unit_test(nothing_to_resume),
	    cmocka_unit_test(hostile_asks_are_refused),
	    cmocka_unit_test(answer_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
