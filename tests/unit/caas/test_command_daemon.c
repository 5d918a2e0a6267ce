/* caas/daemon.c: starts, waits for and stops a vsmd, which is this program again */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "caas/cmd.h"
#include "caas/daemon.h"
#include "caas/procs.h"
#include "protocol/hello.h"
#include "vchan-transport/transport.h"

/* What the program does as vsmd: "serve", "stubborn" (does not heed SIGTERM), "dies",
 * "mute" (never listens). */
#define ROLE "CAAS_TEST_ROLE"

static char base[64], program[PATH_MAX];
static struct place place;

static void
answer(struct channel *c)
{
	struct hello_answer a = {.version = HELLO_VERSION, .status = HELLO_OK};
	uint8_t bytes[HELLO_LEN];
	struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};

	if (channel_read_all(c, bytes, sizeof(bytes), 2000) == 0) {
		hello_answer_write(bytes, &a);
		channel_writev(c, &iov, 1, 2000);
	}
	channel_close(c);
}

static int
fake_vsmd(const char *role, const char *conf)
{
	char line[512], address[256] = "";
	FILE *f = fopen(conf, "r");
	struct listener *l;
	struct pollfd p;
	struct peer peer;

	if (strcmp(role, "dies") == 0) {
		fprintf(stderr, "error vsmd: the state is damaged\n");
		return 1;
	}
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		sscanf(line, "listen = %255s", address);
	if (strcmp(role, "stubborn") == 0)
		signal(SIGTERM, SIG_IGN);
	if (fork() == 0) /* another process of the session, which outlives its parent */
		for (;;)
			pause();
	l = strcmp(role, "mute") == 0 ? NULL : transport_listen(address, 0666);
	for (;;) {
		p = (struct pollfd){
		    .fd = l != NULL ? listener_fd(l) : -1, .events = POLLIN};
		if (poll(&p, 1, -1) > 0) {
			struct channel *c = listener_accept(l, &peer);

			if (c != NULL)
				answer(c);
		}
	}
}

static int
setup(void **state)
{
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

	(void)state;
	program[n > 0 ? n : 0] = '\0';
	snprintf(base, sizeof(base), "/tmp/caas-daemon-XXXXXX");
	assert_non_null(mkdtemp(base));
	chmod(base, 0755);
	return place_open(&place, base, true);
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	place_close(&place);
	snprintf(command, sizeof(command), "rm -rf '%s'", base);
	return system(command);
}

/* Nothing of the session is left. */
static void
expect_none(pid_t session)
{
	struct proc *procs;
	size_t n;

	procs = procs_of_session(session, &n);
	free(procs);
	assert_int_equal(n, 0);
	assert_int_equal(daemon_running(&place), 0);
}

static void
start_and_stop(void **state)
{
	pid_t pid;

	(void)state;
	assert_int_equal(daemon_running(&place), 0);
	assert_int_equal(daemon_stop(&place, 1000), CMD_OK); /* nothing runs: fine */
	setenv(ROLE, "serve", 1);
	assert_int_equal(daemon_start(&place, program, 20000), CMD_OK);
	pid = daemon_running(&place);
	assert_true(pid > 0);
	assert_int_equal(getsid(pid), pid);
	/* the child that does not end by itself is killed */
	assert_int_equal(daemon_stop(&place, 300), CMD_OK);
	expect_none(pid);
}

static void
stubborn(void **state)
{
	pid_t pid;

	(void)state;
	setenv(ROLE, "stubborn", 1);
	assert_int_equal(daemon_start(&place, program, 20000), CMD_OK);
	pid = daemon_running(&place);
	assert_int_equal(daemon_stop(&place, 200), CMD_OK);
	expect_none(pid);
}

static void
dies(void **state)
{
	struct stat st;

	(void)state;
	setenv(ROLE, "dies", 1);
	assert_int_equal(daemon_start(&place, program, 20000), CMD_FAILED);
	assert_int_equal(daemon_running(&place), 0);
	assert_int_equal(stat(place.log, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(daemon_start(&place, "/nonexistent/vsmd", 20000), CMD_FAILED);
}

static void
mute(void **state)
{
	(void)state;
	setenv(ROLE, "mute", 1);
	assert_int_equal(daemon_start(&place, program, 300), CMD_FAILED);
	assert_int_equal(daemon_running(&place), 0);
}

/* The number in the pid file is another process now: it must not be touched. */
static void
recycled(void **state)
{
	FILE *f = fopen(place.pid, "w");

	(void)state;
	fprintf(f, "%d 1\n", (int)getpid());
	fclose(f);
	assert_int_equal(daemon_running(&place), 0);
	assert_int_equal(daemon_stop(&place, 100), CMD_OK);
	f = fopen(place.pid, "w");
	fputs("1 x\n", f);
	fclose(f);
	assert_int_equal(daemon_stop(&place, 100), CMD_OK);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(start_and_stop),
	    cmocka_unit_test(stubborn),
	    cmocka_unit_test(dies),
	    cmocka_unit_test(mute),
	    cmocka_unit_test(recycled),
	};

	if (argc == 3 && strcmp(argv[1], "-c") == 0 && getenv(ROLE) != NULL)
		return fake_vsmd(getenv(ROLE), argv[2]);
	return cmocka_run_group_tests(tests, setup, teardown);
}
