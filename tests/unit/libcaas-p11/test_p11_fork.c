/* Children of fork, in every order that applications have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "fake.h"

static struct fake *fake;
static CK_SESSION_HANDLE s;
static CK_OBJECT_HANDLE key;
static atomic_bool stop;

static int
begin(void **state)
{
	(void)state;
	client_load();
	s = client_begin();
	key = client_find_private(s, "key");
	assert_int_not_equal(key, 0);
	fake->resumes = fake->channels = 0;
	return 0;
}

static int
end(void **state)
{
	(void)state;
	(void)p11->C_Finalize(NULL);
	client_unload();
	return 0;
}

/* The child goes on with what it inherited: session, login, key. */
static int
child_signs(void)
{
	return client_sign(s, key) == CKR_OK;
}

static void
test_child_goes_on(void **state)
{
	(void)state;
	assert_int_equal(client_in_child(child_signs), 0);
	assert_int_equal(fake->channels, 1);
	assert_int_equal(fake->resumes, 1);
	/* The parent's channel was left alone. */
	assert_int_equal(client_sign(s, key), CKR_OK);
	assert_int_equal(fake->channels, 1);
}

/* A child that does nothing leaves nothing. */
static int
child_idles(void)
{
	return 1;
}

static void
test_child_that_never_calls(void **state)
{
	(void)state;
	assert_int_equal(client_in_child(child_idles), 0);
	assert_int_equal(fake->channels, 0);
	assert_int_equal(client_sign(s, key), CKR_OK);
}

/* As libp11 does: C_Initialize again, and everything anew. */
static int
child_initializes(void)
{
	CK_SESSION_HANDLE t = client_begin();
	CK_SESSION_INFO info;

	return p11->C_GetSessionInfo(s, &info) == CKR_SESSION_HANDLE_INVALID && t != s &&
	    client_sign(t, client_find_private(t, "key")) == CKR_OK &&
	    p11->C_Initialize(NULL) == CKR_CRYPTOKI_ALREADY_INITIALIZED &&
	    p11->C_Finalize(NULL) == CKR_OK;
}

static void
test_child_initializes_again(void **state)
{
	(void)state;
	assert_int_equal(client_in_child(child_initializes), 0);
	assert_int_equal(fake->resumes, 0);
	assert_int_equal(client_sign(s, key), CKR_OK);
}

static int
child_signs_then_initializes(void)
{
	return child_signs() && child_initializes();
}

static void
test_child_goes_on_and_then_initializes(void **state)
{
	(void)state;
	assert_int_equal(client_in_child(child_signs_then_initializes), 0);
}

static int
child_finalizes(void)
{
	return p11->C_Finalize(NULL) == CKR_OK &&
	    p11->C_Finalize(NULL) == CKR_CRYPTOKI_NOT_INITIALIZED && child_initializes();
}

static void
test_child_finalizes(void **state)
{
	(void)state;
	assert_int_equal(client_in_child(child_finalizes), 0);
	assert_int_equal(client_sign(s, key), CKR_OK);
}

static int
child_forks(void)
{
	return client_in_child(child_signs) == 0 && child_signs() &&
	    client_in_child(child_signs) == 0 && client_in_child(child_initializes) == 0;
}

static void
test_grandchildren(void **state)
{
	(void)state;
	assert_int_equal(client_in_child(child_forks), 0);
	assert_int_equal(client_sign(s, key), CKR_OK);
}

/* As a daemon does: the parent is gone before the child begins. */
static void
test_parent_exits_first(void **state)
{
	int result[2];
	char byte = 0;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(result), 0);
	if ((pid = fork()) == 0) {
		CK_SESSION_HANDLE t;

		alarm(60);
		(void)p11->C_Finalize(NULL);
		t = client_begin();
		key = client_find_private(t, "key");
		s = t;
		if (fork() != 0)
			_exit(0);
		while (getppid() == getpgrp())
			(void)usleep(1000);
		byte = (char)(child_signs() ? 'y' : 'n');
		(void)!write(result[1], &byte, 1);
		_exit(0);
	}
	(void)close(result[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(read(result[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	(void)close(result[0]);
}

/* The login is a ticket's, so the child is logged out with its own C_Logout alone. */
static int
child_logs_out(void)
{
	CK_SESSION_INFO info;

	return p11->C_Logout(s) == CKR_OK && p11->C_GetSessionInfo(s, &info) == CKR_OK &&
	    info.state == CKS_RW_PUBLIC_SESSION && !child_signs();
}

static void
test_child_logs_out_alone(void **state)
{
	(void)state;
	assert_int_equal(client_in_child(child_logs_out), 0);
	assert_int_equal(client_sign(s, key), CKR_OK);
}

static CK_OBJECT_HANDLE session_object, destroyed;

static int
child_sees_what_is_left(void)
{
	CK_ULONG size;

	return p11->C_GetObjectSize(s, session_object, &size) ==
		   CKR_OBJECT_HANDLE_INVALID &&
	       p11->C_GetObjectSize(s, destroyed, &size) == CKR_OBJECT_HANDLE_INVALID &&
	       client_find_private(s, "key") == key;
}

static void
test_objects_in_the_child(void **state)
{
	CK_ULONG size;

	(void)state;
	session_object = client_data(s, "session object", CK_FALSE);
	destroyed = client_data(s, "destroyed", CK_TRUE);
	assert_int_equal(p11->C_DestroyObject(s, destroyed), CKR_OK);
	assert_int_equal(client_in_child(child_sees_what_is_left), 0);
	assert_int_equal(p11->C_GetObjectSize(s, session_object, &size), CKR_OK);
}

/* A program that becomes a daemon closes all descriptors; the number of our channel is
 * then a file of its own. */
static int
child_closed_everything(void)
{
	int fd, first = -1;

	for (fd = 3; fd < 64; fd++)
		(void)close(fd);
	while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd < 32)
		if (first < 0)
			first = fd;
	if (!child_signs())
		return 0;
	for (fd = first; fd <= 32; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			return 0;
	return 1;
}

static void
test_descriptors_closed_behind_our_back(void **state)
{
	(void)state;
	assert_int_equal(client_in_child(child_closed_everything), 0);
}

static void *
keep_busy(void *arg)
{
	CK_SESSION_HANDLE t;
	CK_OBJECT_HANDLE o[8];

	(void)arg;
	while (!stop) {
		assert_int_equal(
		    p11->C_OpenSession(FAKE_SLOT, RW, NULL, NULL, &t), CKR_OK);
		assert_int_equal(client_find(t, "key", o, 8), 2);
		assert_int_equal(client_sign(t, key), CKR_OK);
		assert_int_equal(p11->C_CloseSession(t), CKR_OK);
	}
	return NULL;
}

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

/* AddressSanitizer's malloc, not glibc's, may be locked in the child by a thread that is
 * not there: then it hangs, which is not ours. */
static void
in_child_of_threads(int (*f)(void))
{
	int status = client_in_child(f);

	if (SANITIZED && WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		print_message("a child hung in the sanitizer's malloc\n");
	else
		assert_int_equal(status, 0);
}

static int
child_signs_soon(void)
{
	if (SANITIZED)
		(void)alarm(10);
	return child_signs();
}

static int
child_initializes_soon(void)
{
	if (SANITIZED)
		(void)alarm(10);
	return child_initializes();
}

static void
test_fork_while_threads_are_in_calls(void **state)
{
	pthread_t threads[4];

	(void)state;
	stop = false;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, keep_busy, NULL), 0);
	for (int i = 0; i < 40; i++)
		in_child_of_threads(i % 2 ? child_signs_soon : child_initializes_soon);
	stop = true;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
}

#define SIGNERS 8

static CK_SESSION_HANDLE own[SIGNERS]; /* SoftHSM2 has no locks for a session's operation */

static void *
sign_in_thread(void *arg)
{
	return client_sign(*(CK_SESSION_HANDLE *)arg, key) == CKR_OK ? arg : NULL;
}

/* The first call in the child comes from several threads at once. */
static int
child_has_threads(void)
{
	pthread_t threads[SIGNERS];
	CK_SESSION_INFO info;
	int good = 0;
	void *result;

	for (int i = 0; i < SIGNERS; i++)
		(void)pthread_create(&threads[i], NULL, sign_in_thread, &own[i]);
	for (int i = 0; i < SIGNERS; i++) {
		(void)pthread_join(threads[i], &result);
		good += result == &own[i];
	}
	return good == SIGNERS && p11->C_GetSessionInfo(s, &info) == CKR_OK;
}

static void
test_threads_in_the_child(void **state)
{
	(void)state;
	for (int i = 0; i < SIGNERS; i++)
		assert_int_equal(
		    p11->C_OpenSession(FAKE_SLOT, RW, NULL, NULL, &own[i]), CKR_OK);
	assert_int_equal(client_in_child(child_has_threads), 0);
	assert_int_equal(fake->resumes, 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_child_goes_on),
	    T(test_child_that_never_calls),
	    T(test_child_initializes_again),
	    T(test_child_goes_on_and_then_initializes),
	    T(test_child_finalizes),
	    T(test_grandchildren),
	    T(test_parent_exits_first),
	    T(test_child_logs_out_alone),
	    T(test_objects_in_the_child),
	    T(test_descriptors_closed_behind_our_back),
	    T(test_fork_while_threads_are_in_calls),
	    T(test_threads_in_the_child),
	};
	CK_SESSION_HANDLE t;
	int failed;

	fake = fake_start();
	client_load();
	t = client_begin();
	(void)client_rsa(t, "key", CK_TRUE, NULL);
	assert(p11->C_Finalize(NULL) == CKR_OK);
	client_unload();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fake_stop(fake);
	return failed;
}
