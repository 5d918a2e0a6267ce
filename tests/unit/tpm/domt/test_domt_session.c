/* test_domt_session.c - two ends of a session, and everything that is done to what they say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tpm/domt/session.h"

static const uint8_t secret[DOMT_IDENTITY] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
static const uint8_t another[DOMT_IDENTITY] = {9, 8, 7};

/* Both ends, and the frames that they said at first. */
struct ends {
	struct domt_session *c, *t; /* DomC's, DomT's */
	struct buf ask, begin;
};

/* The next frame of what was said, without its length. */
static void
frame(const struct buf *said, size_t off, struct buf *ret)
{
	struct buf b;
	uint32_t len;

	buf_view(&b, said->data + off, said->len - off);
	len = buf_get_u32(&b);
	assert_true(buf_ok(&b) && len <= buf_left(&b));
	buf_view(ret, said->data + off + 4, len);
}

static void
start(struct ends *e)
{
	struct buf in;

	memset(e, 0, sizeof(*e));
	buf_init(&e->ask, 4096);
	buf_init(&e->begin, 4096);
	assert_non_null(e->c = domt_session_ask(&e->ask));
	assert_int_equal(e->ask.len, 4 + 38);
	frame(&e->ask, 0, &in);
	assert_non_null(e->t = domt_session_accept(secret, &in, &e->begin));
	assert_int_equal(e->begin.len, 4 + 66);
}

static enum tpm_result
begin(struct ends *e, const uint8_t *pinned, uint8_t ret_identity[DOMT_IDENTITY])
{
	struct buf in;

	frame(&e->begin, 0, &in);
	return domt_session_begin(e->c, &in, pinned, ret_identity);
}

static void
end(struct ends *e)
{
	domt_session_free(e->c);
	domt_session_free(e->t);
	buf_free(&e->ask);
	buf_free(&e->begin);
}

static void
start_ready(struct ends *e)
{
	uint8_t identity[DOMT_IDENTITY];

	start(e);
	assert_int_equal(begin(e, NULL, identity), TPM_OK);
}

/* What `to` makes of a frame. */
static bool
hears(struct domt_session *to, const struct buf *said, size_t off, const void *text, size_t len)
{
	struct buf in, out;
	bool ok;

	buf_init(&out, DOMT_MESSAGE_MAX + 8);
	buf_put_raw(&out, "before", 6);
	frame(said, off, &in);
	ok = domt_session_open(to, in.data, in.len, &out);
	if (ok) {
		assert_int_equal(out.len, 6 + len);
		assert_memory_equal(out.data + 6, text, len);
	} else {
		assert_int_equal(out.len, 6); /* nothing was accepted of it */
	}
	buf_free(&out);
	return ok;
}

static void
say(struct domt_session *from, const char *text, struct buf *b)
{
	assert_true(domt_session_seal(from, text, strlen(text), b));
}

static void
test_there_and_back(void **state)
{
	uint8_t identity[DOMT_IDENTITY], seen[DOMT_IDENTITY];
	struct ends e;
	struct buf b;

	(void)state;
	assert_true(domt_identity(secret, identity));
	start(&e);
	assert_int_equal(begin(&e, identity, seen), TPM_OK);
	assert_memory_equal(seen, identity, DOMT_IDENTITY);
	buf_init(&b, 1 << 20);
	for (int i = 0; i < 300; i++) {
		buf_reset(&b);
		say(e.c, "a question", &b);
		assert_int_equal(b.len, 4 + 10 + DOMT_TAG);
		assert_null(memmem(b.data, b.len, "question", 8));
		assert_true(hears(e.t, &b, 0, "a question", 10));
		buf_reset(&b);
		say(e.t, "the answer to it", &b);
		assert_true(hears(e.c, &b, 0, "the answer to it", 16));
	}
	buf_free(&b);
	end(&e);
}

static void
test_longest(void **state)
{
	static uint8_t text[DOMT_MESSAGE_MAX + 1];
	struct ends e;
	struct buf b;

	(void)state;
	start_ready(&e);
	memset(text, 'x', sizeof(text));
	buf_init(&b, 1 << 20);
	assert_false(domt_session_seal(e.c, text, sizeof(text), &b));
	assert_false(domt_session_seal(e.c, text, 0, &b));
	assert_int_equal(b.len, 0);
	assert_true(domt_session_seal(e.c, text, DOMT_MESSAGE_MAX, &b));
	assert_int_equal(b.len, 4 + DOMT_FRAME_MAX);
	assert_true(hears(e.t, &b, 0, text, DOMT_MESSAGE_MAX));
	buf_free(&b);
	end(&e);
}

/* Who begins with another identity than the one that is pinned. */
static void
test_wrong_identity(void **state)
{
	uint8_t identity[DOMT_IDENTITY], other[DOMT_IDENTITY];
	struct ends e;
	struct buf b;

	(void)state;
	assert_true(domt_identity(another, other));
	start(&e);
	assert_int_equal(begin(&e, other, identity), TPM_FOREIGN);
	buf_init(&b, 4096);
	assert_false(domt_session_seal(e.c, "x", 1, &b));
	assert_int_equal(begin(&e, NULL, identity), TPM_FAILED); /* it is over */
	buf_free(&b);
	end(&e);
}

/* Who says that he has the identity, and has not got its secret. */
static void
test_borrowed_identity(void **state)
{
	uint8_t identity[DOMT_IDENTITY], seen[DOMT_IDENTITY];
	struct buf in, b;
	struct ends e;

	(void)state;
	assert_true(domt_identity(secret, identity));
	start(&e);
	domt_session_free(e.t);
	buf_reset(&e.begin);
	frame(&e.ask, 0, &in);
	assert_non_null(e.t = domt_session_accept(another, &in, &e.begin));
	memcpy(e.begin.data + 4 + 2, identity, DOMT_IDENTITY);
	assert_int_equal(begin(&e, identity, seen), TPM_OK);
	buf_init(&b, 4096);
	say(e.t, "an answer", &b);
	assert_false(hears(e.c, &b, 0, "an answer", 9));
	end(&e);
	buf_free(&b);
}

/* Every bit of both first frames: refused, or the keys of the two ends differ. */
static void
test_tampered_beginning(void **state)
{
	uint8_t identity[DOMT_IDENTITY];
	struct ends e;
	struct buf in, b;

	(void)state;
	buf_init(&b, 4096);
	for (size_t bit = 0; bit < (size_t)38 * 8; bit++) {
		struct buf ask;

		start(&e);
		domt_session_free(e.t);
		buf_reset(&e.begin);
		buf_init(&ask, 4096);
		buf_put_raw(&ask, e.ask.data, e.ask.len);
		ask.data[4 + bit / 8] ^= (uint8_t)(1 << bit % 8);
		frame(&ask, 0, &in);
		e.t = domt_session_accept(secret, &in, &e.begin);
		assert_int_equal(e.t != NULL, bit >= (size_t)6 * 8);
		if (e.t != NULL && begin(&e, NULL, identity) == TPM_OK) {
			buf_reset(&b);
			say(e.c, "hello", &b);
			assert_false(hears(e.t, &b, 0, "hello", 5));
		}
		buf_free(&ask);
		end(&e);
	}
	for (size_t bit = 0; bit < (size_t)66 * 8; bit++) {
		start(&e);
		e.begin.data[4 + bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (begin(&e, NULL, identity) == TPM_OK) {
			assert_true(bit >= 16);
			buf_reset(&b);
			say(e.t, "hello", &b);
			assert_false(hears(e.c, &b, 0, "hello", 5));
		}
		end(&e);
	}
	buf_free(&b);
}

static void
test_cut_beginning(void **state)
{
	uint8_t identity[DOMT_IDENTITY], longer[80] = {0};
	struct buf in, out;
	struct ends e;

	(void)state;
	start(&e);
	buf_init(&out, 4096);
	for (size_t len = 0; len < 38; len++) {
		buf_view(&in, e.ask.data + 4, len);
		assert_null(domt_session_accept(secret, &in, &out));
	}
	memcpy(longer, e.ask.data + 4, 38);
	buf_view(&in, longer, 39);
	assert_null(domt_session_accept(secret, &in, &out));
	assert_int_equal(out.len, 0);
	for (size_t len = 0; len < 66; len++) {
		buf_view(&in, e.begin.data + 4, len);
		assert_int_equal(domt_session_begin(e.c, &in, NULL, identity), TPM_FAILED);
	}
	memcpy(longer, e.begin.data + 4, 66);
	buf_view(&in, longer, 67);
	assert_int_equal(domt_session_begin(e.c, &in, NULL, identity), TPM_FAILED);
	assert_int_equal(begin(&e, NULL, identity), TPM_OK);
	assert_int_equal(begin(&e, NULL, identity), TPM_FAILED); /* once */
	buf_free(&out);
	end(&e);
}

/* A point whose product with every secret is the same. */
static void
test_small_order(void **state)
{
	static const uint8_t points[][32] = {{0}, {1},
	    {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1,
		0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62,
		0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00}};
	uint8_t identity[DOMT_IDENTITY];
	struct buf in, out;
	struct ends e;

	(void)state;
	buf_init(&out, 4096);
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		start(&e);
		memcpy(e.ask.data + 4 + 6, points[i], 32);
		frame(&e.ask, 0, &in);
		assert_null(domt_session_accept(secret, &in, &out));
		assert_int_equal(out.len, 0);
		memcpy(e.begin.data + 4 + 2 + (i % 2 ? 32 : 0), points[i], 32);
		assert_int_equal(begin(&e, NULL, identity), TPM_FAILED);
		end(&e);
	}
	buf_free(&out);
}

static void
test_tampered_message(void **state)
{
	struct ends e;
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	for (size_t bit = 0; bit < (size_t)(5 + DOMT_TAG) * 8; bit++) {
		start_ready(&e);
		buf_reset(&b);
		say(e.c, "hello", &b);
		say(e.c, "again", &b);
		b.data[4 + bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(hears(e.t, &b, 0, "hello", 5));
		/* It is over, also for what is right. */
		b.data[4 + bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(hears(e.t, &b, 0, "hello", 5));
		assert_false(hears(e.t, &b, 4 + 5 + DOMT_TAG, "again", 5));
		assert_false(domt_session_seal(e.t, "x", 1, &b));
		end(&e);
	}
	buf_free(&b);
}

static void
test_cut_message(void **state)
{
	struct ends e;
	struct buf b, out;

	(void)state;
	buf_init(&b, 4096);
	buf_init(&out, 4096);
	for (size_t len = 0; len < 5 + DOMT_TAG; len++) {
		start_ready(&e);
		buf_reset(&b);
		say(e.c, "hello", &b);
		assert_false(domt_session_open(e.t, b.data + 4, len, &out));
		end(&e);
	}
	start_ready(&e);
	buf_reset(&b);
	say(e.c, "hello", &b);
	buf_put_u8(&b, 0);
	assert_false(domt_session_open(e.t, b.data + 4, b.len - 4, &out));
	assert_int_equal(out.len, 0);
	end(&e);
	buf_free(&b);
	buf_free(&out);
}

static void
test_replayed(void **state)
{
	struct ends e;
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	start_ready(&e);
	say(e.c, "hello", &b);
	assert_true(hears(e.t, &b, 0, "hello", 5));
	assert_false(hears(e.t, &b, 0, "hello", 5));
	end(&e);
	buf_free(&b);
}

static void
test_reordered(void **state)
{
	struct ends e;
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	start_ready(&e);
	say(e.c, "first", &b);
	say(e.c, "other", &b);
	assert_false(hears(e.t, &b, 4 + 5 + DOMT_TAG, "other", 5));
	end(&e);
	buf_free(&b);
}

/* A message does not open on the side that said it, nor in another session with the same. */
static void
test_elsewhere(void **state)
{
	struct ends e, f;
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	start_ready(&e);
	start_ready(&f);
	say(e.c, "hello", &b);
	assert_false(hears(e.c, &b, 0, "hello", 5));
	assert_false(hears(f.t, &b, 0, "hello", 5));
	assert_true(hears(e.t, &b, 0, "hello", 5));
	end(&e);
	end(&f);
	buf_free(&b);
}

/* Nothing is sealed or opened before the keys are there. */
static void
test_before(void **state)
{
	struct ends e;
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	start(&e);
	assert_false(domt_session_seal(e.c, "x", 1, &b));
	say(e.t, "hello", &b);
	assert_false(hears(e.c, &b, 0, "hello", 5));
	end(&e);
	buf_free(&b);
}

static void
test_no_room(void **state)
{
	struct buf small, in, b;
	struct ends e;

	(void)state;
	buf_init(&small, 16);
	assert_null(domt_session_ask(&small));
	buf_free(&small);
	start(&e);
	buf_init(&small, 16);
	frame(&e.ask, 0, &in);
	assert_null(domt_session_accept(secret, &in, &small));
	end(&e);
	buf_free(&small);
	start_ready(&e);
	buf_init(&small, 16);
	buf_init(&b, 4096);
	say(e.c, "hello world", &b);
	assert_false(domt_session_seal(e.c, "hello world", 11, &small));
	buf_free(&small);
	buf_init(&small, 4);
	assert_false(domt_session_open(e.t, b.data + 4, b.len - 4, &small));
	domt_session_free(NULL);
	end(&e);
	buf_free(&small);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_there_and_back),
	    cmocka_unit_test(test_longest), cmocka_unit_test(test_wrong_identity),
	    cmocka_unit_test(test_borrowed_identity),
	    cmocka_unit_test(test_tampered_beginning), cmocka_unit_test(test_cut_beginning),
	    cmocka_unit_test(test_small_order), cmocka_unit_test(test_tampered_message),
	    cmocka_unit_test(test_cut_message), cmocka_unit_test(test_replayed),
	    cmocka_unit_test(test_reordered), cmocka_unit_test(test_elsewhere),
	    cmocka_unit_test(test_before), cmocka_unit_test(test_no_room)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
