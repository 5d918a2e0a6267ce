/* vchan_listen.c - a ring in waiting under a XenStore path, and the way to it */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "vchan-transport/bounded.h"
#include "vchan-transport/deadline.h"
#include "vchan-transport/vchan.h"

/* Each way.  Nine pages with the shared one; gntalloc allows 1024 unless told more. */
#define RING_SIZE (16 * 1024)
#define PAUSE_NS 5000000
#define PAUSE_MAX_NS 80000000 /* of those who wait for their turn: each look costs the others */
#define RETRY_S 1 /* until another try to have a ring */
#define TURN_MS 10000
#define CLIENT_PATH_MAX (ADDRESS_PATH_MAX + 32)
#define GRANTS_CLIENT "/dev/xen/gntdev"
#define GRANTS_SERVER "/dev/xen/gntalloc"

struct vchan_listener {
	struct listener l; /* fd: an epoll of the ring's events and of `retry` */
	struct libxenvchan *ring; /* waits for a client, or NULL */
	int retry;                /* timerfd */
	uint32_t domid; /* that may take it */
	uint32_t peer;  /* who that is to the caller: it, or ADDRESS_COUPLED */
	pid_t owner;
	char path[ADDRESS_PATH_MAX];
};

/* libxenvchan frees what it did not set when it fails early: ask before it does. */
static bool
xen_is_here(const char *grants)
{
	if (access("/dev/xen/evtchn", R_OK | W_OK) == 0 && access(grants, R_OK | W_OK) == 0)
		return true;
	if (errno == ENOENT)
		errno = ENODEV; /* not a missing listener */
	return false;
}

/* Offer a ring; where that fails now (no grants left), try again later. */
static int
offer(struct vchan_listener *v)
{
	const struct itimerspec later = {.it_value = {.tv_sec = RETRY_S}};
	struct epoll_event e = {.events = EPOLLIN};
	int fd;

	errno = 0;
	v->ring = xen.server_init(NULL, (int)v->domid, v->path, RING_SIZE, RING_SIZE);
	if (v->ring == NULL) {
		if (errno == 0)
			errno = ENOMEM;
		(void)timerfd_settime(v->retry, 0, &later, NULL);
		return -1;
	}
	v->ring->blocking = 0;
	fd = xen.fd_for_select(v->ring);
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	e.data.fd = fd;
	return epoll_ctl(v->l.fd, EPOLL_CTL_ADD, fd, &e);
}

/* The ring stops being the one at the path, whose entries stay in XenStore: they belong
 * to the next ring. */
static struct libxenvchan *
detach(struct vchan_listener *v)
{
	struct libxenvchan *ring = v->ring;

	(void)epoll_ctl(v->l.fd, EPOLL_CTL_DEL, xen.fd_for_select(ring), NULL);
	free(ring->xs_path);
	ring->xs_path = NULL;
	v->ring = NULL;
	return ring;
}

static void
vchan_listener_close(struct listener *l)
{
	struct vchan_listener *v = (struct vchan_listener *)l;

	if (v->ring != NULL && v->owner == getpid())
		xen.close(v->ring);
	else if (v->ring != NULL)
		vchan_release(v->ring);
	if (v->retry >= 0)
		(void)close(v->retry);
	if (l->fd >= 0)
		(void)close(l->fd);
	free(v);
}

/* What XenStore is asked for: who this domain and its other half are. */
struct asking {
	struct couple with;
	int error; /* 0: it answered */
};

static void
ask(void *job)
{
	struct asking *q = job;

	q->error = couple_now(&q->with) < 0 ? errno : 0;
}

/* Which domain the address means now.  False with errno: it means none, or XenStore has not
 * said by then. */
static bool
find_domid(const struct address *a, struct couple *ret_with, uint32_t *ret_domid, int64_t at)
{
	struct asking q = {.with = {COUPLE_NONE, COUPLE_NONE}};
	bool coupled = a->id == ADDRESS_COUPLED;

	if (!bounded_run(ask, NULL, &q, sizeof(q), at))
		return false;
	if (q.error != 0 && coupled) {
		errno = q.error;
		return false;
	}
	*ret_with = q.with;
	if (!coupled)
		ret_with->peer = COUPLE_NONE;
	*ret_domid = coupled ? ret_with->peer : a->id;
	if (*ret_domid != COUPLE_NONE)
		return true;
	errno = EHOSTDOWN;
	return false;
}

static struct listener *
vchan_listen(const struct address *a, unsigned mode)
{
	struct vchan_listener *v;
	struct epoll_event e = {.events = EPOLLIN};
	struct couple with;
	uint32_t domid;
	int saved;

	(void)mode; /* XenStore's permissions: that domain alone */
	if (!xen_is_here(GRANTS_SERVER) || !find_domid(a, &with, &domid, DEADLINE_NEVER) ||
	    (v = calloc(1, sizeof(*v))) == NULL)
		return NULL;
	v->l.ops = &transport_vchan;
	v->domid = domid;
	v->peer = a->id;
	v->owner = getpid();
	memcpy(v->path, a->path, sizeof(v->path));
	v->l.fd = epoll_create1(EPOLL_CLOEXEC);
	v->retry = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	e.data.fd = v->retry;
	if (v->l.fd < 0 || v->retry < 0 ||
	    epoll_ctl(v->l.fd, EPOLL_CTL_ADD, v->retry, &e) < 0 || offer(v) < 0) {
		saved = errno;
		vchan_listener_close(&v->l);
		errno = saved;
		return NULL;
	}
	return &v->l;
}

/* A channel over a ring that has a client, greeted; or NULL, and the ring closed. */
static struct channel *
greet(struct libxenvchan *ring)
{
	const uint8_t hello = VCHAN_GREETING;
	/* Who serves watches (transport_watch()). */
	const struct couple with = {COUPLE_NONE, COUPLE_NONE};
	struct channel *c;

	if (xen.is_open(ring) != 1 || xen.write(ring, &hello, 1) != 1 ||
	    (c = vchan_wrap(ring, &with)) == NULL) {
		xen.close(ring);
		return NULL;
	}
	return c;
}

static struct channel *
vchan_accept(struct listener *l, struct peer *ret_peer)
{
	struct vchan_listener *v = (struct vchan_listener *)l;
	struct channel *c = NULL;
	uint64_t expired;

	if (v->ring == NULL && read(v->retry, &expired, sizeof(expired)) > 0)
		(void)offer(v);
	if (v->ring != NULL) {
		vchan_consume(v->ring);
		if (xen.is_open(v->ring) != 2) {
			struct libxenvchan *ring = detach(v);

			(void)offer(v);
			c = greet(ring);
		}
	}
	if (c == NULL) {
		errno = EAGAIN;
		return NULL;
	}
	memset(ret_peer, 0, sizeof(*ret_peer));
	ret_peer->kind = PEER_DOMID;
	ret_peer->id = v->peer;
	return c;
}

/*
 * A path has one ring in waiting.  Of the clients in this domain one at a time tries for it,
 * until it is greeted: then the next ring is there.  When all try, each attempt makes those
 * of the others slower, and sixty-four do not get through in half a minute.
 *
 * The lock is on the device that all of them may open.  It is no more than good manners: who
 * has waited for half of its time tries without, since the lock may be held by somebody who
 * stopped, or by a child that was forked meanwhile.
 */
static int
take_turn(int64_t at)
{
	struct timespec pause = {.tv_nsec = PAUSE_NS};
	int64_t half = deadline_at(at == DEADLINE_NEVER ? TURN_MS : deadline_left(at) / 2);
	int fd = open(GRANTS_CLIENT, O_RDWR | O_CLOEXEC);

	while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && deadline_left(half) != 0) {
		(void)nanosleep(&pause, NULL);
		if (pause.tv_nsec < PAUSE_MAX_NS)
			pause.tv_nsec *= 2;
	}
	return fd;
}

static void
end_turn(int fd)
{
	int saved = errno;

	if (fd < 0)
		return;
	/* A child of a fork may have it open too. */
	(void)flock(fd, LOCK_UN);
	(void)close(fd);
	errno = saved;
}

/* A ring at a path, or why there is none. */
struct taking {
	uint32_t domid;
	int error;
	struct libxenvchan *ring;
	char path[CLIENT_PATH_MAX];
};

static void
take(void *job)
{
	struct taking *t = job;

	errno = 0;
	t->ring = xen.client_init(NULL, (int)t->domid, t->path);
	t->error = errno;
}

static void
put_back(void *job)
{
	struct taking *t = job;

	if (t->ring != NULL)
		xen.close(t->ring);
}

/* One attempt.  NULL with EAGAIN: the ring at the path is another client's still, or nobody
 * has answered. */
static struct channel *
attempt(const char *path, uint32_t domid, const struct couple *with, int64_t at)
{
	struct taking t = {.domid = domid};
	struct libxenvchan *ring;
	struct channel *c;
	uint8_t hello = 0;

	snprintf(t.path, sizeof(t.path), "%s", path);
	if (!bounded_run(take, put_back, &t, sizeof(t), at)) {
		errno = errno == ETIMEDOUT ? EAGAIN : errno;
		return NULL;
	}
	if ((ring = t.ring) == NULL) {
		errno = t.error == ENOENT || t.error == EACCES ? t.error : EAGAIN;
		return NULL;
	}
	if ((c = vchan_wrap(ring, with)) == NULL) {
		xen.close(ring);
		return NULL;
	}
	if (channel_read(c, &hello, 1, deadline_left(at)) == 1 && hello == VCHAN_GREETING)
		return c;
	channel_close(c);
	errno = EAGAIN;
	return NULL;
}

static struct channel *
vchan_connect(const struct address *a, int deadline)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	int64_t at = deadline_at(deadline);
	char path[CLIENT_PATH_MAX];
	struct couple with;
	struct channel *c;
	uint32_t domid;
	int turn;

	if (!xen_is_here(GRANTS_CLIENT) || !find_domid(a, &with, &domid, at))
		return NULL;
	if (a->path[0] == '/')
		snprintf(path, sizeof(path), "%s", a->path);
	else
		snprintf(path, sizeof(path), "/local/domain/%u/%s", domid, a->path);
	turn = take_turn(at);
	while ((c = attempt(path, domid, &with, at)) == NULL && errno == EAGAIN) {
		if (deadline_left(at) == 0) {
			errno = ETIMEDOUT;
			break;
		}
		(void)nanosleep(&pause, NULL);
	}
	end_turn(turn);
	return c;
}

const struct transport_ops transport_vchan = {
    .usable = xen_load,
    .listen = vchan_listen,
    .accept = vchan_accept,
    .close = vchan_listener_close,
    .connect = vchan_connect,
};
