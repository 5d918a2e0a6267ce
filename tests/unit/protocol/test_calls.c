/* test_calls.c - the table of calls is whole and in order */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/calls.h"

static void
numbers_are_the_rows(void **state)
{
	size_t n;
	const struct call *calls = call_table(&n);

	(void)state;
	assert_int_equal(n, 92);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(calls[i].number, i + 1);
		assert_ptr_equal(call_by_number(calls[i].number), &calls[i]);
		assert_ptr_equal(call_by_name(calls[i].name), &calls[i]);
	}
	assert_null(call_by_number(0));
	assert_null(call_by_number(93));
	assert_null(call_by_number(UINT32_MAX));
	assert_null(call_by_name("C_Nothing"));
}

static void
first_argument_says_who_serves(void **state)
{
	size_t n;
	const struct call *calls = call_table(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		if (calls[i].where == WHERE_SLOT)
			assert_int_equal(calls[i].args[0], ARG_SLOT);
		if (calls[i].where == WHERE_SESSION)
			assert_int_equal(calls[i].args[0], ARG_SESSION);
		if (calls[i].where == WHERE_UNSERVED)
			assert_true(calls[i].flags & CALL_V3);
	}
}

static void
a_pin_is_secret(void **state)
{
	size_t n;
	const struct call *calls = call_table(&n);

	(void)state;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < call_nargs(&calls[i]); k++)
			if (calls[i].args[k] == ARG_PIN)
				assert_true(calls[i].flags & CALL_SECRET);
}

/* What makes an object of the token, or changes who may log in, is not done twice. */
static void
what_lasts_is_asked_once(void **state)
{
	size_t n;
	const struct call *calls = call_table(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		bool lasts = calls[i].class == CLASS_PIN || calls[i].class == CLASS_INIT;

		if (calls[i].where == WHERE_UNSERVED)
			continue;
		for (size_t k = 0; k < call_nargs(&calls[i]); k++)
			lasts |= calls[i].args[k] == ARG_OUT_OBJECT;
		assert_int_equal((calls[i].flags & CALL_ONCE) != 0, lasts);
	}
}

/* The order is that of the function list: the offset of a member follows its number. */
static void
order_is_that_of_the_list(void **state)
{
	(void)state;
#define CHECK(name)                                                                      \
	assert_int_equal(offsetof(CK_FUNCTION_LIST_3_0, name),                           \
	    8 + (CALL_##name - 1) * sizeof(void (*)(void)))
	CHECK(C_Initialize);
	CHECK(C_GetFunctionList);
	CHECK(C_Login);
	CHECK(C_Sign);
	CHECK(C_DeriveKey);
	CHECK(C_WaitForSlotEvent);
	CHECK(C_GetInterfaceList);
	CHECK(C_MessageVerifyFinal);
}

static void
kinds_are_as_in_the_prototype(void **state)
{
	const struct call *sign = call_by_name("C_Sign");
	const struct call *pair = call_by_number(CALL_C_GenerateKeyPair);

	(void)state;
	assert_int_equal(call_nargs(sign), 3);
	assert_int_equal(sign->args[1], ARG_BYTES);
	assert_int_equal(sign->args[2], ARG_OUT_BYTES);
	assert_int_equal(sign->args[3], ARG_END);
	assert_int_equal(call_nargs(pair), 6);
	assert_int_equal(pair->args[6], ARG_END);
	assert_int_equal(pair->flags, CALL_SLOW | CALL_ONCE);
}

/* A beginning is the row before, on the same session, and both are a worker's. */
static void
what_is_begun_follows_its_beginning(void **state)
{
	size_t n, fused = 0;
	const struct call *calls = call_table(&n), *begin;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		begin = call_beginning(&calls[i]);
		if (calls[i].after == 0) {
			assert_null(begin);
			continue;
		}
		fused++;
		assert_ptr_equal(begin, &calls[i - 1]);
		assert_int_equal(begin->after, 0);
		assert_ptr_equal(call_of_beginning(begin), &calls[i]);
		assert_int_equal(calls[i].where, WHERE_SESSION);
		assert_int_equal(begin->where, WHERE_SESSION);
		assert_int_equal(calls[i].args[0], ARG_SESSION);
		assert_int_equal(begin->args[0], ARG_SESSION);
		/* The worker looks at the flags and the gate of the call alone. */
		assert_int_equal(begin->class, CLASS_USE);
		assert_int_equal(calls[i].class, CLASS_USE);
		assert_int_equal(begin->flags & CALL_SLOW, 0);
		assert_int_not_equal(begin->gate, GATE_EXCLUSIVE);
		assert_int_equal(begin->args[1], ARG_MECH);
	}
	assert_int_equal(fused, 5);
}

static void
only_beginnings_begin(void **state)
{
	size_t n;
	const struct call *calls = call_table(&n);

	(void)state;
	for (size_t i = 0; i < n; i++)
		if (i + 1 == n || calls[i + 1].after != calls[i].number)
			assert_null(call_of_beginning(&calls[i]));
	assert_ptr_equal(call_beginning(call_by_name("C_Sign")), call_by_name("C_SignInit"));
	assert_ptr_equal(
	    call_of_beginning(call_by_name("C_SignInit")), call_by_name("C_Sign"));
	assert_ptr_equal(
	    call_of_beginning(call_by_name("C_DigestInit")), call_by_name("C_Digest"));
	assert_null(call_beginning(call_by_name("C_SignInit")));
	assert_null(call_beginning(call_by_name("C_SignFinal")));
	assert_null(call_of_beginning(call_by_name("C_SignRecoverInit")));
	assert_null(call_of_beginning(call_by_name("C_FindObjectsInit")));
}

/* The number of the beginning shares a column with the flags. */
static void
a_beginning_is_no_flag(void **state)
{
	(void)state;
	assert_int_equal(call_by_name("C_Sign")->flags, 0);
	assert_int_equal(call_by_name("C_Sign")->after, CALL_C_SignInit);
	assert_int_equal(call_by_name("C_Encrypt")->flags, CALL_SECRET);
	assert_int_equal(call_by_name("C_Encrypt")->after, CALL_C_EncryptInit);
}

static void
everything_has_a_name(void **state)
{
	(void)state;
	assert_string_equal(call_where_name(WHERE_SESSION), "SESSION");
	assert_string_equal(call_class_name(CLASS_INIT), "INIT");
	assert_string_equal(call_gate_name(GATE_EXCLUSIVE), "EXCLUSIVE");
	for (int kind = ARG_END; kind <= ARG_OUT_INTERFACE; kind++)
		assert_non_null(arg_kind_name((enum arg_kind)kind));
	assert_string_equal(arg_kind_name(ARG_OUT_INTERFACE), "OUT_INTERFACE");
	assert_string_equal(arg_kind_name((enum arg_kind)999), "?");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers_are_the_rows),
	    cmocka_unit_test(first_argument_says_who_serves),
	    cmocka_unit_test(a_pin_is_secret),
	    cmocka_unit_test(what_lasts_is_asked_once),
	    cmocka_unit_test(order_is_that_of_the_list),
	    cmocka_unit_test(kinds_are_as_in_the_prototype),
	    cmocka_unit_test(what_is_begun_follows_its_beginning),
	    cmocka_unit_test(only_beginnings_begin),
	    cmocka_unit_test(a_beginning_is_no_flag),
	    cmocka_unit_test(everything_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
