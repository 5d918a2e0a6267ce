/* test_agent.c - the real caas-agent between applications and a server, all of them here */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "protocol/hello.h"
#include "vchan-transport/agent/confine.h"
#include "vchan-transport/transport.h"

#define PATIENCE 20000
#define BIG (4 * 1024 * 1024)

static char dir[] = "/tmp/caas-agent-XXXXXX";
static char local[64], upstream[64], notify[64];

struct world {
	pid_t agent;
	int notify;
	struct listener *server; /* where the agent connects to */
	int files;               /* that the agent has when idle */
};

static int
agent_files(const struct world *w)
{
	char path[64];
	DIR *d;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)w->agent);
	assert_non_null(d = opendir(path));
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n;
}

static void
expect_notice(const struct world *w, const char *what)
{
	struct pollfd p = {.fd = w->notify, .events = POLLIN};
	char text[256];
	ssize_t n;

	assert_int_equal(poll(&p, 1, PATIENCE), 1);
	n = recv(w->notify, text, sizeof(text) - 1, 0);
	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text, what);
}

static struct world *
begin(const char *option, const char *value)
{
	struct world *w = calloc(1, sizeof(*w));
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", notify);
	w->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(w->notify, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_non_null(w->server = transport_listen(upstream, 0600));
	if ((w->agent = fork()) == 0) {
		/* A failed test leaves none behind. */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)setenv("NOTIFY_SOCKET", notify, 1);
		execl(CAAS_AGENT, CAAS_AGENT, "--listen", local, "--upstream", upstream, option,
		    value, NULL);
		_exit(127);
	}
	assert_true(w->agent > 0);
	expect_notice(w, "READY=1");
	w->files = agent_files(w);
	return w;
}

static void
end(struct world *w)
{
	struct stat st;
	int status;

	assert_int_equal(kill(w->agent, SIGTERM), 0);
	expect_notice(w, "STOPPING=1");
	assert_int_equal(waitpid(w->agent, &status, 0), w->agent);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(stat(local + 5, &st), -1);
	listener_close(w->server);
	(void)close(w->notify);
	(void)unlink(notify);
	free(w);
}

static struct channel *
application(void)
{
	struct channel *c = transport_connect(local, PATIENCE);

	if (c == NULL)
		fail_msg("%s", transport_strerror(local, errno));
	return c;
}

static struct channel *
server_side(struct world *w)
{
	struct pollfd p = {.fd = listener_fd(w->server), .events = POLLIN};
	struct channel *c;
	struct peer peer;

	while ((c = listener_accept(w->server, &peer)) == NULL)
		assert_int_equal(poll(&p, 1, PATIENCE), 1);
	assert_int_equal(peer.pid, w->agent);
	return c;
}

static void
say(struct channel *from, struct channel *to, const char *text)
{
	char got[64];
	struct iovec v = {(void *)(uintptr_t)text, strlen(text)};

	assert_int_equal(channel_writev(from, &v, 1, PATIENCE), 0);
	assert_int_equal(channel_read_all(to, got, v.iov_len, PATIENCE), 0);
	assert_memory_equal(got, text, v.iov_len);
}

static void
expect_end(struct channel *c)
{
	char byte;
	ssize_t n = channel_read(c, &byte, 1, PATIENCE);

	assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
}

/* The agent has no more descriptors than at its start (when one of sd_notify() may have
 * been among them). */
static void
expect_idle(const struct world *w)
{
	for (int i = 0; i < PATIENCE / 10 && agent_files(w) > w->files; i++)
		usleep(10000);
	assert_true(agent_files(w) <= w->files);
}

static void
test_both_ways_and_confined(void **state)
{
	struct world *w = begin("--mode", "0640");
	struct channel *a = application(), *s = server_side(w);
	char path[64], line[256];
	struct stat st;
	FILE *f;

	(void)state;
	say(a, s, "request");
	say(s, a, "reply");
	assert_int_equal(stat(local + 5, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)w->agent);
	assert_non_null(f = fopen(path, "r"));
	while (fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, "Name:", 5) == 0)
			assert_string_equal(line, "Name:\tcaas-agent\n");
		if (strncmp(line, "NoNewPrivs:", 11) == 0)
			assert_string_equal(line, "NoNewPrivs:\t1\n");
#if !CONFINE_UNFILTERED
		if (strncmp(line, "Seccomp:", 8) == 0)
			assert_string_equal(line, "Seccomp:\t2\n");
#endif
	}
	(void)fclose(f);
	channel_close(a);
	expect_end(s);
	channel_close(s);
	expect_idle(w);
	end(w);
}

/* The hello arrives with the user behind it, in however many pieces it came, and whatever that
 * user wrote there; what follows is as it was. */
static void
test_it_says_whose(void **state)
{
	const struct hello_ask ask = {.version = HELLO_VERSION,
	    .purpose = HELLO_TOKEN,
	    .slot = 7,
	    .hint = {true, getuid() + 1, getgid() + 1}};
	struct world *w = begin("--mode", "0640");
	struct channel *a = application(), *s = server_side(w);
	uint8_t bytes[HELLO_LEN + 1] = {0}, got[sizeof(bytes)];
	struct hello_ask told;

	(void)state;
	hello_ask_write(bytes, &ask);
	bytes[HELLO_LEN] = 'x';
	for (size_t i = 0; i < sizeof(bytes); i += 13) {
		struct iovec v = {bytes + i, sizeof(bytes) - i < 13 ? sizeof(bytes) - i : 13};

		assert_int_equal(channel_writev(a, &v, 1, PATIENCE), 0);
		usleep(10000);
	}
	assert_int_equal(channel_read_all(s, got, sizeof(got), PATIENCE), 0);
	assert_true(hello_ask_read(got, &told));
	assert_int_equal(told.slot, 7);
	assert_true(told.hint.given);
	assert_int_equal(told.hint.uid, getuid());
	assert_int_equal(told.hint.gid, getgid());
	assert_int_equal(got[HELLO_LEN], 'x');
	/* Half of one is passed on when no more comes. */
	channel_close(a);
	channel_close(s);
	a = application(), s = server_side(w);
	assert_int_equal(channel_writev(a, &(struct iovec){bytes, 20}, 1, PATIENCE), 0);
	assert_int_equal(channel_finish(a), 0);
	assert_int_equal(channel_read_all(s, got, 20, PATIENCE), 0);
	assert_memory_equal(got, bytes, 20);
	expect_end(s);
	channel_close(a);
	channel_close(s);
	expect_idle(w);
	end(w);
}

static void
test_half_close_passes(void **state)
{
	struct world *w = begin("--max-connections", "4");
	struct channel *a = application(), *s = server_side(w);
	char byte;

	(void)state;
	say(a, s, "all I have");
	assert_int_equal(channel_finish(a), 0);
	assert_int_equal(channel_read(s, &byte, 1, PATIENCE), 0);
	say(s, a, "the answer");
	assert_int_equal(channel_finish(s), 0);
	assert_int_equal(channel_read(a, &byte, 1, PATIENCE), 0);
	expect_idle(w);
	channel_close(a);
	channel_close(s);
	end(w);
}

struct flood {
	struct channel *c;
	int failed;
};

static void *
flood(void *arg)
{
	struct flood *f = arg;
	uint8_t *p = malloc(BIG);
	struct iovec v = {p, BIG};

	for (size_t i = 0; i < BIG; i++)
		p[i] = (uint8_t)(i * 2654435761u >> 11);
	f->failed = channel_writev(f->c, &v, 1, PATIENCE);
	free(p);
	return NULL;
}

static void
test_slow_reader_slows_the_writer(void **state)
{
	struct world *w = begin("--max-connections", "4");
	struct channel *a = application(), *s = server_side(w);
	struct flood f = {a, -1};
	uint8_t *p = malloc(BIG);
	size_t got = 0, waiting = 0;
	pthread_t t;

	(void)state;
	/* With nobody reading, the way takes in no more than buffers hold. */
	while (channel_write(a, "................................", 32, 200) > 0)
		waiting += 32;
	assert_int_equal(errno, ETIMEDOUT);
	assert_true(waiting < BIG);
	/* Another application is not held up by that. */
	{
		struct channel *a2 = application(), *s2 = server_side(w);

		say(a2, s2, "hello");
		channel_close(a2);
		channel_close(s2);
	}
	assert_int_equal(pthread_create(&t, NULL, flood, &f), 0);
	while (waiting > 0) {
		ssize_t n = channel_read(s, p, waiting < BIG ? waiting : BIG, PATIENCE);

		assert_true(n > 0);
		waiting -= (size_t)n;
	}
	while (got < BIG) {
		ssize_t n = channel_read(s, p + got, got + 9000 < BIG ? 9000 : BIG - got, PATIENCE);

		assert_true(n > 0);
		got += (size_t)n;
		if (got % 64 == 0)
			usleep(500);
	}
	(void)pthread_join(t, NULL);
	assert_int_equal(f.failed, 0);
	for (size_t i = 0; i < BIG; i++)
		if (p[i] != (uint8_t)(i * 2654435761u >> 11))
			fail_msg("byte %zu differs", i);
	free(p);
	channel_close(s);
	expect_end(a);
	channel_close(a);
	expect_idle(w);
	end(w);
}

static void
test_last_bytes_come_before_the_end(void **state)
{
	struct world *w = begin("--max-connections", "4");
	struct channel *a = application(), *s = server_side(w);
	char got[5] = "";

	(void)state;
	say(a, s, "ask");
	assert_int_equal(channel_write(s, "last", 4, PATIENCE), 4);
	channel_close(s);
	assert_int_equal(channel_read_all(a, got, 4, PATIENCE), 0);
	assert_string_equal(got, "last");
	expect_end(a);
	/* Nothing more can be said to a server that is gone: no slot is kept for it. */
	expect_idle(w);
	channel_close(a);
	end(w);
}

static void
test_server_that_goes_and_comes(void **state)
{
	struct world *w = begin("--connect-timeout", "5");
	struct channel *a = application(), *s = server_side(w), *a2;

	(void)state;
	listener_close(w->server);
	say(a, s, "still here");
	channel_close(s);
	expect_end(a);
	channel_close(a);
	/* While it is away, applications are told so by the end of the connection. */
	a2 = application();
	expect_end(a2);
	channel_close(a2);
	assert_non_null(w->server = transport_listen(upstream, 0600));
	a = application();
	s = server_side(w);
	say(a, s, "again");
	channel_close(a);
	channel_close(s);
	expect_idle(w);
	end(w);
}

static void
test_more_than_the_limit(void **state)
{
	struct world *w = begin("--max-connections", "3");
	struct channel *a[3], *s[3], *more;

	(void)state;
	for (int i = 0; i < 3; i++) {
		a[i] = application();
		s[i] = server_side(w);
	}
	for (int i = 0; i < 50; i++) {
		more = application();
		expect_end(more);
		channel_close(more);
	}
	for (int i = 0; i < 3; i++)
		say(a[i], s[i], "unharmed");
	channel_close(a[1]);
	expect_end(s[1]);
	channel_close(s[1]);
	more = application();
	s[1] = server_side(w);
	say(more, s[1], "room again");
	channel_close(more);
	for (int i = 0; i < 3; i++) {
		if (i != 1)
			channel_close(a[i]);
		channel_close(s[i]);
	}
	expect_idle(w);
	end(w);
}

/* A server that lets connections queue up: connecting waits, the others do not. */
static void
test_connecting_holds_nobody_up(void **state)
{
	struct world *w = begin("--connect-timeout", "2");
	struct channel *a = application(), *s = server_side(w), *waiting[3];
	int fd = listener_fd(w->server);

	(void)state;
	assert_int_equal(listen(fd, 0), 0);
	for (int i = 0; i < 3; i++)
		waiting[i] = application();
	for (int i = 0; i < 100; i++)
		say(a, s, "meanwhile");
	/* One fits in the queue, the others give up. */
	expect_end(waiting[1]);
	for (int i = 0; i < 3; i++)
		channel_close(waiting[i]);
	channel_close(a);
	channel_close(s);
	end(w);
}

/* Applications that gave up do not keep others waiting. */
static void
test_who_left_is_passed_over(void **state)
{
	struct world *w = begin("--connect-timeout", "20");
	struct channel *a[6], *s[3];

	(void)state;
	assert_int_equal(listen(listener_fd(w->server), 0), 0);
	/* One fits in the queue, the next blocks the thread, the others wait for it. */
	for (int i = 0; i < 6; i++)
		a[i] = application();
	for (int i = 2; i < 5; i++)
		channel_close(a[i]);
	a[2] = a[5];
	for (int i = 0; i < 3; i++) {
		s[i] = server_side(w);
		say(a[i], s[i], "mine");
	}
	for (int i = 0; i < 3; i++) {
		channel_close(a[i]);
		channel_close(s[i]);
	}
	expect_idle(w);
	end(w);
}

static void
test_thousand_one_after_the_other(void **state)
{
	struct world *w = begin("--max-connections", "16");

	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct channel *a = application(), *s = server_side(w);

		say(a, s, "q");
		say(s, a, "a");
		channel_close(i % 2 ? a : s);
		expect_end(i % 2 ? s : a);
		channel_close(i % 2 ? s : a);
	}
	expect_idle(w);
	end(w);
}

static void
test_stop_passes_on_what_it_holds(void **state)
{
	struct world *w = begin("--max-connections", "4");
	struct channel *a = application(), *s = server_side(w);

	(void)state;
	say(a, s, "first");
	end(w);
	expect_end(a);
	expect_end(s);
	channel_close(a);
	channel_close(s);
}

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(local, sizeof(local), "unix:%s/agent", dir);
	snprintf(upstream, sizeof(upstream), "unix:%s/vsmd", dir);
	snprintf(notify, sizeof(notify), "%s/notify", dir);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_both_ways_and_confined),
	    cmocka_unit_test(test_it_says_whose),
	    cmocka_unit_test(test_half_close_passes),
	    cmocka_unit_test(test_slow_reader_slows_the_writer),
	    cmocka_unit_test(test_last_bytes_come_before_the_end),
	    cmocka_unit_test(test_server_that_goes_and_comes),
	    cmocka_unit_test(test_more_than_the_limit),
	    cmocka_unit_test(test_connecting_holds_nobody_up),
	    cmocka_unit_test(test_who_left_is_passed_over),
	    cmocka_unit_test(test_thousand_one_after_the_other),
	    cmocka_unit_test(test_stop_passes_on_what_it_holds),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
