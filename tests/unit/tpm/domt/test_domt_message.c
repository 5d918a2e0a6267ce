/* test_domt_message.c - each question and answer there and back, cut off at each byte, with
 * something behind it, and with each bound passed by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tpm/domt/message.h"

static uint8_t data[TPM_BLOB_MAX + 1];

static struct domt_bytes
bytes(size_t len)
{
	return (struct domt_bytes){.data = data, .len = len};
}

static bool
same(struct domt_bytes a, struct domt_bytes b)
{
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/* One that is well formed; all fields of all kinds are set. */
static struct domt_question
question(enum domt_what what)
{
	struct domt_question q = {.number = 0x0102030405060708,
	    .what = what,
	    .ref = "vsmd-use:x",
	    .authority = bytes(100),
	    .secret = bytes(TPM_ANCHOR_LEN),
	    .blob = bytes(900),
	    .approval = {bytes(10), bytes(DOMT_APPROVAL_MAX)},
	    .napprovals = 2,
	    .length = 64,
	    .place = 0x1fffff,
	    .digest = {.data = data + 64, .len = TPM_ANCHOR_LEN}};

	return q;
}

static bool
read_question(const struct buf *b, size_t len, struct domt_question *ret)
{
	struct buf in;

	buf_view(&in, b->data, len);
	return domt_question_read(&in, ret);
}

static bool
there_and_back(const struct domt_question *q, struct buf *b, struct domt_question *ret)
{
	buf_init(b, DOMT_MESSAGE_MAX);
	domt_question_write(b, q);
	assert_true(buf_ok(b));
	return read_question(b, b->len, ret);
}

static void
compare(const struct domt_question *q, const struct domt_question *r)
{
	bool anchor = q->what >= DOMT_DEFINE;

	assert_int_equal(r->number, q->number);
	assert_int_equal(r->what, q->what);
	assert_string_equal(r->ref, q->what == DOMT_SEAL ? q->ref : "");
	if (q->what == DOMT_SEAL)
		assert_true(same(r->authority, q->authority));
	if (q->what == DOMT_SEAL || anchor)
		assert_true(same(r->secret, q->secret));
	if (q->what == DOMT_UNSEAL) {
		assert_true(same(r->blob, q->blob));
		assert_int_equal(r->napprovals, q->napprovals);
		for (size_t i = 0; i < q->napprovals; i++)
			assert_true(same(r->approval[i], q->approval[i]));
	}
	assert_int_equal(r->length, q->what == DOMT_RANDOM ? q->length : 0);
	assert_int_equal(r->place, anchor ? q->place : 0);
	if (q->what == DOMT_DEFINE || q->what == DOMT_EXTEND)
		assert_true(same(r->digest, q->digest));
	else
		assert_null(r->digest.data);
}

static void
test_questions(void **state)
{
	(void)state;
	for (int what = DOMT_SEAL; what < DOMT_WHATS; what++) {
		struct domt_question q = question((enum domt_what)what), r;
		struct buf b;

		assert_true(there_and_back(&q, &b, &r));
		compare(&q, &r);
		for (size_t len = 0; len < b.len; len++)
			assert_false(read_question(&b, len, &r));
		buf_put_u8(&b, 0);
		assert_false(read_question(&b, b.len, &r));
		buf_free(&b);
	}
}

static void
expect_question(const struct domt_question *q, bool good)
{
	struct domt_question r;
	struct buf b;

	assert_int_equal(there_and_back(q, &b, &r), good);
	buf_free(&b);
}

/* What passes at its bound, and not beyond. */
static void
test_bounds_of_questions(void **state)
{
	struct domt_question q = question(DOMT_SEAL);

	(void)state;
	for (size_t more = 0; more < 2; more++) {
		q = question(DOMT_SEAL);
		q.secret = bytes(TPM_KEY_MAX + more);
		expect_question(&q, more == 0);
		q.secret = bytes(1 - more);
		expect_question(&q, more == 0);
		q = question(DOMT_SEAL);
		q.authority = bytes(DOMT_AUTHORITY_MAX + more);
		expect_question(&q, more == 0);
		q = question(DOMT_UNSEAL);
		q.blob = bytes(TPM_BLOB_MAX + more);
		expect_question(&q, more == 0);
		q.blob = bytes(1 - more);
		expect_question(&q, more == 0);
		q = question(DOMT_UNSEAL);
		q.approval[0] = bytes(DOMT_APPROVAL_MAX + more);
		expect_question(&q, more == 0);
		q.approval[0] = bytes(1 - more);
		expect_question(&q, more == 0);
		q = question(DOMT_RANDOM);
		q.length = DOMT_RANDOM_MAX + (uint32_t)more;
		expect_question(&q, more == 0);
		q.length = 1 - (uint32_t)more;
		expect_question(&q, more == 0);
		for (int what = DOMT_DEFINE; what < DOMT_WHATS; what++) {
			q = question((enum domt_what)what);
			q.place += (uint32_t)more;
			expect_question(&q, more == 0);
			q = question((enum domt_what)what);
			q.secret.len += more;
			expect_question(&q, more == 0);
			q.secret.len -= 2 * more;
			expect_question(&q, more == 0);
		}
	}
	q = question(DOMT_EXTEND);
	q.digest.len--;
	expect_question(&q, false);
}

static void
test_unknown_question(void **state)
{
	struct domt_question r;
	struct buf b;

	(void)state;
	for (int what = 0; what < 256; what++) {
		buf_init(&b, 16);
		buf_put_u64(&b, 1);
		buf_put_u8(&b, (uint8_t)what);
		assert_int_equal(read_question(&b, b.len, &r), what == DOMT_DIGEST_OF_IMAGE);
		buf_free(&b);
	}
}

/* More approvals than there may be: none of them is looked at. */
static void
test_many_approvals(void **state)
{
	const uint64_t counts[] = {DOMT_APPROVALS, DOMT_APPROVALS + 1, UINT64_MAX};
	struct domt_question r;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		buf_init(&b, DOMT_MESSAGE_MAX);
		buf_put_u64(&b, 1);
		buf_put_u8(&b, DOMT_UNSEAL);
		buf_put_bytes(&b, data, 1);
		buf_put_u64(&b, counts[i]);
		for (size_t j = 0; j < DOMT_APPROVALS + 1 && j < counts[i]; j++)
			buf_put_bytes(&b, data, 1);
		assert_int_equal(read_question(&b, b.len, &r), i == 0);
		buf_free(&b);
	}
}

static void
test_ref_too_long(void **state)
{
	char ref[TPM_REF_MAX + 2];
	struct domt_question r;
	struct buf b;

	(void)state;
	memset(ref, 'r', sizeof(ref));
	ref[TPM_REF_MAX + 1] = '\0';
	for (size_t i = 0; i < 2; i++) {
		buf_init(&b, DOMT_MESSAGE_MAX);
		buf_put_u64(&b, 1);
		buf_put_u8(&b, DOMT_SEAL);
		buf_put_str(&b, ref + 1 - i);
		buf_put_bytes(&b, NULL, 0);
		buf_put_bytes(&b, data, 32);
		assert_int_equal(read_question(&b, b.len, &r), i == 0);
		buf_free(&b);
	}
}

static struct domt_answer
answer(enum domt_what what)
{
	struct domt_answer a = {.number = 77,
	    .what = what,
	    .result = TPM_OK,
	    .bytes = bytes(DOMT_DIGEST),
	    .updated = true,
	    .value = {.count = 0x8877665544332211}};

	memset(a.value.value, 0x5a, sizeof(a.value.value));
	return a;
}

static bool
read_answer(const struct buf *b, size_t len, enum domt_what what, struct domt_answer *ret)
{
	struct buf in;

	buf_view(&in, b->data, len);
	return domt_answer_read(&in, what, ret);
}

static bool
answer_and_back(const struct domt_answer *a, struct buf *b, struct domt_answer *ret)
{
	buf_init(b, DOMT_MESSAGE_MAX);
	domt_answer_write(b, a);
	assert_true(buf_ok(b));
	return read_answer(b, b->len, a->what, ret);
}

static void
test_answers(void **state)
{
	(void)state;
	for (int what = DOMT_SEAL; what < DOMT_WHATS; what++) {
		struct domt_answer a = answer((enum domt_what)what), r;
		bool has_bytes = what <= DOMT_DIGEST_OF_IMAGE;
		struct buf b;

		assert_true(answer_and_back(&a, &b, &r));
		assert_int_equal(r.number, 77);
		assert_int_equal(r.result, TPM_OK);
		assert_int_equal(r.what, what);
		if (has_bytes)
			assert_true(same(r.bytes, a.bytes));
		assert_int_equal(r.updated, what == DOMT_UNSEAL);
		if (what == DOMT_READ)
			assert_memory_equal(&r.value, &a.value, sizeof(a.value));
		for (size_t len = 0; len < b.len; len++)
			assert_false(read_answer(&b, len, (enum domt_what)what, &r));
		buf_put_u8(&b, 0);
		assert_false(read_answer(&b, b.len, (enum domt_what)what, &r));
		buf_free(&b);
	}
}

static void
test_refusals(void **state)
{
	(void)state;
	for (int what = DOMT_SEAL; what < DOMT_WHATS; what++)
		for (int result = TPM_ABSENT; result <= TPM_FAILED; result++) {
			struct domt_answer a = answer((enum domt_what)what), r;
			struct buf b;

			a.result = (enum tpm_result)result;
			snprintf(a.why, sizeof(a.why), "it is so (%d)", result);
			assert_true(answer_and_back(&a, &b, &r));
			assert_int_equal(r.result, result);
			assert_string_equal(r.why, a.why);
			assert_null(r.bytes.data);
			for (size_t len = 0; len < b.len; len++)
				assert_false(read_answer(&b, len, (enum domt_what)what, &r));
			buf_free(&b);
		}
}

static void
expect_answer(const struct domt_answer *a, bool good)
{
	struct domt_answer r;
	struct buf b;

	assert_int_equal(answer_and_back(a, &b, &r), good);
	buf_free(&b);
}

static void
test_bounds_of_answers(void **state)
{
	static const struct {
		enum domt_what what;
		size_t least, most;
	} bound[] = {{DOMT_SEAL, 1, TPM_BLOB_MAX}, {DOMT_UNSEAL, 1, TPM_KEY_MAX},
	    {DOMT_RANDOM, 1, DOMT_RANDOM_MAX},
	    {DOMT_DIGEST_OF_IMAGE, DOMT_DIGEST, DOMT_DIGEST}};

	(void)state;
	for (size_t i = 0; i < sizeof(bound) / sizeof(bound[0]); i++) {
		struct domt_answer a = answer(bound[i].what);

		a.bytes = bytes(bound[i].least);
		expect_answer(&a, true);
		a.bytes = bytes(bound[i].least - 1);
		expect_answer(&a, false);
		a.bytes = bytes(bound[i].most);
		expect_answer(&a, true);
		a.bytes = bytes(bound[i].most + 1);
		expect_answer(&a, false);
	}
}

/* A result that there is not, an "updated" that is neither, a text that is too long or has
 * a NUL in it. */
static void
test_odd_answers(void **state)
{
	char why[TPM_ERROR_MAX + 1];
	struct domt_answer r;
	struct buf b;

	(void)state;
	buf_init(&b, DOMT_MESSAGE_MAX);
	for (int result = TPM_FAILED; result < 256; result++) {
		buf_reset(&b);
		buf_put_u64(&b, 1);
		buf_put_u8(&b, (uint8_t)result);
		buf_put_str(&b, "no");
		assert_int_equal(
		    read_answer(&b, b.len, DOMT_SEAL, &r), result == TPM_FAILED);
	}
	for (uint8_t updated = 1; updated < 3; updated++) {
		buf_reset(&b);
		buf_put_u64(&b, 1);
		buf_put_u8(&b, TPM_OK);
		buf_put_u8(&b, updated);
		buf_put_bytes(&b, data, 32);
		assert_int_equal(read_answer(&b, b.len, DOMT_UNSEAL, &r), updated == 1);
	}
	memset(why, 'w', sizeof(why));
	for (size_t len = TPM_ERROR_MAX - 1; len <= TPM_ERROR_MAX; len++) {
		buf_reset(&b);
		buf_put_u64(&b, 1);
		buf_put_u8(&b, TPM_BUSY);
		buf_put_bytes(&b, why, len);
		assert_int_equal(
		    read_answer(&b, b.len, DOMT_COUNT, &r), len == TPM_ERROR_MAX - 1);
	}
	why[3] = '\0';
	buf_reset(&b);
	buf_put_u64(&b, 1);
	buf_put_u8(&b, TPM_BUSY);
	buf_put_bytes(&b, why, 10);
	assert_false(read_answer(&b, b.len, DOMT_COUNT, &r));
	buf_free(&b);
}

/* The longest question fits a message. */
static void
test_longest(void **state)
{
	struct domt_question q = question(DOMT_UNSEAL);

	(void)state;
	q.blob = bytes(TPM_BLOB_MAX);
	for (q.napprovals = 0; q.napprovals < DOMT_APPROVALS; q.napprovals++)
		q.approval[q.napprovals] = bytes(DOMT_APPROVAL_MAX);
	expect_question(&q, true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_questions),
	    cmocka_unit_test(test_bounds_of_questions),
	    cmocka_unit_test(test_unknown_question), cmocka_unit_test(test_many_approvals),
	    cmocka_unit_test(test_ref_too_long), cmocka_unit_test(test_answers),
	    cmocka_unit_test(test_refusals), cmocka_unit_test(test_bounds_of_answers),
	    cmocka_unit_test(test_odd_answers), cmocka_unit_test(test_longest)};

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + i / 256);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
