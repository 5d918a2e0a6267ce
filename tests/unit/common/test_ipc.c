/* test_ipc.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/ipc.h"

static int ends[2];
static struct buf out, in;

static int
setup(void **state)
{
	(void)state;
	buf_init(&out, IPC_MAX + 1);
	buf_init(&in, IPC_MAX);
	return ipc_pair(ends);
}

static int
teardown(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
	buf_free(&out);
	buf_free(&in);
	return 0;
}

static int
open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void
messages_keep_their_bounds(void **state)
{
	size_t nfds = 9;

	(void)state;
	buf_put_str(&out, "one");
	assert_int_equal(ipc_send(ends[0], &out, NULL, 0), 0);
	buf_reset(&out);
	buf_put_u8(&out, 2);
	assert_int_equal(ipc_send(ends[0], &out, NULL, 0), 0);
	assert_int_equal(ipc_recv(ends[1], &in, NULL, &nfds), 0);
	assert_int_equal(in.len, 11);
	assert_int_equal(nfds, 0);
	assert_int_equal(ipc_recv(ends[1], &in, NULL, NULL), 0);
	assert_int_equal(buf_get_u8(&in), 2);
	assert_true(buf_end(&in));
}

static void
the_largest_message(void **state)
{
	(void)state;
	assert_non_null(buf_reserve(&out, IPC_MAX));
	memset(out.data, 5, IPC_MAX);
	assert_int_equal(ipc_send(ends[0], &out, NULL, 0), 0);
	assert_int_equal(ipc_recv(ends[1], &in, NULL, NULL), 0);
	assert_int_equal(in.len, IPC_MAX);
	buf_put_u8(&out, 1);
	assert_int_equal(ipc_send(ends[0], &out, NULL, 0), -1);
	assert_int_equal(errno, EMSGSIZE);
	buf_reset(&out);
	assert_int_equal(ipc_send(ends[0], &out, NULL, 0), -1);
}

static void
descriptors_come_over(void **state)
{
	int fds[2], got[IPC_MAX_FDS];
	size_t n;
	char c = 'x';

	(void)state;
	assert_int_equal(pipe(fds), 0);
	buf_put_u8(&out, 1);
	assert_int_equal(ipc_send(ends[0], &out, fds, 2), 0);
	assert_int_equal(ipc_recv(ends[1], &in, got, &n), 0);
	assert_int_equal(n, 2);
	assert_true(fcntl(got[0], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(fds[1], &c, 1), 1);
	c = 0;
	assert_int_equal(read(got[0], &c, 1), 1);
	assert_int_equal(c, 'x');
	for (int i = 0; i < 2; i++) {
		close(fds[i]);
		close(got[i]);
	}
}

static void
unexpected_descriptors_are_closed(void **state)
{
	int before = open_fds();

	(void)state;
	buf_put_u8(&out, 1);
	assert_int_equal(ipc_send(ends[0], &out, ends, 2), 0);
	assert_int_equal(ipc_recv(ends[1], &in, NULL, NULL), 0);
	assert_int_equal(open_fds(), before);
}

static void
too_many_descriptors_are_refused(void **state)
{
	const int three[3] = {0, 1, 2};
	union {
		char space[CMSG_SPACE(sizeof(three))];
		struct cmsghdr align;
	} ctl = {.space = {0}};
	char byte = 1;
	struct iovec iov = {&byte, 1};
	struct msghdr mh = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = ctl.space,
	    .msg_controllen = sizeof(ctl.space)};
	int got[IPC_MAX_FDS], before = open_fds();
	struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);
	size_t n;

	(void)state;
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(three));
	memcpy(CMSG_DATA(cm), three, sizeof(three));
	buf_put_u8(&out, 1);
	assert_int_equal(ipc_send(ends[0], &out, three, 3), -1);
	/* By hand, as a process that was taken over would. */
	assert_int_equal(sendmsg(ends[0], &mh, 0), 1);
	n = 9;
	assert_int_equal(ipc_recv(ends[1], &in, got, &n), -1);
	assert_int_equal(errno, EBADMSG);
	assert_int_equal(n, 0);
	assert_int_equal(open_fds(), before);
}

static void
a_message_that_was_cut_is_refused(void **state)
{
	static char big[IPC_MAX + 1];
	int got[IPC_MAX_FDS], before = open_fds();
	struct iovec iov = {big, sizeof(big)};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} ctl = {.align = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET,
	    .cmsg_type = SCM_RIGHTS}};
	size_t n = 9;

	(void)state;
	assert_int_equal(send(ends[0], big, sizeof(big), 0), sizeof(big));
	assert_int_equal(ipc_recv(ends[1], &in, NULL, NULL), -1);
	assert_int_equal(errno, EBADMSG);
	/* What comes with it is not kept either. */
	memcpy(CMSG_DATA(&ctl.align), &ends[0], sizeof(int));
	mh.msg_control = ctl.space;
	mh.msg_controllen = sizeof(ctl.space);
	assert_int_equal(sendmsg(ends[0], &mh, 0), sizeof(big));
	assert_int_equal(ipc_recv(ends[1], &in, got, &n), -1);
	assert_int_equal(n, 0);
	assert_int_equal(open_fds(), before);
}

static void
the_end_is_told(void **state)
{
	(void)state;
	close(ends[0]);
	ends[0] = -1;
	assert_int_equal(ipc_recv(ends[1], &in, NULL, NULL), -1);
	assert_int_equal(errno, ECONNRESET);
	buf_put_u8(&out, 1);
	assert_int_equal(ipc_send(ends[1], &out, NULL, 0), -1);
	assert_int_equal(errno, ECONNRESET);
}

static void
non_blocking_says_so(void **state)
{
	(void)state;
	assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(ipc_recv(ends[1], &in, NULL, NULL), -1);
	assert_int_equal(errno, EAGAIN);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(messages_keep_their_bounds),
	    TEST(the_largest_message),
	    TEST(descriptors_come_over),
	    TEST(unexpected_descriptors_are_closed),
	    TEST(too_many_descriptors_are_refused),
	    TEST(a_message_that_was_cut_is_refused),
	    TEST(the_end_is_told),
	    TEST(non_blocking_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
