/* The process of metrics is there when it is wanted, asks, and is started again when it, or
 * the store, dies. */
#include "harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pid_t
metrics_pid(struct vsmd *v, size_t from)
{
	char line[256];
	int pid = 0;
	FILE *f;

	(void)vsmd_log(v, from, "fake: metrics pid=");
	assert_non_null(f = fopen(v->log, "re"));
	assert_int_equal(fseek(f, (long)from, SEEK_SET), 0);
	while (pid == 0 && fgets(line, sizeof(line), f) != NULL)
		if (strstr(line, "fake: metrics pid=") != NULL)
			pid = (int)strtol(strstr(line, "pid=") + 4, NULL, 10);
	fclose(f);
	return (pid_t)pid;
}

static void
not_unless_wanted(void **state)
{
	struct vsmd *v = *state;

	vsmd_config(v, NULL, NULL);
	vsmd_start(v, true);
	assert_int_equal(vsmd_status(v, "slots"), 3);
	assert_int_equal(vsmd_stop(v), 0);
	assert_false(vsmd_logged(v, "fake: metrics"));
}

static void
tells_of_each_slot(void **state)
{
	struct vsmd *v = *state;

	vsmd_config(v, "metrics = tcp:127.0.0.1:9100\n", NULL);
	vsmd_start(v, true);
	assert_true(metrics_pid(v, 0) > 0);
	assert_true(vsmd_logged(v, "fake: metrics slot=1 token=tok applications=0"));
	assert_true(vsmd_logged(v, "fake: metrics slot=2 token=other"));
	assert_true(vsmd_logged(v, "fake: metrics slot=7 token= "));
	assert_true(vsmd_logged(v, "address=tcp:127.0.0.1:9100"));
	assert_int_equal(vsmd_stop(v), 0);
}

static void
comes_again(void **state)
{
	struct vsmd *v = *state;
	pid_t first, second;
	size_t at;

	vsmd_config(v, "metrics = tcp:127.0.0.1:9100\n", NULL);
	vsmd_start(v, true);
	first = metrics_pid(v, 0);
	assert_int_equal(kill(first, SIGKILL), 0);
	at = vsmd_log(v, 0, "the process of metrics was killed by signal 9");
	second = metrics_pid(v, at);
	assert_int_not_equal(first, second);
	/* With the store it ends, and with the next one there is a next one. */
	assert_int_equal(kill((pid_t)vsmd_status(v, "store-pid"), SIGKILL), 0);
	at = vsmd_log(v, at, "the store is open again");
	until_dead(second);
	(void)vsmd_log(v, at, "failures=1");
	assert_int_equal(vsmd_stop(v), 0);
}

static void
reload_moves_it(void **state)
{
	struct vsmd *v = *state;
	pid_t pid;
	size_t at;

	vsmd_config(v, NULL, NULL);
	vsmd_start(v, true);
	vsmd_config(v, "metrics = unix:/nowhere/metrics\n", NULL);
	assert_int_equal(kill(v->pid, SIGHUP), 0);
	at = vsmd_log(v, 0, "reloaded");
	pid = metrics_pid(v, 0);
	assert_true(vsmd_logged(v, "address=unix:/nowhere/metrics"));
	vsmd_config(v, NULL, NULL);
	assert_int_equal(kill(v->pid, SIGHUP), 0);
	(void)vsmd_log(v, at, "reloaded");
	until_dead(pid);
	assert_int_equal(vsmd_stop(v), 0);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, vsmd_setup, vsmd_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(not_unless_wanted),
	    TEST(tells_of_each_slot),
	    TEST(comes_again),
	    TEST(reload_moves_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
