/* hold.c: searches that are fetched, and what they cost in round trips. */
#include "searching.h"

#include <stdlib.h>

static void
test_one_round_trip(void **state)
{
	CK_OBJECT_HANDLE o[SOME + 1];
	CK_ULONG n;

	(void)state;
	search(s);
	rest(s, SOME);
	rest(s, 0);
	assert_int_equal(p11->C_FindObjectsFinal(s), CKR_OK);
	COST(0, 0);
	assert_int_equal(p11->C_FindObjectsFinal(s), CKR_OPERATION_NOT_INITIALIZED);
	assert_int_equal(p11->C_FindObjects(s, o, 1, &n), CKR_OPERATION_NOT_INITIALIZED);
	COST(2, 0);
	/* All at once, and not all of them. */
	for (CK_ULONG room = 1; room <= SOME + 1; room++) {
		search(s);
		assert_int_equal(p11->C_FindObjects(s, o, room, &n), CKR_OK);
		assert_int_equal(n, room <= SOME ? room : SOME);
		assert_int_equal(p11->C_FindObjectsFinal(s), CKR_OK);
		COST(0, 0);
	}
	/* Nothing. */
	assert_int_equal(client_find(s, "no such thing", o, SOME), 0);
	COST(1, 1);
	/* Two sessions, each with its own. */
	search(s);
	search(other);
	assert_int_not_equal(next(s), 0);
	rest(other, SOME);
	rest(s, SOME - 1);
	assert_int_equal(p11->C_FindObjectsFinal(s), CKR_OK);
	assert_int_equal(p11->C_FindObjectsFinal(other), CKR_OK);
	COST(0, 0);
}

static void
test_search_is_active(void **state)
{
	(void)state;
	search(s);
	assert_int_not_equal(next(s), 0);
	assert_int_equal(p11->C_FindObjectsInit(s, NULL, 0), CKR_OPERATION_ACTIVE);
	COST(2, 0); /* it is started for the other to meet it */
	rest(s, SOME - 1);
	COST(0, 0);
	assert_int_equal(p11->C_FindObjectsFinal(s), CKR_OK);
	COST(1, 0);
	assert_int_equal(p11->C_FindObjectsFinal(s), CKR_OPERATION_NOT_INITIALIZED);
	search(s);
	assert_int_equal(p11->C_FindObjectsFinal(s), CKR_OK);
}

static void
test_other_operations_meet_it(void **state)
{
	CK_OBJECT_HANDLE key = client_find_private(s, "token");

	(void)state;
	search(s);
	assert_int_equal(p11->C_SignInit(s, &rsa, key), CKR_OPERATION_ACTIVE);
	assert_int_equal(p11->C_DigestInit(s, &sha), CKR_OPERATION_ACTIVE);
	COST(3, 0);
	rest(s, SOME);
	assert_int_equal(p11->C_FindObjectsFinal(s), CKR_OK);
	assert_int_equal(client_sign(s, key), CKR_OK);
	/* And the other way round. */
	assert_int_equal(p11->C_DigestInit(s, &sha), CKR_OK);
	assert_int_equal(p11->C_FindObjectsInit(s, NULL, 0), CKR_OPERATION_ACTIVE);
	assert_int_equal(p11->C_FindObjectsFinal(s), CKR_OPERATION_NOT_INITIALIZED);
}

/* No template is too long to be held and yet fetched. */
static void
test_templates_of_any_length(void **state)
{
	static CK_BYTE value[600];
	CK_ATTRIBUTE t[40], nested = {CKA_LABEL, value, 1},
	    array = {CKA_WRAP_TEMPLATE, &nested, sizeof(nested)};

	(void)state;
	for (size_t len = 400; len < sizeof(value); len++) {
		CK_ATTRIBUTE a = {CKA_LABEL, value, len};

		assert_int_equal(p11->C_FindObjectsInit(s, &a, 1), CKR_OK);
		assert_int_equal(next(s), 0);
		assert_int_equal(p11->C_FindObjectsFinal(s), CKR_OK);
	}
	count();
	for (CK_ULONG n = 20; n < 40; n++) {
		t[n - 1] = (CK_ATTRIBUTE){CKA_LABEL, value, 1};
		for (CK_ULONG i = 0; i < n; i++)
			t[i] = t[n - 1];
		assert_int_equal(p11->C_FindObjectsInit(s, t, n), CKR_OK);
		assert_int_equal(next(s), 0);
		assert_int_equal(p11->C_FindObjectsFinal(s), CKR_OK);
	}
	count();
	/* Too long, and with templates in the template: the plain way. */
	assert_int_equal(p11->C_FindObjectsInit(s, t, 39), CKR_OK);
	assert_int_equal(next(s), 0);
	assert_int_equal(p11->C_FindObjectsFinal(s), CKR_OK);
	COST(3, 0);
	if (p11->C_FindObjectsInit(s, &array, 1) == CKR_OK)
		assert_int_equal(p11->C_FindObjectsFinal(s), CKR_OK);
	assert_int_equal(fake->fetches, fetches);
}

static int
compare(const void *a, const void *b)
{
	CK_OBJECT_HANDLE x = *(const CK_OBJECT_HANDLE *)a, y = *(const CK_OBJECT_HANDLE *)b;

	return x < y ? -1 : x > y;
}

static void
test_more_than_are_fetched(void **state)
{
	static CK_OBJECT_HANDLE o[MANY + 64];
	CK_ULONG n, all;

	(void)state;
	make_many();
	for (CK_ULONG step = 1; step < 64; step += 31) {
		count();
		assert_int_equal(p11->C_FindObjectsInit(s, &by_many, 1), CKR_OK);
		COST(1, 1);
		/* It is active in the worker. */
		assert_int_equal(p11->C_DigestInit(s, &sha), CKR_OPERATION_ACTIVE);
		assert_int_equal(p11->C_FindObjectsInit(s, NULL, 0), CKR_OPERATION_ACTIVE);
		COST(2, 0);
		for (all = 0; all <= MANY; all += n) {
			assert_int_equal(p11->C_FindObjects(s, o + all, step, &n), CKR_OK);
			if (n == 0)
				break;
		}
		assert_int_equal(all, MANY);
		qsort(o, all, sizeof(o[0]), compare);
		for (CK_ULONG i = 1; i < all; i++)
			assert_int_not_equal(o[i], o[i - 1]);
		count();
		assert_int_equal(p11->C_FindObjects(s, o, 1, &n), CKR_OK);
		assert_int_equal(n, 0);
		assert_int_equal(p11->C_FindObjectsFinal(s), CKR_OK);
		COST(2, 0);
		assert_int_equal(p11->C_FindObjectsFinal(s), CKR_OPERATION_NOT_INITIALIZED);
	}
	/* Ended before its end. */
	assert_int_equal(p11->C_FindObjectsInit(s, &by_many, 1), CKR_OK);
	assert_int_equal(p11->C_FindObjectsFinal(s), CKR_OK);
	search(s);
	rest(s, SOME);
	assert_int_equal(p11->C_FindObjectsFinal(s), CKR_OK);
}

static void
test_closed_with_a_search(void **state)
{
	CK_SESSION_HANDLE t = open_session();
	CK_OBJECT_HANDLE o;
	CK_ULONG n;

	(void)state;
	make_many();
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
		    p11->C_FindObjectsInit(t, i == 1 ? &by_many : &by_label, 1), CKR_OK);
		assert_int_equal(p11->C_FindObjects(t, &o, 1, &n), CKR_OK);
		if (i == 2)
			assert_int_equal(p11->C_CloseAllSessions(FAKE_SLOT), CKR_OK);
		else
			assert_int_equal(p11->C_CloseSession(t), CKR_OK);
		assert_int_equal(
		    p11->C_FindObjects(t, &o, 1, &n), CKR_SESSION_HANDLE_INVALID);
		assert_int_equal(p11->C_FindObjectsFinal(t), CKR_SESSION_HANDLE_INVALID);
		t = open_session();
	}
	assert_int_equal(p11->C_FindObjectsFinal(t), CKR_OPERATION_NOT_INITIALIZED);
	assert_int_equal(client_find(t, "token", &o, 1), 1);
}

static void
test_one_handle_however_found(void **state)
{
	CK_OBJECT_HANDLE o[SOME], again[SOME];
	CK_ATTRIBUTE plain[39];
	CK_ULONG n;

	(void)state;
	for (int i = 0; i < 39; i++) /* a template that is too long to be fetched */
		plain[i] = by_label;
	assert_int_equal(client_find(s, "some", o, SOME), SOME);
	count();
	assert_int_equal(p11->C_FindObjectsInit(s, plain, 39), CKR_OK);
	assert_int_equal(p11->C_FindObjects(s, again, SOME, &n), CKR_OK);
	assert_int_equal(p11->C_FindObjectsFinal(s), CKR_OK);
	COST(3, 0);
	assert_int_equal(n, SOME);
	qsort(o, SOME, sizeof(o[0]), compare);
	qsort(again, SOME, sizeof(o[0]), compare);
	assert_memory_equal(o, again, sizeof(o));
	qsort(some, SOME, sizeof(o[0]), compare);
	assert_memory_equal(o, some, sizeof(o));
}

static void
test_off(void **state)
{
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
	CK_ATTRIBUTE a = {CKA_LABEL, NULL, 0};
	CK_OBJECT_HANDLE o[SOME];

	(void)state;
	restart(&args, "off");
	assert_int_equal(client_find(s, "some", o, SOME), SOME);
	COST(3, 0);
	assert_int_equal(p11->C_GetAttributeValue(s, o[0], &a, 1), CKR_OK);
	COST(1, 0);
}

static void
test_with_the_applications_mutexes(void **state)
{
	CK_C_INITIALIZE_ARGS args = client_mutexes();

	restart(&args, "on");
	test_one_round_trip(state);
	test_search_is_active(state);
}

#define T(f) cmocka_unit_test_setup_teardown(f, searching_begin, shortcuts_end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_one_round_trip),
	    T(test_search_is_active),
	    T(test_other_operations_meet_it),
	    T(test_templates_of_any_length),
	    T(test_more_than_are_fetched),
	    T(test_closed_with_a_search),
	    T(test_one_handle_however_found),
	    T(test_off),
	    T(test_with_the_applications_mutexes),
	};

	return cmocka_run_group_tests(tests, shortcuts_start, shortcuts_stop);
}
