/* caas/procs.c */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "caas/procs.h"

static void
parse(void **state)
{
	struct proc p;

	(void)state;
	/* a name may hold what it likes */
	assert_true(
	    proc_parse("77 (vsmd) x (a b) S 1 77 70 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 "
		       "0 4242 99 1",
		&p));
	assert_int_equal(p.pid, 77);
	assert_int_equal(p.session, 70);
	assert_int_equal(p.start, 4242);
	assert_int_equal(p.state, 'S');
	assert_string_equal(p.name, "vsmd) x (a b");
	assert_false(proc_parse("", &p));
	assert_false(proc_parse("77 (x", &p));
	assert_false(proc_parse("77 (x) S 1 2", &p));
}

static void
self(void **state)
{
	struct proc p;

	(void)state;
	assert_true(proc_read(getpid(), &p));
	assert_int_equal(p.pid, getpid());
	assert_int_equal(p.session, getsid(0));
	assert_true(proc_alive(&p));
	p.start++;
	assert_false(proc_alive(&p)); /* the same number, another process */
}

static void
session(void **state)
{
	struct proc *procs, other;
	int fds[2], status;
	size_t n;
	pid_t pid;
	char c;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		setsid();
		if (fork() == 0)
			close(fds[1]);
		else if (write(fds[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(fds[0], &c, 1), 1);
	procs = procs_of_session(pid, &n);
	assert_int_equal(n, 2);
	other = procs[0];
	other.start++;
	proc_signal(&other, SIGKILL); /* not that one */
	assert_true(proc_alive(&procs[0]) && proc_alive(&procs[1]));
	proc_signal(&procs[0], SIGKILL);
	proc_signal(&procs[1], SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WTERMSIG(status), SIGKILL);
	free(procs);
	close(fds[0]);
	close(fds[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(parse),
	    cmocka_unit_test(self),
	    cmocka_unit_test(session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
