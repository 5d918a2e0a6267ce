/* test_worker_serve.c - one guest, every class of call */
#include "rig.h"

#include <string.h>
#include <sys/wait.h>

static struct rig rig;

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

static void
test_hello(void **state)
{
	struct grant grant = rig_grant();
	struct guest g;

	(void)state;
	guest_attach(&g, &rig, &grant, 9000);
	assert_int_equal(g.hello.status, HELLO_OK);
	assert_int_equal(g.hello.version, HELLO_VERSION);
	assert_int_equal(g.hello.max_frame, FRAME_MAX_DEFAULT);
	assert_int_equal(g.hello.silence, 9000);
	assert_int_equal(WEXITSTATUS(guest_leave(&g)), 0);
}

static void
test_sign(void **state)
{
	struct grant grant = rig_grant();
	CK_OBJECT_HANDLE pub, priv;
	struct guest g;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	assert_int_equal(guest_make_rsa(&g, 1024, "key", true, &pub, &priv), CKR_OK);
	assert_int_equal(g.reply.nrefs, 2);
	assert_int_equal(guest_sign(&g, priv), CKR_OK);
	assert_int_equal(WEXITSTATUS(guest_leave(&g)), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_hello),
	    cmocka_unit_test(test_sign),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
