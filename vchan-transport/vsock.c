/* vsock.c - stream sockets between a machine and its host; the peer is a CID */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "vchan-transport/ops.h"
#include "vchan-transport/stream.h"

/* UINT32_MAX in an address is VMADDR_CID_ANY. */
static struct sockaddr_vm
fill(const struct address *a)
{
	struct sockaddr_vm sa;

	memset(&sa, 0, sizeof(sa));
	sa.svm_family = AF_VSOCK;
	sa.svm_cid = a->id;
	sa.svm_port = a->port;
	return sa;
}

static void
close_keep_errno(int fd)
{
	int saved = errno;

	if (fd >= 0)
		(void)close(fd);
	errno = saved;
}

static struct listener *
vsock_listen(const struct address *a, unsigned mode)
{
	struct sockaddr_vm sa = fill(a);
	struct listener *l;

	(void)mode; /* a vsock has no file */
	if ((l = calloc(1, sizeof(*l))) == NULL)
		return NULL;
	l->ops = &transport_vsock;
	l->fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0 || bind(l->fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    listen(l->fd, SOMAXCONN) < 0) {
		close_keep_errno(l->fd);
		free(l);
		return NULL;
	}
	return l;
}

static struct listener *
vsock_adopt(const struct address *a, int fd)
{
	struct sockaddr_vm sa = fill(a);
	struct listener *l;

	if (!stream_listens_at(fd, (const struct sockaddr *)&sa, sizeof(sa))) {
		errno = EINVAL;
		return NULL;
	}
	if ((l = calloc(1, sizeof(*l))) == NULL)
		return NULL;
	l->ops = &transport_vsock;
	l->fd = fd;
	return l;
}

static void
vsock_close(struct listener *l)
{
	(void)close(l->fd);
	free(l);
}

static struct channel *
wrap(int fd)
{
	struct channel *c = channel_from_fd(fd);

	if (c == NULL)
		close_keep_errno(fd);
	return c;
}

static struct channel *
vsock_accept(struct listener *l, struct peer *ret_peer)
{
	struct sockaddr_vm sa;
	socklen_t len = sizeof(sa);
	int fd = stream_accept(l->fd);

	if (fd < 0)
		return NULL;
	memset(&sa, 0, sizeof(sa));
	if (getpeername(fd, (struct sockaddr *)&sa, &len) < 0) {
		close_keep_errno(fd);
		return NULL;
	}
	memset(ret_peer, 0, sizeof(*ret_peer));
	ret_peer->kind = PEER_CID;
	ret_peer->id = sa.svm_cid;
	return wrap(fd);
}

/* A vsock's connect(2) has a time limit of its own, of two seconds unless set. */
static int
limit_connect(int fd, int deadline)
{
	struct timeval tv = {.tv_sec = INT_MAX / 1000};

	if (deadline >= 0) {
		tv.tv_sec = deadline / 1000;
		tv.tv_usec = deadline == 0 ? 1000 : (deadline % 1000) * 1000;
	}
	return setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &tv, sizeof(tv));
}

static struct channel *
vsock_connect(const struct address *a, int deadline)
{
	struct sockaddr_vm sa = fill(a);
	int fd;

	if (a->id == VMADDR_CID_ANY) {
		errno = EDESTADDRREQ;
		return NULL;
	}
	if ((fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
		return NULL;
	if (limit_connect(fd, deadline) < 0 ||
	    stream_connect(fd, (const struct sockaddr *)&sa, sizeof(sa), deadline) < 0) {
		close_keep_errno(fd);
		return NULL;
	}
	return wrap(fd);
}

const struct transport_ops transport_vsock = {
    .listen = vsock_listen,
    .adopt = vsock_adopt,
    .accept = vsock_accept,
    .close = vsock_close,
    .connect = vsock_connect,
};
