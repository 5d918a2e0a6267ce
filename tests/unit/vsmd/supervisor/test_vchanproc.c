/* The process that keeps a vchan's channels: who they are, and what happens when it ends. */
#include "harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* vsmd.conf with that vchan beside the socket; domain 7 has both tokens. */
static void
configure(struct vsmd *v, const char *address)
{
	FILE *f;

	vsmd_config(v, NULL, NULL);
	assert_non_null(f = fopen(v->conf, "we"));
	fprintf(f,
	    "[vsmd]\nsandbox = yes\nlisten = unix:%s, %s\nstate = %s\nruntime = %s/run\n"
	    "softhsm = %s/library\nlog-level = debug\n"
	    "[principal all]\nuid = *\nrole = admin\n[grant all *]\nallow = all\n"
	    "[principal guest]\ndomid = 7\n[grant guest *]\nallow = read\n",
	    v->sock, address, v->state, v->dir, v->state);
	fclose(f);
}

static pid_t
vchan_pid(struct vsmd *v, size_t from)
{
	char line[256];
	int pid = 0;
	FILE *f;

	(void)vsmd_log(v, from, "fake: vchan pid=");
	assert_non_null(f = fopen(v->log, "re"));
	assert_int_equal(fseek(f, (long)from, SEEK_SET), 0);
	while (pid == 0 && fgets(line, sizeof(line), f) != NULL)
		if (strstr(line, "fake: vchan pid=") != NULL)
			pid = (int)strtol(strstr(line, "pid=") + 4, NULL, 10);
	fclose(f);
	return (pid_t)pid;
}

static void
the_address_says_who(void **state)
{
	struct vsmd *v = *state;

	configure(v, "vchan:7:data/caas");
	vsmd_start(v, true);
	(void)vsmd_log(v, 0, "status=0 slots=2");
	assert_true(vsmd_logged(v, "listening address=vchan:7:data/caas"));
	assert_int_equal(vsmd_stop(v), 0);
	/* Another domain is nobody, whatever the process says. */
	configure(v, "vchan:8:data/caas");
	vsmd_start(v, true);
	(void)vsmd_log(v, 0, "refused: no principal of the configuration peer=\"domid 8");
	assert_int_equal(vsmd_stop(v), 0);
}

static void
comes_again(void **state)
{
	struct vsmd *v = *state;
	pid_t first;
	size_t at;

	configure(v, "vchan:7:data/caas");
	vsmd_start(v, true);
	first = vchan_pid(v, 0);
	assert_int_equal(kill(first, SIGKILL), 0);
	at = vsmd_log(v, 0, "a process of a vchan was killed by signal 9");
	assert_int_not_equal(vchan_pid(v, at), first);
	assert_int_equal(vsmd_stop(v), 0);
}

static void
a_breach_ends_it(void **state)
{
	struct vsmd *v = *state;

	configure(v, "vchan:7:data/breach");
	vsmd_start(v, true);
	(void)vsmd_log(v, 0, "a process of a vchan broke the protocol");
	(void)vsmd_log(v, 0, "a process of a vchan was killed by signal 9");
	/* The others are served. */
	assert_int_equal(vsmd_status(v, "slots"), 3);
	assert_int_equal(vsmd_stop(v), 0);
}

static void
nobody_listens(void **state)
{
	struct vsmd *v = *state;

	configure(v, "vchan:7:data/fails");
	vsmd_start(v, false);
	assert_int_equal(vsmd_wait(v), 1);
	assert_true(vsmd_logged(v, "cannot listen: nobody does at vchan:7:data/fails"));
}

static void
ends_with_vsmd(void **state)
{
	struct vsmd *v = *state;
	pid_t pid;

	configure(v, "vchan:7:data/caas");
	vsmd_start(v, true);
	pid = vchan_pid(v, 0);
	assert_int_equal(kill(v->pid, SIGKILL), 0);
	assert_int_equal(vsmd_wait(v), -SIGKILL);
	until_dead(pid);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, vsmd_setup, vsmd_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(the_address_says_who),
	    TEST(comes_again),
	    TEST(a_breach_ends_it),
	    TEST(nobody_listens),
	    TEST(ends_with_vsmd),
	};
	const char *why;

	if (!transport_address_ok("vchan:7:data/caas", &why)) {
		printf("SKIPPED: %s\n", why);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
