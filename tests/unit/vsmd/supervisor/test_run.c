/* Start, stop, and what a killed supervisor leaves. */
#include "harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void
orderly_stop(void **state)
{
	struct vsmd *v = *state;
	struct hello_answer a;
	struct channel *c;
	pid_t store;

	vsmd_config(v, NULL, NULL);
	vsmd_start(v, true);
	store = (pid_t)vsmd_status(v, "store-pid");
	c = vsmd_hello(v, HELLO_TOKEN, FAKE_SLOT, &a);
	assert_int_equal(a.status, HELLO_OK);
	assert_true(process_alive((pid_t)a.silence));
	assert_int_equal(vsmd_stop(v), 0);
	/* When it has ended, all have. */
	assert_false(process_alive((pid_t)a.silence));
	assert_false(process_alive((pid_t)a.max_frame));
	assert_false(process_alive(store));
	assert_int_equal(access(v->sock, F_OK), -1);
	assert_true(vsmd_logged(v, "fake: tpm stopped"));
	channel_close(c);
	/* And it starts again in the same place. */
	vsmd_start(v, true);
	assert_int_equal(vsmd_stop(v), 0);
}

static int
hold(const struct vsmd *v, mode_t mode)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", v->sock);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(chmod(v->sock, mode), 0);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

/* A socket that was passed keeps its mode; who has asked for another one is told. */
static void
mode_of_a_socket_that_is_held(void **state)
{
	struct vsmd *v = *state;
	struct hello_answer a;
	struct stat st;
	char run[96];

	snprintf(run, sizeof(run), "%s/run", v->dir);
	assert_int_equal(mkdir(run, 0755), 0);
	v->held = hold(v, 0640);
	vsmd_config(v, NULL, NULL);
	vsmd_start(v, true);
	assert_true(vsmd_logged(v, " socket=passed"));
	channel_close(vsmd_hello(v, HELLO_SLOTS, 0, &a));
	assert_int_equal(a.status, HELLO_OK);
	assert_int_equal(vsmd_stop(v), 0);
	assert_false(vsmd_logged(v, "has no effect"));

	vsmd_config(v, "socket-mode = 0640", NULL);
	vsmd_start(v, true);
	channel_close(vsmd_hello(v, HELLO_SLOTS, 0, &a));
	assert_int_equal(vsmd_stop(v), 0);
	assert_false(vsmd_logged(v, "has no effect"));

	vsmd_config(v, "socket-mode = 0600", NULL);
	vsmd_start(v, true);
	(void)vsmd_log(v, 0, "with mode 0640, and keeps it: socket-mode=0600 has no effect, set "
			     "SocketMode= in vsmd.socket address=unix:");
	assert_int_equal(stat(v->sock, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(vsmd_stop(v), 0);
	close(v->held);
	v->held = -1;
	assert_int_equal(unlink(v->sock), 0);
}

static void
second_one_is_told(void **state)
{
	struct vsmd *v = *state;
	pid_t first;
	char want[128];

	vsmd_config(v, NULL, NULL);
	vsmd_start(v, true);
	first = v->pid;
	vsmd_start(v, false);
	assert_int_equal(vsmd_wait(v), 1);
	snprintf(
	    want, sizeof(want), "another vsmd (pid %d) runs on %s", (int)first, v->state);
	assert_true(vsmd_logged(v, want));
	v->pid = first;
	assert_int_equal(vsmd_stop(v), 0);
}

static void
killed_supervisor(void **state)
{
	struct vsmd *v = *state;
	struct hello_answer a;
	struct channel *c;
	pid_t store;

	vsmd_config(v, NULL, NULL);
	vsmd_start(v, true);
	store = (pid_t)vsmd_status(v, "store-pid");
	c = vsmd_hello(v, HELLO_TOKEN, FAKE_SLOT, &a);
	assert_int_equal(kill(v->pid, SIGKILL), 0);
	assert_int_equal(vsmd_wait(v), -SIGKILL);
	until_dead(store);
	until_dead((pid_t)a.silence);
	until_dead((pid_t)a.max_frame);
	channel_close(c);
	/* The socket is stale, and the locks are free. */
	assert_int_equal(access(v->sock, F_OK), 0);
	vsmd_start(v, true);
	c = vsmd_hello(v, HELLO_TOKEN, FAKE_SLOT, &a);
	assert_int_equal(a.status, HELLO_OK);
	channel_close(c);
	assert_int_equal(vsmd_stop(v), 0);
}

static void
store_that_does_not_open(void **state)
{
	struct vsmd *v = *state;

	vsmd_mark(v, FAKE_STORE_FAILS, true);
	vsmd_config(v, NULL, NULL);
	vsmd_start(v, false);
	assert_int_equal(vsmd_wait(v), 1);
	assert_true(vsmd_logged(v, "cannot start: the store did not open"));
	assert_false(vsmd_logged(v, "listening"));
}

static void
address_in_use(void **state)
{
	struct vsmd *v = *state;
	struct listener *l;
	char run[96];

	snprintf(run, sizeof(run), "%s/run", v->dir);
	assert_int_equal(mkdir(run, 0755), 0);
	assert_non_null(l = transport_listen(v->address, 0600));
	vsmd_config(v, NULL, NULL);
	vsmd_start(v, false);
	assert_int_equal(vsmd_wait(v), 1);
	assert_true(vsmd_logged(v, "cannot listen: "));
	listener_close(l);
}

static void
sigint_stops_too(void **state)
{
	struct vsmd *v = *state;

	vsmd_config(v, NULL, NULL);
	vsmd_start(v, true);
	assert_int_equal(kill(v->pid, SIGINT), 0);
	assert_int_equal(vsmd_wait(v), 0);
}

static void
directories_of_others(void **state)
{
	struct vsmd *v = *state;

	assert_int_equal(chmod(v->state, 0777), 0);
	vsmd_config(v, NULL, NULL);
	vsmd_start(v, false);
	assert_int_equal(vsmd_wait(v), 1);
	assert_true(vsmd_logged(v, "can be written by everybody: chmod o-w it"));
	assert_int_equal(chmod(v->state, 0700), 0);
	if (getuid() != 0)
		return;
	assert_int_equal(chown(v->state, 1, 1), 0);
	vsmd_start(v, false);
	assert_int_equal(vsmd_wait(v), 1);
	assert_true(vsmd_logged(v, "belongs to uid 1, but vsmd runs as uid 0"));
}

/* As root with a user: none of the processes keeps a capability or a root id. */
static void
root_is_given_up(void **state)
{
	struct vsmd *v = *state;
	char path[64], line[256];
	unsigned ids[4];
	bool seen = false;
	FILE *f;

	if (getuid() != 0)
		skip();
	assert_int_equal(chmod(v->dir, 0755), 0);
	vsmd_config(v, "user = nobody\n", NULL);
	vsmd_start(v, true);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)vsmd_status(v, "store-pid"));
	assert_non_null(f = fopen(path, "re"));
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "Uid: %u %u %u %u", &ids[0], &ids[1], &ids[2],
			&ids[3]) == 4) {
			for (int i = 0; i < 4; i++)
				assert_int_not_equal(ids[i], 0);
			seen = true;
		}
		if (strncmp(line, "CapPrm:", 7) == 0 || strncmp(line, "CapEff:", 7) == 0)
			assert_non_null(strstr(line, "0000000000000000"));
		if (strncmp(line, "NoNewPrivs:", 11) == 0)
			assert_non_null(strchr(line, '1'));
	}
	fclose(f);
	assert_true(seen);
	assert_int_equal(vsmd_stop(v), 0);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, vsmd_setup, vsmd_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(orderly_stop),
	    TEST(mode_of_a_socket_that_is_held),
	    TEST(second_one_is_told),
	    TEST(killed_supervisor),
	    TEST(store_that_does_not_open),
	    TEST(address_in_use),
	    TEST(sigint_stops_too),
	    TEST(directories_of_others),
	    TEST(root_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
