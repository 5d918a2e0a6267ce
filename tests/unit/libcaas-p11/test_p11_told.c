/* told.c: slot, token, mechanisms and sessions are told as the worker tells them, and for
 * as long as they may be. */
#include "shortcuts.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "libcaas-p11/known.h"
#include "protocol/calls.h"
#include "protocol/frame.h"

#define COST(round_trips, of_them_infos) COST_OF(round_trips, infos, of_them_infos)

static CK_SLOT_INFO slot;
static CK_TOKEN_INFO token;
static CK_SESSION_INFO session;
static CK_MECHANISM_TYPE types[256];
static CK_ULONG ntypes;

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

/* Questions; what is known is known for a moment. */
static void
ask_slot(void)
{
	assert_int_equal(p11->C_GetSlotInfo(FAKE_SLOT, &slot), CKR_OK);
}

static void
ask_token(void)
{
	assert_int_equal(p11->C_GetTokenInfo(FAKE_SLOT, &token), CKR_OK);
}

static void
ask_list(void)
{
	ntypes = 256;
	assert_int_equal(p11->C_GetMechanismList(FAKE_SLOT, types, &ntypes), CKR_OK);
}

static void
ask_mechanism(void)
{
	CK_MECHANISM_INFO info;

	assert_int_equal(p11->C_GetMechanismInfo(FAKE_SLOT, CKM_RSA_PKCS, &info), CKR_OK);
}

static void
ask_session(void)
{
	assert_int_equal(p11->C_GetSessionInfo(s, &session), CKR_OK);
}

static void (*const questions[])(void) = {
    ask_slot, ask_token, ask_list, ask_mechanism, ask_session};

#define QUESTIONS (sizeof(questions) / sizeof(questions[0]))

/* Asked twice, the second time it costs nothing: a moment may be over before, on a machine
 * with much to do. */
static bool
is_told(void (*question)(void))
{
	for (int i = 0; i < 50; i++) {
		question();
		count();
		question();
		if (fake->calls == calls)
			return true;
	}
	return false;
}

static void
assert_asked(void (*question)(void))
{
	count();
	question();
	COST(1, 0);
}

/* What a program does that lists mechanisms. */
static void
test_one_round_trip(void **state)
{
	CK_MECHANISM_INFO info;
	int i;

	(void)state;
	for (i = 0; i < 50; i++) {
		restart(NULL, "on");
		ask_slot();
		ask_token();
		assert_int_equal(p11->C_GetMechanismList(FAKE_SLOT, NULL, &ntypes), CKR_OK);
		ask_list();
		for (CK_ULONG k = 0; k < ntypes; k++)
			assert_int_equal(
			    p11->C_GetMechanismInfo(FAKE_SLOT, types[k], &info), CKR_OK);
		assert_int_equal(fake->infos - infos, 1);
		if (fake->calls - calls == 1)
			break;
	}
	assert_int_not_equal(i, 50);
	assert_true(ntypes > 50);
	restart(NULL, "off");
	for (size_t k = 0; k < QUESTIONS; k++)
		for (int twice = 0; twice < 2; twice++)
			assert_asked(questions[k]);
}

/* Which of them is the first. */
static void
test_each_brings_all(void **state)
{
	(void)state;
	for (size_t k = 0; k < QUESTIONS - 1; k++) {
		restart(NULL, "on");
		questions[k]();
		COST(1, 1);
		for (size_t i = 0; i < QUESTIONS; i++)
			assert_true(is_told(questions[i]));
		assert_int_equal(fake->infos, infos);
	}
}

struct answers {
	CK_RV rv[32];
	unsigned n;
	CK_SLOT_INFO slot;
	CK_TOKEN_INFO token;
	CK_SESSION_INFO session[2];
	CK_MECHANISM_TYPE types[2][256];
	CK_ULONG count[8];
	CK_MECHANISM_INFO info[256];
};

static void
ask_odd_ones(struct answers *a)
{
	CK_ULONG *n = a->count, k = 0;

	memset(a, 0x5a, sizeof(*a));
	a->n = 0;
#define RV(call) a->rv[a->n++] = p11->call
	RV(C_GetSlotInfo(FAKE_SLOT, NULL));
	RV(C_GetSlotInfo(FAKE_SLOT, &a->slot));
	RV(C_GetSlotInfo(99, &a->slot));
	RV(C_GetSlotInfo(~0ul, &a->slot));
	RV(C_GetTokenInfo(FAKE_SLOT, NULL));
	RV(C_GetTokenInfo(FAKE_SLOT, &a->token));
	RV(C_GetTokenInfo(99, &a->token));
	RV(C_GetMechanismList(FAKE_SLOT, NULL, NULL));
	RV(C_GetMechanismList(FAKE_SLOT, a->types[0], NULL));
	RV(C_GetMechanismList(FAKE_SLOT, NULL, n++));
	RV(C_GetMechanismList(99, NULL, n++));
	*n = 3;
	RV(C_GetMechanismList(FAKE_SLOT, a->types[0], n++));
	*n = 0;
	RV(C_GetMechanismList(FAKE_SLOT, a->types[0], n++));
	*n = a->count[0] - 1;
	RV(C_GetMechanismList(FAKE_SLOT, a->types[0], n++));
	*n = a->count[0];
	RV(C_GetMechanismList(FAKE_SLOT, a->types[0], n++));
	*n = 256;
	RV(C_GetMechanismList(FAKE_SLOT, a->types[1], n++));
	RV(C_GetMechanismInfo(FAKE_SLOT, CKM_RSA_PKCS, NULL));
	RV(C_GetMechanismInfo(FAKE_SLOT, CKM_VENDOR_DEFINED, &a->info[255]));
	RV(C_GetMechanismInfo(FAKE_SLOT, CKM_VENDOR_DEFINED, NULL));
	RV(C_GetMechanismInfo(99, CKM_RSA_PKCS, &a->info[255]));
	RV(C_GetSessionInfo(s, &a->session[0]));
	RV(C_GetSessionInfo(s, NULL));
	RV(C_GetSessionInfo(other, &a->session[1]));
	RV(C_GetSessionInfo(4711, &a->session[1]));
	RV(C_GetSessionInfo(0, &a->session[1]));
#undef RV
	for (k = 0; k < a->count[0] && k < 255; k++)
		if (p11->C_GetMechanismInfo(FAKE_SLOT, a->types[1][k], &a->info[k]) != CKR_OK)
			a->rv[31] = CKR_GENERAL_ERROR;
	/* What goes on, or may be another second. */
	memset(a->token.utcTime, 0, sizeof(a->token.utcTime));
	assert_true(a->n < 31);
}

/* Asked of the worker one by one, brought by the first question, and from memory. */
static void
test_as_the_worker_says(void **state)
{
	static struct answers asked, brought, told;

	(void)state;
	restart(NULL, "off");
	ask_odd_ones(&asked);
	restart(NULL, "on");
	ask_odd_ones(&brought);
	ask_odd_ones(&told);
	assert_int_equal(asked.rv[asked.n - 3], CKR_OK);
	assert_memory_equal(&asked, &brought, sizeof(asked));
	assert_memory_equal(&asked, &told, sizeof(asked));
	assert_int_equal(p11->C_Finalize(NULL), CKR_OK);
	ask_odd_ones(&told);
	for (unsigned i = 0; i < told.n; i++)
		assert_int_equal(told.rv[i], CKR_CRYPTOKI_NOT_INITIALIZED);
}

/* One question after a pause, of whatever kind, and what cannot change is told again. */
static void
test_asked_again_after_a_pause(void **state)
{
	CK_BYTE byte;

	(void)state;
	for (size_t i = 0; i < QUESTIONS; i++)
		assert_true(is_told(questions[i]));
	for (size_t i = 0; i < QUESTIONS; i++) {
		wait_until_unknown();
		assert_asked(questions[i]);
	}
	wait_until_unknown();
	assert_int_equal(p11->C_GenerateRandom(s, &byte, 1), CKR_OK);
	assert_true(is_told(ask_slot));
	assert_true(is_told(ask_list));
	assert_true(is_told(ask_mechanism));
	assert_int_equal(fake->infos, infos);
}

/* Replies to other questions do not make the token's flags and time any younger. */
static void
test_token_is_asked_for_again(void **state)
{
	CK_BYTE byte;

	(void)state;
	assert_true(is_told(ask_token));
	for (int i = 0; i < 10; i++) {
		(void)usleep((KNOWN_MS + 20) * 1000 / 10);
		assert_int_equal(p11->C_GenerateRandom(s, &byte, 1), CKR_OK);
	}
	assert_asked(ask_token);
	/* A change of the store, which any reply tells. */
	assert_true(is_told(ask_token));
	fake->epoch++;
	assert_int_equal(p11->C_GenerateRandom(s, &byte, 1), CKR_OK);
	assert_asked(ask_token);
	assert_true(is_told(ask_token));
}

static CK_RV
login(const char *pin)
{
	return p11->C_Login(other, CKU_USER, (CK_UTF8CHAR_PTR)(uintptr_t)pin, 4);
}

static void
test_own_login_is_seen_at_once(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		assert_true(is_told(ask_session));
		assert_int_equal(session.state, CKS_RW_USER_FUNCTIONS);
		assert_int_equal(p11->C_Logout(other), CKR_OK);
		ask_session();
		assert_int_equal(session.state, CKS_RW_PUBLIC_SESSION);
		ask_token();
		assert_false(token.flags & CKF_USER_PIN_COUNT_LOW);
		assert_int_equal(login("oops"), CKR_PIN_INCORRECT);
		ask_token();
		assert_true(token.flags & CKF_USER_PIN_COUNT_LOW);
		assert_int_equal(login(FAKE_PIN), CKR_OK);
		ask_session();
		assert_int_equal(session.state, CKS_RW_USER_FUNCTIONS);
		ask_token();
		assert_false(token.flags & CKF_USER_PIN_COUNT_LOW);
	}
}

static int
child_guesses(void)
{
	CK_SESSION_HANDLE t;

	return p11->C_Initialize(NULL) == CKR_OK &&
	    p11->C_OpenSession(FAKE_SLOT, RW, NULL, NULL, &t) == CKR_OK &&
	    p11->C_Login(t, CKU_USER, (CK_UTF8CHAR_PTR) "oops", 4) == CKR_PIN_INCORRECT &&
	    p11->C_Finalize(NULL) == CKR_OK;
}

/* No epoch tells of another application's wrong PIN. */
static void
test_wrong_pin_of_another_application(void **state)
{
	(void)state;
	assert_true(is_told(ask_token));
	assert_false(token.flags & CKF_USER_PIN_COUNT_LOW);
	assert_int_equal(client_in_child(child_guesses), 0);
	(void)usleep(KNOWN_MS * 1000);
	ask_token();
	assert_true(token.flags & CKF_USER_PIN_COUNT_LOW);
	assert_int_equal(p11->C_Logout(s), CKR_OK);
	assert_int_equal(login(FAKE_PIN), CKR_OK);
}

/* Each session has its own state, and takes it along. */
static void
test_sessions(void **state)
{
	CK_SESSION_HANDLE t[40];
	CK_SESSION_INFO info;

	(void)state;
	for (int i = 0; i < 40; i++)
		assert_int_equal(p11->C_OpenSession(FAKE_SLOT, i & 1 ? RW : SERIAL, NULL,
				     NULL, &t[i]), CKR_OK);
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 40; i++) {
			assert_int_equal(p11->C_GetSessionInfo(t[i], &info), CKR_OK);
			assert_int_equal(info.state,
			    i & 1 ? CKS_RW_USER_FUNCTIONS : CKS_RO_USER_FUNCTIONS);
			assert_int_equal(info.flags, i & 1 ? RW : SERIAL);
			assert_int_equal(info.slotID, FAKE_SLOT);
		}
	assert_true(is_told(ask_session));
	assert_int_equal(p11->C_CloseSession(t[0]), CKR_OK);
	assert_int_equal(
	    p11->C_GetSessionInfo(t[0], &info), CKR_SESSION_HANDLE_INVALID);
	assert_int_equal(p11->C_CloseAllSessions(FAKE_SLOT), CKR_OK);
	assert_int_equal(p11->C_GetSessionInfo(s, &info), CKR_SESSION_HANDLE_INVALID);
	s = open_session();
	ask_session();
	assert_int_equal(session.state, CKS_RW_PUBLIC_SESSION);
}

static void *
ask_in_thread(void *arg)
{
	void (*const *question)(void) = arg;

	(*question)();
	return NULL;
}

/* Answered before a change, and the reply comes in after it: worth nothing. */
static void
test_told_before_a_change_is_not_believed(void **state)
{
	static void (*const session_question)(void) = ask_session;
	static void (*const token_question)(void) = ask_token;
	const struct {
		void (*const *question)(void);
		uint32_t call;
	} late[] = {{&token_question, FRAME_INFO}, {&token_question, CALL_C_GetTokenInfo},
	    {&session_question, CALL_C_GetSessionInfo}};
	pthread_t t;

	(void)state;
	fake->late_ms = KNOWN_MS / 3; /* so that it could be believed */
	for (size_t i = 0; i < 3; i++) {
		wait_until_unknown();
		fake->late_after = (int)late[i].call;
		t = call_in_thread(ask_in_thread, (void *)(uintptr_t)late[i].question);
		(void)usleep(KNOWN_MS / 12 * 1000);
		fake->late_after = 0;
		assert_int_equal(p11->C_Logout(other), CKR_OK);
		assert_int_equal(login("oops"), CKR_PIN_INCORRECT);
		assert_int_equal(pthread_join(t, NULL), 0);
		ask_session();
		assert_int_equal(session.state, CKS_RW_PUBLIC_SESSION);
		ask_token();
		assert_true(token.flags & CKF_USER_PIN_COUNT_LOW);
		assert_int_equal(login(FAKE_PIN), CKR_OK);
	}
}

/* A reply that was long on its way is an answer, and no more. */
static void
test_late_reply_is_no_news(void **state)
{
	(void)state;
	fake->late_after = (int)FRAME_INFO;
	ask_list();
	fake->late_after = 0;
	COST(1, 1);
	ask_list();
	COST(1, 0);
	ask_token();
	COST(1, 0);
	assert_true(is_told(ask_list));
	assert_int_equal(fake->infos, infos);
}

/* The last test: there is a token on the empty slot afterwards. */
static void
test_own_token_is_seen_at_once(void **state)
{
	CK_UTF8CHAR label[32];

	(void)state;
	memset(label, ' ', sizeof(label));
	for (int i = 0; i < 4; i++) {
		assert_int_equal(p11->C_GetTokenInfo(FAKE_EMPTY_SLOT, &token), CKR_OK);
		assert_int_equal(!(token.flags & CKF_TOKEN_INITIALIZED), i == 0);
		label[0] = (CK_UTF8CHAR)('a' + i);
		assert_int_equal(p11->C_InitToken(FAKE_EMPTY_SLOT,
				     (CK_UTF8CHAR_PTR)FAKE_SO_PIN, 4, label), CKR_OK);
		assert_int_equal(p11->C_GetTokenInfo(FAKE_EMPTY_SLOT, &token), CKR_OK);
		assert_true(token.flags & CKF_TOKEN_INITIALIZED);
		assert_memory_equal(token.label, label, sizeof(label));
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, shortcuts_end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_one_round_trip),
	    T(test_each_brings_all),
	    T(test_as_the_worker_says),
	    T(test_asked_again_after_a_pause),
	    T(test_token_is_asked_for_again),
	    T(test_own_login_is_seen_at_once),
	    T(test_wrong_pin_of_another_application),
	    T(test_sessions),
	    T(test_told_before_a_change_is_not_believed),
	    T(test_late_reply_is_no_news),
	    T(test_own_token_is_seen_at_once),
	};

	return cmocka_run_group_tests(tests, shortcuts_start, shortcuts_stop);
}
