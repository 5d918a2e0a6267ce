/* xen-hooks/domc/service.c: how often vsmd is started again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "xen-hooks/domc/domc.h"

static void
runs(struct service *s, int64_t since)
{
	s->pid = 1 << 30; /* nobody */
	s->since = since;
}

static void
five_short_lives_are_the_end(void **state)
{
	struct service s = {0};

	(void)state;
	for (int i = 0; i < 4; i++) {
		runs(&s, service_now());
		assert_true(service_ended(&s, 1 << 8));
		assert_int_equal(s.pid, 0);
		assert_true(s.again > service_now());
		assert_true(service_tick(&s) > 0);
	}
	runs(&s, service_now());
	assert_false(service_ended(&s, SIGKILL));
}

static void
a_long_life_is_forgiven(void **state)
{
	struct service s = {.failures = 4};

	(void)state;
	runs(&s, service_now() - 61000);
	assert_true(service_ended(&s, 1 << 8));
	assert_int_equal(s.failures, 1);
}

static void
who_was_told_to_end_has_not_failed(void **state)
{
	struct service s = {.failures = 4};
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0) {
		pause();
		_exit(0);
	}
	s.pid = child;
	service_stop(&s);
	assert_true(s.stopping);
	assert_true(service_tick(&s) > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WTERMSIG(status), SIGTERM);
	assert_true(service_ended(&s, status));
	assert_int_equal(s.failures, 4);
	assert_int_equal(service_tick(&s), 0);
}

static void
who_does_not_end_is_killed(void **state)
{
	struct service s = {0};
	pid_t child;
	int status, ready[2];
	char c;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	if ((child = fork()) == 0) {
		signal(SIGTERM, SIG_IGN);
		(void)!write(ready[1], "x", 1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	s.pid = child;
	service_stop(&s);
	s.since -= 46000;
	assert_true(service_tick(&s) > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WTERMSIG(status), SIGKILL);
	close(ready[0]);
	close(ready[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(five_short_lives_are_the_end),
	    cmocka_unit_test(a_long_life_is_forgiven),
	    cmocka_unit_test(who_was_told_to_end_has_not_failed),
	    cmocka_unit_test(who_does_not_end_is_killed)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
