/* connector.c - see connector.h */
#include "vchan-transport/agent/connector.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct request {
	struct channel *local, *upstream;
	struct peer peer;
	int err;
};

/* A ring of requests: [done, todo) are results, [todo, next) are to be tried. */
struct connector {
	const char *address;
	int timeout;
	int fd;
	size_t max;
	size_t done, todo, next;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	struct request ring[];
};

/* The application left while it was waiting for its turn. */
static bool
left(const struct channel *local)
{
	struct pollfd p = {.fd = channel_poll_fd(local)};

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

static void
try_request(const struct connector *c, struct request *r)
{
	r->upstream = NULL;
	r->err = ECANCELED;
	if (left(r->local))
		return;
	r->upstream = transport_connect(c->address, c->timeout);
	r->err = r->upstream == NULL ? errno : 0;
}

static void *
work(void *arg)
{
	struct connector *c = arg;

	(void)pthread_mutex_lock(&c->lock);
	for (;;) {
		struct request *r = &c->ring[c->todo % c->max];

		if (c->todo == c->next) {
			(void)pthread_cond_wait(&c->cond, &c->lock);
			continue;
		}
		(void)pthread_mutex_unlock(&c->lock);
		try_request(c, r);
		(void)pthread_mutex_lock(&c->lock);
		c->todo++;
		(void)eventfd_write(c->fd, 1);
	}
	return NULL;
}

struct connector *
connector_new(const char *address, int timeout, size_t max)
{
	struct connector *c = calloc(1, sizeof(*c) + max * sizeof(c->ring[0]));
	sigset_t all, old;
	pthread_t thread;

	if (c == NULL)
		return NULL;
	c->address = address;
	c->timeout = timeout;
	c->max = max;
	(void)pthread_mutex_init(&c->lock, NULL);
	(void)pthread_cond_init(&c->cond, NULL);
	if ((c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) {
		free(c);
		return NULL;
	}
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	errno = pthread_create(&thread, NULL, work, c);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (errno != 0) {
		(void)close(c->fd);
		free(c);
		return NULL;
	}
	(void)pthread_detach(thread);
	return c;
}

int
connector_fd(const struct connector *c)
{
	return c->fd;
}

bool
connector_submit(struct connector *c, struct channel *local, const struct peer *peer)
{
	bool room;

	(void)pthread_mutex_lock(&c->lock);
	if ((room = c->next - c->done < c->max)) {
		c->ring[c->next++ % c->max] = (struct request){.local = local, .peer = *peer};
		(void)pthread_cond_signal(&c->cond);
	}
	(void)pthread_mutex_unlock(&c->lock);
	return room;
}

bool
connector_result(struct connector *c, struct channel **ret_local,
    struct channel **ret_upstream, struct peer *ret_peer, int *ret_err)
{
	struct request *r;
	eventfd_t count;
	bool is;

	(void)pthread_mutex_lock(&c->lock);
	if ((is = c->done != c->todo)) {
		r = &c->ring[c->done++ % c->max];
		*ret_local = r->local;
		*ret_upstream = r->upstream;
		*ret_peer = r->peer;
		*ret_err = r->err;
	} else {
		(void)eventfd_read(c->fd, &count);
	}
	(void)pthread_mutex_unlock(&c->lock);
	return is;
}
