/* searching.c - see searching.h */
#include "searching.h"

#include <stdbool.h>

CK_OBJECT_HANDLE some[SOME];
CK_ATTRIBUTE by_label = {CKA_LABEL, (void *)(uintptr_t)"some", 4};
CK_ATTRIBUTE by_many = {CKA_LABEL, (void *)(uintptr_t)"many", 4};

static void
make_some(void)
{
	for (int i = 0; i < SOME; i++)
		assert_int_not_equal(some[i] = client_data(s, "some", CK_FALSE), 0);
}

int
searching_begin(void **state)
{
	(void)state;
	return shortcuts_begin(make_some);
}

static bool
is_some(CK_OBJECT_HANDLE o)
{
	for (int i = 0; i < SOME; i++)
		if (some[i] == o)
			return true;
	return false;
}

void
search(CK_SESSION_HANDLE in)
{
	count();
	assert_int_equal(p11->C_FindObjectsInit(in, &by_label, 1), CKR_OK);
	COST(1, 1);
}

CK_OBJECT_HANDLE
next(CK_SESSION_HANDLE in)
{
	CK_OBJECT_HANDLE o = 0;
	CK_ULONG n = 7;

	assert_int_equal(p11->C_FindObjects(in, &o, 1, &n), CKR_OK);
	assert_true(n <= 1);
	if (n == 0)
		return 0;
	assert_true(is_some(o));
	return o;
}

void
rest(CK_SESSION_HANDLE in, int n)
{
	for (int i = 0; i < n; i++)
		assert_int_not_equal(next(in), 0);
	assert_int_equal(next(in), 0);
}

void
make_many(void)
{
	for (int i = 0; i < MANY; i++)
		assert_int_not_equal(client_data(s, "many", CK_FALSE), 0);
	count();
}
