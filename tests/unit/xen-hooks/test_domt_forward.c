/* domt-forward between an administrator and a domtd that is this test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/ipc.h"
#include "common/log.h"
#include "xen-hooks/forward/forward.h"

#define WITHIN 20000 /* ms */

static char dir[] = "/tmp/test-forward.XXXXXX";
static char front[64], back[64];
static int domtd; /* listens at `back' */
static pid_t forwarder;
static gid_t admins;

static void
forward(void)
{
	static struct forward f;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	f.domtd = back;
	f.admins = admins;
	f.signals = eventfd(0, EFD_CLOEXEC);
	f.listener = seq_listen(front, 0666, (gid_t)-1);
	if (f.listener < 0)
		_exit(1);
	forward_run(&f);
	_exit(0);
}

static int
setup(void **state)
{
	(void)state;
	log_level(LOG_ERR_);
	admins = getgid();
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(front, sizeof(front), "%s/front", dir);
	snprintf(back, sizeof(back), "%s/back", dir);
	/* Who has dropped root passes, too. */
	if (chmod(dir, 0755) < 0 || (domtd = seq_listen(back, 0600, (gid_t)-1)) < 0)
		return -1;
	forwarder = fork();
	if (forwarder == 0)
		forward();
	for (int i = 0; access(front, F_OK) < 0; i++) {
		if (i == WITHIN / 10)
			return -1;
		usleep(10000);
	}
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	(void)kill(forwarder, SIGKILL);
	(void)waitpid(forwarder, NULL, 0);
	unlink(front);
	unlink(back);
	return rmdir(dir);
}

static int
send_text(const char *text, const int *files, size_t n)
{
	int fd = -1;
	struct buf b;

	for (int i = 0; i < WITHIN / 10 && (fd = seq_connect(front)) < 0; i++)
		usleep(10000);
	assert_true(fd >= 0);
	buf_init(&b, IPC_MAX);
	buf_put_raw(&b, text, strlen(text));
	assert_int_equal(ipc_send(fd, &b, files, n), 0);
	buf_free(&b);
	return fd;
}

static void
readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, WITHIN), 1);
}

static int
at_domtd(struct request *ret, int *ret_file)
{
	int fds[IPC_MAX_FDS] = {-1, -1}, fd;
	struct seq_peer peer;
	struct buf b;
	size_t n;

	readable(domtd);
	fd = seq_accept(domtd, (gid_t)-1, &peer);
	assert_true(fd >= 0);
	readable(fd);
	buf_init(&b, IPC_MAX);
	assert_int_equal(ipc_recv(fd, &b, fds, &n), 0);
	assert_true(request_read(&b, ret));
	assert_true(n <= 1);
	*ret_file = fds[0];
	buf_free(&b);
	return fd;
}

static void
reply(int fd, enum reply_kind kind, const char *text)
{
	struct buf b;

	buf_init(&b, MESSAGE_MAX);
	reply_write(&b, kind, text);
	assert_int_equal(ipc_send(fd, &b, NULL, 0), 0);
	buf_free(&b);
}

static void
hears(int fd, enum reply_kind want, const char *text)
{
	enum reply_kind kind;
	struct buf b;
	json_t *v;

	readable(fd);
	buf_init(&b, IPC_MAX);
	assert_int_equal(ipc_recv(fd, &b, NULL, NULL), 0);
	assert_true(reply_read(&b, &kind, &v));
	assert_int_equal(kind, want);
	assert_non_null(strstr(json_string_value(v), text));
	json_decref(v);
	buf_free(&b);
}

static void
ends(int fd)
{
	struct buf b;

	readable(fd);
	buf_init(&b, IPC_MAX);
	assert_int_equal(ipc_recv(fd, &b, NULL, NULL), -1);
	assert_int_equal(errno, ECONNRESET);
	buf_free(&b);
	close(fd);
}

static void
there_and_back(void **state)
{
	int fd = send_text("{\"version\":1,\"do\":\"create\",\"pair\":\"web\",\"by\":\"the king\"}",
		NULL, 0),
	    up, file;
	struct request r;
	char by[64];

	(void)state;
	up = at_domtd(&r, &file);
	/* Not what it says of itself. */
	snprintf(by, sizeof(by), "uid %u pid %d", (unsigned)getuid(), (int)getpid());
	assert_string_equal(r.by, by);
	assert_string_equal(r.pair, "web");
	assert_int_equal(file, -1);
	reply(up, REPLY_PROGRESS, "one");
	hears(fd, REPLY_PROGRESS, "one");
	reply(up, REPLY_DONE, "two");
	close(up);
	hears(fd, REPLY_DONE, "two");
	ends(fd);
}

static void
with_its_file(void **state)
{
	int pair[2], fd, up, file;
	struct request r;
	char byte;

	(void)state;
	assert_int_equal(pipe(pair), 0);
	fd = send_text("{\"version\":1,\"do\":\"save\",\"pair\":\"web\"}", &pair[1], 1);
	close(pair[1]);
	up = at_domtd(&r, &file);
	assert_true(file >= 0);
	assert_int_equal(write(file, "x", 1), 1);
	assert_int_equal(read(pair[0], &byte, 1), 1);
	/* The forwarder has kept none. */
	close(file);
	assert_int_equal(read(pair[0], &byte, 1), 0);
	close(pair[0]);
	close(up);
	ends(fd);
}

static void
nothing_else_passes(void **state)
{
	static const char *const bad[] = {"hello", "{\"version\":1,\"do\":\"create\"}",
	    "{\"version\":1,\"do\":\"save\",\"pair\":\"web\"}"};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), two[2] = {null, null}, fd;
	struct pollfd p = {.fd = domtd, .events = POLLIN};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fd = send_text(bad[i], NULL, 0);
		hears(fd, REPLY_ERROR, "malformed");
		ends(fd);
	}
	fd = send_text("{\"version\":1,\"do\":\"list\"}", two, 1);
	hears(fd, REPLY_ERROR, "malformed");
	ends(fd);
	fd = send_text("{\"version\":1,\"do\":\"save\",\"pair\":\"web\"}", two, 2);
	hears(fd, REPLY_ERROR, "malformed");
	ends(fd);
	assert_int_equal(poll(&p, 1, 0), 0);
	close(null);
}

static void
one_request(void **state)
{
	int fd = send_text("{\"version\":1,\"do\":\"list\"}", NULL, 0), up, file;
	struct request r;
	struct buf b;

	(void)state;
	up = at_domtd(&r, &file);
	buf_init(&b, MESSAGE_MAX);
	request_write(&b, &r);
	assert_int_equal(ipc_send(fd, &b, NULL, 0), 0);
	buf_free(&b);
	hears(fd, REPLY_ERROR, "one request");
	ends(fd);
	ends(up);
}

static void
strangers(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (getuid() != 0)
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		gid_t other = 12345;
		struct buf b;
		int fd;

		if (setgroups(1, &other) < 0 || setresgid(other, other, other) < 0 ||
		    setresuid(12345, 12345, 12345) < 0 || (fd = seq_connect(front)) < 0)
			_exit(2);
		buf_init(&b, IPC_MAX);
		/* It may be gone before it has been asked. */
		_exit(ipc_recv(fd, &b, NULL, NULL) == 0 &&
			      strstr((const char *)b.data, "only root and the group") != NULL
			  ? 0
			  : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	/* By a group that is not its first. */
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		gid_t other = 12345, groups[] = {admins};
		int fd;

		if (setgroups(1, groups) < 0 || setresgid(other, other, other) < 0 ||
		    setresuid(12345, 12345, 12345) < 0 || (fd = seq_connect(front)) < 0)
			_exit(2);
		fd = send_text("hello", NULL, 0);
		hears(fd, REPLY_ERROR, "malformed");
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Last: what listens for it goes. */
static void
without_domtd(void **state)
{
	int fd;

	(void)state;
	close(domtd);
	unlink(back);
	fd = send_text("{\"version\":1,\"do\":\"list\"}", NULL, 0);
	hears(fd, REPLY_ERROR, "cannot be reached");
	ends(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(there_and_back),
	    cmocka_unit_test(with_its_file), cmocka_unit_test(nothing_else_passes),
	    cmocka_unit_test(one_request), cmocka_unit_test(strangers),
	    cmocka_unit_test(without_domtd)};

	return cmocka_run_group_tests(tests, setup, teardown);
}
