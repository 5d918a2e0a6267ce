/* test_unix.c - the socket's file: its mode, its leftovers, its end */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "vchan-transport/transport.h"

static char dir[] = "/tmp/caas-unix-XXXXXX";
static char path[64], address[80];

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/s", dir);
	snprintf(address, sizeof(address), "unix:%s", path);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return rmdir(dir);
}

static void
test_mode_is_exact(void **state)
{
	static const unsigned modes[] = {0600, 0660, 0666, 0770};
	mode_t old = umask(077);

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct listener *l = transport_listen(address, modes[i]);
		struct stat st;

		assert_non_null(l);
		assert_int_equal(lstat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, modes[i]);
		listener_close(l);
		assert_int_equal(lstat(path, &st), -1);
	}
	assert_int_equal(umask(old), 077);
}

static void
leave_stale_socket(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(sa.sun_path, path, strlen(path) + 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(close(fd), 0);
}

static void
test_stale_socket_is_replaced(void **state)
{
	struct listener *l;
	struct channel *c;

	(void)state;
	leave_stale_socket();
	assert_null(transport_connect(address, 1000));
	assert_int_equal(errno, ECONNREFUSED);
	assert_non_null(l = transport_listen(address, 0600));
	assert_non_null(c = transport_connect(address, 1000));
	channel_close(c);
	listener_close(l);
}

static void
test_live_socket_stays(void **state)
{
	struct listener *l = transport_listen(address, 0600);
	struct peer peer;
	struct channel *c;

	(void)state;
	assert_non_null(l);
	assert_null(transport_listen(address, 0600));
	assert_int_equal(errno, EADDRINUSE);
	assert_non_null(strstr(transport_strerror(address, errno), "already"));
	/* The question whether it lives was a connection. */
	while ((c = listener_accept(l, &peer)) != NULL)
		channel_close(c);
	listener_close(l);
}

static void
test_files_are_not_removed(void **state)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_EXCL, 0600);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_null(transport_listen(address, 0600));
	assert_int_equal(errno, EEXIST);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/nonexistent/x", path), 0);
	assert_null(transport_listen(address, 0600));
	assert_int_equal(errno, EEXIST);
	assert_int_equal(unlink(path), 0);
}

static void
test_successor_keeps_its_socket(void **state)
{
	struct listener *l = transport_listen(address, 0600);
	struct stat st;

	(void)state;
	assert_non_null(l);
	assert_int_equal(unlink(path), 0);
	leave_stale_socket(); /* another's */
	listener_close(l);
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(unlink(path), 0);
}

/* One of eight starters on a stale socket gets it, and keeps it while the others try. */
static void
test_starters_take_turns(void **state)
{
	int won = 0, tried[2], hold[2], status;
	pid_t pids[8];
	char result;

	(void)state;
	leave_stale_socket();
	assert_int_equal(pipe(tried), 0);
	assert_int_equal(pipe(hold), 0);
	for (int i = 0; i < 8; i++) {
		if ((pids[i] = fork()) != 0)
			continue;
		(void)close(hold[1]);
		result = transport_listen(address, 0600) != NULL ? 'w'
		    : errno == EADDRINUSE			 ? 'l'
								 : '?';
		_exit(write(tried[1], &result, 1) != 1 || read(hold[0], &result, 1) != 0);
	}
	for (int i = 0; i < 8; i++) {
		assert_int_equal(read(tried[0], &result, 1), 1);
		assert_true(result == 'w' || result == 'l');
		won += result == 'w';
	}
	(void)close(hold[1]);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	(void)close(hold[0]);
	(void)close(tried[0]);
	(void)close(tried[1]);
	assert_int_equal(won, 1);
	assert_int_equal(unlink(path), 0);
}

static void
test_only_streams_become_channels(void **state)
{
	int fds[2], p[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
	assert_null(channel_from_fd(fds[0]));
	assert_int_equal(errno, EPROTOTYPE);
	assert_int_equal(close(fds[0]), 0);
	assert_int_equal(close(fds[1]), 0);
	assert_int_equal(pipe(p), 0);
	assert_null(channel_from_fd(p[0]));
	assert_int_equal(errno, ENOTSOCK);
	assert_int_equal(close(p[0]), 0);
	assert_int_equal(close(p[1]), 0);
}

static void
test_nonblocking_descriptor_waits_too(void **state)
{
	struct channel *c;
	char byte;
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_non_null(c = channel_from_fd(fds[0]));
	assert_int_equal(channel_read(c, &byte, 1, 20), -1);
	assert_int_equal(errno, ETIMEDOUT);
	assert_int_equal(write(fds[1], "a", 1), 1);
	assert_int_equal(channel_read(c, &byte, 1, -1), 1);
	channel_close(c);
	assert_int_equal(close(fds[1]), 0);
}

/* A descriptor may take its time to be closed, and a plain read closes what comes along. */
static void
test_nobody_sends_descriptors(void **state)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))] = {0};
	struct cmsghdr *h = (struct cmsghdr *)room;
	struct iovec v = {(void *)(uintptr_t)"x", 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = room,
	    .msg_controllen = sizeof(room)};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), on, zero = 0;
	socklen_t len = sizeof(on);
	struct listener *l;

	(void)state;
	if (getsockopt(fd, SOL_SOCKET, 83, &on, &len) != 0) { /* SO_PASSRIGHTS */
		(void)close(fd);
		skip(); /* Linux 6.16 */
	}
	assert_non_null(l = transport_listen(address, 0600));
	memcpy(sa.sun_path, path, sizeof(path));
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &zero, sizeof(zero));
	assert_int_equal(sendmsg(fd, &m, 0), -1);
	assert_int_equal(errno, EPERM);
	(void)close(fd);
	listener_close(l);
}

static int
socket_at(const char *where, int type, bool listens)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type, 0);

	memcpy(sa.sun_path, where, strlen(where) + 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	if (listens)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* A socket that somebody else keeps for us. */
static void
test_listening_socket_is_adopted(void **state)
{
	int fd = socket_at(path, SOCK_STREAM, true), kept = dup(fd);
	struct channel *c, *other;
	struct listener *l;
	struct peer peer;
	struct stat st;

	(void)state;
	/* Who connected before is served, too. */
	assert_non_null(c = transport_connect(address, 1000));
	assert_non_null(l = transport_adopt(address, fd));
	assert_int_equal(listener_fd(l), fd);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_non_null(other = listener_accept(l, &peer));
	assert_int_equal(peer.id, getuid());
	channel_close(other);
	channel_close(c);
	assert_null(listener_accept(l, &peer));
	assert_int_equal(errno, EAGAIN);
	listener_close(l);
	/* It is there for the next one. */
	assert_int_equal(lstat(path, &st), 0);
	assert_non_null(c = transport_connect(address, 1000));
	channel_close(c);
	(void)close(kept);
	(void)unlink(path);
}

static void
test_another_socket_is_not_adopted(void **state)
{
	char longer[80], vsock_address[] = "vsock:any:4000";
	int fds[3];

	(void)state;
	snprintf(longer, sizeof(longer), "%s2", path);
	fds[0] = socket_at(longer, SOCK_STREAM, true);
	(void)unlink(longer);
	fds[1] = socket_at(path, SOCK_STREAM, false);
	(void)unlink(path);
	fds[2] = socket_at(path, SOCK_SEQPACKET, true);
	(void)unlink(path);
	for (int i = 0; i < 3; i++) {
		errno = 0;
		assert_null(transport_adopt(address, fds[i]));
		assert_int_equal(errno, EINVAL);
		assert_null(transport_adopt(vsock_address, fds[i]));
		assert_int_equal(fcntl(fds[i], F_GETFL) & O_NONBLOCK, 0);
		(void)close(fds[i]);
	}
	assert_null(transport_adopt(address, -1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_mode_is_exact),
	    cmocka_unit_test(test_stale_socket_is_replaced),
	    cmocka_unit_test(test_live_socket_stays),
	    cmocka_unit_test(test_files_are_not_removed),
	    cmocka_unit_test(test_successor_keeps_its_socket),
	    cmocka_unit_test(test_starters_take_turns),
	    cmocka_unit_test(test_only_streams_become_channels),
	    cmocka_unit_test(test_nonblocking_descriptor_waits_too),
	    cmocka_unit_test(test_nobody_sends_descriptors),
	    cmocka_unit_test(test_listening_socket_is_adopted),
	    cmocka_unit_test(test_another_socket_is_not_adopted),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
