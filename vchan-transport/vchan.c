/*
 * vchan.c - Xen's shared-memory rings as channels.
 *
 * libxenvchan is used without its blocking mode, which knows no deadlines.  One mutex
 * guards the ring; the one thread that waits for events (`waiting`) does so without the
 * mutex and wakes the others, since an event that one thread takes off the descriptor is
 * not there for the other.  The rings lie in memory that the peer writes: indices out of
 * range, for which libxenvchan says "nothing there" for ever, end the channel.
 */
#include "vchan-transport/vchan.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vchan-transport/bounded.h"
#include "vchan-transport/couple.h"
#include "vchan-transport/deadline.h"

#define XEN_PAGE 4096
#define NS_PER_S 1000000000
#define LOOK_MS 1000 /* of silence until XenStore is asked whether the peer is still there */

struct vchan {
	struct channel c; /* fd: an epoll of the event channel and of `stop` */
	struct libxenvchan *ring;
	int stop; /* eventfd, readable after channel_shutdown() */
	pthread_mutex_t lock;
	pthread_cond_t cond;
	unsigned events;    /* counts what the waiting thread saw */
	bool waiting;       /* a thread is in poll */
	bool write_blocked; /* the last write found no room */
	bool closed;        /* stays: a peer cannot come back on this ring */
	struct couple with; /* when it was made; what is COUPLE_NONE is not looked at */
};

static bool
out_of_range(const struct libxenvchan_ring *r)
{
	uint32_t prod = __atomic_load_n(&r->shr->prod, __ATOMIC_RELAXED);
	uint32_t cons = __atomic_load_n(&r->shr->cons, __ATOMIC_RELAXED);

	return prod - cons > (uint32_t)1 << r->order;
}

static bool
corrupt(const struct libxenvchan *ring)
{
	return out_of_range(&ring->read) || out_of_range(&ring->write);
}

static bool
is_closed(struct vchan *v)
{
	if (xen.is_open(v->ring) != 1)
		v->closed = true;
	return v->closed;
}

void
vchan_consume(struct libxenvchan *ring)
{
	struct pollfd p = {.fd = xen.fd_for_select(ring), .events = POLLIN};

	/* libxenvchan_wait() reads a descriptor that may be blocking. */
	while (poll(&p, 1, 0) == 1 && (p.revents & POLLIN) && xen.wait(ring) == 0)
		continue;
}

static void
look(void *job)
{
	struct couple *now = job;

	/* Who does not know says that nothing has changed. */
	(void)couple_now(now);
}

/* The peer's domain, or this one before it was saved, is gone: neither would ever say so.  A
 * XenStore that does not answer by `at` has not said it either. */
static bool
is_parted(const struct vchan *v, int64_t at)
{
	struct couple now = v->with;

	if ((v->with.self == COUPLE_NONE && v->with.peer == COUPLE_NONE) ||
	    !bounded_run(look, NULL, &now, sizeof(now), at))
		return false;
	return (v->with.self != COUPLE_NONE && v->with.self != now.self) ||
	    (v->with.peer != COUPLE_NONE && v->with.peer != now.peer);
}

/* With the lock: until something happened on the ring, maybe nothing of interest. */
static int
wait_event(struct vchan *v, int64_t at)
{
	unsigned seen = v->events;
	int r = 0, saved;

	if (!v->waiting) {
		int64_t soon = deadline_at(LOOK_MS);
		bool parted = false;

		v->waiting = true;
		(void)pthread_mutex_unlock(&v->lock);
		r = deadline_poll(v->c.fd, POLLIN, soon < at ? soon : at);
		saved = errno;
		if (r < 0 && saved == ETIMEDOUT && soon < at) {
			int64_t then = deadline_at(LOOK_MS);

			parted = is_parted(v, then < at ? then : at);
			r = 0;
		}
		(void)pthread_mutex_lock(&v->lock);
		v->closed |= parted;
		vchan_consume(v->ring);
		v->waiting = false;
		v->events++;
		(void)pthread_cond_broadcast(&v->cond);
		errno = saved;
		return r;
	}
	while (r == 0 && v->waiting && v->events == seen) {
		struct timespec ts = {.tv_sec = at / NS_PER_S, .tv_nsec = at % NS_PER_S};

		r = at == DEADLINE_NEVER ? pthread_cond_wait(&v->cond, &v->lock)
					 : pthread_cond_timedwait(&v->cond, &v->lock, &ts);
	}
	errno = r;
	return r == 0 ? 0 : -1;
}

/* One attempt: bytes, 0 for the end, or -1 with EAGAIN. */
static ssize_t
try_read(struct vchan *v, void *p, size_t len)
{
	/* In this order: what was written before the close is read first. */
	bool closed = is_closed(v);
	int ready = xen.data_ready(v->ring), n;

	if (corrupt(v->ring) || atomic_load(&v->c.down)) {
		errno = ECONNRESET;
		return -1;
	}
	if (ready == 0) {
		errno = EAGAIN;
		return closed ? 0 : -1;
	}
	n = xen.read(v->ring, p, len < (size_t)ready ? len : (size_t)ready);
	if (n > 0)
		return n;
	errno = n == 0 ? EAGAIN : ECONNRESET;
	return -1;
}

static ssize_t
try_write(struct vchan *v, const struct iovec *iov, int n)
{
	size_t sent = 0;

	if (is_closed(v) || corrupt(v->ring) || atomic_load(&v->c.down)) {
		errno = ECONNRESET;
		return -1;
	}
	for (int i = 0; i < n; i++) {
		int room = xen.buffer_space(v->ring), m;
		size_t len = iov[i].iov_len;

		if (len == 0)
			continue;
		if (room == 0)
			break;
		len = len < (size_t)room ? len : (size_t)room;
		if ((m = xen.write(v->ring, iov[i].iov_base, len)) < 0) {
			errno = ECONNRESET;
			return sent > 0 ? (ssize_t)sent : -1;
		}
		sent += (size_t)m;
		if ((size_t)m < iov[i].iov_len)
			break;
	}
	v->write_blocked = sent == 0;
	errno = EAGAIN;
	return sent > 0 ? (ssize_t)sent : -1;
}

static ssize_t
vchan_read(struct channel *c, void *p, size_t len, int deadline)
{
	struct vchan *v = (struct vchan *)c;
	int64_t at = deadline_at(deadline);
	ssize_t n;

	(void)pthread_mutex_lock(&v->lock);
	while ((n = try_read(v, p, len)) < 0 && errno == EAGAIN)
		if (wait_event(v, at) < 0)
			break;
	(void)pthread_mutex_unlock(&v->lock);
	return n;
}

static ssize_t
vchan_write(struct channel *c, const struct iovec *iov, int n, int deadline)
{
	struct vchan *v = (struct vchan *)c;
	int64_t at = deadline_at(deadline);
	ssize_t sent;

	(void)pthread_mutex_lock(&v->lock);
	while ((sent = try_write(v, iov, n)) < 0 && errno == EAGAIN)
		if (wait_event(v, at) < 0)
			break;
	(void)pthread_mutex_unlock(&v->lock);
	return sent;
}

static int
vchan_finish(struct channel *c)
{
	(void)c;
	errno = EOPNOTSUPP;
	return -1;
}

static bool
vchan_pending(const struct channel *c)
{
	struct vchan *v = (struct vchan *)(uintptr_t)c;
	bool yes;

	(void)pthread_mutex_lock(&v->lock);
	yes = is_closed(v) || corrupt(v->ring) || xen.data_ready(v->ring) > 0;
	(void)pthread_mutex_unlock(&v->lock);
	return yes;
}

static short
vchan_poll_events(struct channel *c, bool read, bool write)
{
	struct vchan *v = (struct vchan *)c;
	bool now;

	(void)pthread_mutex_lock(&v->lock);
	/* Asking for the amounts also asks the peer to notify us of a change. */
	now = (read && xen.data_ready(v->ring) > 0) ||
	    (write && (!v->write_blocked || xen.buffer_space(v->ring) > 0)) ||
	    ((read || write) && (is_closed(v) || corrupt(v->ring)));
	(void)pthread_mutex_unlock(&v->lock);
	return now ? 0 : POLLIN;
}

static void
vchan_shutdown(struct channel *c)
{
	struct vchan *v = (struct vchan *)c;

	(void)eventfd_write(v->stop, 1);
}

void
vchan_release(struct libxenvchan *ring)
{
	/* The pages are not here: vchan_wrap() and the listener kept them from the child. */
	if (ring->event != NULL)
		(void)xen.evtchn_close(ring->event);
	if (ring->is_server) {
		if (ring->gntshr != NULL)
			(void)xen.gntshr_close(ring->gntshr);
		free(ring->xs_path);
	} else if (ring->gnttab != NULL) {
		(void)xen.gnttab_close(ring->gnttab);
	}
	free(ring);
}

static void
vchan_close(struct channel *c, bool polite)
{
	struct vchan *v = (struct vchan *)c;

	if (polite)
		xen.close(v->ring);
	else
		vchan_release(v->ring);
	(void)close(v->c.fd);
	(void)close(v->stop);
	/* In the child of a fork another thread may have held them. */
	if (polite) {
		(void)pthread_cond_destroy(&v->cond);
		(void)pthread_mutex_destroy(&v->lock);
	}
	free(v);
}

static int
vchan_take_fd(struct channel *c)
{
	(void)c;
	errno = EOPNOTSUPP;
	return -1;
}

/* libxenvchan's memory stays: it would close its descriptors. */
static void
vchan_forget(struct channel *c)
{
	free(c);
}

static const struct channel_ops vchan_ops = {
    .read = vchan_read,
    .write = vchan_write,
    .finish = vchan_finish,
    .pending = vchan_pending,
    .pending_is_all = true, /* an event may be about room alone */
    .poll_events = vchan_poll_events,
    .shutdown = vchan_shutdown,
    .close = vchan_close,
    .take_fd = vchan_take_fd,
    .forget = vchan_forget,
};

static int
watch(int epoll, int fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
}

static void
keep_from_children(const struct libxenvchan *ring)
{
	const struct libxenvchan_ring *two[] = {&ring->read, &ring->write};

	(void)madvise(ring->ring, XEN_PAGE, MADV_DONTFORK);
	for (size_t i = 0; i < 2; i++)
		if ((size_t)1 << two[i]->order >= XEN_PAGE)
			(void)madvise(two[i]->buffer, (size_t)1 << two[i]->order, MADV_DONTFORK);
}

struct channel *
vchan_wrap(struct libxenvchan *ring, const struct couple *with)
{
	struct vchan *v = calloc(1, sizeof(*v));
	pthread_condattr_t attr;
	int saved;

	if (v == NULL)
		return NULL;
	v->c.ops = &vchan_ops;
	v->ring = ring;
	v->with = *with;
	ring->blocking = 0; /* libxenvchan leaves it uninitialised */
	keep_from_children(ring);
	v->c.fd = epoll_create1(EPOLL_CLOEXEC);
	v->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (v->c.fd < 0 || v->stop < 0 || watch(v->c.fd, v->stop) < 0 ||
	    watch(v->c.fd, xen.fd_for_select(ring)) < 0) {
		saved = errno;
		if (v->c.fd >= 0)
			(void)close(v->c.fd);
		if (v->stop >= 0)
			(void)close(v->stop);
		free(v);
		errno = saved;
		return NULL;
	}
	(void)pthread_mutex_init(&v->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&v->cond, &attr);
	(void)pthread_condattr_destroy(&attr);
	return &v->c;
}
