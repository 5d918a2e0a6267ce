/* hold.c and known.c: searches, and what other threads do meanwhile. */
#include "searching.h"

#include <string.h>

#include "crowd.h"
#include "protocol/calls.h"

static CK_RV
search_everything(CK_SESSION_HANDLE in)
{
	CK_OBJECT_HANDLE o;
	CK_ULONG n;
	CK_RV rv;

	if ((rv = p11->C_FindObjectsInit(in, NULL, 0)) == CKR_OK &&
	    (rv = p11->C_FindObjects(in, &o, 1, &n)) == CKR_OK)
		rv = p11->C_FindObjectsFinal(in);
	return rv;
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
	(void)state;
	make_many();
	crowd_add(search_everything, s);
	crowd_add(search_everything, other);
	for (int i = 0; i < 50; i++)
		assert_int_equal(client_in_child(child_leaves), 0);
	crowd_stop();
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
	t = call_in_thread(init_search, &rv);
	assert_int_equal(p11->C_SignInit(s, &rsa, key), CKR_OK);
	assert_int_equal(pthread_join(t, NULL), 0);
	fake->late_before = 0;
	assert_int_equal(rv, CKR_OPERATION_ACTIVE);
	assert_int_equal(p11->C_Sign(s, (CK_BYTE_PTR) "data", 4, out, &len), CKR_OK);
	assert_int_equal(p11->C_FindObjectsFinal(s), CKR_OPERATION_NOT_INITIALIZED);
	search(s);
}

static CK_RV
read_what_is_found(CK_SESSION_HANDLE in)
{
	CK_OBJECT_HANDLE o[SOME];
	CK_ULONG n = 0;
	CK_RV rv;

	if ((rv = p11->C_FindObjectsInit(in, &by_label, 1)) == CKR_OK &&
	    (rv = p11->C_FindObjects(in, o, SOME, &n)) == CKR_OK)
		rv = p11->C_FindObjectsFinal(in);
	if (rv == CKR_OK && n != SOME)
		rv = CKR_GENERAL_ERROR;
	for (CK_ULONG i = 0; rv == CKR_OK && i < n; i++) {
		CK_BYTE label[8];
		CK_ATTRIBUTE a = {CKA_LABEL, label, sizeof(label)};

		rv = p11->C_GetAttributeValue(in, o[i], &a, 1);
		if (rv == CKR_OK && (a.ulValueLen != 4 || memcmp(label, "some", 4) != 0))
			rv = CKR_GENERAL_ERROR;
	}
	return rv;
}

static CK_OBJECT_HANDLE changed;

static CK_RV
change_another(void)
{
	CK_ATTRIBUTE label = {CKA_LABEL, (void *)(uintptr_t)"y", 1};

	return p11->C_SetAttributeValue(other, changed, &label, 1);
}

/* Many threads search and read what they find while one changes an object that is none of
 * theirs. */
static void
test_searchers_do_not_notice_changes(void **state)
{
	(void)state;
	changed = client_data(s, "x", CK_FALSE);
	crowd_during(read_what_is_found, change_another, 200);
}

#define T(f) cmocka_unit_test_setup_teardown(f, searching_begin, shortcuts_end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_fork_while_others_search),
	    T(test_overtaken_search_is_refused),
	    T(test_searchers_do_not_notice_changes),
	};

	return cmocka_run_group_tests(tests, shortcuts_start, shortcuts_stop);
}
