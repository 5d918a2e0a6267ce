/* test_tpm_msg.c - what vsmd-store and vsmd-tpm say to each other, and what makes no sense */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/ipc.h"
#include "vsmd/store/tpm_msg.h"

static const uint8_t key[CRYPT_KEY] = "a key", secret[TPM_ANCHOR_LEN] = "a secret",
		     digest[TPM_ANCHOR_LEN] = "a digest";
static const uint8_t blob[] = "a blob";

static const struct seal_ask reseal = {.key = key, .blob = blob, .blob_len = 6, .ref = "ref"};

/* One of each kind, and whether it is one of them when it is read. */
static void
put_seal_ask(struct buf *b)
{
	seal_ask_write(b, &reseal);
}

static bool
is_seal_ask(struct buf *b)
{
	struct seal_ask a;

	return seal_ask_read(b, &a) && memcmp(a.key, key, CRYPT_KEY) == 0 && a.blob_len == 6 &&
	    memcmp(a.blob, blob, 6) == 0 && a.values_len == 0 && strcmp(a.ref, "ref") == 0;
}

static void
put_seal_answer(struct buf *b)
{
	const struct seal_answer a = {.ok = true, .blob = blob, .blob_len = 6};

	seal_answer_write(b, &a);
}

static bool
is_seal_answer(struct buf *b)
{
	struct seal_answer a;

	return seal_answer_read(b, &a) && a.ok && a.blob_len == 6 && memcmp(a.blob, blob, 6) == 0;
}

static void
put_seal_refusal(struct buf *b)
{
	const struct seal_answer a = {.why = "busy"};

	seal_answer_write(b, &a);
}

static bool
is_seal_refusal(struct buf *b)
{
	struct seal_answer a;

	return seal_answer_read(b, &a) && !a.ok && strcmp(a.why, "busy") == 0;
}

static void
put_anchor_ask(struct buf *b)
{
	const struct anchor_ask a = {.number = 7,
	    .what = ANCHOR_EXTEND,
	    .blob = blob,
	    .blob_len = 6,
	    .place = 9,
	    .secret = secret,
	    .digest = digest};

	anchor_ask_write(b, &a);
}

static bool
is_anchor_ask(struct buf *b)
{
	struct anchor_ask a;

	return anchor_ask_read(b, &a) && a.number == 7 && a.what == ANCHOR_EXTEND &&
	    a.blob_len == 6 && a.place == 9 && memcmp(a.secret, secret, sizeof(secret)) == 0 &&
	    memcmp(a.digest, digest, sizeof(digest)) == 0;
}

static void
put_anchor_answer(struct buf *b)
{
	struct anchor_answer a = {.number = 7,
	    .result = TPM_UNANCHORED,
	    .value.count = 3,
	    .name = "NV index",
	    .why = "not there"};

	memcpy(a.value.value, digest, sizeof(digest));
	anchor_answer_write(b, &a);
}

static bool
is_anchor_answer(struct buf *b)
{
	struct anchor_answer a;

	return anchor_answer_read(b, &a) && a.number == 7 && a.result == TPM_UNANCHORED &&
	    a.value.count == 3 && memcmp(a.value.value, digest, sizeof(digest)) == 0 &&
	    strcmp(a.name, "NV index") == 0 && strcmp(a.why, "not there") == 0;
}

static const struct {
	void (*put)(struct buf *b);
	bool (*is)(struct buf *b);
} kinds[] = {
    {put_seal_ask, is_seal_ask},
    {put_seal_answer, is_seal_answer},
    {put_seal_refusal, is_seal_refusal},
    {put_anchor_ask, is_anchor_ask},
    {put_anchor_answer, is_anchor_answer},
};

/* As it was written; not when it is shorter or longer. */
static void
each_is_read_as_it_was_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct buf b, v;

		buf_init(&b, IPC_MAX);
		kinds[i].put(&b);
		assert_true(buf_ok(&b));
		buf_view(&v, b.data, b.len);
		assert_true(kinds[i].is(&v));
		for (size_t len = 0; len < b.len; len++) {
			buf_view(&v, b.data, len);
			assert_false(kinds[i].is(&v));
		}
		buf_put_u8(&b, 0);
		buf_view(&v, b.data, b.len);
		assert_false(kinds[i].is(&v));
		buf_free(&b);
	}
}

static void
a_key_of_another_size(void **state)
{
	struct seal_ask a;
	struct buf b;

	(void)state;
	buf_init(&b, IPC_MAX);
	buf_put_bytes(&b, key, CRYPT_KEY - 1);
	buf_put_bytes(&b, blob, 6);
	buf_put_bytes(&b, NULL, 0);
	buf_put_str(&b, "ref");
	assert_false(seal_ask_read(&b, &a));
	buf_free(&b);
}

static bool
reads_anchor_ask(uint8_t what, uint32_t place, size_t secret_len, size_t digest_len)
{
	struct anchor_ask a;
	struct buf b;
	bool ok;

	buf_init(&b, IPC_MAX);
	buf_put_u64(&b, 1);
	buf_put_u8(&b, what);
	buf_put_bytes(&b, blob, 6);
	buf_put_u32(&b, place);
	buf_put_bytes(&b, secret, secret_len);
	buf_put_bytes(&b, digest, digest_len);
	ok = anchor_ask_read(&b, &a);
	buf_free(&b);
	return ok;
}

static void
what_is_asked_of_the_anchor(void **state)
{
	(void)state;
	assert_true(reads_anchor_ask(ANCHOR_READ, 0, 32, 0));
	assert_true(reads_anchor_ask(ANCHOR_COUNT, 0, 32, 0));
	assert_true(reads_anchor_ask(ANCHOR_DEFINE, TPM_ANCHOR_PLACES - 1, 32, 32));
	assert_false(reads_anchor_ask(ANCHOR_DEFINE, TPM_ANCHOR_PLACES, 32, 32));
	assert_false(reads_anchor_ask(0, 0, 32, 0));
	assert_false(reads_anchor_ask(ANCHOR_COUNT + 1, 0, 32, 0));
	assert_false(reads_anchor_ask(ANCHOR_READ, 0, 31, 0));
	assert_false(reads_anchor_ask(ANCHOR_READ, 0, 32, 32));
	assert_false(reads_anchor_ask(ANCHOR_EXTEND, 0, 32, 0));
}

static void
a_result_that_is_none(void **state)
{
	struct anchor_answer a;
	struct buf b;

	(void)state;
	buf_init(&b, IPC_MAX);
	put_anchor_answer(&b);
	b.data[8] = TPM_FAILED + 1;
	assert_false(anchor_answer_read(&b, &a));
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_is_read_as_it_was_written),
	    cmocka_unit_test(a_key_of_another_size),
	    cmocka_unit_test(what_is_asked_of_the_anchor),
	    cmocka_unit_test(a_result_that_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
