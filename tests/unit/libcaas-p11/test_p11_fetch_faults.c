/* hold.c: forked, and with a worker that is lost, or hostile, during a search. */
#include "searching.h"

#include <unistd.h>

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
		assert_int_equal(p11->C_FindObjectsInit(s, NULL, 0), CKR_DEVICE_ERROR);
		fake->mode = FAKE_HONEST;
		assert_int_equal(
		    p11->C_FindObjects(s, o, 1, &n), CKR_OPERATION_NOT_INITIALIZED);
		assert_int_equal(p11->C_FindObjectsFinal(s), CKR_OPERATION_NOT_INITIALIZED);
		/* The successors of one that ended do not resume in full either. */
		if (modes[i] != FAKE_HALF)
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

#define T(f) cmocka_unit_test_setup_teardown(f, searching_begin, shortcuts_end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_fork_with_a_search),
	    T(test_worker_lost_with_a_search),
	    T(test_asked_again),
	    T(test_new_search_after_a_lost_one),
	    T(test_breaches),
	    T(test_lies_do_no_harm),
	};

	return cmocka_run_group_tests(tests, shortcuts_start, shortcuts_stop);
}
