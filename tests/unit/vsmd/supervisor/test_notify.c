/* What the service manager hears, with a socket in its place. */
#include "harness.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void
listen_for(struct vsmd *v)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	v->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/notify", v->dir);
	assert_int_equal(bind(v->notify, (struct sockaddr *)&sa, sizeof(sa)), 0);
	setenv("NOTIFY_SOCKET", sa.sun_path, 1);
}

/* Messages up to the one that begins with `want`; WATCHDOG=1 comes between. */
static void
hear(struct vsmd *v, const char *want)
{
	struct pollfd p = {.fd = v->notify, .events = POLLIN};
	char text[1024];
	ssize_t n;

	do {
		assert_int_equal(poll(&p, 1, 20000), 1);
		n = recv(v->notify, text, sizeof(text) - 1, 0);
		assert_true(n > 0);
		text[n] = '\0';
	} while (strncmp(text, want, strlen(want)) != 0);
}

static void
whole_life(void **state)
{
	struct vsmd *v = *state;

	vsmd_config(v, NULL, NULL);
	listen_for(v);
	vsmd_start(v, true);
	hear(v, "READY=1\nSTATUS=Serving 3 slots");
	hear(v, "STATUS=fake status");
	assert_int_equal(kill(v->pid, SIGHUP), 0);
	hear(v, "RELOADING=1\nMONOTONIC_USEC=");
	hear(v, "READY=1");
	assert_int_equal(vsmd_stop(v), 0);
	hear(v, "STOPPING=1");
	unsetenv("NOTIFY_SOCKET");
}

static void
not_ready_before_the_store(void **state)
{
	struct vsmd *v = *state;
	struct pollfd p;
	char text[256];

	vsmd_config(v, NULL, NULL);
	vsmd_mark(v, FAKE_STORE_FAILS, true);
	listen_for(v);
	vsmd_start(v, false);
	assert_int_equal(vsmd_wait(v), 1);
	p.fd = v->notify;
	p.events = POLLIN;
	while (poll(&p, 1, 0) == 1) {
		ssize_t n = recv(v->notify, text, sizeof(text) - 1, 0);

		assert_true(n > 0);
		text[n] = '\0';
		assert_null(strstr(text, "READY=1"));
	}
	unsetenv("NOTIFY_SOCKET");
}

static void
watchdog(void **state)
{
	struct vsmd *v = *state;

	vsmd_config(v, NULL, NULL);
	listen_for(v);
	setenv("WATCHDOG_USEC", "200000", 1);
	unsetenv("WATCHDOG_PID");
	vsmd_start(v, true);
	for (int i = 0; i < 3; i++)
		hear(v, "WATCHDOG=1");
	unsetenv("WATCHDOG_USEC");
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(vsmd_stop(v), 0);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, vsmd_setup, vsmd_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(whole_life),
	    TEST(not_ready_before_the_store),
	    TEST(watchdog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
