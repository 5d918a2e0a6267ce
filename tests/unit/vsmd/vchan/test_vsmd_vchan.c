/* test_vsmd_vchan.c - channels that a process keeps for others: passed on, bounded, ended. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/ipc.h"
#include "vsmd/msg.h"
#include "vsmd/vchan/vchan.h"

#define PATIENCE 20000
#define A_WHILE 50
#define MOST 2
#define MUCH (300 * 1024)

struct served {
	char dir[32], address[64];
	int supervisor;
	pid_t pid;
};

/* The next message; its descriptor, or -1 for none. */
static int
message(struct served *s, enum msg type)
{
	int fds[IPC_MAX_FDS] = {-1, -1};
	struct pollfd p = {.fd = s->supervisor, .events = POLLIN};
	size_t n = 0;
	struct buf b;

	assert_int_equal(poll(&p, 1, PATIENCE), 1);
	buf_init(&b, IPC_MAX);
	assert_int_equal(ipc_recv(s->supervisor, &b, fds, &n), 0);
	assert_int_equal(buf_get_u8(&b), type);
	assert_true(buf_end(&b));
	assert_true(n <= 1);
	buf_free(&b);
	return fds[0];
}

static bool
quiet(struct served *s)
{
	struct pollfd p = {.fd = s->supervisor, .events = POLLIN};

	return poll(&p, 1, A_WHILE) == 0;
}

/* A unix socket does for it: all transports are alike. */
static int
setup(void **state)
{
	struct served *s = calloc(1, sizeof(*s));
	struct listener *l;
	int pair[2];

	snprintf(s->dir, sizeof(s->dir), "/tmp/vsmd-vchan.XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->address, sizeof(s->address), "unix:%s/s", s->dir);
	assert_int_equal(ipc_pair(pair), 0);
	assert_true((s->pid = fork()) >= 0);
	if (s->pid == 0) {
		struct vchan_config c = {
		    .address = s->address, .supervisor = pair[1], .max = MOST};

		close(pair[0]);
		signal(SIGPIPE, SIG_IGN);
		if ((l = transport_listen(s->address, 0600)) == NULL)
			_exit(9);
		_exit(vchan_serve(&c, NULL, l));
	}
	close(pair[1]);
	s->supervisor = pair[0];
	assert_int_equal(message(s, M_V_READY), -1);
	*state = s;
	return 0;
}

static int
ended(struct served *s)
{
	int status = 0;

	for (int i = 0; i < PATIENCE / 10; i++) {
		if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
			s->pid = 0;
			return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
		}
		(void)poll(NULL, 0, 10);
	}
	fail_msg("it does not end");
	return -1;
}

static int
teardown(void **state)
{
	struct served *s = *state;
	char path[64];

	if (s->pid > 0) {
		kill(s->pid, SIGKILL);
		(void)waitpid(s->pid, NULL, 0);
	}
	if (s->supervisor >= 0)
		close(s->supervisor);
	snprintf(path, sizeof(path), "%s/s", s->dir);
	(void)unlink(path);
	(void)rmdir(s->dir);
	free(s);
	return 0;
}

/* A guest, and what vsmd has of it. */
static void
come(struct served *s, struct channel **ret_guest, struct channel **ret_served)
{
	int fd;

	assert_non_null(*ret_guest = transport_connect(s->address, PATIENCE));
	assert_true((fd = message(s, M_V_CHANNEL)) >= 0);
	assert_non_null(*ret_served = channel_from_fd(fd));
}

static void
expect_passes(struct channel *from, struct channel *to, const char *text)
{
	char got[64];
	size_t len = strlen(text);
	struct iovec v = {(void *)(uintptr_t)text, len};

	assert_int_equal(channel_writev(from, &v, 1, PATIENCE), 0);
	assert_int_equal(channel_read_all(to, got, len, PATIENCE), 0);
	assert_memory_equal(got, text, len);
}

static void
passes_bytes_both_ways(void **state)
{
	struct channel *guest, *served;

	come(*state, &guest, &served);
	expect_passes(guest, served, "a question");
	expect_passes(served, guest, "an answer");
	channel_close(guest);
	assert_int_equal(channel_read(served, &(char){0}, 1, PATIENCE), 0);
	channel_close(served);
}

/* More than any buffer, to a reader that is late. */
static void
passes_much(void **state)
{
	static uint8_t sent[MUCH], got[MUCH];
	struct channel *guest, *served;
	struct iovec v = {sent, sizeof(sent)};
	pid_t pid;
	int status;

	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (uint8_t)(i * 31 >> 3);
	come(*state, &guest, &served);
	assert_true((pid = fork()) >= 0);
	if (pid == 0)
		_exit(channel_writev(guest, &v, 1, PATIENCE) != 0);
	(void)poll(NULL, 0, A_WHILE);
	assert_int_equal(channel_read_all(served, got, sizeof(got), PATIENCE), 0);
	assert_memory_equal(sent, got, sizeof(got));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	channel_close(guest);
	channel_close(served);
}

/* As a refusal ends: answered, and closed at once. */
static void
last_words_arrive(void **state)
{
	struct channel *guest, *served;
	char got[4];

	come(*state, &guest, &served);
	assert_int_equal(channel_write(served, "busy", 4, PATIENCE), 4);
	channel_close(served);
	assert_int_equal(channel_read_all(guest, got, 4, PATIENCE), 0);
	assert_memory_equal(got, "busy", 4);
	assert_int_equal(channel_read(guest, got, 1, PATIENCE), 0);
	channel_close(guest);
}

static void
no_more_than_there_may_be(void **state)
{
	struct served *s = *state;
	struct channel *guest[MOST + 1], *served[MOST + 1];
	int fd;

	for (int i = 0; i < MOST; i++)
		come(s, &guest[i], &served[i]);
	assert_non_null(guest[MOST] = transport_connect(s->address, PATIENCE));
	assert_true(quiet(s));
	/* Those that there are go on; and when one goes, the next is taken. */
	expect_passes(guest[0], served[0], "still here");
	channel_close(guest[1]);
	channel_close(served[1]);
	assert_true((fd = message(s, M_V_CHANNEL)) >= 0);
	assert_non_null(served[MOST] = channel_from_fd(fd));
	expect_passes(guest[MOST], served[MOST], "at last");
	channel_close(guest[0]);
	channel_close(served[0]);
	channel_close(guest[MOST]);
	channel_close(served[MOST]);
}

static void
the_supervisor_is_gone(void **state)
{
	struct served *s = *state;
	struct channel *guest, *served, *late;

	come(s, &guest, &served);
	close(s->supervisor);
	s->supervisor = -1;
	for (int i = 0; i < 500; i++) {
		if ((late = transport_connect(s->address, 0)) == NULL)
			break;
		channel_close(late);
		(void)poll(NULL, 0, 10);
	}
	assert_null(late);
	/* What was being served is served to its end. */
	expect_passes(guest, served, "not yet");
	channel_close(served);
	assert_int_equal(channel_read(guest, &(char){0}, 1, PATIENCE), 0);
	channel_close(guest);
	assert_int_equal(ended(s), 0);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(passes_bytes_both_ways),
	    TEST(passes_much),
	    TEST(last_words_arrive),
	    TEST(no_more_than_there_may_be),
	    TEST(the_supervisor_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
