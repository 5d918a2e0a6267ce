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

/* Nobody can make the memory smaller under the other's feet, or seal it further. */
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define OFFER 'm'

union one_fd {
	struct cmsghdr header; /* for its alignment */
	char room[CMSG_SPACE(sizeof(int))];
};

static struct shm_memory *
map(int fd)
{
	void *p = mmap(NULL, sizeof(struct shm_memory), PROT_READ | PROT_WRITE, MAP_SHARED,
	    fd, 0);

	return p != MAP_FAILED ? p : NULL;
}

/* Memory of the size that both know, whose every page is there for as long as it is
 * mapped. */
static bool
is_sound(int fd)
{
	struct stat st;

	/* Files that can be sealed are memory; of huge pages there may be too few. */
	return fstat(fd, &st) == 0 && st.st_size == (off_t)sizeof(struct shm_memory) &&
	    st.st_blksize == sysconf(_SC_PAGESIZE) &&
	    fcntl(fd, F_GET_SEALS) == SEALS;
}

static int
make(void)
{
	int fd = memfd_create("caas-channel", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 && ftruncate(fd, sizeof(struct shm_memory)) == 0 &&
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
	union one_fd control = {.room = {0}};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	struct cmsghdr *h = &control.header;
	ssize_t n;

	if (memory >= 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
	}
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &memory, sizeof(memory));
	while ((n = sendmsg(socket, &m, MSG_NOSIGNAL | MSG_DONTWAIT)) < 0 && errno == EINTR)
		continue;
	return n == 1;
}

/* The offer, and *ret_fd: its descriptor, or -1 where none came along. */
static bool
receive_offer(int socket, int *ret_fd)
{
	char offer = 0;
	struct iovec v = {&offer, 1};
	union one_fd control = {.room = {0}};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	struct cmsghdr *h;
	ssize_t n;

	*ret_fd = -1;
	while ((n = recvmsg(socket, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)) < 0 &&
	    errno == EINTR)
		continue;
	if (n <= 0)
		return false;
	h = CMSG_FIRSTHDR(&m);
	if (h != NULL && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS &&
	    h->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(ret_fd, CMSG_DATA(h), sizeof(*ret_fd));
	return offer == OFFER;
}

/* The channel of `m`, in the place of the stream. */
static struct channel *
replace(struct channel *stream, struct shm_memory *m, bool offered)
{
	int fd = channel_poll_fd(stream);
	struct channel *c = shm_channel(fd, m, offered);

	if (c == NULL) {
		(void)munmap(m, sizeof(*m));
		channel_close(stream);
		return NULL;
	}
	(void)channel_take_fd(stream);
	return c;
}

struct channel *
shm_offer(struct channel *stream, int deadline)
{
	int fd = make();
	struct shm_memory *m = fd >= 0 ? map(fd) : NULL;
	bool sent = send_offer(channel_poll_fd(stream), m != NULL ? fd : -1);
	char answer = 0;

	if (fd >= 0)
		(void)close(fd);
	/* Waits here: a worker may not set a socket's deadline. */
	if (!sent || deadline_poll(channel_poll_fd(stream), POLLIN, deadline_at(deadline)) != 0 ||
	    channel_read(stream, &answer, 1, 0) != 1 || (answer != 'n' && (answer != 'y' || m == NULL))) {
		if (m != NULL)
			(void)munmap(m, sizeof(*m));
		channel_close(stream);
		return NULL;
	}
	if (answer == 'y')
		return replace(stream, m, true);
	if (m != NULL)
		(void)munmap(m, sizeof(*m));
	return stream;
}

struct channel *
shm_accept(struct channel *stream, int deadline)
{
	int socket = channel_poll_fd(stream), fd = -1;
	bool said = deadline_poll(socket, POLLIN, deadline_at(deadline)) == 0 &&
	    receive_offer(socket, &fd);
	struct shm_memory *m = said && fd >= 0 && is_sound(fd) ? map(fd) : NULL;

	if (fd >= 0)
		(void)close(fd);
	if (!said || channel_write(stream, m != NULL ? "y" : "n", 1, deadline) != 1) {
		if (m != NULL)
			(void)munmap(m, sizeof(*m));
		channel_close(stream);
		return NULL;
	}
	return m != NULL ? replace(stream, m, false) : stream;
}
