/* test_fetch.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/fetch.h"

static const uint8_t id[2][MSG_ID_LEN] = {"the first", "the second"};

/* One attribute. */
static void
put_attr(struct buf *b, CK_ATTRIBUTE_TYPE type, const void *value, size_t len)
{
	buf_put_u64(b, type);
	buf_put_bytes(b, value, len);
}

static void
put_head(struct buf *b, CK_RV rv, uint8_t more, uint32_t count)
{
	buf_init(b, 8 << 20);
	buf_put_u64(b, rv);
	buf_put_u64(b, 12);
	if (rv != CKR_OK)
		return;
	buf_put_u8(b, more);
	buf_put_u32(b, count);
}

static void
put_object(struct buf *b, CK_OBJECT_HANDLE handle, const uint8_t *name, const void *attrs,
    size_t len)
{
	buf_put_u64(b, handle);
	buf_put_raw(b, name, MSG_ID_LEN);
	buf_put_bytes(b, attrs, len);
}

/* Two objects: one with two attributes, one with none. */
static void
put_two(struct buf *b, uint8_t more)
{
	struct buf attrs;

	buf_init(&attrs, 4096);
	put_attr(&attrs, CKA_LABEL, "label", 5);
	put_attr(&attrs, CKA_ID, "", 0);
	put_head(b, CKR_OK, more, 2);
	put_object(b, 7, id[0], attrs.data, attrs.len);
	put_object(b, 9, id[1], NULL, 0);
	buf_free(&attrs);
	assert_true(buf_ok(b));
}

/* From memory of exactly this size. */
static bool
read_bytes(const uint8_t *p, size_t len)
{
	uint8_t *exact = malloc(len ? len : 1);
	struct fetched got;
	struct arena arena;
	struct buf b;
	bool ok;

	assert_non_null(exact);
	if (len > 0)
		memcpy(exact, p, len);
	arena_init(&arena, 1 << 20);
	buf_view(&b, exact, len);
	ok = fetched_read(&b, &got, &arena);
	arena_free(&arena);
	free(exact);
	return ok;
}

static bool
read_and_free(struct buf *b)
{
	bool ok;

	assert_true(buf_ok(b));
	ok = read_bytes(b->data, b->len);
	buf_free(b);
	return ok;
}

static void
test_round_trip(void **state)
{
	const uint8_t *value;
	struct fetched got;
	struct arena arena;
	struct buf b;
	size_t len;

	(void)state;
	for (uint8_t more = 0; more < 2; more++) {
		arena_init(&arena, 1 << 20);
		put_two(&b, more);
		assert_true(fetched_read(&b, &got, &arena));
		assert_int_equal(got.rv, CKR_OK);
		assert_int_equal(got.epoch, 12);
		assert_int_equal(got.more, more);
		assert_int_equal(got.count, 2);
		assert_int_equal(got.objects[0].ref.handle, 7);
		assert_memory_equal(got.objects[0].ref.id, id[0], MSG_ID_LEN);
		assert_true(fetched_attr(
		    got.objects[0].attrs, got.objects[0].len, CKA_LABEL, &value, &len));
		assert_int_equal(len, 5);
		assert_memory_equal(value, "label", 5);
		assert_int_equal(got.objects[1].ref.handle, 9);
		assert_memory_equal(got.objects[1].ref.id, id[1], MSG_ID_LEN);
		assert_int_equal(got.objects[1].len, 0);
		arena_free(&arena);
		buf_free(&b);
	}
}

static void
test_nothing_found(void **state)
{
	struct buf b;

	(void)state;
	put_head(&b, CKR_OK, 0, 0);
	assert_true(read_and_free(&b));
}

/* The code and the epoch, and no more. */
static void
test_refusal(void **state)
{
	struct fetched got;
	struct arena arena;
	struct buf b;

	(void)state;
	arena_init(&arena, 1 << 20);
	put_head(&b, CKR_OPERATION_ACTIVE, 0, 0);
	assert_true(fetched_read(&b, &got, &arena));
	assert_int_equal(got.rv, CKR_OPERATION_ACTIVE);
	assert_int_equal(got.epoch, 12);
	assert_int_equal(got.count, 0);
	buf_put_u8(&b, 0);
	assert_false(read_and_free(&b));
	arena_free(&arena);
}

static void
test_every_truncation(void **state)
{
	struct buf b;

	(void)state;
	put_two(&b, 0);
	for (size_t len = 0; len < b.len; len++)
		assert_false(read_bytes(b.data, len));
	assert_true(read_bytes(b.data, b.len));
	buf_put_u8(&b, 0);
	assert_false(read_and_free(&b));
	put_head(&b, CKR_HOST_MEMORY, 0, 0);
	for (size_t len = 0; len < b.len; len++)
		assert_false(read_bytes(b.data, len));
	buf_free(&b);
}

static void
test_more_is_yes_or_no(void **state)
{
	struct buf b;

	(void)state;
	for (unsigned more = 2; more < 256; more++) {
		put_two(&b, (uint8_t)more);
		assert_false(read_and_free(&b));
	}
}

/* n objects without attributes, of which the count says `count`. */
static bool
many(uint32_t n, uint32_t count)
{
	struct buf b;

	put_head(&b, CKR_OK, 0, count);
	for (uint32_t i = 0; i < n; i++)
		put_object(&b, i + 1, id[0], NULL, 0);
	return read_and_free(&b);
}

static void
test_count(void **state)
{
	(void)state;
	assert_true(many(FETCH_MAX, FETCH_MAX));
	assert_false(many(FETCH_MAX + 1, FETCH_MAX + 1));
	assert_false(many(3, 2));
	assert_false(many(3, 4));
	assert_false(many(0, 1));
	assert_false(many(0, FETCH_MAX));
	assert_false(many(3, UINT32_MAX));
}

/* As many bytes of attributes as there may be, and one more. */
static void
test_bytes(void **state)
{
	uint8_t *attrs = calloc(1, FETCH_BYTES);
	struct buf b;

	(void)state;
	assert_non_null(attrs);
	for (size_t extra = 0; extra < 2; extra++) {
		put_head(&b, CKR_OK, 0, 3);
		put_object(&b, 1, id[0], attrs, FETCH_BYTES - 5);
		put_object(&b, 2, id[0], attrs, 5);
		put_object(&b, 3, id[0], attrs, extra);
		assert_int_equal(read_and_free(&b), extra == 0);
	}
	/* Lengths that are none. */
	for (unsigned bit = 20; bit < 64; bit++) {
		put_head(&b, CKR_OK, 0, 2);
		put_object(&b, 1, id[0], NULL, 0);
		buf_put_u64(&b, 1);
		buf_put_raw(&b, id[0], MSG_ID_LEN);
		buf_put_u64(&b, UINT64_C(1) << bit);
		buf_put_raw(&b, attrs, 100);
		assert_false(read_and_free(&b));
	}
	free(attrs);
}

/* An arena that is too small for the objects. */
static void
test_no_memory(void **state)
{
	struct fetched got;
	struct arena arena;
	struct buf b;

	(void)state;
	arena_init(&arena, 16);
	put_two(&b, 0);
	assert_false(fetched_read(&b, &got, &arena));
	arena_free(&arena);
	buf_free(&b);
}

/* Is it found in memory of exactly this size? */
static bool
finds(const uint8_t *p, size_t len, CK_ATTRIBUTE_TYPE type, const void *want, size_t want_len)
{
	uint8_t *exact = malloc(len ? len : 1);
	const uint8_t *value = NULL;
	size_t value_len = 0;
	bool ok;

	assert_non_null(exact);
	if (len > 0)
		memcpy(exact, p, len);
	ok = fetched_attr(exact, len, type, &value, &value_len);
	if (ok) {
		assert_int_equal(value_len, want_len);
		if (want_len > 0) {
			assert_true(value >= exact && value + value_len <= exact + len);
			assert_memory_equal(value, want, want_len);
		}
	}
	free(exact);
	return ok;
}

static void
test_attributes_are_found(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	put_attr(&b, CKA_LABEL, "label", 5);
	put_attr(&b, CKA_ID, NULL, 0);
	put_attr(&b, CKA_SUBJECT, "subject", 7);
	put_attr(&b, CKA_LABEL, "another", 7);
	assert_true(finds(b.data, b.len, CKA_LABEL, "label", 5));
	assert_true(finds(b.data, b.len, CKA_ID, NULL, 0));
	assert_true(finds(b.data, b.len, CKA_SUBJECT, "subject", 7));
	assert_false(finds(b.data, b.len, CKA_VALUE, NULL, 0));
	assert_false(finds(NULL, 0, CKA_LABEL, NULL, 0));
	buf_free(&b);
}

/* What comes before a tear is found, and nothing behind it. */
static void
test_torn_attributes(void **state)
{
	static const size_t label = 16 + 5, all = label + 16 + 7;
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	put_attr(&b, CKA_LABEL, "label", 5);
	put_attr(&b, CKA_SUBJECT, "subject", 7);
	assert_int_equal(b.len, all);
	for (size_t len = 0; len <= all; len++) {
		assert_int_equal(
		    finds(b.data, len, CKA_LABEL, "label", 5), len >= label);
		assert_int_equal(
		    finds(b.data, len, CKA_SUBJECT, "subject", 7), len == all);
		assert_false(finds(b.data, len, CKA_ID, NULL, 0));
	}
	/* A value that says it is longer than what there is; by any bit. */
	for (unsigned bit = 3; bit < 64; bit++) {
		b.data[label + 8 + bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_true(finds(b.data, all, CKA_LABEL, "label", 5));
		assert_false(finds(b.data, all, CKA_SUBJECT, NULL, 0));
		assert_false(finds(b.data, all, CKA_ID, NULL, 0));
		b.data[label + 8 + bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_nothing_found),
	    cmocka_unit_test(test_refusal),
	    cmocka_unit_test(test_every_truncation),
	    cmocka_unit_test(test_more_is_yes_or_no),
	    cmocka_unit_test(test_count),
	    cmocka_unit_test(test_bytes),
	    cmocka_unit_test(test_no_memory),
	    cmocka_unit_test(test_attributes_are_found),
	    cmocka_unit_test(test_torn_attributes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
