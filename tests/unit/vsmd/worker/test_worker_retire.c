/* test_worker_retire.c - a worker that has made many session objects, and the one after it */
#include "rig.h"

#include <string.h>

#include "protocol/kept.h"
#include "vsmd/worker/retire.h"

#define MANY 100 /* objects after which it goes */
#define LONG 1000 /* as many as it looks again within, more than once */

static struct rig rig;
static struct grant grant;
static CK_OBJECT_HANDLE kept[1024];
static unsigned nkept;

static void
note(struct guest *g)
{
	struct kept k;

	assert_true(kept_read(&g->in, &k));
	if (nkept < sizeof(kept) / sizeof(kept[0]))
		kept[nkept] = k.handle;
	nkept++;
}

static bool
was_kept(CK_OBJECT_HANDLE o)
{
	for (unsigned i = 0; i < nkept; i++)
		if (kept[i] == o)
			return true;
	return false;
}

static int
setup(void **state)
{
	(void)state;
	rig_prepare(&rig);
	rig.config.retire = MANY * RETIRE_MADE;
	rig_launch(&rig);
	rig_make_token(&rig);
	rig.on_kept = note;
	grant = rig_grant();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

static void
attach(struct guest *g, uint32_t flags)
{
	nkept = 0;
	rig.hello_flags = flags;
	guest_attach(g, &rig, &grant, 0);
	guest_login(g);
}

static CK_RV
make(struct guest *g, size_t bytes, CK_OBJECT_HANDLE *ret)
{
	static uint8_t content[KEPT_MAX_OBJECT];
	CK_OBJECT_CLASS data = CKO_DATA;
	CK_BBOOL no = CK_FALSE;
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &data, sizeof(data)}, {CKA_TOKEN, &no, 1},
	    {CKA_VALUE, content, bytes}};

	return CALLX(g, C_CreateObject, N(g->session), PL(t, 3), P(ret));
}

/* Make and destroy up to n objects.  True: the worker had the next one asked, and ended. */
static bool
churn(struct guest *g, int n)
{
	CK_RV rv = CKR_OK;

	for (int i = 0; i < n && rv == CKR_OK; i++) {
		CK_OBJECT_HANDLE o = 0;

		if ((rv = make(g, 8, &o)) == CKR_OK)
			rv = CALLX(g, C_DestroyObject, N(g->session), N(o));
	}
	assert_int_equal(rv, g->again > 0 ? CKR_DEVICE_REMOVED : CKR_OK);
	if (g->again == 0)
		return false;
	assert_int_equal(guest_wait_end(g), 0);
	return true;
}

static void
after_many_objects(void **state)
{
	CK_OBJECT_HANDLE o = 0;
	struct guest g;

	(void)state;
	attach(&g, HELLO_KEEP);
	assert_int_equal(make(&g, 8, &o), CKR_OK);
	assert_false(churn(&g, MANY / 2));
	assert_true(churn(&g, 2 * LONG));
	/* What there is was given to the guest first. */
	assert_true(was_kept(o));
	/* The next one begins at nothing. */
	attach(&g, HELLO_KEEP);
	assert_false(churn(&g, MANY / 2));
	assert_int_equal(guest_leave(&g), 0);
}

/* Others make and destroy objects of the token; who searches meanwhile keeps what it has seen. */
static void
after_objects_of_others(void **state)
{
	CK_OBJECT_CLASS data = CKO_DATA;
	CK_BBOOL yes = CK_TRUE;
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &data, sizeof(data)}, {CKA_TOKEN, &yes, 1}};
	const int commits = (int)(rig.config.retire / RETIRE_COMMIT);
	struct guest g, other;
	CK_OBJECT_HANDLE o = 0;
	int made = 0;

	(void)state;
	attach(&other, 0);
	attach(&g, HELLO_KEEP);
	while (g.again == 0 && made < 4 * commits) {
		assert_int_equal(CALLX(&other, C_CreateObject, N(other.session), PL(t, 2), P(&o)), CKR_OK);
		assert_int_equal(CALLX(&other, C_DestroyObject, N(other.session), N(o)), CKR_OK);
		made += 2;
		if (CALLX(&g, C_FindObjectsInit, N(g.session), PL(NULL, 0)) == CKR_OK)
			assert_int_equal(CALLX(&g, C_FindObjectsFinal, N(g.session)), CKR_OK);
	}
	assert_true(made >= commits && made < 2 * commits);
	assert_int_equal(guest_wait_end(&g), 0);
	/* Who does not search has not lost anything. */
	attach(&g, HELLO_KEEP);
	for (int i = 0; i < commits; i++) {
		assert_int_equal(CALLX(&other, C_CreateObject, N(other.session), PL(t, 2), P(&o)), CKR_OK);
		assert_int_equal(CALLX(&other, C_DestroyObject, N(other.session), N(o)), CKR_OK);
	}
	assert_false(churn(&g, MANY / 2));
	assert_int_equal(guest_leave(&g), 0);
	assert_int_equal(guest_leave(&other), 0);
}

/* What was begun is gone with a worker: not before it is over. */
static void
not_under_an_operation(void **state)
{
	CK_MECHANISM digest = {CKM_SHA256, NULL, 0};
	CK_ULONG len, n;
	CK_OBJECT_HANDLE o;
	uint8_t out[32];
	struct guest g;

	(void)state;
	attach(&g, HELLO_KEEP);
	assert_int_equal(CALLX(&g, C_DigestInit, N(g.session), P(&digest)), CKR_OK);
	assert_false(churn(&g, LONG));
	assert_int_equal(CALLX(&g, C_DigestUpdate, N(g.session), PL("data", 4)), CKR_OK);
	len = sizeof(out);
	assert_int_equal(CALLX(&g, C_DigestFinal, N(g.session), PLP(out, &len)), CKR_OK);
	assert_true(churn(&g, LONG));

	attach(&g, HELLO_KEEP);
	assert_int_equal(CALLX(&g, C_FindObjectsInit, N(g.session), PL(NULL, 0)), CKR_OK);
	assert_false(churn(&g, LONG));
	assert_int_equal(CALLX(&g, C_FindObjects, N(g.session),
			     {.ptr = &o, .len = 1, .plen = &n}), CKR_OK);
	assert_int_equal(CALLX(&g, C_FindObjectsFinal, N(g.session)), CKR_OK);
	assert_true(churn(&g, LONG));
}

/* It is too large. */
static void
not_with_what_is_not_kept(void **state)
{
	CK_OBJECT_HANDLE large = 0;
	struct guest g;

	(void)state;
	attach(&g, HELLO_KEEP);
	assert_int_equal(make(&g, KEPT_MAX_OBJECT, &large), CKR_OK);
	assert_false(churn(&g, LONG));
	assert_false(was_kept(large));
	assert_int_equal(CALLX(&g, C_DestroyObject, N(g.session), N(large)), CKR_OK);
	assert_true(churn(&g, LONG));
}

static void
not_with_too_many(void **state)
{
	CK_OBJECT_HANDLE o[RETIRE_KEPT + 1] = {0};
	struct guest g;

	(void)state;
	attach(&g, HELLO_KEEP);
	for (int i = 0; i <= RETIRE_KEPT; i++)
		assert_int_equal(make(&g, 8, &o[i]), CKR_OK);
	assert_false(churn(&g, LONG));
	/* One more is there when it looks. */
	for (int i = 0; i < 2; i++)
		assert_int_equal(CALLX(&g, C_DestroyObject, N(g.session), N(o[i])), CKR_OK);
	assert_true(churn(&g, LONG));
	for (int i = 2; i <= RETIRE_KEPT; i++)
		assert_true(was_kept(o[i]));
}

static void
not_where_nothing_is_kept(void **state)
{
	struct guest g;

	(void)state;
	attach(&g, 0);
	assert_false(churn(&g, LONG));
	assert_int_equal(guest_leave(&g), 0);
}

/* Its login could not be taken up: the ticket does not open any more. */
static void
not_after_a_new_pin(void **state)
{
	struct guest g;

	(void)state;
	attach(&g, HELLO_KEEP);
	assert_int_equal(CALLX(&g, C_SetPIN, N(g.session), PL(USER_PIN, strlen(USER_PIN)),
			     PL(USER_PIN, strlen(USER_PIN))), CKR_OK);
	assert_false(churn(&g, LONG));
	assert_int_equal(guest_leave(&g), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(after_many_objects),
	    cmocka_unit_test(after_objects_of_others),
	    cmocka_unit_test(not_under_an_operation),
	    cmocka_unit_test(not_with_what_is_not_kept),
	    cmocka_unit_test(not_with_too_many),
	    cmocka_unit_test(not_where_nothing_is_kept),
	    cmocka_unit_test(not_after_a_new_pin),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
