/* vsmd absent, refusing, hung, killed, restarted, hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <assert.h>
#include <pthread.h>
#include <unistd.h>

#include "client.h"
#include "fake.h"

static struct fake *fake;
static CK_SESSION_HANDLE s;
static CK_OBJECT_HANDLE key;

static int
load(void **state)
{
	(void)state;
	client_load();
	return 0;
}

static int
begin(void **state)
{
	(void)load(state);
	s = client_begin();
	key = client_find_private(s, "key");
	assert_int_not_equal(key, 0);
	fake->resumes = 0;
	return 0;
}

static int
end(void **state)
{
	(void)state;
	fake->mode = FAKE_HONEST;
	if (fake->pid == 0)
		fake_restart(fake);
	(void)p11->C_Finalize(NULL);
	client_unload();
	return 0;
}

static void
assert_works(void)
{
	(void)p11->C_Finalize(NULL);
	s = client_begin();
	key = client_find_private(s, "key");
	assert_int_equal(client_sign(s, key), CKR_OK);
}

/* No slot to be had, in the words of each call. */
static void
assert_no_token(CK_RV rv)
{
	CK_TOKEN_INFO token;
	CK_SLOT_INFO slot;
	CK_ULONG n = 1;

	assert_int_equal(p11->C_Initialize(NULL), CKR_OK);
	assert_int_equal(p11->C_GetSlotList(CK_TRUE, NULL, &n), CKR_OK);
	assert_int_equal(n, 0);
	assert_int_equal(p11->C_GetSlotInfo(FAKE_SLOT, &slot), CKR_DEVICE_ERROR);
	assert_int_equal(p11->C_GetTokenInfo(FAKE_SLOT, &token), rv);
	assert_int_equal(p11->C_OpenSession(FAKE_SLOT, RW, NULL, NULL, &s), rv);
}

static void
test_absent(void **state)
{
	(void)state;
	fake_kill(fake);
	assert_no_token(CKR_TOKEN_NOT_PRESENT);
	fake_restart(fake);
	assert_works();
}

static void
test_refusing(void **state)
{
	(void)state;
	fake->mode = FAKE_REFUSE;
	assert_no_token(CKR_TOKEN_NOT_PRESENT);
	fake->mode = FAKE_HONEST;
	assert_works();
}

static void
test_other_version(void **state)
{
	(void)state;
	fake->mode = FAKE_OTHER;
	assert_no_token(CKR_DEVICE_ERROR);
}

static void
test_not_a_vsmd(void **state)
{
	(void)state;
	fake->mode = FAKE_GARBAGE;
	assert_no_token(CKR_DEVICE_ERROR);
}

static void
test_mute_from_the_start(void **state)
{
	(void)state;
	assert_int_equal(setenv("CAAS_VSM_SILENCE_MS", "300", 1), 0);
	fake->mode = FAKE_MUTE_HELLO;
	assert_no_token(CKR_DEVICE_ERROR);
	assert_int_equal(unsetenv("CAAS_VSM_SILENCE_MS"), 0);
}

static void
restart_with_silence(const char *ms)
{
	assert_int_equal(p11->C_Finalize(NULL), CKR_OK);
	assert_int_equal(setenv("CAAS_VSM_SILENCE_MS", ms, 1), 0);
	s = client_begin();
	key = client_find_private(s, "key");
	assert_int_equal(unsetenv("CAAS_VSM_SILENCE_MS"), 0);
}

static void
test_hung(void **state)
{
	CK_BYTE b[4];

	(void)state;
	restart_with_silence("1000");
	fake_freeze(fake);
	assert_int_equal(p11->C_GenerateRandom(s, b, 4), CKR_DEVICE_ERROR);
	/* Still hung, and no worse. */
	assert_int_equal(p11->C_GenerateRandom(s, b, 4), CKR_DEVICE_ERROR);
	assert_int_equal(p11->C_CloseSession(s), CKR_DEVICE_ERROR);
	assert_int_equal(p11->C_CloseSession(s), CKR_SESSION_HANDLE_INVALID);
	assert_int_equal(p11->C_Finalize(NULL), CKR_OK);
	fake_thaw(fake);
	assert_works();
}

static void
test_beats_are_not_silence(void **state)
{
	CK_BYTE b[4];

	(void)state;
	restart_with_silence("2000");
	fake->beat_ms = 300;
	fake->mode = FAKE_BEATS;
	assert_int_equal(p11->C_GenerateRandom(s, b, 4), CKR_OK);
}

/* A call that nobody ran is run on the new channel: the application notices nothing. */
static void
test_worker_lost_between_calls(void **state)
{
	CK_SESSION_INFO info;

	(void)state;
	fake_kill_workers(fake);
	assert_int_equal(client_sign(s, key), CKR_OK);
	assert_int_equal(fake->resumes, 1);
	assert_int_equal(p11->C_GetSessionInfo(s, &info), CKR_OK);
	assert_int_equal(info.state, CKS_RW_USER_FUNCTIONS);
}

static void
test_vsmd_restarted_between_calls(void **state)
{
	(void)state;
	fake_kill(fake);
	fake_restart(fake);
	assert_int_equal(client_sign(s, key), CKR_OK);
	assert_int_equal(fake->resumes, 1);
	assert_int_equal(client_find_private(s, "key"), key);
}

static void
test_vsmd_gone_and_back_later(void **state)
{
	CK_BYTE b[4];

	(void)state;
	fake_kill(fake);
	assert_int_equal(p11->C_GenerateRandom(s, b, 4), CKR_DEVICE_REMOVED);
	assert_int_equal(p11->C_GenerateRandom(s, b, 4), CKR_DEVICE_REMOVED);
	fake_restart(fake);
	assert_int_equal(client_sign(s, key), CKR_OK);
}

/* What was in the worker's memory alone is gone, and said to be. */
static void
test_what_a_restart_takes(void **state)
{
	CK_MECHANISM m = {CKM_SHA256, NULL, 0};
	CK_OBJECT_HANDLE o = client_data(s, "session", CK_FALSE);
	CK_BYTE digest[32];
	CK_ULONG size = sizeof(digest);

	(void)state;
	assert_int_equal(p11->C_DigestInit(s, &m), CKR_OK);
	fake_kill_workers(fake);
	assert_int_equal(
	    p11->C_DigestFinal(s, digest, &size), CKR_OPERATION_NOT_INITIALIZED);
	assert_int_equal(p11->C_GetObjectSize(s, o, &size), CKR_OBJECT_HANDLE_INVALID);
	assert_int_equal(p11->C_DigestInit(s, &m), CKR_OK);
	assert_int_equal(p11->C_DigestFinal(s, digest, &size), CKR_OK);
}

/* Its successor is asked. */
static void *
kill_soon(void *arg)
{
	(void)arg;
	(void)usleep(20000);
	fake->mode = FAKE_HONEST;
	fake_kill_workers(fake);
	return NULL;
}

static void
test_killed_during_a_call(void **state)
{
	pthread_t t;
	CK_BYTE b[4];

	(void)state;
	fake->mode = FAKE_MUTE;
	assert_int_equal(pthread_create(&t, NULL, kill_soon, NULL), 0);
	assert_int_equal(p11->C_GenerateRandom(s, b, 4), CKR_OK);
	assert_int_equal(pthread_join(t, NULL), 0);
	assert_int_equal(client_sign(s, key), CKR_OK);
}

static void
test_breaches(void **state)
{
	static const enum fake_mode modes[] = {FAKE_WRONG_ID, FAKE_WRONG_CALL,
	    FAKE_LEFTOVER, FAKE_SHORT, FAKE_HUGE, FAKE_FLAGS, FAKE_OVERFLOW};
	CK_BYTE b[8];

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		memset(b, 7, sizeof(b));
		fake->mode = modes[i];
		assert_int_equal(p11->C_GenerateRandom(s, b, 4), CKR_DEVICE_ERROR);
		assert_int_equal(b[4], 7); /* not beyond the room */
		fake->mode = FAKE_HONEST;
		assert_int_equal(client_sign(s, key), CKR_OK);
	}
	/* Its successor does not answer the resume in full either. */
	fake->mode = FAKE_HALF;
	assert_int_equal(p11->C_GenerateRandom(s, b, 4), CKR_DEVICE_ERROR);
}

/* A worker that cannot judge any more: the application does not notice. */
static void
test_asked_again(void **state)
{
	int channels = fake->channels;
	CK_BYTE b[4];

	(void)state;
	assert_int_equal(client_sign(s, key), CKR_OK);
	fake->mode = FAKE_AGAIN;
	assert_int_equal(p11->C_GenerateRandom(s, b, sizeof(b)), CKR_OK);
	assert_int_equal(fake->mode, FAKE_HONEST);
	assert_int_equal(fake->channels, channels + 1);
	assert_int_equal(client_sign(s, key), CKR_OK);
}

static void *
random_until_it_ends(void *arg)
{
	CK_RV *rv = arg;
	CK_BYTE b[4];

	while ((*rv = p11->C_GenerateRandom(s, b, 4)) == CKR_OK)
		;
	return NULL;
}

static void
test_finalize_wakes_calls(void **state)
{
	pthread_t threads[4];
	CK_RV rv[4];
	int seen = fake->calls;

	(void)state;
	fake->mode = FAKE_MUTE;
	for (int i = 0; i < 4; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, random_until_it_ends, &rv[i]), 0);
	while (fake->calls < seen + 4)
		(void)usleep(1000);
	assert_int_equal(p11->C_Finalize(NULL), CKR_OK);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(rv[i], CKR_CRYPTOKI_NOT_INITIALIZED);
	}
	fake->mode = FAKE_HONEST;
	assert_works();
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
#define L(f) cmocka_unit_test_setup_teardown(f, load, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    L(test_absent),
	    L(test_refusing),
	    L(test_other_version),
	    L(test_not_a_vsmd),
	    L(test_mute_from_the_start),
	    T(test_hung),
	    T(test_beats_are_not_silence),
	    T(test_worker_lost_between_calls),
	    T(test_vsmd_restarted_between_calls),
	    T(test_vsmd_gone_and_back_later),
	    T(test_what_a_restart_takes),
	    T(test_killed_during_a_call),
	    T(test_breaches),
	    T(test_asked_again),
	    T(test_finalize_wakes_calls),
	};
	char conf[128];
	CK_SESSION_HANDLE t;
	int failed;
	FILE *f;

	fake = fake_start();
	/* A short patience, from a file. */
	snprintf(conf, sizeof(conf), "%s/p11.conf", fake->dir);
	assert((f = fopen(conf, "w")) != NULL);
	fprintf(f, "connect_timeout = 1000\nreconnect = 200\n");
	assert(fclose(f) == 0);
	assert(setenv("CAAS_P11_CONF", conf, 1) == 0);
	client_load();
	t = client_begin();
	(void)client_rsa(t, "key", CK_TRUE, NULL);
	assert(p11->C_Finalize(NULL) == CKR_OK);
	client_unload();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fake_stop(fake);
	return failed;
}
