/* test_invoke.c - prototypes and calls from the same rows meet in the middle */
#include <setjmp.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/invoke.h"
#include "protocol/prototype.h"
#include "sample.h"

/* A token library made of prototype.h: each C_* function remembers what it was given.
 * That it compiles says that every row has the types of the headers. */
static struct {
	uint32_t number;
	struct arg args[ARGS_MAX];
} seen;

static CK_RV
see(uint32_t number, const struct arg *args, size_t n)
{
	seen.number = number;
	memset(seen.args, 0, sizeof(seen.args));
	memcpy(seen.args, args, n * sizeof(*args));
	return CKR_OK;
}

#define CALL(number, name, where, class, gate, flags, args)                              \
	CK_RV name(CALL_PARAMS(args))                                                    \
	{                                                                                \
		struct arg list[] = {CALL_ARGS(args)};                                   \
		return see(CALL_##name, list, sizeof(list) / sizeof(list[0]));           \
	}
#include "protocol/calls.def"
#undef CALL

static CK_FUNCTION_LIST list = {.version = {2, 40}};

static void
fill_list(void)
{
	/* The first 68 rows are CK_FUNCTION_LIST, in its order. */
	void *members[] = {
#define CALL(number, name, where, class, gate, flags, args) (void *)(uintptr_t)name,
#include "protocol/calls.def"
	};

	memcpy((char *)&list + offsetof(CK_FUNCTION_LIST, C_Initialize), members,
	    sizeof(list) - offsetof(CK_FUNCTION_LIST, C_Initialize));
}

static void
every_argument_arrives(void **state)
{
	size_t n;
	const struct call *calls = call_table(&n);

	(void)state;
	fill_list();
	for (size_t i = 0; i < n; i++) {
		bool served =
		    calls[i].where == WHERE_SLOT || calls[i].where == WHERE_SESSION;
		struct sample s;
		CK_RV rv;

		sample_init(&s, i);
		sample_full_args(&s, &calls[i]);
		for (size_t k = 0; k < call_nargs(&calls[i]); k++)
			if (calls[i].args[k] == ARG_ATTRS)
				s.args[k].len =
				    0; /* samples hold NULLs that are refused */
		seen.number = 0;
		rv = call_invoke(&calls[i], &list, s.args);
		assert_int_equal(rv, served ? CKR_OK : CKR_FUNCTION_NOT_SUPPORTED);
		assert_int_equal(seen.number, served ? calls[i].number : 0);
		for (size_t k = 0; served && k < call_nargs(&calls[i]); k++) {
			if (calls[i].args[k] == ARG_POINTER ||
			    calls[i].args[k] == ARG_NOTIFY) {
				assert_null(seen.args[k].ptr);
				assert_int_equal(seen.args[k].len, 0);
				continue;
			}
			assert_ptr_equal(seen.args[k].ptr, s.args[k].ptr);
			assert_int_equal(seen.args[k].len, s.args[k].len);
			assert_ptr_equal(seen.args[k].plen, s.args[k].plen);
		}
		sample_free(&s);
	}
}

static void
functions_that_are_missing(void **state)
{
	CK_FUNCTION_LIST empty = {0};
	struct arg args[ARGS_MAX] = {0};

	(void)state;
	assert_int_equal(call_invoke(call_by_name("C_Sign"), &empty, args),
	    CKR_FUNCTION_NOT_SUPPORTED);
}

/* SoftHSM2 would read through these. */
static void
null_that_would_be_read_is_refused(void **state)
{
	CK_ATTRIBUTE inner = {CKA_LABEL, NULL, 3};
	CK_ATTRIBUTE t[] = {{CKA_CLASS, NULL, 0}, {CKA_CLASS, NULL, 8}};
	CK_ATTRIBUTE nested[] = {{CKA_WRAP_TEMPLATE, &inner, sizeof(inner)}};
	CK_GCM_PARAMS_V3 gcm = {NULL, 12, 96, NULL, 0, 128};
	CK_MECHANISM m = {CKM_AES_GCM, &gcm, sizeof(gcm)};
	struct arg args[ARGS_MAX] = {[1] = {.ptr = t, .len = 1}};
	struct arg label[ARGS_MAX] = {[1] = {.ptr = t, .len = 4}};
	struct arg mech[ARGS_MAX] = {[1] = {.ptr = &m}};

	(void)state;
	fill_list();
	assert_int_equal(
	    call_invoke(call_by_name("C_FindObjectsInit"), &list, args), CKR_OK);
	args[1].len = 2;
	assert_int_equal(call_invoke(call_by_name("C_FindObjectsInit"), &list, args),
	    CKR_ATTRIBUTE_VALUE_INVALID);
	args[1] = (struct arg){.ptr = nested, .len = 1};
	assert_int_equal(call_invoke(call_by_name("C_CreateObject"), &list, args),
	    CKR_ATTRIBUTE_VALUE_INVALID);
	assert_int_equal(
	    call_invoke(call_by_name("C_InitToken"), &list, label), CKR_ARGUMENTS_BAD);
	assert_int_equal(
	    call_invoke(call_by_name("C_EncryptInit"), &list, mech), CKR_ARGUMENTS_BAD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_argument_arrives),
	    cmocka_unit_test(functions_that_are_missing),
	    cmocka_unit_test(null_that_would_be_read_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
