/* hold.c: every call about searches says what it says without shortcuts. */
#include "searching.h"

#include <string.h>

/* A walk past everything that searches can be asked; every code and every number that
 * came of it.  With shortcuts and without it has to be the same. */
static CK_ULONG walked[256];
static size_t steps;

#define STEP(v)                                                                          \
	do {                                                                             \
		assert_true(steps < sizeof(walked) / sizeof(walked[0]));                 \
		walked[steps++] = (v);                                                   \
	} while (0)

static void
walk_arguments(void)
{
	CK_ATTRIBUTE odd[] = {{CKA_LABEL, NULL, 4}, {CKA_LABEL, NULL, 0},
	    {CKA_TOKEN, (void *)(uintptr_t)"\1\1", 2}, {CKA_VENDOR_DEFINED, &odd, 1},
	    {CKA_CLASS, (void *)(uintptr_t)"\0", 1}, {CKA_LABEL, (void *)(uintptr_t)"some",
	    CK_UNAVAILABLE_INFORMATION}};
	CK_OBJECT_HANDLE o[8];
	CK_ULONG n = 77;

	STEP(p11->C_FindObjectsInit(s, NULL, 1));
	STEP(p11->C_FindObjectsFinal(s));
	STEP(p11->C_FindObjectsInit(4711, &by_label, 1));
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		STEP(p11->C_FindObjectsInit(s, &odd[i], 1));
		n = 77;
		STEP(p11->C_FindObjects(s, o, 8, &n));
		STEP(n);
		STEP(p11->C_FindObjectsFinal(s));
	}
	for (int i = 0; i < 4; i++) {
		STEP(p11->C_FindObjectsInit(s, &by_label, 1));
		n = 77;
		STEP(p11->C_FindObjects(s, i == 0 ? NULL : o, i == 1 ? 0 : 2,
		    i == 2 ? NULL : &n));
		STEP(n);
		n = 77;
		STEP(p11->C_FindObjects(s, o, 8, &n));
		STEP(n);
		STEP(p11->C_FindObjects(4711, o, 8, &n));
		STEP(p11->C_FindObjectsFinal(4711));
		STEP(p11->C_FindObjectsFinal(s));
	}
}

static void
walk_changes(void)
{
	CK_ATTRIBUTE label = {CKA_LABEL, (void *)(uintptr_t)"else", 4};
	CK_OBJECT_HANDLE o[8], last;
	CK_ULONG n;

	for (int i = 0; i < 6; i++) {
		STEP(p11->C_FindObjectsInit(s, &by_label, 1));
		STEP(p11->C_FindObjects(s, o, 1, &n));
		last = client_data(i & 1 ? other : s, "some", CK_FALSE);
		if (i < 2)
			STEP(p11->C_DestroyObject(i & 1 ? other : s, some[i]));
		else if (i < 4)
			STEP(p11->C_SetAttributeValue(i & 1 ? other : s, some[i], &label, 1));
		STEP(p11->C_FindObjects(s, o, 8, &n));
		STEP(n);
		STEP(p11->C_FindObjectsFinal(s));
		STEP(p11->C_FindObjectsFinal(s));
		STEP(p11->C_FindObjectsInit(s, &by_label, 1));
		STEP(p11->C_FindObjects(s, o, 8, &n));
		STEP(n);
		STEP(p11->C_FindObjectsFinal(s));
		STEP(p11->C_DestroyObject(s, last));
	}
}

static void
walk_logout(void)
{
	CK_ATTRIBUTE a = {CKA_LABEL, NULL, 0}, private = {CKA_LABEL,
	    (void *)(uintptr_t)"token", 5};
	CK_OBJECT_HANDLE o[8];
	CK_ULONG n;

	for (int i = 0; i < 2; i++) {
		STEP(p11->C_FindObjectsInit(s, &private, 1));
		STEP(p11->C_FindObjects(s, o, 1, &n));
		STEP(n);
		STEP(p11->C_Logout(i ? other : s));
		STEP(p11->C_FindObjects(s, o + 1, 1, &n));
		STEP(n);
		STEP(p11->C_FindObjects(s, o + 2, 1, &n));
		STEP(n);
		STEP(p11->C_FindObjectsFinal(s));
		STEP(p11->C_FindObjectsInit(s, &private, 1));
		STEP(p11->C_FindObjects(s, o + 2, 8, &n));
		STEP(n);
		STEP(p11->C_GetAttributeValue(s, o[2], &a, 1));
		STEP(p11->C_FindObjectsFinal(s));
		STEP(p11->C_Login(s, CKU_USER, (CK_UTF8CHAR_PTR)FAKE_PIN, 4));
		/* One of the two was private. */
		STEP(p11->C_GetAttributeValue(s, o[0], &a, 1) == CKR_OK ? 1
		    : p11->C_GetAttributeValue(s, o[1], &a, 1) == CKR_OK ? 1 : 0);
	}
}

static void
test_every_code_as_without(void **state)
{
	static void (*const walks[])(void) = {walk_arguments, walk_changes, walk_logout};
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
	CK_ULONG plain[256];
	size_t nplain;

	(void)state;
	for (size_t i = 0; i < sizeof(walks) / sizeof(walks[0]); i++) {
		restart(&args, "off");
		steps = 0;
		walks[i]();
		COST(fake->calls - calls, 0);
		memcpy(plain, walked, sizeof(plain));
		nplain = steps;
		restart(&args, "on");
		steps = 0;
		walks[i]();
		assert_true(fake->fetches > fetches);
		assert_int_equal(steps, nplain);
		for (size_t k = 0; k < steps; k++)
			if (walked[k] != plain[k])
				fail_msg("walk %zu, step %zu: 0x%lx, without 0x%lx", i, k,
				    walked[k], plain[k]);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, searching_begin, shortcuts_end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_every_code_as_without),
	};

	return cmocka_run_group_tests(tests, shortcuts_start, shortcuts_stop);
}
