/* test_attrs.c - templates, templates in them, and queries */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/attrs.h"
#include "protocol/message.h"

static struct arena arena;
static struct buf b;

static int
setup(void **state)
{
	(void)state;
	arena_init(&arena, 1 << 20);
	buf_init(&b, 1 << 20);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(&arena);
	buf_free(&b);
	return 0;
}

static void
values_come_over(void **state)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_MECHANISM_TYPE mechs[2] = {CKM_AES_CBC, CKM_AES_GCM};
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)}, {CKA_LABEL, NULL, 0},
	    {CKA_ID, NULL, 7}, {CKA_VALUE, &class, 0},
	    {CKA_ALLOWED_MECHANISMS, mechs, sizeof(mechs)}};
	CK_ATTRIBUTE *got;
	CK_ULONG n;

	(void)state;
	assert_int_equal(attrs_write(&b, t, 5), CKR_OK);
	assert_true(attrs_read(&b, &got, &n, &arena));
	assert_true(buf_end(&b));
	assert_int_equal(n, 5);
	assert_int_equal(*(CK_OBJECT_CLASS *)got[0].pValue, class);
	assert_null(got[1].pValue);
	/* NULL with a length is the token library's to judge, and so is "" */
	assert_null(got[2].pValue);
	assert_int_equal(got[2].ulValueLen, 7);
	assert_non_null(got[3].pValue);
	assert_int_equal(got[4].ulValueLen, sizeof(mechs));
	assert_memory_equal(got[4].pValue, mechs, sizeof(mechs));
}

static void
templates_in_templates(void **state)
{
	CK_BBOOL yes = CK_TRUE;
	CK_ATTRIBUTE inner[] = {{CKA_EXTRACTABLE, &yes, 1}, {CKA_LABEL, NULL, 3}};
	CK_ATTRIBUTE t[] = {{CKA_WRAP_TEMPLATE, inner, sizeof(inner)},
	    {CKA_UNWRAP_TEMPLATE, inner, sizeof(*inner) + 5},
	    {CKA_DERIVE_TEMPLATE, NULL, 24}, {CKA_WRAP_TEMPLATE, inner, 0}};
	CK_ATTRIBUTE *got, *in;
	CK_ULONG n;

	(void)state;
	assert_int_equal(attrs_write(&b, t, 4), CKR_OK);
	assert_true(attrs_read(&b, &got, &n, &arena));
	in = got[0].pValue;
	assert_int_equal(got[0].ulValueLen, sizeof(inner));
	assert_int_equal(in[0].type, CKA_EXTRACTABLE);
	assert_ptr_not_equal(in[0].pValue, &yes);
	assert_int_equal(*(CK_BBOOL *)in[0].pValue, CK_TRUE);
	assert_int_equal(in[1].ulValueLen, 3);
	assert_int_equal(got[1].ulValueLen, sizeof(*inner) + 5);
	assert_null(got[2].pValue);
	assert_int_equal(got[2].ulValueLen, 24);
	assert_non_null(got[3].pValue);
}

static void
too_deep_is_refused_at_both_ends(void **state)
{
	CK_ATTRIBUTE third[] = {{CKA_LABEL, NULL, 0}};
	CK_ATTRIBUTE second[] = {{CKA_WRAP_TEMPLATE, third, sizeof(third)}};
	CK_ATTRIBUTE t[] = {{CKA_WRAP_TEMPLATE, second, sizeof(second)}};
	CK_ATTRIBUTE *got;
	CK_ULONG n;

	(void)state;
	assert_int_equal(attrs_write(&b, t, 1), CKR_ATTRIBUTE_VALUE_INVALID);
	buf_reset(&b);
	assert_int_equal(attrs_query_write(&b, t, 1), CKR_ATTRIBUTE_VALUE_INVALID);
	buf_reset(&b);
	buf_put_u64(&b, 1);
	for (int depth = 0; depth < 3; depth++) {
		buf_put_u64(&b, depth < 2 ? CKA_WRAP_TEMPLATE : CKA_LABEL);
		buf_put_u8(&b, 1);
		buf_put_u64(&b, depth < 2 ? 24 : 0);
	}
	assert_false(attrs_read(&b, &got, &n, &arena));
	b.pos = 0;
	assert_false(attrs_query_read(&b, &got, &n, &arena));
}

static void
too_many_are_refused_at_both_ends(void **state)
{
	static CK_ATTRIBUTE t[MSG_MAX_ATTRS + 1];
	CK_ATTRIBUTE *got;
	CK_ULONG n;

	(void)state;
	assert_int_equal(attrs_write(&b, t, MSG_MAX_ATTRS), CKR_OK);
	assert_true(attrs_read(&b, &got, &n, &arena));
	buf_reset(&b);
	assert_int_equal(attrs_write(&b, t, MSG_MAX_ATTRS + 1), CKR_DATA_LEN_RANGE);
	buf_reset(&b);
	buf_put_u64(&b, MSG_MAX_ATTRS + 1);
	buf_put_raw(&b, t, sizeof(t));
	assert_false(attrs_read(&b, &got, &n, &arena));
	buf_reset(&b);
	buf_put_u64(&b, UINT64_MAX / 24);
	assert_false(attrs_read(&b, &got, &n, &arena));
}

static void
large_values_are_borrowed(void **state)
{
	uint8_t *big = calloc(1, 100000);
	CK_ATTRIBUTE t[] = {{CKA_VALUE, big, 100000}, {CKA_VALUE, big, 1000}};
	CK_ATTRIBUTE *got;
	CK_ULONG n;

	(void)state;
	assert_int_equal(attrs_write(&b, t, 2), CKR_OK);
	assert_true(attrs_read(&b, &got, &n, &arena));
	assert_true((uint8_t *)got[0].pValue > b.data &&
		    (uint8_t *)got[0].pValue < b.data + b.len);
	assert_false((uint8_t *)got[1].pValue > b.data &&
		     (uint8_t *)got[1].pValue < b.data + b.len);
	assert_int_equal((uintptr_t)got[1].pValue % 8, 0);
	free(big);
}

/* What a token library does with a query comes back, element by element. */
static void
query_is_answered(void **state)
{
	char label[20] = "untouched", id[4] = "idid";
	CK_ATTRIBUTE t[] = {{CKA_LABEL, label, sizeof(label)}, {CKA_VALUE, NULL, 0},
	    {CKA_ID, id, sizeof(id)}};
	CK_ATTRIBUTE *got;
	CK_ULONG n;

	(void)state;
	assert_int_equal(attrs_query_write(&b, t, 3), CKR_OK);
	assert_true(attrs_query_read(&b, &got, &n, &arena));
	assert_true(buf_end(&b));
	assert_int_equal(got[0].ulValueLen, sizeof(label));
	memcpy(got[0].pValue, "key", 3);
	got[0].ulValueLen = 3;
	got[1].ulValueLen = 32;
	got[2].ulValueLen = CK_UNAVAILABLE_INFORMATION;
	buf_reset(&b);
	attrs_answer_write(&b, got, n);
	assert_true(attrs_answer_read(&b, t, 3));
	assert_true(buf_end(&b));
	assert_int_equal(t[0].ulValueLen, 3);
	assert_memory_equal(label, "keyouched", 9);
	assert_int_equal(t[1].ulValueLen, 32);
	assert_int_equal(t[2].ulValueLen, CK_UNAVAILABLE_INFORMATION);
	assert_memory_equal(id, "idid", 4);
}

/* SoftHSM2 says types and lengths of an inner template first, then the values. */
static void
inner_query_is_answered(void **state)
{
	CK_ATTRIBUTE inner[3] = {{0}};
	CK_ATTRIBUTE t[] = {{CKA_WRAP_TEMPLATE, inner, sizeof(inner)}};
	CK_ATTRIBUTE *got, *in;
	CK_BBOOL yes = CK_FALSE;
	CK_ULONG n;

	(void)state;
	assert_int_equal(attrs_query_write(&b, t, 1), CKR_OK);
	assert_true(attrs_query_read(&b, &got, &n, &arena));
	in = got[0].pValue;
	in[0].type = CKA_EXTRACTABLE;
	in[0].ulValueLen = 1;
	in[1].type = CKA_LABEL;
	in[1].ulValueLen = 9;
	got[0].ulValueLen = 2 * sizeof(*in);
	buf_reset(&b);
	attrs_answer_write(&b, got, n);
	assert_true(attrs_answer_read(&b, t, 1));
	assert_int_equal(t[0].ulValueLen, 2 * sizeof(*in));
	assert_int_equal(inner[0].type, CKA_EXTRACTABLE);
	assert_int_equal(inner[1].ulValueLen, 9);
	assert_int_equal(inner[2].ulValueLen, 0);

	t[0].ulValueLen = sizeof(*inner);
	inner[0].pValue = &yes;
	buf_reset(&b);
	assert_int_equal(attrs_query_write(&b, t, 1), CKR_OK);
	assert_true(attrs_query_read(&b, &got, &n, &arena));
	*(CK_BBOOL *)((CK_ATTRIBUTE *)got[0].pValue)->pValue = CK_TRUE;
	buf_reset(&b);
	attrs_answer_write(&b, got, n);
	assert_true(attrs_answer_read(&b, t, 1));
	assert_int_equal(yes, CK_TRUE);
}

static void
more_than_the_room_is_a_breach(void **state)
{
	char label[4] = "abc";
	CK_ATTRIBUTE t[] = {{CKA_LABEL, label, sizeof(label)}};

	(void)state;
	buf_put_u64(&b, 5);
	buf_put_raw(&b, "12345", 5);
	assert_false(attrs_answer_read(&b, t, 1));
	assert_string_equal(label, "abc");
}

/* A length beyond the buffer that the token library was given carries nothing. */
static void
a_library_that_left_the_room_carries_nothing(void **state)
{
	char label[4] = "abc";
	CK_ATTRIBUTE t[] = {{CKA_LABEL, label, sizeof(label)}}, *got;
	CK_ULONG n;

	(void)state;
	assert_int_equal(attrs_query_write(&b, t, 1), CKR_OK);
	assert_true(attrs_query_read(&b, &got, &n, &arena));
	got[0].ulValueLen = 1000;
	buf_reset(&b);
	attrs_answer_write(&b, got, n);
	assert_true(attrs_answer_read(&b, t, 1));
	assert_int_equal(t[0].ulValueLen, CK_UNAVAILABLE_INFORMATION);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(values_come_over),
	    TEST(templates_in_templates),
	    TEST(too_deep_is_refused_at_both_ends),
	    TEST(too_many_are_refused_at_both_ends),
	    TEST(large_values_are_borrowed),
	    TEST(query_is_answered),
	    TEST(inner_query_is_answered),
	    TEST(more_than_the_room_is_a_breach),
	    TEST(a_library_that_left_the_room_carries_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
