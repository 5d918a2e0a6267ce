/* told.c: forked, with other threads, and with a worker that is lost, old, or hostile. */
#include "shortcuts.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "libcaas-p11/known.h"
#include "protocol/calls.h"
#include "protocol/frame.h"

#define COST(round_trips, of_them_infos) COST_OF(round_trips, infos, of_them_infos)

static CK_MECHANISM_INFO info;
static CK_SLOT_INFO slot;
static CK_TOKEN_INFO token;
static CK_SESSION_INFO session;

static void
make_nothing(void)
{
}

static int
begin(void **state)
{
	(void)state;
	return shortcuts_begin(make_nothing);
}

static int
end(void **state)
{
	if (fake->pid == 0)
		fake_restart(fake);
	return shortcuts_end(state);
}

static CK_RV
ask_mechanism(void)
{
	return p11->C_GetMechanismInfo(FAKE_SLOT, CKM_RSA_PKCS, &info);
}

/* All four of the slot are OK. */
static bool
all_told(void)
{
	CK_ULONG n;

	return p11->C_GetSlotInfo(FAKE_SLOT, &slot) == CKR_OK &&
	    p11->C_GetTokenInfo(FAKE_SLOT, &token) == CKR_OK &&
	    memcmp(token.label, "fake ", 5) == 0 &&
	    p11->C_GetMechanismList(FAKE_SLOT, NULL, &n) == CKR_OK && n > 50 &&
	    ask_mechanism() == CKR_OK && (info.flags & CKF_SIGN);
}

static int
child_asks(void)
{
	int channels = fake->channels, seen = fake->infos;

	return p11->C_GetSessionInfo(s, &session) == CKR_OK &&
	    session.state == CKS_RW_USER_FUNCTIONS && fake->channels == channels + 1 &&
	    all_told() && fake->infos == seen + 1 && p11->C_Finalize(NULL) == CKR_OK;
}

/* To vsmd it may be another principal: nothing that the parent was told counts. */
static void
test_child_asks_for_itself(void **state)
{
	(void)state;
	assert_true(all_told());
	assert_int_equal(p11->C_GetSessionInfo(s, &session), CKR_OK);
	assert_int_equal(client_in_child(child_asks), 0);
	count();
	assert_true(all_told());
	assert_int_equal(fake->infos, infos);
}

/* A worker that is gone is noticed by the question after the pause, which the next one
 * answers; and that is asked for everything. */
static void
test_worker_lost(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		int channels = fake->channels;

		assert_true(all_told());
		assert_int_equal(p11->C_GetSessionInfo(s, &session), CKR_OK);
		fake_kill_workers(fake);
		wait_until_unknown();
		if (i == 0) {
			assert_int_equal(p11->C_GetSessionInfo(s, &session), CKR_OK);
			assert_int_equal(session.state, CKS_RW_USER_FUNCTIONS);
		} else if (i == 1) {
			assert_int_equal(p11->C_GetTokenInfo(FAKE_SLOT, &token), CKR_OK);
		}
		assert_true(all_told());
		assert_int_equal(fake->channels, channels + 1);
		assert_true(all_told());
		/* That question may have been a plain one, on the old channel. */
		assert_int_equal(fake->infos - infos, 1);
	}
}

/* One that was noticed by another call: the next may have been told something else. */
static void
test_worker_replaced(void **state)
{
	CK_BYTE byte;

	(void)state;
	assert_true(all_told());
	assert_int_equal(p11->C_GetSessionInfo(s, &session), CKR_OK);
	fake_kill_workers(fake);
	while (p11->C_GenerateRandom(s, &byte, 1) != CKR_OK)
		(void)usleep(1000);
	count();
	assert_true(all_told());
	assert_int_equal(fake->infos - infos, 1);
}

static void
test_vsmd_gone(void **state)
{
	CK_ULONG n;

	(void)state;
	assert_true(all_told());
	assert_int_equal(p11->C_GetSessionInfo(s, &session), CKR_OK);
	fake_kill(fake);
	(void)usleep((KNOWN_MS + 20) * 1000);
	assert_int_equal(p11->C_GetSlotInfo(FAKE_SLOT, &slot), CKR_DEVICE_ERROR);
	assert_int_equal(p11->C_GetTokenInfo(FAKE_SLOT, &token), CKR_TOKEN_NOT_PRESENT);
	assert_int_equal(
	    p11->C_GetMechanismList(FAKE_SLOT, NULL, &n), CKR_TOKEN_NOT_PRESENT);
	assert_int_equal(ask_mechanism(), CKR_TOKEN_NOT_PRESENT);
	assert_int_equal(p11->C_GetSessionInfo(s, &session), CKR_DEVICE_REMOVED);
	fake_restart(fake);
	assert_true(all_told());
	assert_int_equal(p11->C_GetSessionInfo(s, &session), CKR_OK);
	assert_int_equal(session.state, CKS_RW_USER_FUNCTIONS);
}

/* Who hears of it by another call does not hear the opposite from memory. */
static void
test_slot_gone(void **state)
{
	CK_BYTE byte;
	CK_ULONG n;

	(void)state;
	assert_true(all_told());
	assert_int_equal(p11->C_GetSessionInfo(s, &session), CKR_OK);
	fake->mode = FAKE_REFUSE;
	fake_kill_workers(fake);
	while (p11->C_GenerateRandom(s, &byte, 1) == CKR_OK)
		(void)usleep(1000);
	assert_int_equal(p11->C_GetSlotInfo(FAKE_SLOT, &slot), CKR_DEVICE_ERROR);
	assert_int_equal(p11->C_GetTokenInfo(FAKE_SLOT, &token), CKR_TOKEN_NOT_PRESENT);
	assert_int_equal(
	    p11->C_GetMechanismList(FAKE_SLOT, NULL, &n), CKR_TOKEN_NOT_PRESENT);
	assert_int_equal(ask_mechanism(), CKR_TOKEN_NOT_PRESENT);
	assert_int_equal(p11->C_GetSessionInfo(s, &session), CKR_DEVICE_REMOVED);
	fake->mode = FAKE_HONEST;
	assert_true(all_told());
}

/* A worker that serves no more has the question asked of the next. */
static void
test_asked_again(void **state)
{
	int channels = fake->channels;

	(void)state;
	fake->mode = FAKE_AGAIN;
	assert_true(all_told());
	assert_int_equal(fake->channels, channels + 1);
}

/* A worker that has no FRAME_INFO is asked for it once. */
static void
test_older_worker(void **state)
{
	(void)state;
	fake->mode = FAKE_INFO_NONE;
	assert_int_equal(p11->C_GetSlotInfo(FAKE_SLOT, &slot), CKR_OK);
	COST(2, 1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(p11->C_GetSlotInfo(FAKE_SLOT, &slot), CKR_OK);
		assert_int_equal(ask_mechanism(), CKR_OK);
		COST(2, 0);
		assert_true(all_told());
		count();
	}
	fake->mode = FAKE_HONEST;
	fake_kill_workers(fake);
	wait_until_unknown();
	assert_int_equal(ask_mechanism(), CKR_OK);
	assert_true(all_told());
	assert_int_equal(fake->infos, infos + 1);
}

static void
test_breaches(void **state)
{
	static const enum fake_mode modes[] = {FAKE_SHORT, FAKE_LEFTOVER, FAKE_FLAGS,
	    FAKE_WRONG_CALL, FAKE_WRONG_ID, FAKE_HUGE, FAKE_HALF, FAKE_INFO_COUNT,
	    FAKE_INFO_MANY};

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		int channels;

		restart(NULL, "on");
		channels = fake->channels;
		fake->mode = modes[i];
		assert_int_equal(p11->C_GetTokenInfo(FAKE_SLOT, &token), CKR_DEVICE_ERROR);
		fake->mode = FAKE_HONEST;
		assert_true(all_told());
		/* The successors of one that ended do not resume in full either. */
		if (modes[i] != FAKE_HALF)
			assert_int_equal(fake->channels, channels + 1);
	}
}

static atomic_bool stop;
static atomic_int wrong, wrong_token;

static void *
ask_until_stopped(void *arg)
{
	CK_MECHANISM_INFO m;
	CK_SESSION_INFO si;
	CK_TOKEN_INFO t;

	(void)arg;
	while (!stop) {
		wrong_token += p11->C_GetTokenInfo(FAKE_SLOT, &t) != CKR_OK ||
		    memcmp(t.label, "fake ", 5) != 0;
		wrong += p11->C_GetMechanismInfo(FAKE_SLOT, CKM_RSA_PKCS, &m) != CKR_OK ||
		    !(m.flags & CKF_SIGN);
		wrong += p11->C_GetSessionInfo(s, &si) != CKR_OK ||
		    (si.state != CKS_RW_USER_FUNCTIONS && si.state != CKS_RW_PUBLIC_SESSION);
	}
	return NULL;
}

/* While others ask, who has logged in or out sees it; a child in the middle of it asks for
 * itself. */
static void
change_among_others(void)
{
	pthread_t t[4];

	stop = false;
	wrong = wrong_token = 0;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, ask_until_stopped, NULL), 0);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(p11->C_Logout(other), CKR_OK);
		assert_int_equal(p11->C_GetSessionInfo(s, &session), CKR_OK);
		assert_int_equal(session.state, CKS_RW_PUBLIC_SESSION);
		assert_int_equal(p11->C_Login(other, CKU_USER, (CK_UTF8CHAR_PTR) "oops", 4),
		    CKR_PIN_INCORRECT);
		assert_int_equal(p11->C_GetTokenInfo(FAKE_SLOT, &token), CKR_OK);
		assert_true(token.flags & CKF_USER_PIN_COUNT_LOW);
		assert_int_equal(
		    p11->C_Login(other, CKU_USER, (CK_UTF8CHAR_PTR)FAKE_PIN, 4), CKR_OK);
		assert_int_equal(p11->C_GetTokenInfo(FAKE_SLOT, &token), CKR_OK);
		assert_false(token.flags & CKF_USER_PIN_COUNT_LOW);
		assert_int_equal(p11->C_GetSessionInfo(s, &session), CKR_OK);
		assert_int_equal(session.state, CKS_RW_USER_FUNCTIONS);
	}
	stop = true;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	assert_int_equal(wrong, 0);
	assert_int_equal(wrong_token, 0);
}

static void
test_threads(void **state)
{
	(void)state;
	change_among_others();
}

static void
test_threads_with_the_applications_mutexes(void **state)
{
	CK_C_INITIALIZE_ARGS args = client_mutexes();

	(void)state;
	restart(&args, "on");
	change_among_others();
}

static void
test_forks_among_threads(void **state)
{
	pthread_t t[4];

	(void)state;
	assert_true(all_told());
	stop = false;
	wrong = wrong_token = 0;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, ask_until_stopped, NULL), 0);
	for (int i = 0; i < 30; i++)
		assert_int_equal(client_in_child(child_asks), 0);
	stop = true;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	/* Of the token's file the fake has no gate, and the child's worker writes to it. */
	assert_int_equal(wrong, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_child_asks_for_itself),
	    T(test_worker_lost),
	    T(test_worker_replaced),
	    T(test_vsmd_gone),
	    T(test_slot_gone),
	    T(test_asked_again),
	    T(test_older_worker),
	    T(test_breaches),
	    T(test_threads),
	    T(test_threads_with_the_applications_mutexes),
	    T(test_forks_among_threads),
	};

	return cmocka_run_group_tests(tests, shortcuts_start, shortcuts_stop);
}
