/* shm_offer.c - how two processes come to share memory, see shm.h */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vchan-transport/deadline.h"
#include "vchan-transport/ops.h"
#include "vchan-transport/shm_channel.h"
#include "vchan-transport/stream.h"

/* Nobody can make the memory smaller under the other's feet, or seal it further. */
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define OFFER 'm'

#ifndef MFD_NOEXEC_SEAL /* Linux 6.3 */
#define MFD_NOEXEC_SEAL 0x0008U
#endif

union one_fd {
	struct cmsghdr header; /* for its alignment */
	char room[CMSG_SPACE(sizeof(int))];
};

/* A PIN passes through it: not to be dumped, nor swapped where the limit allows. */
static struct shm_memory *
map(int fd)
{
	const size_t size = sizeof(struct shm_memory);
	void *p = fd < 0 ? MAP_FAILED
			 : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return NULL;
	(void)madvise(p, size, MADV_DONTDUMP);
	(void)mlock2(p, size, MLOCK_ONFAULT);
	return p;
}

static void
unmap(struct shm_memory *m)
{
	if (m != NULL)
		(void)munmap(m, sizeof(*m));
}

/* Memory, of the size that both know, and to stay so.  The seals first: of what is no memory
 * they ask nobody else, who might not answer. */
static bool
is_sound(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	return seals >= 0 && (seals & F_SEAL_SHRINK) != 0 && fstat(fd, &st) == 0 &&
	    st.st_size == (off_t)sizeof(struct shm_memory);
}

/* All of its pages are taken now: later there might be none left, which is a SIGBUS. */
static int
make(void)
{
	const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create("caas-channel", flags | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("caas-channel", flags);
	if (fd >= 0 && fallocate(fd, 0, 0, sizeof(struct shm_memory)) == 0 &&
	    fcntl(fd, F_ADD_SEALS, SEALS) == 0)
		return fd;
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

/* Without memory, an offer of nothing. */
static bool
send_offer(int socket, int memory)
{
	char offer = OFFER;
	struct iovec v = {&offer, 1};
	union one_fd control = {.header = {.cmsg_level = SOL_SOCKET,
	    .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))}};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1,
	    .msg_control = memory >= 0 ? &control : NULL,
	    .msg_controllen = memory >= 0 ? sizeof(control) : 0};

	memcpy(CMSG_DATA(&control.header), &memory, sizeof(memory));
	return sendmsg(socket, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

/* The offer, and *ret_fd: its descriptor, or -1 where none came along. */
static bool
receive_offer(int socket, int *ret_fd)
{
	char offer = 0;
	struct iovec v = {&offer, 1};
	union one_fd control = {.room = {0}};
	/* Not the room with its padding, which would hold two. */
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control,
	    .msg_controllen = CMSG_LEN(sizeof(int))};
	struct cmsghdr *h;

	*ret_fd = -1;
	if (recvmsg(socket, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0)
		return false;
	h = CMSG_FIRSTHDR(&m);
	if (h != NULL && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS &&
	    h->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(ret_fd, CMSG_DATA(h), sizeof(*ret_fd));
	return offer == OFFER;
}

/* The channel of `m` in the place of the stream, or, where m is NULL, the stream. */
static struct channel *
go_on(struct channel *stream, struct shm_memory *m, bool offered)
{
	struct channel *c;

	if (m == NULL)
		return stream;
	if ((c = shm_channel(channel_poll_fd(stream), m, offered)) == NULL) {
		unmap(m);
		channel_close(stream);
		return NULL;
	}
	(void)channel_take_fd(stream);
	return c;
}

/* A worker may not set a socket's deadline: this waits, and the stream does not. */
static char
answer_of(struct channel *stream, int deadline)
{
	char answer = 0;

	if (deadline_poll(channel_poll_fd(stream), POLLIN, deadline_at(deadline)) != 0 ||
	    channel_read(stream, &answer, 1, 0) != 1)
		return 0;
	return answer;
}

struct channel *
shm_offer(struct channel *stream, int deadline)
{
	int fd = make();
	struct shm_memory *m = map(fd);
	bool sent = send_offer(channel_poll_fd(stream), m != NULL ? fd : -1);
	char answer = sent ? answer_of(stream, deadline) : 0;

	if (fd >= 0)
		(void)close(fd);
	if (answer == 'y' && m != NULL)
		return go_on(stream, m, true);
	unmap(m);
	if (answer == 'n')
		return stream;
	channel_close(stream);
	return NULL;
}

struct channel *
shm_accept(struct channel *stream, int deadline)
{
	int socket = channel_poll_fd(stream), fd = -1;
	int64_t at = deadline_at(deadline);
	bool said = deadline_poll(socket, POLLIN, at) == 0 && receive_offer(socket, &fd);
	struct shm_memory *m = said && fd >= 0 && is_sound(fd) ? map(fd) : NULL;

	if (fd >= 0)
		(void)close(fd);
	stream_refuse_fds(socket);
	if (said && channel_write(stream, m != NULL ? "y" : "n", 1, deadline_left(at)) == 1)
		return go_on(stream, m, false);
	unmap(m);
	channel_close(stream);
	return NULL;
}
