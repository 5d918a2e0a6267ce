/* test_worker_many.c - many applications on one token at once: none of them loses a call */
#include "rig.h"

#include <pthread.h>
#include <string.h>
#include <sys/wait.h>

#define APPLICATIONS 32
#define ROUNDS 5

static struct rig rig;
static struct guest guests[APPLICATIONS];

static int
setup(void **state)
{
	(void)state;
	rig_start(&rig, true);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

/* Log in, find the key, sign, log out; every third makes and destroys a key as well. */
static void *
application(void *arg)
{
	struct guest *g = arg;
	size_t i = (size_t)(g - guests);

	for (int round = 0; round < ROUNDS; round++) {
		CK_OBJECT_HANDLE all[64], key = 0, own;
		CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
		CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)}};
		CK_ULONG n;

		guest_login(g);
		assert_int_equal(
		    CALLX(g, C_FindObjectsInit, N(g->session), PL(t, 1)), CKR_OK);
		assert_int_equal(CALLX(g, C_FindObjects, N(g->session),
				     {.ptr = all, .len = 64, .plen = &n}), CKR_OK);
		assert_int_equal(CALLX(g, C_FindObjectsFinal, N(g->session)), CKR_OK);
		assert_int_equal(n, 1);
		key = all[0];
		if (i % 3 == 0)
			assert_int_equal(guest_make_aes(g, "own", true, false, &own), CKR_OK);
		assert_int_equal(guest_sign(g, key), CKR_OK);
		if (i % 3 == 0)
			assert_int_equal(
			    CALLX(g, C_DestroyObject, N(g->session), N(own)), CKR_OK);
		assert_int_equal(CALLX(g, C_CloseSession, N(g->session)), CKR_OK);
	}
	return NULL;
}

static void
test_login_and_sign_at_once(void **state)
{
	struct grant grant = rig_grant();
	CK_OBJECT_HANDLE pub, priv;
	pthread_t threads[APPLICATIONS];
	struct guest g;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	assert_int_equal(guest_make_rsa(&g, 1024, "shared", true, &pub, &priv), CKR_OK);
	assert_int_equal(guest_leave(&g), 0);
	for (int i = 0; i < APPLICATIONS; i++)
		guest_attach(&guests[i], &rig, &grant, 0);
	for (int i = 0; i < APPLICATIONS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, application, &guests[i]), 0);
	for (int i = 0; i < APPLICATIONS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < APPLICATIONS; i++)
		assert_int_equal(guest_leave(&guests[i]), 0);
}

static void
attach_two(struct guest *a, struct guest *b)
{
	struct grant grant = rig_grant();

	guest_attach(a, &rig, &grant, 0);
	guest_attach(b, &rig, &grant, 0);
	guest_login(a);
	guest_login(b);
}

/* SoftHSM2 takes the number that it writes itself for what it knows: what another had made
 * before was never found. */
static void
test_found_after_a_change_of_ones_own(void **state)
{
	CK_OBJECT_HANDLE all[64], key;
	struct guest a, b;
	CK_ULONG before;

	(void)state;
	attach_two(&a, &b);
	before = guest_find(&a, all, 64);
	for (CK_ULONG i = 1; i <= 3; i++) {
		assert_int_equal(guest_make_aes(&b, "theirs", true, false, &key), CKR_OK);
		assert_int_equal(guest_make_aes(&b, "theirs", true, false, &key), CKR_OK);
		assert_int_equal(guest_make_aes(&a, "ours", true, false, &key), CKR_OK);
		assert_int_equal(guest_find(&a, all, 64), before + 3 * i);
		assert_int_equal(guest_find(&b, all, 64), before + 3 * i);
	}
	assert_int_equal(guest_leave(&a), 0);
	assert_int_equal(guest_leave(&b), 0);
}

/* The same, when what it changes is an object that it destroys. */
static void
test_found_after_an_object_was_destroyed(void **state)
{
	CK_OBJECT_HANDLE all[64], mine[2], key;
	struct guest a, b;
	CK_ULONG before;

	(void)state;
	attach_two(&a, &b);
	for (int i = 0; i < 2; i++)
		assert_int_equal(guest_make_aes(&a, "ours", true, false, &mine[i]), CKR_OK);
	before = guest_find(&a, all, 64);
	assert_int_equal(guest_make_aes(&b, "theirs", true, false, &key), CKR_OK);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    CALLX(&a, C_DestroyObject, N(a.session), N(mine[i])), CKR_OK);
	assert_int_equal(guest_find(&a, all, 64), before - 1);
	assert_int_equal(guest_leave(&a), 0);
	assert_int_equal(guest_leave(&b), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_login_and_sign_at_once),
	    cmocka_unit_test(test_found_after_a_change_of_ones_own),
	    cmocka_unit_test(test_found_after_an_object_was_destroyed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
