/* known.c: attributes that came with a search are told as SoftHSM2 would tell them, and
 * for as long as they may be. */
#include "searching.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libcaas-p11/known.h"
#include "protocol/calls.h"

/* Attributes.  What is known is known for a moment, which may be over on a machine with
 * much to do: then a search is made anew. */
static bool
answered_here(CK_OBJECT_HANDLE o, CK_ATTRIBUTE *t, CK_ULONG n, CK_RV *ret)
{
	CK_ATTRIBUTE copy[8];
	CK_OBJECT_HANDLE found[SOME];

	for (int i = 0; i < 50; i++) {
		memcpy(copy, t, n * sizeof(*t));
		(void)client_find(s, "some", found, SOME);
		count();
		*ret = p11->C_GetAttributeValue(s, o, copy, n);
		if (fake->calls == calls) {
			memcpy(t, copy, n * sizeof(*t));
			return true;
		}
	}
	memcpy(t, copy, n * sizeof(*t));
	return false;
}

static void
test_attributes_as_softhsm2_has_them(void **state)
{
	static const struct {
		CK_ULONG n;
		struct {
			CK_ATTRIBUTE_TYPE type;
			CK_ULONG room;
			bool null;
		} a[4];
		bool here;
	} asks[] = {
	    {1, {{CKA_LABEL, 0, true}}, true},
	    {1, {{CKA_LABEL, 4, false}}, true},
	    {1, {{CKA_LABEL, 99, true}}, true},
	    {1, {{CKA_LABEL, 3, false}}, true},
	    {1, {{CKA_LABEL, 0, false}}, true},
	    {1, {{CKA_LABEL, 16, false}}, true},
	    {1, {{CKA_CLASS, 8, false}}, true},
	    {1, {{CKA_CLASS, 4, false}}, true},
	    {1, {{CKA_LABEL, CK_UNAVAILABLE_INFORMATION, true}}, true},
	    {3, {{CKA_CLASS, 8, false}, {CKA_LABEL, 2, false}, {CKA_CLASS, 16, false}}, true},
	    {3, {{CKA_LABEL, 0, true}, {CKA_LABEL, 16, false}, {CKA_LABEL, 1, false}}, true},
	    {2, {{CKA_LABEL, 16, false}, {CKA_VENDOR_DEFINED, 16, false}}, false},
	    {2, {{CKA_VENDOR_DEFINED, 0, true}, {CKA_LABEL, 1, false}}, false},
	    {2, {{CKA_APPLICATION, 16, false}, {CKA_LABEL, 16, false}}, false},
	    {1, {{CKA_MODULUS, 16, false}}, false},
	};
	CK_BYTE value[2][4][16];
	CK_ATTRIBUTE t[2][4];
	CK_RV rv[2];

	(void)state;
	for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
		memset(value, 0x5a, sizeof(value));
		for (size_t k = 0; k < 2; k++)
			for (CK_ULONG j = 0; j < asks[i].n; j++)
				t[k][j] = (CK_ATTRIBUTE){asks[i].a[j].type,
				    asks[i].a[j].null ? NULL : value[k][j],
				    asks[i].a[j].room};
		assert_int_equal(
		    answered_here(some[0], t[0], asks[i].n, &rv[0]), asks[i].here);
		wait_until_unknown();
		rv[1] = p11->C_GetAttributeValue(s, some[0], t[1], asks[i].n);
		COST(1, 0);
		assert_int_equal(rv[0], rv[1]);
		for (CK_ULONG j = 0; j < asks[i].n; j++)
			assert_int_equal(t[0][j].ulValueLen, t[1][j].ulValueLen);
		assert_memory_equal(value[0], value[1], sizeof(value[0]));
	}
}

static void
test_odd_questions_go_to_the_worker(void **state)
{
	CK_ATTRIBUTE a = {CKA_LABEL, NULL, 0};
	CK_OBJECT_HANDLE o[SOME];

	(void)state;
	assert_int_equal(client_find(s, "some", o, SOME), SOME);
	count();
	assert_int_equal(p11->C_GetAttributeValue(s, o[0], NULL, 1), CKR_ARGUMENTS_BAD);
	count();
	assert_int_equal(p11->C_GetAttributeValue(s, o[0], &a, 0), CKR_OK);
	assert_int_equal(
	    p11->C_GetAttributeValue(s, 4711, &a, 1), CKR_OBJECT_HANDLE_INVALID);
	assert_int_equal(p11->C_GetAttributeValue(s, 0, &a, 1), CKR_OBJECT_HANDLE_INVALID);
	assert_int_equal(p11->C_GetAttributeValue(s, s, &a, 1), CKR_OBJECT_HANDLE_INVALID);
	COST(4, 0);
	assert_int_equal(
	    p11->C_GetAttributeValue(4711, o[0], &a, 1), CKR_SESSION_HANDLE_INVALID);
}

static void
assert_label(CK_OBJECT_HANDLE o, const char *want)
{
	CK_BYTE label[16];
	CK_ATTRIBUTE a = {CKA_LABEL, label, sizeof(label)};

	assert_int_equal(p11->C_GetAttributeValue(s, o, &a, 1), CKR_OK);
	assert_int_equal(a.ulValueLen, strlen(want));
	assert_memory_equal(label, want, a.ulValueLen);
}

static void
test_own_change_is_never_stale(void **state)
{
	CK_OBJECT_HANDLE o[SOME];
	char name[8];

	(void)state;
	for (int i = 0; i < 20; i++) {
		CK_ATTRIBUTE a = {CKA_LABEL, name, 5};

		assert_int_equal(client_find(s, "some", o, SOME), SOME);
		assert_label(some[0], "some");
		snprintf(name, sizeof(name), "new%02d", i);
		assert_int_equal(p11->C_SetAttributeValue(i & 1 ? s : other, some[0], &a, 1),
		    CKR_OK);
		assert_label(some[0], name);
		a = by_label;
		assert_int_equal(p11->C_SetAttributeValue(s, some[0], &a, 1), CKR_OK);
	}
	assert_int_equal(client_find(s, "some", o, SOME), SOME);
	assert_int_equal(p11->C_DestroyObject(other, some[1]), CKR_OK);
	assert_int_equal(p11->C_GetAttributeValue(s, some[1], &by_label, 1),
	    CKR_OBJECT_HANDLE_INVALID);
}

static void *
find_on_other(void *arg)
{
	CK_OBJECT_HANDLE o[SOME];

	*(CK_ULONG *)arg = client_find(other, "some", o, SOME);
	return NULL;
}

/* A search that was served before a change, and whose reply comes in after it. */
static void
test_found_before_a_change_is_not_believed(void **state)
{
	CK_ATTRIBUTE a = {CKA_LABEL, (void *)(uintptr_t)"new", 3};
	pthread_t t;
	CK_ULONG n;

	(void)state;
	fake->late_after = CALL_C_FindObjectsInit;
	t = call_in_thread(find_on_other, &n);
	(void)usleep(FAKE_LATE_MS * 1000 / 4);
	assert_int_equal(p11->C_SetAttributeValue(s, some[0], &a, 1), CKR_OK);
	assert_int_equal(pthread_join(t, NULL), 0);
	fake->late_after = 0;
	assert_int_equal(n, SOME);
	assert_label(some[0], "new");
}

/* Another application has changed the token, and any reply tells: none of what was known
 * before is told after it. */
static void
test_another_epoch_forgets(void **state)
{
	CK_ATTRIBUTE a = {CKA_LABEL, NULL, 0}, unknown = {CKA_APPLICATION, NULL, 0};
	CK_SESSION_INFO info;
	CK_TOKEN_INFO token;
	CK_SESSION_HANDLE t;
	CK_RV rv;

	(void)state;
	for (int i = 0; i < 5; i++) {
		assert_true(answered_here(some[0], &a, 1, &rv));
		fake->epoch++;
		if (i == 0)
			(void)p11->C_GetAttributeValue(s, some[0], &unknown, 1);
		else if (i == 1)
			assert_int_equal(p11->C_GetSessionInfo(other, &info), CKR_OK);
		else if (i == 2)
			assert_int_equal(p11->C_GetTokenInfo(FAKE_SLOT, &token), CKR_OK);
		else if (i == 3)
			t = open_session();
		else
			assert_int_equal(p11->C_CloseSession(t), CKR_OK);
		count();
		assert_int_equal(p11->C_GetAttributeValue(s, some[0], &a, 1), CKR_OK);
		COST(1, 0);
	}
}

/* One question after a pause; when nothing has changed, what was known is so again. */
static void
test_asked_again_after_a_pause(void **state)
{
	CK_ATTRIBUTE a = {CKA_LABEL, NULL, 0};
	CK_RV rv;
	int i;

	(void)state;
	for (i = 0; i < 50; i++) {
		assert_true(answered_here(some[0], &a, 1, &rv));
		wait_until_unknown();
		assert_int_equal(p11->C_GetAttributeValue(s, some[0], &a, 1), CKR_OK);
		COST(1, 0);
		assert_int_equal(p11->C_GetAttributeValue(s, some[1], &a, 1), CKR_OK);
		if (fake->calls == calls)
			break;
	}
	assert_int_not_equal(i, 50);
	/* When something has, it is not. */
	wait_until_unknown();
	fake->epoch++;
	for (i = 0; i < 3; i++)
		assert_int_equal(p11->C_GetAttributeValue(s, some[i], &a, 1), CKR_OK);
	COST(3, 0);
}

/* A reply that was long on its way says nothing of the time in which it was. */
static void
test_late_reply_is_no_news(void **state)
{
	CK_ATTRIBUTE a = {CKA_LABEL, NULL, 0};
	CK_OBJECT_HANDLE o[SOME];

	(void)state;
	assert_true(FAKE_LATE_MS > KNOWN_MS);
	fake->late_after = CALL_C_FindObjectsInit;
	assert_int_equal(client_find(s, "some", o, SOME), SOME);
	fake->late_after = 0;
	COST(1, 1);
	assert_int_equal(p11->C_GetAttributeValue(s, some[0], &a, 1), CKR_OK);
	COST(1, 0);
}

/* Objects that went with their session or with the login. */
static void
test_gone_objects_are_not_known(void **state)
{
	CK_ATTRIBUTE a = {CKA_LABEL, NULL, 0}, all = {CKA_LABEL, (void *)(uintptr_t)"own", 3};
	CK_OBJECT_HANDLE o, found[8];
	CK_SESSION_HANDLE t = open_session();

	(void)state;
	o = client_data(t, "own", CK_FALSE);
	assert_int_equal(client_find(s, "own", found, 8), 1);
	assert_int_equal(found[0], o);
	assert_int_equal(p11->C_CloseSession(t), CKR_OK);
	assert_int_equal(
	    p11->C_GetAttributeValue(s, o, &a, 1), CKR_OBJECT_HANDLE_INVALID);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(client_find(s, "token", found, 8), 2);
		if (i == 0) {
			assert_int_equal(p11->C_CloseSession(other), CKR_OK);
			assert_int_equal(p11->C_CloseSession(s), CKR_OK);
		} else {
			assert_int_equal(p11->C_CloseAllSessions(FAKE_SLOT), CKR_OK);
		}
		s = open_session();
		for (int k = 0; k < 2; k++)
			assert_int_equal(p11->C_GetAttributeValue(s, found[k], &a, 1),
			    CKR_OBJECT_HANDLE_INVALID);
		assert_int_equal(
		    p11->C_Login(s, CKU_USER, (CK_UTF8CHAR_PTR)FAKE_PIN, 4), CKR_OK);
		other = open_session();
	}
	assert_int_equal(p11->C_FindObjectsInit(s, &all, 1), CKR_OK);
	assert_int_equal(p11->C_FindObjectsFinal(s), CKR_OK);
}

static void
test_with_the_applications_mutexes(void **state)
{
	CK_C_INITIALIZE_ARGS args = client_mutexes();

	restart(&args, "on");
	test_own_change_is_never_stale(state);
}

#define T(f) cmocka_unit_test_setup_teardown(f, searching_begin, shortcuts_end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_attributes_as_softhsm2_has_them),
	    T(test_odd_questions_go_to_the_worker),
	    T(test_own_change_is_never_stale),
	    T(test_found_before_a_change_is_not_believed),
	    T(test_another_epoch_forgets),
	    T(test_asked_again_after_a_pause),
	    T(test_late_reply_is_no_news),
	    T(test_gone_objects_are_not_known),
	    T(test_with_the_applications_mutexes),
	};

	return cmocka_run_group_tests(tests, shortcuts_start, shortcuts_stop);
}
