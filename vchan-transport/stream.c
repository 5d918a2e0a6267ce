/*
 * stream.c - see stream.h
 *
 * The descriptor stays in blocking mode.  A read that may wait is one recv(2): its
 * deadline is kept as SO_RCVTIMEO, which is set anew only when a caller asks for the
 * same other deadline twice in a row.  That saves poll(2), a few per cent of the CPU time
 * of a round trip on one CPU; between CPUs the wake-up hides it.
 */
#include "vchan-transport/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "vchan-transport/deadline.h"
#include "vchan-transport/ops.h"

struct stream {
	struct channel c;
	int timeout; /* ms that SO_RCVTIMEO stands for, -1 none */
	int last;    /* the deadline asked for last */
};

static int
set_timeout(int fd, int option, int ms)
{
	struct timeval tv = {0, 0};

	if (ms > 0) {
		tv.tv_sec = ms / 1000;
		tv.tv_usec = (ms % 1000) * 1000;
	}
	return setsockopt(fd, SOL_SOCKET, option, &tv, sizeof(tv));
}

/* A moment that passed costs no system call: relays ask for what is there only. */
static int
wait_for(int fd, short events, int64_t at)
{
	if (deadline_left(at) != 0)
		return deadline_poll(fd, events, at);
	errno = ETIMEDOUT;
	return -1;
}

/* Wait in poll(2): for a deadline that SO_RCVTIMEO does not hold. */
static ssize_t
read_polling(struct stream *s, void *p, size_t len, int64_t at)
{
	ssize_t n;

	for (;;) {
		n = recv(s->c.fd, p, len, MSG_DONTWAIT);
		if (n >= 0 || (errno != EAGAIN && errno != EINTR))
			return n;
		if (errno == EAGAIN && wait_for(s->c.fd, POLLIN, at) < 0)
			return -1;
	}
}

static ssize_t
stream_read(struct channel *c, void *p, size_t len, int deadline)
{
	struct stream *s = (struct stream *)c;
	int64_t at = deadline_at(deadline);
	ssize_t n;

	if (deadline < 0)
		deadline = -1;
	if (deadline != s->timeout && deadline > 0 && deadline == s->last &&
	    set_timeout(c->fd, SO_RCVTIMEO, deadline) == 0)
		s->timeout = deadline;
	s->last = deadline;
	if (deadline != s->timeout)
		return read_polling(s, p, len, at);
	n = recv(c->fd, p, len, 0);
	if (n >= 0 || (errno != EAGAIN && errno != EINTR))
		return n;
	/* A signal, or the time is up: then this says so without waiting. */
	return read_polling(s, p, len, at);
}

static ssize_t
stream_write(struct channel *c, const struct iovec *iov, int n, int deadline)
{
	struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n};
	int flags = MSG_NOSIGNAL | (deadline < 0 ? 0 : MSG_DONTWAIT);
	int64_t at = 0;
	ssize_t sent;

	for (;;) {
		sent = sendmsg(c->fd, &m, flags);
		if (sent >= 0 || (errno != EAGAIN && errno != EINTR))
			return sent;
		if (errno == EINTR)
			continue;
		if (at == 0)
			at = deadline_at(deadline);
		if (wait_for(c->fd, POLLOUT, at) < 0)
			return -1;
	}
}

static int
stream_finish(struct channel *c)
{
	return shutdown(c->fd, SHUT_WR);
}

static bool
stream_pending(const struct channel *c)
{
	(void)c;
	return false; /* the descriptor always tells */
}

static short
stream_poll_events(struct channel *c, bool read, bool write)
{
	(void)c;
	return (short)((read ? POLLIN : 0) | (write ? POLLOUT : 0));
}

static void
stream_shutdown(struct channel *c)
{
	(void)shutdown(c->fd, SHUT_RDWR);
}

static void
stream_close(struct channel *c, bool polite)
{
	if (polite)
		(void)shutdown(c->fd, SHUT_RDWR);
	(void)close(c->fd);
	free(c);
}

static void
stream_forget(struct channel *c)
{
	free(c);
}

static int
stream_take_fd(struct channel *c)
{
	struct stream *s = (struct stream *)c;
	int fd = c->fd;

	if (s->timeout >= 0)
		(void)set_timeout(fd, SO_RCVTIMEO, -1);
	free(c);
	return fd;
}

static const struct channel_ops stream_ops = {
    .read = stream_read,
    .write = stream_write,
    .finish = stream_finish,
    .pending = stream_pending,
    .poll_events = stream_poll_events,
    .shutdown = stream_shutdown,
    .close = stream_close,
    .take_fd = stream_take_fd,
    .forget = stream_forget,
};

struct channel *
channel_from_fd(int fd)
{
	struct stream *s;
	int flags, type;
	socklen_t len = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return NULL;
	if (type != SOCK_STREAM) {
		errno = EPROTOTYPE;
		return NULL;
	}
	if ((flags = fcntl(fd, F_GETFL)) < 0 ||
	    ((flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0) ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || (s = calloc(1, sizeof(*s))) == NULL)
		return NULL;
	s->c.ops = &stream_ops;
	s->c.fd = fd;
	s->timeout = s->last = -1;
	return &s->c;
}

int
stream_connect(int fd, const struct sockaddr *sa, socklen_t len, int deadline)
{
	int64_t at = deadline_at(deadline);
	int ms = deadline, n;

	/* A blocking connect ends by SO_SNDTIMEO, also where the listener's queue is
	 * full, which poll(2) cannot wait for. */
	do {
		if (set_timeout(fd, SO_SNDTIMEO, ms == 0 ? 1 : ms) < 0)
			return -1;
		n = connect(fd, sa, len);
	} while (n < 0 && errno == EINTR && (ms = deadline_left(at)) != 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == EINPROGRESS))
		errno = ETIMEDOUT;
	return n < 0 || deadline < 0 ? n : set_timeout(fd, SO_SNDTIMEO, -1);
}

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

bool
stream_listens_at(int fd, const struct sockaddr *sa, socklen_t len)
{
	struct sockaddr_storage own;
	socklen_t own_len = sizeof(own), size = sizeof(int);
	int type = 0, listens = 0, flags;

	memset(&own, 0, sizeof(own));
	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
	    type == SOCK_STREAM &&
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens &&
	    getsockname(fd, (struct sockaddr *)&own, &own_len) == 0 &&
	    len <= sizeof(own) && memcmp(&own, sa, len) == 0 &&
	    (flags = fcntl(fd, F_GETFL)) >= 0 &&
	    fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
	    fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

void
stream_refuse_fds(int fd)
{
	const int no = 0;

	(void)setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof(no));
}

int
stream_accept(int fd)
{
	int s;

	do
		s = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	while (s < 0 && (errno == EINTR || errno == ECONNABORTED));
	return s;
}
