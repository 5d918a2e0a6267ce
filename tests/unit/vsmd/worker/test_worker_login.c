/* test_worker_login.c - logins, lock-out, channel logins, PINs and what they leave behind */
#include "rig.h"

#include <stdio.h>
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

static bool
recorded(const char *text)
{
	return strstr(rig.store.events, text) != NULL;
}

static void
test_ticket(void **state)
{
	struct grant grant = rig_grant();
	struct guest g;
	int commits = rig.store.commits, logins = rig.store.logins;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_open(&g);
	assert_int_equal(guest_try_login(&g, CKU_USER, USER_PIN), CKR_OK);
	assert_int_equal(g.reply.ticket_len, 1 + strlen(USER_PIN));
	assert_memory_equal(g.reply.ticket, "1" USER_PIN, g.reply.ticket_len);
	assert_int_equal(rig.store.logins, logins + 1);
	/* A login is not committed: nothing of it must last. */
	assert_int_equal(rig.store.commits, commits);
	assert_true(recorded("C_Login user=user 0"));
	assert_int_equal(
	    guest_try_login(&g, CKU_USER, USER_PIN), CKR_USER_ALREADY_LOGGED_IN);
	assert_int_equal(
	    guest_try_login(&g, CKU_SO, SO_PIN), CKR_USER_ANOTHER_ALREADY_LOGGED_IN);
	assert_int_equal(guest_leave(&g), 0);
}

static void
test_logout(void **state)
{
	struct grant grant = rig_grant();
	struct guest g;
	int logouts = rig.store.logouts;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	assert_int_equal(CALLX(&g, C_Logout, N(g.session)), CKR_OK);
	assert_int_equal(rig.store.logouts, logouts + 1);
	assert_int_equal(guest_try_login(&g, CKU_USER, USER_PIN), CKR_OK);
	/* The last session takes the login with it. */
	assert_int_equal(CALLX(&g, C_CloseSession, N(g.session)), CKR_OK);
	assert_int_equal(rig.store.logouts, logouts + 2);
	guest_login(&g);
	assert_int_equal(CALLX(&g, C_CloseAllSessions, N(RIG_SLOT)), CKR_OK);
	assert_int_equal(rig.store.logouts, logouts + 3);
	assert_int_equal(guest_leave(&g), 0);
}

static void
test_wrong_pin(void **state)
{
	struct grant grant = rig_grant();
	struct guest g;
	int failures = rig.store.failures, audits = rig.store.audits;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_open(&g);
	assert_int_equal(guest_try_login(&g, CKU_USER, "1111"), CKR_PIN_INCORRECT);
	assert_int_equal(g.reply.ticket_len, 0);
	/* Without lock-out: recorded, not counted. */
	assert_int_equal(rig.store.failures, failures);
	assert_int_equal(rig.store.audits, audits + 1);
	assert_int_equal(guest_try_login(&g, CKU_USER, NULL), CKR_ARGUMENTS_BAD);
	assert_int_equal(guest_try_login(&g, 9, "1111"), CKR_USER_TYPE_INVALID);
	assert_int_equal(
	    guest_try_login(&g, CKU_CONTEXT_SPECIFIC, "1111"), CKR_OPERATION_NOT_INITIALIZED);
	assert_int_equal(guest_leave(&g), 0);
}

static void
test_lockout(void **state)
{
	struct grant grant = rig_grant();
	CK_TOKEN_INFO info;
	struct guest g;
	int failures = rig.store.failures;

	(void)state;
	grant.flags |= GRANT_PIN_LOCKOUT;
	guest_attach(&g, &rig, &grant, 0);
	guest_open(&g);
	assert_int_equal(guest_try_login(&g, CKU_USER, "1111"), CKR_PIN_INCORRECT);
	assert_int_equal(rig.store.failures, failures + 1);
	/* The old PIN of C_SetPIN can be guessed as well. */
	assert_int_equal(CALLX(&g, C_SetPIN, N(g.session), PL("2222", 4), PL("3333", 4)),
	    CKR_PIN_INCORRECT);
	assert_int_equal(rig.store.failures, failures + 2);
	assert_int_equal(CALLX(&g, C_CloseAllSessions, N(RIG_SLOT)), CKR_OK);
	assert_int_equal(CALLX(&g, C_InitToken, N(RIG_SLOT), PL("44444444", 8),
			     P("x                               ")), CKR_PIN_INCORRECT);
	assert_int_equal(rig.store.failures, failures + 3);
	rig.store.may_not = 1;
	rig.store.flags = CKF_USER_PIN_LOCKED;
	guest_open(&g);
	/* Not even the right one is tried any more. */
	assert_int_equal(guest_try_login(&g, CKU_USER, USER_PIN), CKR_PIN_LOCKED);
	assert_int_equal(CALLX(&g, C_SetPIN, N(g.session), PL(USER_PIN, strlen(USER_PIN)),
			     PL("3333", 4)), CKR_PIN_LOCKED);
	assert_int_equal(CALLX(&g, C_GetTokenInfo, N(RIG_SLOT), P(&info)), CKR_OK);
	assert_true(info.flags & CKF_USER_PIN_LOCKED);
	rig.store.may_not = 0;
	rig.store.flags = 0;
	assert_int_equal(guest_try_login(&g, CKU_USER, USER_PIN), CKR_OK);
	assert_int_equal(guest_leave(&g), 0);
}

static void
test_channel_login(void **state)
{
	struct grant grant = rig_grant();
	CK_TOKEN_INFO info;
	struct guest g;

	(void)state;
	grant.flags |= GRANT_CHANNEL_LOGIN;
	guest_attach(&g, &rig, &grant, 0);
	assert_int_equal(CALLX(&g, C_GetTokenInfo, N(RIG_SLOT), P(&info)), CKR_OK);
	assert_true(info.flags & CKF_PROTECTED_AUTHENTICATION_PATH);
	guest_open(&g);
	assert_int_equal(guest_try_login(&g, CKU_USER, NULL), CKR_OK);
	assert_true(g.reply.ticket_len > 0);
	assert_int_equal(CALLX(&g, C_Logout, N(g.session)), CKR_OK);
	assert_int_equal(guest_try_login(&g, CKU_USER, ""), CKR_OK);
	assert_int_equal(CALLX(&g, C_Logout, N(g.session)), CKR_OK);
	assert_int_equal(guest_try_login(&g, CKU_USER, "wrong"), CKR_PIN_INCORRECT);
	assert_int_equal(guest_try_login(&g, CKU_USER, USER_PIN), CKR_OK);
	assert_int_equal(CALLX(&g, C_Logout, N(g.session)), CKR_OK);
	/* The SO has no channel login. */
	assert_int_equal(guest_try_login(&g, CKU_SO, NULL), CKR_ARGUMENTS_BAD);
	assert_int_equal(guest_leave(&g), 0);
}

static void
test_channel_pin_change(void **state)
{
	struct grant grant = rig_grant();
	struct guest g;
	char first[64];

	(void)state;
	grant.flags |= GRANT_CHANNEL_LOGIN;
	guest_attach(&g, &rig, &grant, 0);
	guest_open(&g);
	/* The old one is the store's, the new one nobody's. */
	assert_int_equal(
	    CALLX(&g, C_SetPIN, N(g.session), PL(NULL, 0), PL(NULL, 0)), CKR_OK);
	assert_int_equal(strlen(rig.store.user_pin), 32);
	snprintf(first, sizeof(first), "%s", rig.store.user_pin);
	assert_int_equal(guest_try_login(&g, CKU_USER, NULL), CKR_OK);
	assert_int_equal(CALLX(&g, C_Logout, N(g.session)), CKR_OK);
	assert_int_equal(guest_try_login(&g, CKU_SO, SO_PIN), CKR_OK);
	assert_int_equal(CALLX(&g, C_InitPIN, N(g.session), PL(NULL, 0)), CKR_OK);
	assert_int_equal(strlen(rig.store.user_pin), 32);
	assert_string_not_equal(rig.store.user_pin, first);
	assert_int_equal(CALLX(&g, C_InitPIN, N(g.session), PL(USER_PIN, strlen(USER_PIN))),
	    CKR_OK);
	assert_string_equal(rig.store.user_pin, USER_PIN);
	assert_int_equal(guest_leave(&g), 0);
}

/* SoftHSM2 reads the PINs once: another worker must not go on with the old one. */
static void
test_pin_change_elsewhere(void **state)
{
	struct grant grant = rig_grant();
	struct guest a, b, c;
	int commits = rig.store.commits, pins = rig.store.pins;

	(void)state;
	guest_attach(&a, &rig, &grant, 0);
	guest_attach(&b, &rig, &grant, 0);
	guest_open(&a);
	guest_open(&b);
	assert_int_equal(CALLX(&a, C_SetPIN, N(a.session), PL(USER_PIN, strlen(USER_PIN)),
			     PL("99990000", 8)), CKR_OK);
	assert_int_equal(rig.store.commits, commits + 1);
	assert_int_equal(rig.store.pins, pins + 1);
	assert_string_equal(rig.store.user_pin, "99990000");
	/* b cannot judge any more: it says so, and its channel ends, in order. */
	assert_int_equal(guest_try_login(&b, CKU_USER, USER_PIN), CKR_DEVICE_REMOVED);
	assert_int_equal(b.again, 1);
	assert_int_equal(guest_wait_end(&b), 0);
	guest_attach(&c, &rig, &grant, 0);
	guest_open(&c);
	assert_int_equal(guest_try_login(&c, CKU_USER, USER_PIN), CKR_PIN_INCORRECT);
	assert_int_equal(guest_try_login(&c, CKU_USER, "99990000"), CKR_OK);
	/* The one that changed it goes on. */
	assert_int_equal(guest_try_login(&a, CKU_USER, "99990000"), CKR_OK);
	assert_int_equal(CALLX(&a, C_SetPIN, N(a.session), PL("99990000", 8),
			     PL(USER_PIN, strlen(USER_PIN))), CKR_OK);
	assert_int_equal(guest_leave(&a), 0);
	assert_int_equal(guest_leave(&c), 0);
}

/* Who is logged in already hears that, and stays so, whoever changed a PIN meanwhile. */
static void
test_login_again_after_a_change_elsewhere(void **state)
{
	struct grant grant = rig_grant();
	CK_SESSION_INFO info;
	struct guest a, c;

	(void)state;
	guest_attach(&a, &rig, &grant, 0);
	guest_attach(&c, &rig, &grant, 0);
	guest_open(&a);
	guest_login(&c);
	assert_int_equal(CALLX(&a, C_SetPIN, N(a.session), PL(USER_PIN, strlen(USER_PIN)),
			     PL("99990000", 8)), CKR_OK);
	assert_int_equal(guest_try_login(&c, CKU_USER, USER_PIN), CKR_USER_ALREADY_LOGGED_IN);
	assert_int_equal(guest_try_login(&c, CKU_USER, "1111"), CKR_USER_ALREADY_LOGGED_IN);
	assert_int_equal(guest_try_login(&c, CKU_SO, SO_PIN), CKR_USER_ANOTHER_ALREADY_LOGGED_IN);
	assert_int_equal(CALLX(&c, C_GetSessionInfo, N(c.session), P(&info)), CKR_OK);
	assert_int_equal(info.state, CKS_RW_USER_FUNCTIONS);
	assert_int_equal(c.again, 0);
	assert_int_equal(CALLX(&a, C_SetPIN, N(a.session), PL("99990000", 8),
			     PL(USER_PIN, strlen(USER_PIN))), CKR_OK);
	assert_int_equal(guest_leave(&a), 0);
	assert_int_equal(CALLX(&c, C_Logout, N(c.session)), CKR_OK);
	assert_int_equal(guest_leave(&c), 0);
}

static void
test_init_token_again(void **state)
{
	struct grant grant = rig_grant();
	CK_OBJECT_HANDLE key, all[8];
	CK_TOKEN_INFO info;
	struct guest g;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	assert_int_equal(guest_make_aes(&g, "lost", true, false, &key), CKR_OK);
	assert_int_equal(CALLX(&g, C_InitToken, N(RIG_SLOT), PL(SO_PIN, strlen(SO_PIN)),
			     P("again                           ")), CKR_SESSION_EXISTS);
	assert_int_equal(CALLX(&g, C_CloseSession, N(g.session)), CKR_OK);
	assert_int_equal(CALLX(&g, C_InitToken, N(RIG_SLOT), PL(SO_PIN, strlen(SO_PIN)),
			     P("again                           ")), CKR_OK);
	assert_string_equal(rig.store.token_label, "again");
	assert_int_equal(CALLX(&g, C_GetTokenInfo, N(RIG_SLOT), P(&info)), CKR_OK);
	assert_memory_equal(info.label, "again ", 6);
	assert_false(info.flags & CKF_USER_PIN_INITIALIZED);
	guest_open(&g);
	assert_int_equal(
	    guest_try_login(&g, CKU_USER, USER_PIN), CKR_USER_PIN_NOT_INITIALIZED);
	assert_int_equal(guest_try_login(&g, CKU_SO, SO_PIN), CKR_OK);
	assert_int_equal(CALLX(&g, C_InitPIN, N(g.session), PL(USER_PIN, strlen(USER_PIN))),
	    CKR_OK);
	assert_int_equal(CALLX(&g, C_Logout, N(g.session)), CKR_OK);
	assert_int_equal(guest_try_login(&g, CKU_USER, USER_PIN), CKR_OK);
	assert_int_equal(guest_find(&g, all, 8), 0);
	assert_int_equal(guest_leave(&g), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ticket),
	    cmocka_unit_test(test_logout),
	    cmocka_unit_test(test_wrong_pin),
	    cmocka_unit_test(test_lockout),
	    cmocka_unit_test(test_channel_login),
	    cmocka_unit_test(test_channel_pin_change),
	    cmocka_unit_test(test_pin_change_elsewhere),
	    cmocka_unit_test(test_login_again_after_a_change_elsewhere),
	    cmocka_unit_test(test_init_token_again),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
