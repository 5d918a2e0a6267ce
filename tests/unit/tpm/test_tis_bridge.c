/* test_tis_bridge.c - the bridge's loop between clients and a simulated TPM */
#include <pthread.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "registers.h"
#include "tpm/tis/bridge/loop.h"

#define LEN 300

static struct {
	struct registers r;
	struct tis t;
	int listener, signals;
	struct sockaddr_un sa;
	socklen_t sa_len;
	pthread_t thread;
} w;
static uint8_t cmd[TIS_MAX];

static void *
run(void *arg)
{
	(void)arg;
	loop_run(&w.t, w.listener, w.signals);
	return NULL;
}

static int
setup(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	registers_init(&w.r);
	tis_init(&w.t, &registers_ops, &w.r);
	registers_command(cmd, LEN);
	w.sa.sun_family = AF_UNIX;
	w.sa_len = sizeof(w.sa);
	w.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	w.signals = eventfd(0, EFD_CLOEXEC);
	/* A name of the kernel's choice. */
	assert_int_equal(bind(w.listener, (void *)&w.sa, sizeof(sa_family_t)), 0);
	assert_int_equal(listen(w.listener, 64), 0);
	assert_int_equal(getsockname(w.listener, (void *)&w.sa, &w.sa_len), 0);
	assert_int_equal(pthread_create(&w.thread, NULL, run, NULL), 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	assert_int_equal(eventfd_write(w.signals, 1), 0);
	assert_int_equal(pthread_join(w.thread, NULL), 0);
	close(w.listener);
	close(w.signals);
	return 0;
}

static int
client(void)
{
	const struct timeval patience = {.tv_sec = 20};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(connect(fd, (void *)&w.sa, w.sa_len), 0);
	return fd;
}

static void
put(int fd, const void *p, size_t len)
{
	assert_int_equal(send(fd, p, len, MSG_NOSIGNAL), len);
}

/* As tcsd does: one read. */
static void
expect_answer(int fd, size_t len)
{
	uint8_t rsp[TIS_MAX];

	assert_int_equal(read(fd, rsp, len), len);
	assert_int_equal(tis_size(rsp), len);
	assert_memory_equal(rsp + 10, cmd + 10, len - 10);
}

static void
expect_end(int fd)
{
	uint8_t byte;

	assert_true(read(fd, &byte, 1) <= 0);
	close(fd);
}

static void
expect_served(void)
{
	int fd = client();

	put(fd, cmd, LEN);
	expect_answer(fd, LEN);
	close(fd);
}

static void
test_commands(void **state)
{
	int fd = client(), other = client();

	(void)state;
	for (int i = 0; i < 3; i++) {
		put(fd, cmd, LEN);
		expect_answer(fd, LEN);
		put(other, cmd, LEN);
		expect_answer(other, LEN);
	}
	/* In pieces, and two at once. */
	for (size_t i = 0; i < LEN; i++)
		put(fd, cmd + i, 1);
	expect_answer(fd, LEN);
	put(fd, cmd, LEN);
	put(fd, cmd, LEN);
	expect_answer(fd, LEN);
	expect_answer(fd, LEN);
	registers_command(cmd, TIS_MAX);
	put(fd, cmd, TIS_MAX);
	expect_answer(fd, TIS_MAX);
	close(other);
	close(fd);
}

static void
test_what_is_no_command(void **state)
{
	static const uint32_t sizes[] = {0, 9, TIS_MAX + 1, UINT32_MAX};
	int half = client(), fd;

	(void)state;
	put(half, cmd, LEN / 2);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint8_t header[TIS_HEADER] = {0x00, 0xc1, (uint8_t)(sizes[i] >> 24),
		    (uint8_t)(sizes[i] >> 16), (uint8_t)(sizes[i] >> 8), (uint8_t)sizes[i]};

		fd = client();
		put(fd, header, sizeof(header));
		expect_end(fd);
	}
	expect_served();
	/* Who says nothing more holds nobody up, and is served when he goes on. */
	put(half, cmd + LEN / 2, LEN - LEN / 2);
	expect_answer(half, LEN);
	close(half);
}

static void
test_a_tpm_that_fails(void **state)
{
	int fd = client();

	(void)state;
	w.r.fault = LONGER;
	put(fd, cmd, LEN);
	expect_end(fd);
	w.r.fault = SOUND;
	expect_served();
}

static void
test_too_many(void **state)
{
	int fds[LOOP_CLIENTS], fd;

	(void)state;
	for (int i = 0; i < LOOP_CLIENTS; i++) {
		fds[i] = client();
		put(fds[i], cmd, LEN);
		expect_answer(fds[i], LEN);
	}
	fd = client();
	expect_end(fd);
	for (int i = 0; i < LOOP_CLIENTS; i++)
		close(fds[i]);
	/* Their ends are seen before a connection that comes after them. */
	expect_served();
}

static void
run_bridge(const char *args, int want)
{
	char line[256];
	int status;

	snprintf(line, sizeof(line), "%s %s >/dev/null 2>&1", CAAS_TIS_BRIDGE, args);
	status = system(line);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) != want)
		fail_msg("%s: exit %d", args, WEXITSTATUS(status));
}

static void
test_options(void **state)
{
	(void)state;
	run_bridge("--help", 0);
	run_bridge("--version", 0);
	run_bridge("--page /dev/mem", 2);
	run_bridge("--page /dev/mem:0xfed42001", 2);
	run_bridge("--listen tcp:0", 2);
	run_bridge("--listen tcp:1.2.3.4:5", 2);
	run_bridge("--listen unix:relative", 2);
	run_bridge("--listen vsock:2:3", 2);
	run_bridge("--mode 9", 2);
	run_bridge("more", 2);
	run_bridge("--page /nonexistent:0xfed42000", 1);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_commands),
	    T(test_what_is_no_command),
	    T(test_a_tpm_that_fails),
	    T(test_too_many),
	    cmocka_unit_test(test_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
