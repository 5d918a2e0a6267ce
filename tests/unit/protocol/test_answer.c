/* test_answer.c - replies: every row, every code that carries something, hostile bytes */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/message.h"
#include "sample.h"

#define ROUNDS 100

/* A conversation: the guest's sample, the worker's arguments made from it. */
struct talk {
	const struct call *call;
	struct sample s;
	struct arg served[ARGS_MAX];
	struct arena worker, guest;
	struct buf asked, answered;
	struct reply got;
};

static void
begin(struct talk *t, const struct call *call, uint64_t seed, bool full)
{
	t->call = call;
	sample_init(&t->s, seed);
	(full ? sample_full_args : sample_args)(&t->s, call);
	arena_init(&t->worker, 1 << 20);
	arena_init(&t->guest, 1 << 20);
	buf_init(&t->asked, 1 << 20);
	buf_init(&t->answered, 1 << 20);
	assert_int_equal(ask_write(&t->asked, call, t->s.args), CKR_OK);
	assert_true(ask_read(&t->asked, call, t->served, &t->worker));
}

static void
end(struct talk *t)
{
	buf_free(&t->asked);
	buf_free(&t->answered);
	arena_free(&t->worker);
	arena_free(&t->guest);
	sample_free(&t->s);
}

static bool
crosses(const struct call *call)
{
	return call->where == WHERE_SLOT || call->where == WHERE_SESSION;
}

static void
round_trip(const struct call *call, uint64_t seed, CK_RV rv)
{
	static const uint8_t ticket[5] = "abcde";
	struct object_ref refs[64] = {{0}};
	struct reply reply = {.rv = rv,
	    .epoch = seed,
	    .refs = refs,
	    .nrefs = 64,
	    .ticket = ticket,
	    .ticket_len = sizeof(ticket)};
	struct talk t;

	for (size_t i = 0; i < 64; i++)
		refs[i].id[3] = (uint8_t)i;
	begin(&t, call, seed, false);
	sample_serve(&t.s, call, t.served);
	answer_write(&t.answered, call, t.served, &reply);
	/* A buffer without a length beside it cannot be filled. */
	for (size_t i = 0; i < call_nargs(call); i++)
		if (call->args[i] >= ARG_OUT_BYTES && t.served[i].ptr != NULL &&
		    t.served[i].plen == NULL && rv == CKR_OK &&
		    (call->args[i] == ARG_OUT_BYTES || call->args[i] == ARG_OUT_OBJECTS ||
			call->args[i] == ARG_OUT_MECHANISMS))
			rv = CKR_GENERAL_ERROR;
	assert_true(answer_read(&t.answered, call, t.s.args, &t.got, &t.guest));
	assert_int_equal(t.got.rv, rv);
	assert_int_equal(t.got.epoch, seed);
	for (size_t i = 0; i < t.got.nrefs; i++)
		assert_int_equal(t.got.refs[i].id[3], i);
	if (call->number == CALL_C_Login && rv == CKR_OK)
		assert_memory_equal(t.got.ticket, ticket, sizeof(ticket));
	for (size_t i = 0; rv == CKR_OK && i < call_nargs(call); i++)
		if (t.s.args[i].plen != NULL)
			assert_int_equal(*t.s.args[i].plen, *t.served[i].plen);
	end(&t);
}

static void
every_row_round_trips(void **state)
{
	static const CK_RV codes[] = {CKR_OK, CKR_BUFFER_TOO_SMALL,
	    CKR_ATTRIBUTE_SENSITIVE, CKR_ATTRIBUTE_TYPE_INVALID, CKR_FUNCTION_FAILED,
	    CKR_VENDOR_DEFINED + 3};
	size_t n;
	const struct call *calls = call_table(&n);

	(void)state;
	for (size_t i = 0; i < n; i++)
		for (uint64_t seed = 0; crosses(&calls[i]) && seed < ROUNDS; seed++)
			round_trip(&calls[i], seed, codes[seed % 6]);
}

/* Whatever the worker says, the guest's buffers keep their bounds. */
static void
hostile_bytes_do_no_harm(void **state)
{
	size_t n;
	const struct call *calls = call_table(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		struct reply reply = {.rv = CKR_OK};
		struct talk t;
		size_t len;

		if (!crosses(&calls[i]))
			continue;
		begin(&t, &calls[i], i, true);
		sample_serve(&t.s, &calls[i], t.served);
		answer_write(&t.answered, &calls[i], t.served, &reply);
		len = t.answered.len;
		for (size_t at = 0; at < len; at++) {
			struct talk again;
			struct buf view;

			begin(&again, &calls[i], i, true);
			buf_view(&view, t.answered.data, at);
			assert_false(answer_read(
			    &view, &calls[i], again.s.args, &again.got, &again.guest));
			end(&again);
			begin(&again, &calls[i], i, true);
			t.answered.data[at] ^= 0xff;
			buf_view(&view, t.answered.data, len);
			(void)answer_read(
			    &view, &calls[i], again.s.args, &again.got, &again.guest);
			t.answered.data[at] ^= 0xff;
			end(&again);
		}
		end(&t);
	}
}

/* C_Sign with 10 bytes of room; the worker's reply made by hand. */
static bool
sign_reply(CK_RV rv, CK_ULONG len, size_t bytes, CK_ULONG *ret_len)
{
	static const uint8_t filler[64];
	const struct call *call = call_by_name("C_Sign");
	uint8_t room[10];
	struct arg args[ARGS_MAX] = {[2] = {.ptr = room, .plen = ret_len}};
	struct reply got;
	struct arena arena;
	struct buf b;
	bool ok;

	*ret_len = sizeof(room);
	arena_init(&arena, 1000);
	buf_init(&b, 1000);
	buf_put_u64(&b, rv);
	buf_put_u64(&b, 0);
	if (rv == CKR_OK || rv == CKR_BUFFER_TOO_SMALL)
		buf_put_u64(&b, len);
	buf_put_raw(&b, filler, bytes);
	ok = answer_read(&b, call, args, &got, &arena);
	arena_free(&arena);
	buf_free(&b);
	return ok;
}

static void
more_than_the_room_is_a_breach(void **state)
{
	CK_ULONG len;

	(void)state;
	assert_true(sign_reply(CKR_OK, 10, 10, &len));
	assert_false(sign_reply(CKR_OK, 11, 11, &len));
	assert_int_equal(len, 10);
	assert_false(sign_reply(CKR_OK, 9, 10, &len));
	assert_false(sign_reply(CKR_OK, 10, 9, &len));
	assert_true(sign_reply(CKR_BUFFER_TOO_SMALL, 256, 0, &len));
	assert_int_equal(len, 256);
	assert_false(sign_reply(CKR_BUFFER_TOO_SMALL, 5, 5, &len));
	assert_true(sign_reply(CKR_DATA_LEN_RANGE, 0, 0, &len));
	assert_int_equal(len, 10);
}

static void
a_reply_that_does_not_fit_says_so(void **state)
{
	const struct call *call = call_by_name("C_Sign");
	struct reply reply = {.rv = CKR_OK, .epoch = 3};
	struct talk t;

	(void)state;
	begin(&t, call, 1, true);
	memset(t.served[2].ptr, 0, t.served[2].len);
	*t.served[2].plen = t.served[2].len;
	buf_init(&t.answered, 30);
	answer_write(&t.answered, call, t.served, &reply);
	assert_true(buf_ok(&t.answered));
	assert_true(answer_read(&t.answered, call, t.s.args, &t.got, &t.guest));
	assert_int_equal(t.got.rv, CKR_DEVICE_MEMORY);
	assert_int_equal(t.got.epoch, 3);
	end(&t);
}

static void
a_call_that_left_its_room_is_an_error(void **state)
{
	const struct call *call = call_by_name("C_Sign");
	struct reply reply = {.rv = CKR_OK};
	struct talk t;

	(void)state;
	begin(&t, call, 1, true);
	*t.served[2].plen = t.served[2].len + 1;
	answer_write(&t.answered, call, t.served, &reply);
	assert_true(answer_read(&t.answered, call, t.s.args, &t.got, &t.guest));
	assert_int_equal(t.got.rv, CKR_GENERAL_ERROR);
	end(&t);
}

static void
refs_come_in_the_order_of_the_handles(void **state)
{
	const struct call *call = call_by_name("C_GenerateKeyPair");
	struct object_ref refs[2] = {{.id = "public"}, {.id = "private"}};
	struct reply reply = {.rv = CKR_OK, .refs = refs, .nrefs = 2};
	struct talk t;

	(void)state;
	begin(&t, call, 1, true);
	*(CK_OBJECT_HANDLE *)t.served[4].ptr = 40;
	*(CK_OBJECT_HANDLE *)t.served[5].ptr = 50;
	answer_write(&t.answered, call, t.served, &reply);
	assert_true(answer_read(&t.answered, call, t.s.args, &t.got, &t.guest));
	assert_int_equal(t.got.nrefs, 2);
	assert_int_equal(t.got.refs[0].handle, 40);
	assert_int_equal(t.got.refs[1].handle, 50);
	assert_string_equal((char *)t.got.refs[0].id, "public");
	assert_string_equal((char *)t.got.refs[1].id, "private");
	assert_int_equal(*(CK_OBJECT_HANDLE *)t.s.args[5].ptr, 50);
	end(&t);
}

static void
used_tells_the_arena(void **state)
{
	const struct call *call = call_by_name("C_Sign");
	uint8_t *room;
	CK_ULONG claimed = 100000;
	uint8_t byte = 0;
	struct arg args[ARGS_MAX] = {
	    [1] = {.ptr = &byte, .len = 1}, [2] = {.ptr = &byte, .plen = &claimed}};
	struct talk t;

	(void)state;
	begin(&t, call, 1, true);
	buf_reset(&t.asked);
	arena_free(&t.worker);
	assert_int_equal(ask_write(&t.asked, call, args), CKR_OK);
	assert_true(ask_read(&t.asked, call, t.served, &t.worker));
	room = t.served[2].ptr;
	*t.served[2].plen = 64;
	memset(room, 1, 64);
	answer_used(call, t.served, CKR_OK, &t.worker);
	answer_used(call, t.served, CKR_GENERAL_ERROR, &t.worker);
	end(&t);
}

/* What came of the beginning, then the reply. */
static bool
fused_reply(struct talk *t, CK_RV begun, CK_RV rv, size_t more, CK_RV *ret_begun)
{
	struct reply reply = {.rv = rv, .epoch = 5};

	buf_reset(&t->answered);
	buf_put_u64(&t->answered, begun);
	answer_write(&t->answered, t->call, t->served, &reply);
	for (size_t i = 0; i < more; i++)
		buf_put_u8(&t->answered, 0);
	return answer_read_fused(
	    &t->answered, t->call, t->s.args, ret_begun, &t->got, &t->guest);
}

static void
fused_replies_say_what_came_of_the_beginning(void **state)
{
	const struct call *call = call_by_name("C_Sign");
	struct talk t;
	CK_RV begun = 1;

	(void)state;
	begin(&t, call, 1, true);
	sample_serve(&t.s, call, t.served);
	assert_true(fused_reply(&t, CKR_OK, CKR_OK, 0, &begun));
	assert_int_equal(begun, CKR_OK);
	assert_int_equal(t.got.rv, CKR_OK);
	assert_int_equal(t.got.epoch, 5);
	assert_int_equal(*t.s.args[2].plen, *t.served[2].plen);
	assert_memory_equal(t.s.args[2].ptr, t.served[2].ptr, *t.served[2].plen);
	assert_true(fused_reply(&t, CKR_OK, CKR_DATA_LEN_RANGE, 0, &begun));
	assert_int_equal(begun, CKR_OK);
	assert_int_equal(t.got.rv, CKR_DATA_LEN_RANGE);
	assert_true(fused_reply(
	    &t, CKR_KEY_HANDLE_INVALID, CKR_KEY_HANDLE_INVALID, 0, &begun));
	assert_int_equal(begun, CKR_KEY_HANDLE_INVALID);
	assert_int_equal(t.got.rv, CKR_KEY_HANDLE_INVALID);
	end(&t);
}

static void
fused_replies_that_contradict_themselves_are_a_breach(void **state)
{
	const struct call *call = call_by_name("C_Sign");
	struct talk t;
	CK_RV begun;

	(void)state;
	begin(&t, call, 1, true);
	sample_serve(&t.s, call, t.served);
	/* The call done although its beginning was not, or with a code of its own. */
	assert_false(fused_reply(&t, CKR_KEY_HANDLE_INVALID, CKR_OK, 0, &begun));
	assert_false(fused_reply(
	    &t, CKR_KEY_HANDLE_INVALID, CKR_OPERATION_NOT_INITIALIZED, 0, &begun));
	assert_false(fused_reply(&t, CKR_OK, CKR_OK, 1, &begun));
	assert_false(fused_reply(&t, CKR_OK, CKR_DATA_LEN_RANGE, 1, &begun));
	assert_false(fused_reply(
	    &t, CKR_KEY_HANDLE_INVALID, CKR_KEY_HANDLE_INVALID, 8, &begun));
	end(&t);
}

static void
fused_replies_cut_short_are_a_breach(void **state)
{
	const struct call *call = call_by_name("C_Sign");
	struct talk t;
	struct buf cut;
	CK_RV begun;

	(void)state;
	begin(&t, call, 1, true);
	sample_serve(&t.s, call, t.served);
	assert_true(fused_reply(&t, CKR_OK, CKR_OK, 0, &begun));
	for (size_t len = 0; len < t.answered.len; len++) {
		buf_view(&cut, t.answered.data, len);
		*t.s.args[2].plen = t.s.lens[2];
		assert_false(answer_read_fused(
		    &cut, call, t.s.args, &begun, &t.got, &t.guest));
	}
	/* A reply without what came of the beginning. */
	buf_view(&cut, t.answered.data + 8, t.answered.len - 8);
	assert_false(answer_read_fused(&cut, call, t.s.args, &begun, &t.got, &t.guest));
	end(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_row_round_trips),
	    cmocka_unit_test(hostile_bytes_do_no_harm),
	    cmocka_unit_test(more_than_the_room_is_a_breach),
	    cmocka_unit_test(a_reply_that_does_not_fit_says_so),
	    cmocka_unit_test(a_call_that_left_its_room_is_an_error),
	    cmocka_unit_test(refs_come_in_the_order_of_the_handles),
	    cmocka_unit_test(fused_replies_say_what_came_of_the_beginning),
	    cmocka_unit_test(fused_replies_that_contradict_themselves_are_a_breach),
	    cmocka_unit_test(fused_replies_cut_short_are_a_breach),
	    cmocka_unit_test(used_tells_the_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
