/* echo.c - the contender that does nothing: bytes over a unix socket, or through shared
 * memory, and bytes back */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench.h"
#include "vchan-transport/shm.h"

struct sizes {
	size_t ask, answer;
	bool shared;
};

struct echo {
	struct sizes sizes;
	int fd;
	struct channel *channel; /* instead of fd, of shared memory */
	pid_t pid;
	char *bytes;
};

/* Whole messages, as a protocol with lengths in it reads and writes them. */
static bool
get(int fd, char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = read(fd, bytes, len);

		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

static bool
put(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

static bool
put_shared(struct channel *c, char *bytes, size_t len)
{
	struct iovec v = {bytes, len};

	return channel_writev(c, &v, 1, -1) == 0;
}

static void
answer(int fd, const struct sizes *s, char *bytes)
{
	struct channel *c;

	if (!s->shared)
		while (get(fd, bytes, s->ask) && put(fd, bytes, s->answer))
			;
	else if ((c = shm_offer(channel_from_fd(fd), -1)) != NULL)
		while (channel_read_all(c, bytes, s->ask, -1) == 0 &&
		    put_shared(c, bytes, s->answer))
			;
	_exit(0);
}

static void *
echo_start(void *self)
{
	struct sizes *s = self;
	struct echo *e = calloc(1, sizeof(*e));
	int fds[2];

	if (e == NULL)
		return NULL;
	e->sizes = *s;
	e->bytes = calloc(1, s->ask > s->answer ? s->ask : s->answer);
	if (e->bytes == NULL ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		return NULL;
	e->pid = fork();
	if (e->pid < 0)
		return NULL;
	if (e->pid == 0) {
		close(fds[0]);
		answer(fds[1], s, e->bytes);
	}
	close(fds[1]);
	e->fd = fds[0];
	if (s->shared && (e->channel = shm_accept(channel_from_fd(e->fd), -1)) == NULL)
		return NULL;
	return e;
}

static bool
echo_run(void *signer)
{
	struct echo *e = signer;

	if (e->channel != NULL)
		return put_shared(e->channel, e->bytes, e->sizes.ask) &&
		       channel_read_all(e->channel, e->bytes, e->sizes.answer, -1) == 0;
	return put(e->fd, e->bytes, e->sizes.ask) &&
	       get(e->fd, e->bytes, e->sizes.answer);
}

static void
echo_stop(void *signer)
{
	struct echo *e = signer;

	if (e->channel != NULL)
		channel_close(e->channel);
	else
		close(e->fd);
	(void)waitpid(e->pid, NULL, 0);
	free(e->bytes);
	free(e);
}

bool
echo_open(size_t ask, size_t answer_len, bool shared, struct contender *ret)
{
	static struct sizes s;

	s = (struct sizes){ask, answer_len, shared};
	*ret = (struct contender){echo_start, echo_run, echo_stop, &s};
	return true;
}
