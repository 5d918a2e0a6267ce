/* test_bounded.c - calls that come back, late, or never */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "vchan-transport/bounded.h"
#include "vchan-transport/deadline.h"

struct job {
	int in, out;
	pid_t thread;
};

static atomic_bool held;
static atomic_int undone;

static void
twice(void *arg)
{
	struct job *j = arg;

	while (atomic_load(&held))
		(void)usleep(1000);
	j->out = 2 * j->in;
	j->thread = gettid();
}

static void
undo(void *arg)
{
	struct job *j = arg;

	assert_int_equal(j->out, 2 * j->in);
	atomic_fetch_add(&undone, 1);
}

static void
wait_undone(int n)
{
	for (int i = 0; i < 10000 && atomic_load(&undone) != n; i++)
		(void)usleep(1000);
	assert_int_equal(atomic_load(&undone), n);
}

static void
test_in_time(void **state)
{
	struct job j = {.in = 21};

	(void)state;
	assert_true(bounded_run(twice, undo, &j, sizeof(j), deadline_at(10000)));
	assert_int_equal(j.out, 42);
	assert_int_not_equal(j.thread, gettid());
	assert_int_equal(atomic_load(&undone), 0);
}

static void
test_without_a_deadline(void **state)
{
	struct job j = {.in = 21};

	(void)state;
	assert_true(bounded_run(twice, undo, &j, sizeof(j), DEADLINE_NEVER));
	assert_int_equal(j.out, 42);
	assert_int_equal(j.thread, gettid());
}

/* What comes late is undone, and nothing of it is seen. */
static void
test_late(void **state)
{
	struct job j = {.in = 21};

	(void)state;
	atomic_store(&held, true);
	assert_false(bounded_run(twice, undo, &j, sizeof(j), deadline_at(20)));
	assert_int_equal(errno, ETIMEDOUT);
	assert_int_equal(j.out, 0);
	assert_false(bounded_run(twice, NULL, &j, sizeof(j), deadline_at(20)));
	atomic_store(&held, false);
	wait_undone(1);
	assert_int_equal(j.out, 0);
	atomic_store(&undone, 0);
}

/* Threads that never end are not made without end; a child of a fork begins with none. */
static void
test_many_late(void **state)
{
	struct job j = {.in = 21};
	int status;
	pid_t pid;

	(void)state;
	for (int i = 0; i < 10000 && !bounded_run(twice, NULL, &j, sizeof(j), deadline_at(1000)); i++)
		continue; /* until those of before have ended */
	atomic_store(&held, true);
	for (int i = 0; i < BOUNDED_LATE; i++) {
		assert_false(bounded_run(twice, undo, &j, sizeof(j), deadline_at(1)));
		assert_int_equal(errno, ETIMEDOUT);
	}
	assert_false(bounded_run(twice, undo, &j, sizeof(j), deadline_at(10000)));
	assert_int_equal(errno, EAGAIN);
	if ((pid = fork()) == 0) {
		atomic_store(&held, false);
		_exit(bounded_run(twice, undo, &j, sizeof(j), deadline_at(10000)) ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	atomic_store(&held, false);
	wait_undone(BOUNDED_LATE);
	assert_true(bounded_run(twice, undo, &j, sizeof(j), deadline_at(10000)));
}

static atomic_int signals;

static void
on_signal(int sig)
{
	(void)sig;
	atomic_fetch_add(&signals, 1);
}

static void
asks_for_signal(void *arg)
{
	struct job *j = arg;
	sigset_t mask;

	(void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
	j->out = sigismember(&mask, SIGUSR1);
}

/* The application's signals go to its own threads. */
static void
test_signals(void **state)
{
	struct job j = {.in = 1};

	(void)state;
	(void)signal(SIGUSR1, on_signal);
	assert_true(bounded_run(asks_for_signal, NULL, &j, sizeof(j), deadline_at(10000)));
	assert_int_equal(j.out, 1);
	(void)raise(SIGUSR1);
	assert_int_equal(atomic_load(&signals), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_in_time),
	    cmocka_unit_test(test_without_a_deadline),
	    cmocka_unit_test(test_late),
	    cmocka_unit_test(test_many_late),
	    cmocka_unit_test(test_signals),
	};

	(void)alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
