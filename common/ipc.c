/* ipc.c - see ipc.h */
#include "common/ipc.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	char space[CMSG_SPACE(sizeof(int) * IPC_MAX_FDS)];
	struct cmsghdr align;
};

int
ipc_pair(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds);
}

int
ipc_send(int fd, const struct buf *b, const int *fds, size_t nfds)
{
	struct iovec iov = {.iov_base = b->data, .iov_len = b->len};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	union control ctl;
	ssize_t n;

	if (b->failed || b->len == 0 || b->len > IPC_MAX || nfds > IPC_MAX_FDS) {
		errno = EMSGSIZE;
		return -1;
	}
	if (nfds > 0) {
		struct cmsghdr *cm;

		memset(&ctl, 0, sizeof(ctl));
		mh.msg_control = ctl.space;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(cm), fds, sizeof(int) * nfds);
	}
	do
		n = sendmsg(fd, &mh, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EPIPE)
		errno = ECONNRESET;
	return n < 0 ? -1 : 0;
}

/* The first `room` descriptors into fds; those beyond are closed.  How many were taken. */
static size_t
take_fds(struct msghdr *mh, int *fds, size_t room)
{
	size_t got = 0;

	for (struct cmsghdr *cm = CMSG_FIRSTHDR(mh); cm != NULL; cm = CMSG_NXTHDR(mh, cm)) {
		size_t count;

		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		count = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int one;

			memcpy(&one, CMSG_DATA(cm) + i * sizeof(int), sizeof(int));
			if (got < room)
				fds[got++] = one;
			else
				close(one);
		}
	}
	return got;
}

int
ipc_recv(int fd, struct buf *b, int *fds, size_t *ret_nfds)
{
	struct iovec iov;
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	union control ctl;
	bool whole;
	size_t got;
	ssize_t n;

	if (ret_nfds != NULL)
		*ret_nfds = 0;
	buf_reset(b);
	iov.iov_base = buf_reserve(b, IPC_MAX);
	iov.iov_len = IPC_MAX;
	if (iov.iov_base == NULL) {
		errno = ENOMEM;
		return -1;
	}
	mh.msg_control = ctl.space;
	mh.msg_controllen = sizeof(ctl.space);
	do
		n = recvmsg(fd, &mh, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		b->len = 0;
		return -1;
	}
	/* What came with a message that is refused is closed. */
	whole = n > 0 && (mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
	got = take_fds(&mh, fds, whole && fds != NULL ? IPC_MAX_FDS : 0);
	if (ret_nfds != NULL)
		*ret_nfds = got;
	b->len = (size_t)n;
	if (!whole)
		errno = n == 0 ? ECONNRESET : EBADMSG;
	return whole ? 0 : -1;
}
