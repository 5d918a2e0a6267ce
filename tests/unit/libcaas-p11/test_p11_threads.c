/* Many threads on one channel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <assert.h>
#include <pthread.h>

#include "client.h"
#include "fake.h"

#define THREADS 8
#define ROUNDS 200

static struct fake *fake;
static CK_OBJECT_HANDLE key, pub;

/* Each thread signs data of its own and checks that the signature is over that. */
static bool
sign_own(CK_SESSION_HANDLE s, CK_BYTE *data, CK_ULONG len)
{
	CK_MECHANISM m = {CKM_RSA_PKCS, NULL, 0};
	CK_BYTE signature[128];
	CK_ULONG slen = sizeof(signature);

	return p11->C_SignInit(s, &m, key) == CKR_OK &&
	    p11->C_Sign(s, data, len, signature, &slen) == CKR_OK &&
	    p11->C_VerifyInit(s, &m, pub) == CKR_OK &&
	    p11->C_Verify(s, data, len, signature, slen) == CKR_OK;
}

static void *
sign_loop(void *arg)
{
	CK_BYTE data[32], random[5000];
	CK_SESSION_HANDLE s;
	size_t i;

	memset(data, *(int *)arg, sizeof(data));
	if (p11->C_OpenSession(FAKE_SLOT, RW, NULL, NULL, &s) != CKR_OK)
		return NULL;
	for (i = 0; i < ROUNDS; i++) {
		memcpy(data, &i, sizeof(i));
		if (!sign_own(s, data, sizeof(data)))
			return NULL;
		/* Replies of another size, and sessions that come and go. */
		if (i % 16 == 0 &&
		    (p11->C_GenerateRandom(s, random, sizeof(random)) != CKR_OK ||
			p11->C_CloseSession(s) != CKR_OK ||
			p11->C_OpenSession(FAKE_SLOT, RW, NULL, NULL, &s) != CKR_OK))
			return NULL;
	}
	return p11->C_CloseSession(s) == CKR_OK ? arg : NULL;
}

static void
run_threads(void)
{
	pthread_t threads[THREADS];
	int names[THREADS];
	void *result;

	for (int i = 0; i < THREADS; i++) {
		names[i] = i;
		assert_int_equal(
		    pthread_create(&threads[i], NULL, sign_loop, &names[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_ptr_equal(result, &names[i]);
	}
}

static void
begin_with(CK_C_INITIALIZE_ARGS *args)
{
	CK_SESSION_HANDLE s;

	client_load();
	assert_int_equal(p11->C_Initialize(args), CKR_OK);
	assert_int_equal(p11->C_OpenSession(FAKE_SLOT, RW, NULL, NULL, &s), CKR_OK);
	assert_int_equal(p11->C_Login(s, CKU_USER, (CK_UTF8CHAR_PTR)FAKE_PIN, 4), CKR_OK);
	key = client_rsa(s, "key", CK_FALSE, &pub);
	fake->channels = 0;
}

static void
end_all(void)
{
	assert_int_equal(fake->channels, 0);
	assert_int_equal(p11->C_Finalize(NULL), CKR_OK);
	client_unload();
}

static void
test_threads_sign(void **state)
{
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};

	(void)state;
	begin_with(&args);
	run_threads();
	end_all();
}

static void
test_threads_sign_with_the_applications_mutexes(void **state)
{
	CK_C_INITIALIZE_ARGS args = client_mutexes();

	(void)state;
	begin_with(&args);
	run_threads();
	end_all();
}

static void *
first_call(void *arg)
{
	CK_SESSION_HANDLE *s = arg;

	if (p11->C_OpenSession(FAKE_SLOT, RW, NULL, NULL, s) != CKR_OK)
		*s = 0;
	return NULL;
}

/* All at once on a slot that nobody used yet: one channel is made, all sessions work. */
static void
test_first_calls_race(void **state)
{
	CK_SESSION_HANDLE s[THREADS];
	pthread_t threads[THREADS];
	CK_BYTE b[4];

	(void)state;
	client_load();
	fake->channels = 0;
	assert_int_equal(p11->C_Initialize(NULL), CKR_OK);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, first_call, &s[i]), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(p11->C_GenerateRandom(s[i], b, 4), CKR_OK);
	assert_int_equal(fake->channels, 1);
	assert_int_equal(p11->C_Finalize(NULL), CKR_OK);
	client_unload();
}

/* A vsmd that accepts and says nothing: threads that wait for the same channel wait once,
 * not one after the other. */
static void
test_first_calls_share_a_failure(void **state)
{
	CK_SESSION_HANDLE s[THREADS];
	pthread_t threads[THREADS];

	(void)state;
	client_load();
	assert_int_equal(setenv("CAAS_VSM_SILENCE_MS", "1500", 1), 0);
	assert_int_equal(p11->C_Initialize(NULL), CKR_OK);
	fake->mode = FAKE_MUTE_HELLO;
	fake->hellos = 0;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, first_call, &s[i]), 0);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(s[i], 0);
	}
	/* More than one only if a thread was created when the first had given up. */
	assert_true(fake->hellos < THREADS);
	fake->mode = FAKE_HONEST;
	assert_int_equal(p11->C_Finalize(NULL), CKR_OK);
	assert_int_equal(unsetenv("CAAS_VSM_SILENCE_MS"), 0);
	client_unload();
}

/* pthread_cancel() of a thread that is inside: it leaves in order. */
static void
test_cancelled_thread_leaves_nothing(void **state)
{
	CK_SESSION_HANDLE s = 0;
	pthread_t thread;

	(void)state;
	client_load();
	assert_int_equal(p11->C_Initialize(NULL), CKR_OK);
	fake->mode = FAKE_MUTE_HELLO;
	fake->hellos = 0;
	assert_int_equal(pthread_create(&thread, NULL, first_call, &s), 0);
	while (fake->hellos == 0)
		(void)sched_yield();
	assert_int_equal(pthread_cancel(thread), 0);
	fake->mode = FAKE_HONEST;
	/* For ever, if the thread had died where it was. */
	assert_int_equal(p11->C_Finalize(NULL), CKR_OK);
	assert_int_equal(pthread_join(thread, NULL), 0);
	client_unload();
}

static void *
init_loop(void *arg)
{
	(void)arg;
	for (int i = 0; i < 200; i++) {
		CK_SESSION_HANDLE s;

		(void)p11->C_Initialize(NULL);
		(void)p11->C_OpenSession(FAKE_SLOT, RW, NULL, NULL, &s);
		(void)p11->C_Finalize(NULL);
	}
	return NULL;
}

/* No promise is made for this but that it ends. */
static void
test_initialize_and_finalize_race(void **state)
{
	pthread_t threads[4];

	(void)state;
	client_load();
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, init_loop, NULL), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(p11->C_Initialize(NULL), CKR_OK);
	assert_int_equal(p11->C_Finalize(NULL), CKR_OK);
	client_unload();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_threads_sign),
	    cmocka_unit_test(test_threads_sign_with_the_applications_mutexes),
	    cmocka_unit_test(test_first_calls_race),
	    cmocka_unit_test(test_first_calls_share_a_failure),
	    cmocka_unit_test(test_cancelled_thread_leaves_nothing),
	    cmocka_unit_test(test_initialize_and_finalize_race),
	};
	int failed;

	fake = fake_start();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fake_stop(fake);
	return failed;
}
