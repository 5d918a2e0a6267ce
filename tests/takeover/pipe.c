/*
 * pipe.c - what a worker can say to the store.
 *
 * The pipe is the second of the worker's sockets: the first is the guest's channel, which
 * came before it.  Who has broken it ends: the application has another worker then.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hook.h"

#define LONGEST (256 * 1024)
#define PATIENCE 20000 /* ms */
#define MOST_FDS 1024
#define TOKEN_FLAGS 72 /* M_W_TOKEN_FLAGS, which is always answered */

static unsigned char bytes[LONGEST];

static int
find_pipe(void)
{
	unsigned sockets = 0;

	for (int fd = 3; fd < MOST_FDS; fd++) {
		struct stat st;

		if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) && ++sockets == 2)
			return fd;
	}
	said("no pipe");
	return -1;
}

static long
send_(int fd, const void *p, size_t len, int flags)
{
	return syscall(SYS_sendto, fd, p, len, flags | MSG_NOSIGNAL, NULL, 0);
}

/* What comes back: "answered" and the bytes after the message's type, or "closed". */
static void
said_answer(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char text[HOOK_SAYS] = "answered ";
	long n;

	if (poll(&p, 1, PATIENCE) != 1) {
		said("no answer");
		return;
	}
	n = syscall(SYS_recvfrom, fd, bytes, sizeof(bytes), MSG_DONTWAIT, NULL, NULL);
	if (n <= 0) {
		said("closed");
		_exit(0);
	}
	for (long i = 1; i < n && strlen(text) + 3 < sizeof(text); i++)
		snprintf(text + strlen(text), 3, "%02x", bytes[i]);
	said("%s", text);
}

/* HEX: a message. */
static void
do_tell(char *arg)
{
	const char *hex = next_word(&arg);
	size_t n = 0;
	unsigned one;
	int fd = find_pipe();

	if (fd < 0)
		return;
	for (; hex != NULL && sscanf(hex, "%2x", &one) == 1 && n < sizeof(bytes); hex += 2)
		bytes[n++] = (unsigned char)one;
	if (send_(fd, bytes, n, 0) < 0)
		said_rc(-1);
	else
		said_answer(fd);
}

/* TYPE LENGTH: one of that length, of that type, and nothing else in it. */
static void
do_tell_long(char *arg)
{
	int fd = find_pipe();

	if (fd < 0)
		return;
	memset(bytes, 0, sizeof(bytes));
	bytes[0] = (unsigned char)next_number(&arg);
	if (send_(fd, bytes, (size_t)next_number(&arg), 0) < 0)
		said_rc(-1);
	else
		said_answer(fd);
}

/* COUNT: so many questions, and no answer is read. */
static void
do_tell_many(char *arg)
{
	int fd = find_pipe();
	long count = next_number(&arg), rc = 1;

	bytes[0] = TOKEN_FLAGS;
	for (long i = 0; fd >= 0 && i < count && rc >= 0; i++)
		rc = send_(fd, bytes, 1, 0);
	if (fd < 0)
		return;
	if (rc >= 0) {
		said("all taken");
		return;
	}
	said("closed");
	_exit(0);
}

/* A descriptor along with a question. */
static void
do_tell_descriptor(char *arg)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.header = {.cmsg_level = SOL_SOCKET,
	    .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))}};
	struct iovec v = {bytes, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	int fd = find_pipe(), sent = STDERR_FILENO;

	(void)arg;
	if (fd < 0)
		return;
	bytes[0] = TOKEN_FLAGS;
	memcpy(CMSG_DATA(&control.header), &sent, sizeof(sent));
	if (syscall(SYS_sendmsg, fd, &m, MSG_NOSIGNAL) < 0)
		said_rc(-1);
	else
		said_answer(fd);
}

const struct attempt pipe_attempts[] = {
    {"tell", do_tell},
    {"tell-long", do_tell_long},
    {"tell-many", do_tell_many},
    {"tell-descriptor", do_tell_descriptor},
    {NULL, NULL},
};
