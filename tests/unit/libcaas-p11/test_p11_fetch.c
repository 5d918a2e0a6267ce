/* hold.c and known.c: searches that are fetched.  What they cost in round trips, and that
 * every call says what it says without: the fake worker's SoftHSM2 is the judge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include "client.h"
#include "fake.h"
#include "libcaas-p11/known.h"
#include "protocol/calls.h"
#include "protocol/fetch.h"

#define SOME 5 /* objects with the label "some" */

static struct fake *fake;
static CK_SESSION_HANDLE s, other;
static CK_MECHANISM rsa = {CKM_RSA_PKCS, NULL, 0}, sha = {CKM_SHA256, NULL, 0};
static CK_OBJECT_HANDLE some[SOME];
static CK_ATTRIBUTE by_label = {CKA_LABEL, (void *)(uintptr_t)"some", 4};
static int calls, fetches;

/* What it has cost since the last time. */
#define COST(round_trips, of_them_fetches)                                               \
	do {                                                                             \
		assert_int_equal(fake->calls - calls, round_trips);                      \
		assert_int_equal(fake->fetches - fetches, of_them_fetches);              \
		count();                                                                 \
	} while (0)

static void
count(void)
{
	calls = fake->calls;
	fetches = fake->fetches;
}

static CK_SESSION_HANDLE
open_session(void)
{
	CK_SESSION_HANDLE t;

	assert_int_equal(p11->C_OpenSession(FAKE_SLOT, RW, NULL, NULL, &t), CKR_OK);
	return t;
}

static void
begin_objects(void)
{
	other = open_session();
	for (int i = 0; i < SOME; i++)
		assert_int_not_equal(some[i] = client_data(s, "some", CK_FALSE), 0);
	count();
}

static int
begin(void **state)
{
	(void)state;
	client_load();
	s = client_begin();
	begin_objects();
	return 0;
}

static int
end(void **state)
{
	(void)state;
	fake->mode = FAKE_HONEST;
	fake->late_before = fake->late_after = 0;
	(void)p11->C_Finalize(NULL);
	client_unload();
	return 0;
}

static void
restart(const CK_C_INITIALIZE_ARGS *args, bool shortcuts)
{
	assert_int_equal(p11->C_Finalize(NULL), CKR_OK);
	assert_int_equal(setenv("CAAS_VSM_SHORTCUTS", shortcuts ? "on" : "off", 1), 0);
	assert_int_equal(p11->C_Initialize((void *)(uintptr_t)args), CKR_OK);
	assert_int_equal(unsetenv("CAAS_VSM_SHORTCUTS"), 0);
	s = open_session();
	assert_int_equal(p11->C_Login(s, CKU_USER, (CK_UTF8CHAR_PTR)FAKE_PIN, 4), CKR_OK);
	begin_objects();
}

static bool
is_some(CK_OBJECT_HANDLE o)
{
	for (int i = 0; i < SOME; i++)
		if (some[i] == o)
			return true;
	return false;
}

/* C_FindObjectsInit, in one round trip. */
static void
search(CK_SESSION_HANDLE in)
{
	count();
	assert_int_equal(p11->C_FindObjectsInit(in, &by_label, 1), CKR_OK);
	COST(1, 1);
}

/* The next object, which has to be one of some; 0: no more. */
static CK_OBJECT_HANDLE
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

static void
rest(CK_SESSION_HANDLE in, int n)
{
	for (int i = 0; i < n; i++)
		assert_int_not_equal(next(in), 0);
	assert_int_equal(next(in), 0);
}

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
		restart(&args, false);
		steps = 0;
		walks[i]();
		COST(fake->calls - calls, 0);
		memcpy(plain, walked, sizeof(plain));
		nplain = steps;
		restart(&args, true);
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

/* So many that the worker has more. */
#define MANY (FETCH_MAX + 100)

static CK_ATTRIBUTE by_many = {CKA_LABEL, (void *)(uintptr_t)"many", 4};

static void
make_many(void)
{
	for (int i = 0; i < MANY; i++)
		assert_int_not_equal(client_data(s, "many", CK_FALSE), 0);
	count();
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

/* A parent's search. */
static CK_OBJECT_HANDLE token_object;

static int
child_goes_on(void)
{
	CK_OBJECT_HANDLE o = 0;
	CK_ULONG n;

	return p11->C_FindObjects(s, &o, 1, &n) == CKR_OK && n == 1 && o == token_object &&
	    p11->C_FindObjects(s, &o, 1, &n) == CKR_OK && n == 0 &&
	    p11->C_FindObjectsFinal(s) == CKR_OK &&
	    p11->C_FindObjectsFinal(s) == CKR_OPERATION_NOT_INITIALIZED &&
	    client_find(s, "fork", &o, 1) == 1 && o == token_object &&
	    p11->C_Finalize(NULL) == CKR_OK;
}

static void
test_fork_with_a_search(void **state)
{
	CK_ATTRIBUTE t = {CKA_LABEL, (void *)(uintptr_t)"fork", 4};
	CK_OBJECT_HANDLE o = 0;
	CK_ULONG n;

	(void)state;
	token_object = client_data(s, "fork", CK_TRUE);
	assert_int_equal(p11->C_FindObjectsInit(s, &t, 1), CKR_OK);
	assert_int_equal(client_in_child(child_goes_on), 0);
	assert_int_equal(p11->C_FindObjects(s, &o, 1, &n), CKR_OK);
	assert_int_equal(n, 1);
	assert_int_equal(o, token_object);
	assert_int_equal(p11->C_FindObjectsFinal(s), CKR_OK);
	assert_int_equal(p11->C_DestroyObject(s, token_object), CKR_OK);
}

static atomic_bool stop;

static void *
search_all_the_time(void *arg)
{
	CK_SESSION_HANDLE t = *(CK_SESSION_HANDLE *)arg;
	CK_OBJECT_HANDLE o;
	CK_ULONG n;
	CK_RV rv = CKR_OK;

	while (!stop && rv == CKR_OK)
		if ((rv = p11->C_FindObjectsInit(t, NULL, 0)) == CKR_OK &&
		    (rv = p11->C_FindObjects(t, &o, 1, &n)) == CKR_OK)
			rv = p11->C_FindObjectsFinal(t);
	*(CK_SESSION_HANDLE *)arg = rv;
	return NULL;
}

/* Everything that the parent's threads were about to remember or to forget is freed. */
static int
child_leaves(void)
{
	return p11->C_Finalize(NULL) == CKR_OK;
}

static void
test_fork_while_others_search(void **state)
{
	CK_SESSION_HANDLE t[2] = {s, other};
	pthread_t threads[2];

	(void)state;
	make_many();
	stop = false;
	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, search_all_the_time, &t[i]), 0);
	for (int i = 0; i < 50; i++)
		assert_int_equal(client_in_child(child_leaves), 0);
	stop = true;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(t[i], CKR_OK);
	}
}

static void
test_worker_lost_with_a_search(void **state)
{
	CK_ATTRIBUTE t = {CKA_LABEL, (void *)(uintptr_t)"lost", 4};
	CK_OBJECT_HANDLE object = client_data(s, "lost", CK_TRUE), o = 0;
	CK_ULONG n;

	(void)state;
	assert_int_equal(p11->C_FindObjectsInit(s, &t, 1), CKR_OK);
	fake_kill_workers(fake);
	assert_int_equal(p11->C_FindObjects(s, &o, 1, &n), CKR_OK);
	assert_int_equal(n, 1);
	assert_int_equal(o, object);
	assert_int_equal(p11->C_FindObjectsFinal(s), CKR_OK);
	assert_int_equal(p11->C_DestroyObject(s, object), CKR_OK);
}

/* A worker that serves no more has the search asked of the next. */
static void
test_asked_again(void **state)
{
	CK_OBJECT_HANDLE o[3];
	int channels = fake->channels;

	(void)state;
	fake->mode = FAKE_AGAIN;
	assert_int_equal(client_find(s, "token", o, 3), 2);
	assert_int_equal(fake->channels, channels + 1);
	count();
	assert_int_equal(client_find(s, "token", o, 3), 2);
	COST(1, 1);
}

static void
make_token_many(int n)
{
	for (int i = 0; i < n; i++)
		assert_int_not_equal(client_data(s, "lost-many", CK_TRUE), 0);
}

/* A search whose channel is gone, and that was not ended: the next one is another. */
static void
test_new_search_after_a_lost_one(void **state)
{
	CK_ATTRIBUTE many = {CKA_LABEL, (void *)(uintptr_t)"lost-many", 9},
	    private = {CKA_LABEL, (void *)(uintptr_t)"token", 5};
	CK_OBJECT_HANDLE o[8], pair[2];
	CK_ULONG n;

	(void)state;
	make_token_many(3);
	assert_int_equal(client_find(s, "token", pair, 2), 2);
	assert_int_equal(p11->C_FindObjectsInit(s, &many, 1), CKR_OK);
	/* Started in the worker, which goes. */
	assert_int_equal(p11->C_DigestInit(s, &sha), CKR_OPERATION_ACTIVE);
	assert_int_equal(p11->C_FindObjects(s, o, 1, &n), CKR_OK);
	fake_kill_workers(fake);
	while (p11->C_GenerateRandom(s, (CK_BYTE_PTR)o, 1) != CKR_OK)
		(void)usleep(1000);
	assert_int_equal(p11->C_FindObjectsInit(s, &private, 1), CKR_OK);
	assert_int_equal(p11->C_FindObjects(s, o, 8, &n), CKR_OK);
	assert_int_equal(n, 2);
	assert_true((o[0] == pair[0] && o[1] == pair[1]) ||
	    (o[0] == pair[1] && o[1] == pair[0]));
	assert_int_equal(p11->C_FindObjectsFinal(s), CKR_OK);
	assert_int_equal(client_find(s, "lost-many", o, 8), 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(p11->C_DestroyObject(s, o[i]), CKR_OK);
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

/* So that what was known is so no more. */
static void
wait_until_unknown(void)
{
	(void)usleep((KNOWN_MS + 20) * 1000);
	count();
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
	assert_int_equal(pthread_create(&t, NULL, find_on_other, &n), 0);
	while (fake->calls == calls)
		(void)usleep(1000);
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
test_off(void **state)
{
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
	CK_ATTRIBUTE a = {CKA_LABEL, NULL, 0};
	CK_OBJECT_HANDLE o[SOME];

	(void)state;
	restart(&args, false);
	assert_int_equal(client_find(s, "some", o, SOME), SOME);
	COST(3, 0);
	assert_int_equal(p11->C_GetAttributeValue(s, o[0], &a, 1), CKR_OK);
	COST(1, 0);
}

static void
test_breaches(void **state)
{
	static const enum fake_mode modes[] = {FAKE_SHORT, FAKE_LEFTOVER, FAKE_FLAGS,
	    FAKE_WRONG_CALL, FAKE_WRONG_ID, FAKE_HUGE, FAKE_HALF, FAKE_FETCH_COUNT,
	    FAKE_FETCH_MORE, FAKE_FETCH_LENGTH};
	CK_OBJECT_HANDLE o[2];
	CK_ULONG n;

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		int channels = fake->channels;

		fake->mode = modes[i];
		assert_int_equal(p11->C_FindObjectsInit(s, NULL, 0),
		    modes[i] == FAKE_HALF ? CKR_DEVICE_REMOVED : CKR_DEVICE_ERROR);
		fake->mode = FAKE_HONEST;
		assert_int_equal(
		    p11->C_FindObjects(s, o, 1, &n), CKR_OPERATION_NOT_INITIALIZED);
		assert_int_equal(p11->C_FindObjectsFinal(s), CKR_OPERATION_NOT_INITIALIZED);
		assert_int_equal(fake->channels, channels + 1);
		assert_int_equal(client_find(s, "token", o, 2), 2);
	}
}

static void
test_lies_do_no_harm(void **state)
{
	CK_BYTE label[16];
	CK_ATTRIBUTE a = {CKA_LABEL, label, sizeof(label)}, class = {CKA_CLASS, label, 8};
	CK_OBJECT_HANDLE o[SOME];
	int zeroes = 0, twice = 0;

	(void)state;
	fake->mode = FAKE_FETCH_ZERO;
	assert_int_equal(client_find(s, "some", o, SOME), SOME);
	for (int i = 0; i < SOME; i++) {
		zeroes += o[i] == CK_INVALID_HANDLE;
		assert_int_equal(p11->C_GetAttributeValue(s, o[i], &a, 1),
		    o[i] == CK_INVALID_HANDLE ? CKR_OBJECT_HANDLE_INVALID : CKR_OK);
	}
	assert_int_equal(zeroes, 1);
	fake->mode = FAKE_FETCH_TWICE;
	assert_int_equal(client_find(s, "some", o, SOME), SOME);
	for (int i = 1; i < SOME; i++)
		twice += o[i] == o[i - 1];
	assert_int_equal(twice, 1);
	/* The attribute is not to be had from here. */
	fake->mode = FAKE_FETCH_LONG;
	assert_int_equal(client_find(s, "some", o, SOME), SOME);
	count();
	a.ulValueLen = sizeof(label);
	assert_int_equal(p11->C_GetAttributeValue(s, o[0], &a, 1), CKR_OK);
	assert_int_equal(p11->C_GetAttributeValue(s, o[0], &class, 1), CKR_OK);
	COST(2, 0);
	fake->mode = FAKE_HONEST;
	assert_int_equal(client_find(s, "some", o, SOME), SOME);
}

static CK_RV
create_mutex(CK_VOID_PTR_PTR ret)
{
	pthread_mutex_t *m = malloc(sizeof(*m));

	*ret = m;
	return m != NULL && pthread_mutex_init(m, NULL) == 0 ? CKR_OK : CKR_HOST_MEMORY;
}

static CK_RV
destroy_mutex(CK_VOID_PTR m)
{
	(void)pthread_mutex_destroy(m);
	free(m);
	return CKR_OK;
}

static CK_RV
lock_mutex(CK_VOID_PTR m)
{
	return pthread_mutex_lock(m) == 0 ? CKR_OK : CKR_GENERAL_ERROR;
}

static CK_RV
unlock_mutex(CK_VOID_PTR m)
{
	return pthread_mutex_unlock(m) == 0 ? CKR_OK : CKR_MUTEX_NOT_LOCKED;
}

static void
test_with_the_applications_mutexes(void **state)
{
	CK_C_INITIALIZE_ARGS args = {.CreateMutex = create_mutex,
	    .DestroyMutex = destroy_mutex, .LockMutex = lock_mutex,
	    .UnlockMutex = unlock_mutex};

	restart(&args, true);
	test_one_round_trip(state);
	test_search_is_active(state);
	test_own_change_is_never_stale(state);
}

/* A search that another thread has overtaken in the same session with a beginning that
 * was held: it is the search that comes too late. */
static void *
init_search(void *arg)
{
	*(CK_RV *)arg = p11->C_FindObjectsInit(s, &by_label, 1);
	return NULL;
}

static void
test_overtaken_search_is_refused(void **state)
{
	CK_OBJECT_HANDLE key = client_find_private(s, "token");
	CK_BYTE out[512];
	CK_ULONG len = sizeof(out);
	CK_RV rv = CKR_OK;
	pthread_t t;

	(void)state;
	assert_int_equal(client_sign(s, key), CKR_OK); /* from here on it is held */
	count();
	fake->late_before = CALL_C_FindObjectsInit;
	assert_int_equal(pthread_create(&t, NULL, init_search, &rv), 0);
	while (fake->calls == calls)
		(void)usleep(1000);
	assert_int_equal(p11->C_SignInit(s, &rsa, key), CKR_OK);
	assert_int_equal(pthread_join(t, NULL), 0);
	fake->late_before = 0;
	assert_int_equal(rv, CKR_OPERATION_ACTIVE);
	assert_int_equal(p11->C_Sign(s, (CK_BYTE_PTR) "data", 4, out, &len), CKR_OK);
	assert_int_equal(p11->C_FindObjectsFinal(s), CKR_OPERATION_NOT_INITIALIZED);
	search(s);
}

/* Many threads search, each on its session, and read what they find, while one changes an
 * object that is none of theirs. */
#define SEARCHERS 4

static CK_RV failed[SEARCHERS];
static CK_SESSION_HANDLE own[SEARCHERS];

static void *
read_all_the_time(void *arg)
{
	CK_RV *rv = arg;
	CK_SESSION_HANDLE t = own[rv - failed];
	CK_OBJECT_HANDLE o[SOME];
	CK_ULONG n = 0;

	while (!stop && *rv == CKR_OK) {
		if ((*rv = p11->C_FindObjectsInit(t, &by_label, 1)) == CKR_OK &&
		    (*rv = p11->C_FindObjects(t, o, SOME, &n)) == CKR_OK)
			*rv = p11->C_FindObjectsFinal(t);
		if (*rv == CKR_OK && n != SOME)
			*rv = CKR_GENERAL_ERROR;
		for (CK_ULONG i = 0; *rv == CKR_OK && i < n; i++) {
			CK_BYTE label[8];
			CK_ATTRIBUTE a = {CKA_LABEL, label, sizeof(label)};

			*rv = p11->C_GetAttributeValue(t, o[i], &a, 1);
			if (*rv == CKR_OK &&
			    (a.ulValueLen != 4 || memcmp(label, "some", 4) != 0))
				*rv = CKR_GENERAL_ERROR;
		}
	}
	return NULL;
}

static void
test_searchers_do_not_notice_changes(void **state)
{
	CK_ATTRIBUTE label = {CKA_LABEL, (void *)(uintptr_t)"y", 1};
	CK_OBJECT_HANDLE changed = client_data(s, "x", CK_FALSE);
	pthread_t threads[SEARCHERS];
	CK_RV rv = CKR_OK;

	(void)state;
	stop = false;
	for (int i = 0; i < SEARCHERS; i++) {
		own[i] = open_session();
		failed[i] = CKR_OK;
		assert_int_equal(
		    pthread_create(&threads[i], NULL, read_all_the_time, &failed[i]), 0);
	}
	for (int i = 0; i < 200 && rv == CKR_OK; i++) {
		rv = p11->C_SetAttributeValue(other, changed, &label, 1);
		(void)usleep(500);
	}
	stop = true;
	for (int i = 0; i < SEARCHERS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(failed[i], CKR_OK);
	}
	assert_int_equal(rv, CKR_OK);
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_one_round_trip),
	    T(test_search_is_active),
	    T(test_other_operations_meet_it),
	    T(test_every_code_as_without),
	    T(test_templates_of_any_length),
	    T(test_more_than_are_fetched),
	    T(test_closed_with_a_search),
	    T(test_fork_with_a_search),
	    T(test_fork_while_others_search),
	    T(test_worker_lost_with_a_search),
	    T(test_asked_again),
	    T(test_new_search_after_a_lost_one),
	    T(test_one_handle_however_found),
	    T(test_attributes_as_softhsm2_has_them),
	    T(test_odd_questions_go_to_the_worker),
	    T(test_own_change_is_never_stale),
	    T(test_found_before_a_change_is_not_believed),
	    T(test_another_epoch_forgets),
	    T(test_asked_again_after_a_pause),
	    T(test_late_reply_is_no_news),
	    T(test_gone_objects_are_not_known),
	    T(test_off),
	    T(test_breaches),
	    T(test_lies_do_no_harm),
	    T(test_with_the_applications_mutexes),
	    T(test_overtaken_search_is_refused),
	    T(test_searchers_do_not_notice_changes),
	};
	CK_SESSION_HANDLE t;
	int bad;

	fake = fake_start();
	assert(unsetenv("CAAS_VSM_SHORTCUTS") == 0);
	client_load();
	t = client_begin();
	(void)client_rsa(t, "token", CK_TRUE, NULL);
	assert(p11->C_Finalize(NULL) == CKR_OK);
	client_unload();
	bad = cmocka_run_group_tests(tests, NULL, NULL);
	fake_stop(fake);
	return bad;
}
