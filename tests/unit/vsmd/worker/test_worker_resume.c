/* test_worker_resume.c - sessions, login and handles on a fresh channel */
#include "rig.h"

#include <string.h>
#include <sys/wait.h>

#include "protocol/resume.h"

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
do_resume(struct guest *g, const struct resume *ask, struct resumed *ret)
{
	struct frame f;
	struct buf b;

	buf_init(&b, 1 << 20);
	frame_begin(&b, 1, FRAME_RESUME);
	resume_ask_write(&b, ask);
	frame_end(&b);
	guest_send_raw(g, b.data, b.len);
	buf_free(&b);
	assert_true(guest_receive(g, &f));
	assert_int_equal(f.id, 1);
	assert_int_equal(f.call, FRAME_RESUME);
	assert_true(resume_answer_read(&g->in, ask, ret, &g->arena));
	g->next_id = 1;
}

static void
test_resume(void **state)
{
	struct grant grant = rig_grant();
	CK_FLAGS flags[3] = {CKF_SERIAL_SESSION | CKF_RW_SESSION, CKF_SERIAL_SESSION, 0};
	CK_SESSION_INFO info;
	CK_OBJECT_HANDLE key, pub;
	uint8_t ids[3][MSG_ID_LEN];
	struct resume ask = {.user = 1 + CKU_USER, .ticket = (const uint8_t *)"1" USER_PIN,
	    .ticket_len = 1 + strlen(USER_PIN), .session_flags = flags, .nsessions = 3,
	    .ids = ids, .nids = 3};
	struct resumed done;
	struct guest g;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	assert_int_equal(guest_make_rsa(&g, 1024, "resumed", true, &pub, &key), CKR_OK);
	memcpy(ids[0], g.reply.refs[1].id, MSG_ID_LEN);
	memcpy(ids[1], g.reply.refs[0].id, MSG_ID_LEN);
	memset(ids[2], 7, MSG_ID_LEN);
	assert_int_equal(guest_leave(&g), 0);

	guest_attach(&g, &rig, &grant, 0);
	do_resume(&g, &ask, &done);
	assert_int_equal(done.rv, CKR_OK);
	assert_int_not_equal(done.sessions[0], 0);
	assert_int_not_equal(done.sessions[1], 0);
	assert_int_equal(done.sessions[2], 0); /* not a serial session */
	assert_int_not_equal(done.objects[0], 0);
	assert_int_not_equal(done.objects[1], 0);
	assert_int_equal(done.objects[2], 0);
	g.session = done.sessions[0];
	key = done.objects[0];
	assert_int_equal(CALLX(&g, C_GetSessionInfo, N(g.session), P(&info)), CKR_OK);
	assert_int_equal(info.state, CKS_RW_USER_FUNCTIONS);
	assert_int_equal(guest_sign(&g, key), CKR_OK);
	assert_int_equal(guest_leave(&g), 0);
}

/* Two that are alike in all attributes, as private keys of a curve may be: each is known as
 * itself, and when one is gone its handle is not taken for the other's. */
static void
test_twins(void **state)
{
	struct grant grant = rig_grant();
	CK_FLAGS flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_ATTRIBUTE t[] = {
	    {CKA_CLASS, &class, sizeof(class)},
	    {CKA_TOKEN, &yes, 1},
	    {CKA_PRIVATE, &no, 1},
	    {CKA_LABEL, (void *)(uintptr_t)"twin", 4},
	    {CKA_VALUE, (void *)(uintptr_t)"same", 4},
	};
	CK_ATTRIBUTE label = {CKA_LABEL, (void *)(uintptr_t)"other", 5};
	CK_OBJECT_HANDLE h[2];
	uint8_t ids[2][MSG_ID_LEN];
	struct resume ask = {.session_flags = &flags, .nsessions = 1, .ids = ids, .nids = 2};
	struct resumed done;
	struct guest g;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
		    CALLX(&g, C_CreateObject, N(g.session), PL(t, 5), P(&h[i])), CKR_OK);
		memcpy(ids[i], g.reply.refs[0].id, MSG_ID_LEN);
	}
	/* What an object is called makes no difference. */
	assert_int_equal(
	    CALLX(&g, C_SetAttributeValue, N(g.session), N(h[1]), PL(&label, 1)), CKR_OK);
	assert_int_equal(guest_leave(&g), 0);

	guest_attach(&g, &rig, &grant, 0);
	do_resume(&g, &ask, &done);
	assert_int_equal(done.rv, CKR_OK);
	assert_int_not_equal(done.objects[0], 0);
	assert_int_not_equal(done.objects[1], 0);
	assert_int_not_equal(done.objects[0], done.objects[1]);
	assert_int_equal(CALLX(&g, C_DestroyObject, N(done.sessions[0]), N(done.objects[0])),
	    CKR_OK);
	assert_int_equal(guest_leave(&g), 0);

	guest_attach(&g, &rig, &grant, 0);
	do_resume(&g, &ask, &done);
	assert_int_equal(done.objects[0], 0);
	assert_int_not_equal(done.objects[1], 0);
	assert_int_equal(guest_leave(&g), 0);
}

static void
test_bad_tickets(void **state)
{
	struct grant grant = rig_grant();
	CK_FLAGS flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
	struct resume ask = {.user = 1 + CKU_USER, .session_flags = &flags, .nsessions = 1};
	struct resumed done;
	struct guest g;

	(void)state;
	/* Unknown to the store; of another user type; of a PIN that is no longer right. */
	for (int i = 0; i < 3; i++) {
		const char *ticket = (const char *const[]){"", "0" SO_PIN, "10000"}[i];

		ask.ticket = (const uint8_t *)ticket;
		ask.ticket_len = strlen(ticket);
		guest_attach(&g, &rig, &grant, 0);
		do_resume(&g, &ask, &done);
		assert_int_not_equal(done.rv, CKR_OK);
		assert_int_not_equal(done.sessions[0], 0);
		g.session = done.sessions[0];
		assert_int_equal(
		    CALLX(&g, C_Logout, N(g.session)), CKR_OK); /* SoftHSM2 does not mind */
		assert_int_equal(guest_leave(&g), 0);
	}
	/* Without a session there is nothing to be logged in to. */
	ask.ticket = (const uint8_t *)"1" USER_PIN;
	ask.ticket_len = 1 + strlen(USER_PIN);
	ask.nsessions = 0;
	guest_attach(&g, &rig, &grant, 0);
	do_resume(&g, &ask, &done);
	assert_int_equal(done.rv, CKR_USER_NOT_LOGGED_IN);
	assert_int_equal(guest_leave(&g), 0);
}

static void
test_limits(void **state)
{
	struct grant grant = rig_grant();
	CK_FLAGS flags[100];
	struct resume ask = {.session_flags = flags, .nsessions = 100};
	struct resumed done;
	struct guest g;
	unsigned n = 0;

	(void)state;
	for (int i = 0; i < 100; i++)
		flags[i] = CKF_SERIAL_SESSION;
	guest_attach(&g, &rig, &grant, 0);
	do_resume(&g, &ask, &done);
	for (int i = 0; i < 100; i++)
		n += done.sessions[i] != 0;
	assert_int_equal(n, 64);
	assert_int_equal(guest_leave(&g), 0);
}

/* Where a worker died while it wrote, nothing is resumed in half. */
static void
test_broken_token(void **state)
{
	CK_FLAGS flags[] = {CKF_SERIAL_SESSION};
	struct resume ask = {.session_flags = flags, .nsessions = 1};
	struct grant grant = rig_grant();
	struct guest g;
	struct frame f;
	struct buf b;

	(void)state;
	atomic_store(&rig.gate.shared->writing, 1);
	guest_attach(&g, &rig, &grant, 0);
	buf_init(&b, 4096);
	frame_begin(&b, 1, FRAME_RESUME);
	resume_ask_write(&b, &ask);
	frame_end(&b);
	guest_send_raw(&g, b.data, b.len);
	buf_free(&b);
	assert_true(guest_receive(&g, &f));
	assert_int_equal(f.call, FRAME_AGAIN);
	assert_int_equal(f.length, 0);
	assert_int_equal(WEXITSTATUS(guest_wait_end(&g)), 0);
	atomic_store(&rig.gate.shared->writing, 0);
}

static void
test_malformed(void **state)
{
	struct grant grant = rig_grant();
	uint8_t frame[FRAME_HEADER + 2] = {2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0xff, 0xff};
	struct guest g;
	struct frame f;
	int status;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_send_raw(&g, frame, sizeof(frame));
	assert_false(guest_receive(&g, &f));
	status = guest_wait_end(&g);
	assert_int_equal(WEXITSTATUS(status), 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_resume),
	    cmocka_unit_test(test_twins),
	    cmocka_unit_test(test_bad_tickets),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_broken_token),
	    cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
