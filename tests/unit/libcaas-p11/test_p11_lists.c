/* What the module offers before anything is initialised, and what it exports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client.h"
#include "protocol/calls.h"

static int
begin(void **state)
{
	(void)state;
	client_load();
	return 0;
}

static int
end(void **state)
{
	(void)state;
	client_unload();
	return 0;
}

static void
test_every_call_is_exported(void **state)
{
	const struct call *calls;
	size_t n;

	(void)state;
	calls = call_table(&n);
	for (size_t i = 0; i < n; i++)
		assert_non_null(client_symbol(calls[i].name));
}

static void
test_nothing_else_is_exported(void **state)
{
	char line[256], *name;
	size_t seen = 0, n;
	FILE *nm = popen("nm -D --defined-only " CAAS_MODULE, "r");

	(void)state;
	(void)call_table(&n);
	assert_non_null(nm);
	while (fgets(line, sizeof(line), nm) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		name = strrchr(line, ' ');
		assert_non_null(name);
		assert_non_null(call_by_name(name + 1));
		seen++;
	}
	assert_int_equal(pclose(nm), 0);
	assert_int_equal(seen, n);
}

static void
test_function_list(void **state)
{
	CK_C_GetFunctionList get;

	(void)state;
	*(void **)&get = client_symbol("C_GetFunctionList");
	assert_int_equal(get(NULL), CKR_ARGUMENTS_BAD);
	assert_int_equal(p11->version.major, 2);
	assert_int_equal(p11->version.minor, 40);
	assert_ptr_equal(*(void **)&p11->C_Sign, client_symbol("C_Sign"));
	assert_ptr_equal(*(void **)&p11->C_WaitForSlotEvent,
	    client_symbol("C_WaitForSlotEvent"));
}

static void
test_interface_list(void **state)
{
	CK_C_GetInterfaceList get;
	CK_INTERFACE list[3];
	CK_ULONG n = 0;

	(void)state;
	*(void **)&get = client_symbol("C_GetInterfaceList");
	assert_int_equal(get(NULL, NULL), CKR_ARGUMENTS_BAD);
	assert_int_equal(get(NULL, &n), CKR_OK);
	assert_int_equal(n, 2);
	n = 1;
	assert_int_equal(get(list, &n), CKR_BUFFER_TOO_SMALL);
	assert_int_equal(n, 2);
	n = 3;
	assert_int_equal(get(list, &n), CKR_OK);
	assert_int_equal(n, 2);
	for (CK_ULONG i = 0; i < n; i++) {
		assert_string_equal((char *)list[i].pInterfaceName, "PKCS 11");
		assert_int_equal(list[i].flags, 0);
	}
	assert_int_equal(((CK_VERSION *)list[0].pFunctionList)->major, 3);
	assert_int_equal(((CK_VERSION *)list[1].pFunctionList)->major, 2);
}

static void
test_interface(void **state)
{
	CK_VERSION v2 = {2, 40}, v3 = {3, 0}, v9 = {9, 9};
	CK_UTF8CHAR name[] = "PKCS 11", other[] = "Vendor";
	CK_FUNCTION_LIST_3_0 *list;
	CK_C_GetInterface get;
	CK_INTERFACE *i;

	(void)state;
	*(void **)&get = client_symbol("C_GetInterface");
	assert_int_equal(get(NULL, NULL, NULL, 0), CKR_ARGUMENTS_BAD);
	assert_int_equal(get(NULL, NULL, &i, 0), CKR_OK);
	list = i->pFunctionList;
	assert_int_equal(list->version.major, 3);
	assert_ptr_equal(*(void **)&list->C_MessageVerifyFinal,
	    client_symbol("C_MessageVerifyFinal"));
	assert_int_equal(get(name, &v3, &i, 0), CKR_OK);
	assert_ptr_equal(i->pFunctionList, list);
	assert_int_equal(get(name, &v2, &i, 0), CKR_OK);
	assert_ptr_equal(i->pFunctionList, p11);
	assert_int_equal(get(name, &v9, &i, 0), CKR_FUNCTION_FAILED);
	assert_int_equal(get(other, NULL, &i, 0), CKR_FUNCTION_FAILED);
	assert_int_equal(
	    get(name, NULL, &i, CKF_INTERFACE_FORK_SAFE), CKR_FUNCTION_FAILED);
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_every_call_is_exported),
	    T(test_nothing_else_is_exported),
	    T(test_function_list),
	    T(test_interface_list),
	    T(test_interface),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
