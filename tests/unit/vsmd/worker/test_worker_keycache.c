/* test_worker_keycache.c - keys that were learnt: when they are used, and when no more */
#include "inprocess.h"

#include <string.h>
#include <unistd.h>

#include "vsmd/worker/keycache.h"

static unsigned
cached(void)
{
	const struct keycache_set *sets = w.keys.sets;
	unsigned n = 0;

	for (size_t i = 0; sets != NULL && i < KEYCACHE_SETS; i++)
		for (size_t k = 0; k < KEYCACHE_WAYS; k++)
			n += sets[i].way[k] != NULL;
	return n;
}

static void
test_another_operation_is_active(void **state)
{
	CK_MECHANISM m = {CKM_RSA_PKCS, NULL, 0}, sha = {CKM_SHA256, NULL, 0};
	CK_OBJECT_HANDLE key = rsa(false, NULL);

	(void)state;
	prime(&m, key);
	assert_int_equal(PLAIN(C_DigestInit, {.len = session}, {.ptr = &sha}), CKR_OK);
	assert_int_equal(sign(&m, key), CKR_OPERATION_ACTIVE);
	assert_int_equal(PLAIN(C_DigestFinal, {.len = session},
			     {.ptr = out, .plen = &(CK_ULONG){sizeof(out)}}), CKR_OK);
	prime(&m, key);
	assert_int_equal(PLAIN(C_FindObjectsInit, {.len = session}, {.len = 0}), CKR_OK);
	assert_int_equal(sign(&m, key), CKR_OPERATION_ACTIVE);
	assert_int_equal(PLAIN(C_FindObjectsFinal, {.len = session}), CKR_OK);
	prime(&m, key);
}

static void
test_destroyed(void **state)
{
	CK_MECHANISM m = {CKM_RSA_PKCS, NULL, 0};
	CK_OBJECT_HANDLE key = rsa(false, NULL);

	(void)state;
	prime(&m, key);
	assert_int_equal(
	    PLAIN(C_DestroyObject, {.len = session}, {.len = key}), CKR_OK);
	assert_refused(&m, key);
}

static void
test_attribute_changed(void **state)
{
	CK_MECHANISM m = {CKM_RSA_PKCS, NULL, 0};
	CK_OBJECT_HANDLE key = rsa(false, NULL);
	CK_BBOOL no = CK_FALSE;
	CK_ATTRIBUTE t = {CKA_SIGN, &no, 1};

	(void)state;
	prime(&m, key);
	assert_int_equal(PLAIN(C_SetAttributeValue, {.len = session}, {.len = key},
			     {.ptr = &t, .len = 1}), CKR_OK);
	assert_refused(&m, key);
}

/* Another application's change: it has been committed, and the epoch says so. */
static void
test_changed_by_another(void **state)
{
	CK_MECHANISM m = {CKM_RSA_PKCS, NULL, 0};
	CK_OBJECT_HANDLE key = rsa(true, NULL), other = rsa(true, NULL);
	CK_BBOOL no = CK_FALSE;
	CK_ATTRIBUTE t = {CKA_SIGN, &no, 1};

	(void)state;
	prime(&m, other);
	prime(&m, key);
	assert_int_equal(real->C_SetAttributeValue(session, key, &t, 1), CKR_OK);
	atomic_fetch_add(&w.gate.shared->epoch, 1);
	assert_refused(&m, key);
	/* Nothing of before is left, also of keys that nobody asks for. */
	assert_int_equal(cached(), 0);
	prime(&m, other);
	assert_int_equal(real->C_DestroyObject(session, other), CKR_OK);
	atomic_fetch_add(&w.gate.shared->epoch, 1);
	assert_refused(&m, other);
}

static void
test_session_closed(void **state)
{
	CK_MECHANISM m = {CKM_RSA_PKCS, NULL, 0};
	CK_SESSION_HANDLE first = session, second;
	CK_OBJECT_HANDLE key, token;
	unsigned before;

	(void)state;
	assert_int_equal(PLAIN(C_OpenSession, {.len = RIG_SLOT},
			     {.len = CKF_SERIAL_SESSION | CKF_RW_SESSION}, {0}, {0},
			     {.ptr = &second}), CKR_OK);
	token = rsa(true, NULL);
	session = second;
	key = rsa(false, NULL);
	session = first;
	prime(&m, key);
	prime(&m, token);
	assert_int_equal(PLAIN(C_CloseSession, {.len = second}), CKR_OK);
	before = asked;
	assert_int_equal(sign(&m, token), CKR_OK);
	assert_int_equal(asked, before); /* that one is as it was */
	assert_refused(&m, key);
}

/* It was sent behind C_CloseSession, in one breath. */
static void
test_asked_in_a_closed_session(void **state)
{
	CK_MECHANISM m = {CKM_RSA_PKCS, NULL, 0};
	CK_SESSION_HANDLE second;
	CK_OBJECT_HANDLE key = rsa(true, NULL);
	struct request *close, *behind;

	(void)state;
	assert_int_equal(PLAIN(C_OpenSession, {.len = RIG_SLOT},
			     {.len = CKF_SERIAL_SESSION | CKF_RW_SESSION}, {0}, {0},
			     {.ptr = &second}), CKR_OK);
	prime(&m, key);
	close = arrive(0, NULL, CALL_C_CloseSession,
	    (const struct arg[ARGS_MAX]){{.len = second}});
	behind = arrive(CALL_C_SignInit,
	    (const struct arg[ARGS_MAX]){{.len = second}, {.ptr = &m}, {.len = key}},
	    CALL_C_Sign, (const struct arg[ARGS_MAX]){{.len = second},
	    {.ptr = (void *)(uintptr_t)text, .len = 32},
	    {.ptr = out, .plen = &(CK_ULONG){sizeof(out)}}});
	assert_int_equal(answer(close), CKR_OK);
	prime(&m, key); /* whatever the closing dropped */
	assert_int_equal(answer(behind), CKR_SESSION_HANDLE_INVALID);
	assert_int_equal(begun, CKR_SESSION_HANDLE_INVALID);
}

static void *
open_meanwhile(void *ret)
{
	assert_int_equal(PLAIN(C_OpenSession, {.len = RIG_SLOT},
			     {.len = CKF_SERIAL_SESSION | CKF_RW_SESSION}, {0}, {0},
			     {.ptr = ret}), CKR_OK);
	return NULL;
}

static pthread_t opener;

/* Once; then sessions are closed as ever. */
static CK_RV
close_while_another_opens(CK_SESSION_HANDLE s)
{
	CK_RV rv = real->C_CloseSession(s);

	counting.C_CloseSession = real->C_CloseSession;
	assert_int_equal(pthread_create(&opener, NULL, open_meanwhile, &session), 0);
	usleep(100000);
	return rv;
}

/* With the last session went the login, although there is another by now. */
static void
test_last_session_closed(void **state)
{
	CK_MECHANISM m = {CKM_RSA_PKCS, NULL, 0};
	CK_OBJECT_HANDLE key = rsa(true, NULL);

	(void)state;
	prime(&m, key);
	assert_int_equal(sessions_count(&w.sessions), 1);
	counting.C_CloseSession = close_while_another_opens;
	assert_int_equal(PLAIN(C_CloseSession, {.len = session}), CKR_OK);
	pthread_join(opener, NULL);
	assert_int_equal(sessions_count(&w.sessions), 1);
	assert_refused(&m, key);
	assert_int_equal(real->C_Login(session, CKU_USER, (CK_UTF8CHAR_PTR)USER_PIN, 8), CKR_OK);
}

/* What the cache stands on: a handle of SoftHSM2 never names another object later. */
static void
test_handles_are_not_used_again(void **state)
{
	CK_OBJECT_HANDLE key, last = 0;
	CK_SESSION_HANDLE first = session, second;

	(void)state;
	for (int i = 0; i < 12; i++) {
		(void)open_meanwhile(&second);
		session = i % 2 ? second : first;
		key = secret(CKK_AES, 16);
		assert_true(key > last);
		last = key;
		if (i % 3 == 0)
			assert_int_equal(real->C_DestroyObject(session, key), CKR_OK);
		session = first;
		assert_int_equal(PLAIN(C_CloseSession, {.len = second}), CKR_OK);
		if (i % 4 == 0) {
			assert_int_equal(PLAIN(C_Logout, {.len = session}), CKR_OK);
			assert_int_equal(real->C_Login(
			    session, CKU_USER, (CK_UTF8CHAR_PTR)USER_PIN, 8), CKR_OK);
		}
	}
}

static void
test_logged_out(void **state)
{
	CK_MECHANISM m = {CKM_RSA_PKCS, NULL, 0};
	CK_OBJECT_HANDLE key = rsa(true, NULL);

	(void)state;
	prime(&m, key);
	assert_int_equal(PLAIN(C_Logout, {.len = session}), CKR_OK);
	assert_refused(&m, key);
	assert_int_equal(real->C_Login(session, CKU_USER, (CK_UTF8CHAR_PTR)USER_PIN, 8), CKR_OK);
}

/* More keys than there are places: those that are there are right. */
static void
test_full(void **state)
{
	CK_MECHANISM m = {CKM_SHA256_HMAC, NULL, 0};
	CK_OBJECT_HANDLE key[KEYCACHE_MAX + 200];
	uint8_t first[32];
	unsigned before;

	(void)state;
	for (size_t i = 0; i < KEYCACHE_MAX + 200; i++) {
		key[i] = secret(CKK_GENERIC_SECRET, 32 + i % 32);
		assert_int_equal(sign(&m, key[i]), CKR_OK);
		assert_true(cached() <= KEYCACHE_MAX);
	}
	assert_true(cached() > KEYCACHE_MAX * 3 / 4);
	before = asked;
	for (size_t i = 0; i < KEYCACHE_MAX + 200; i++) {
		assert_int_equal(sign(&m, key[i]), CKR_OK);
		memcpy(first, out, sizeof(first));
		assert_int_equal(real->C_SignInit(session, &m, key[i]), CKR_OK);
		out_len = sizeof(out);
		assert_int_equal(real->C_Sign(session,
		    (CK_BYTE_PTR)(uintptr_t)"0123456789abcdef0123456789abcdef", 32, out, &out_len),
		    CKR_OK);
		assert_memory_equal(first, out, sizeof(first));
	}
	assert_in_range(asked - before, 100, KEYCACHE_MAX);
}

#define THREADS 4
#define THREAD_KEYS 6

struct signer {
	pthread_t thread;
	CK_SESSION_HANDLE session;
	const CK_OBJECT_HANDLE *key;
	uint8_t (*right)[32]; /* what each key gives */
	bool failed;
};

static atomic_bool over;

static void *
sign_on(void *arg)
{
	struct signer *me = arg;
	CK_MECHANISM m = {CKM_SHA256_HMAC, NULL, 0};

	for (unsigned i = 0; !atomic_load(&over) && !me->failed; i++) {
		uint8_t got[32];
		CK_ULONG room = sizeof(got);
		unsigned k = i % THREAD_KEYS;
		const struct arg begin[ARGS_MAX] = {
		    {.len = me->session}, {.ptr = &m}, {.len = me->key[k]}};
		const struct arg args[ARGS_MAX] = {{.len = me->session},
		    {.ptr = (void *)(uintptr_t)text, .len = 32}, {.ptr = got, .plen = &room}};

		me->failed =
		    serve_it(CALL_C_SignInit, begin, CALL_C_Sign, args) != CKR_OK ||
		    memcmp(got, me->right[k], sizeof(got)) != 0;
	}
	return NULL;
}

/* Keys come and go while they are used. */
static void
test_threads(void **state)
{
	CK_MECHANISM m = {CKM_SHA256_HMAC, NULL, 0};
	CK_OBJECT_HANDLE key[THREAD_KEYS];
	uint8_t right[THREAD_KEYS][32];
	struct signer signer[THREADS];
	CK_SESSION_HANDLE other;

	(void)state;
	for (CK_ULONG i = 0; i < THREAD_KEYS; i++) {
		CK_ULONG n = sizeof(right[i]);

		key[i] = secret(CKK_GENERIC_SECRET, 32 + i);
		assert_int_equal(real->C_SignInit(session, &m, key[i]), CKR_OK);
		assert_int_equal(real->C_Sign(session, (CK_BYTE_PTR)(uintptr_t)text, 32,
				     right[i], &n), CKR_OK);
	}
	for (int i = 0; i < THREADS; i++) {
		signer[i] = (struct signer){.key = key, .right = right};
		(void)open_meanwhile(&signer[i].session);
		assert_int_equal(
		    pthread_create(&signer[i].thread, NULL, sign_on, &signer[i]), 0);
	}
	for (int i = 0; i < 300; i++) {
		switch (i % 3) {
		case 0:
			keycache_drop(&w.keys);
			break;
		case 1:
			(void)open_meanwhile(&other);
			assert_int_equal(PLAIN(C_CloseSession, {.len = other}), CKR_OK);
			break;
		default:
			atomic_fetch_add(&w.gate.shared->epoch, 1);
			break;
		}
		usleep(1000);
	}
	atomic_store(&over, true);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(signer[i].thread, NULL);
		assert_false(signer[i].failed);
		assert_int_equal(PLAIN(C_CloseSession, {.len = signer[i].session}), CKR_OK);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_another_operation_is_active),
	    cmocka_unit_test(test_destroyed),
	    cmocka_unit_test(test_attribute_changed),
	    cmocka_unit_test(test_changed_by_another),
	    cmocka_unit_test(test_session_closed),
	    cmocka_unit_test(test_asked_in_a_closed_session),
	    cmocka_unit_test(test_last_session_closed),
	    cmocka_unit_test(test_handles_are_not_used_again),
	    cmocka_unit_test(test_logged_out),
	    cmocka_unit_test(test_full),
	    cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, inprocess_start, inprocess_stop);
}
