/* shm.c - see shm.h; how the memory is handed over is in shm_offer.c */
#include "vchan-transport/shm_channel.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vchan-transport/deadline.h"
#include "vchan-transport/ops.h"
#include "vchan-transport/tarry.h"

struct shm {
	struct channel c;     /* c.fd: the socket */
	struct shm_memory *m;
	struct ring_end in, out;
	uint64_t address; /* the peer's berths that are written for */
	_Atomic uint64_t written;
	atomic_bool finished; /* this side writes no more */
	atomic_bool ended;    /* the peer writes no more */
	atomic_bool gone;     /* and reads no more: it has ended, not we */
	struct tarry tarry;   /* of who waits for bytes */
};

static int
fail(int err)
{
	errno = err;
	return -1;
}

/* The peer broke the ring: nothing of it is believed any more. */
static ssize_t
corrupt(struct shm *s)
{
	channel_shutdown(&s->c);
	return fail(ECONNRESET);
}

static bool
is_down(const struct shm *s)
{
	return atomic_load(&s->c.down);
}

/* POLLNVAL: somebody has closed our descriptor, which says nothing of the peer. */
static bool
socket_is(const struct shm *s, short what)
{
	struct pollfd p = {.fd = s->c.fd, .events = what};

	return poll(&p, 1, 0) > 0 && (p.revents & what) != 0;
}

static bool
hung_up(const struct shm *s)
{
	return socket_is(s, POLLHUP | POLLERR);
}

/* The end of the socket: what is in the ring is the last.  A shutdown of ours looks alike,
 * so that one is looked for afterwards. */
static void
note_end(struct shm *s)
{
	if (hung_up(s) && !is_down(s) && !s->finished)
		s->gone = true;
	s->ended = true;
}

/* Who waits for the other side of a ring to move is told that it has. */
static void
wake(struct shm *s, _Atomic uint32_t *sleep)
{
	if (ring_wake(sleep) != RING_BELL || send(s->c.fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1 ||
	    errno == EAGAIN /* full of bells: it rings */ || s->finished)
		return;
	if (hung_up(s))
		note_end(s);
	else /* nobody else would wake it */
		channel_shutdown(&s->c);
}

/* Those in berths that bytes were written for.  True: all that these are for were asleep, so
 * there is somebody to read them. */
static bool
wake_berths(struct shm *s)
{
	bool all = s->address != 0;

	for (uint64_t left = s->address; left != 0; left &= left - 1)
		if (ring_wake(&s->out.ring->berth[__builtin_ctzll(left)].sleep) == RING_AWAKE)
			all = false;
	return all;
}

static void
take_bells(struct shm *s)
{
	char bells[256];
	ssize_t n = recv(s->c.fd, bells, sizeof(bells), MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN))
		note_end(s);
}

static int
nap_for(int64_t at)
{
	int left = deadline_left(at);

	return left < 0 || left > SHM_NAP ? SHM_NAP : left;
}

/* Wait on the socket until a bell rings. */
static int
wait_for_bell(struct shm *s, int64_t at)
{
	_Atomic uint32_t *sleep = &s->in.ring->produced.sleep;
	int rc = 0;

	ring_drowse(sleep, RING_BELL);
	if (ring_used(&s->in) == 0 && !is_down(s))
		rc = deadline_poll(s->c.fd, POLLIN, at);
	ring_awake(sleep);
	if (rc == 0)
		take_bells(s);
	return rc;
}

/* Who is at work on this thread's own processor has to be let to it. */
static bool
shm_tarry(struct channel *c, bool (*there)(void *arg), void *arg)
{
	struct shm *s = (struct shm *)c;

	return ring_apart(&s->in) && tarry(&s->tarry, there, arg);
}

static bool
has_bytes(void *arg)
{
	const struct shm *s = arg;

	return ring_used(&s->in) != 0 || is_down(s);
}

/* Wait for bytes, or for the end. */
static int
wait_for_bytes(struct shm *s, int64_t at)
{
	_Atomic uint32_t *sleep = &s->in.ring->produced.sleep;
	bool woken = true;

	if (deadline_left(at) == 0) {
		take_bells(s);
		return s->ended || ring_used(&s->in) != 0 ? 0 : fail(ETIMEDOUT);
	}
	if (shm_tarry(&s->c, has_bytes, s))
		return 0;
	ring_drowse(sleep, RING_FUTEX);
	if (ring_used(&s->in) == 0 && !is_down(s))
		woken = ring_sleep(sleep, nap_for(at));
	ring_awake(sleep);
	if (!woken)
		return wait_for_bell(s, at);
	if (ring_used(&s->in) == 0) /* for the end, or for nothing */
		take_bells(s);
	return 0;
}

static ssize_t
shm_read(struct channel *c, void *p, size_t len, int deadline)
{
	struct shm *s = (struct shm *)c;
	int64_t at = 0;
	ssize_t n;

	for (;;) {
		bool ended = s->ended;

		if ((n = ring_get(&s->in, p, len)) < 0)
			return corrupt(s);
		if (n > 0)
			break;
		if (ended)
			return 0;
		if (is_down(s))
			return fail(ECONNRESET);
		if (at == 0)
			at = deadline_at(deadline);
		if (wait_for_bytes(s, at) < 0)
			return -1;
	}
	/* The peer, once it has seen the end, must be able to rely on shm_taken(). */
	if (is_down(s)) {
		explicit_bzero(p, (size_t)n);
		return fail(ECONNRESET);
	}
	/* Whoever writes more than fits is woken for a worthwhile piece. */
	if (ring_used(&s->in) < (ssize_t)RING_SIZE / 2)
		wake(s, &s->in.ring->consumed.sleep);
	return n;
}

static int
wait_for_room(struct shm *s, int64_t at)
{
	_Atomic uint32_t *sleep = &s->out.ring->consumed.sleep;

	if (hung_up(s))
		return fail(ECONNRESET);
	if (deadline_left(at) == 0)
		return fail(ETIMEDOUT);
	ring_drowse(sleep, RING_FUTEX);
	if (ring_room(&s->out) == 0 && !is_down(s))
		(void)ring_sleep(sleep, nap_for(at));
	ring_awake(sleep);
	return 0;
}

static ssize_t
put(struct shm *s, const struct iovec *iov, int n)
{
	ssize_t total = 0;

	for (int i = 0; i < n; i++) {
		ssize_t done = 0;

		if (iov[i].iov_len > 0)
			done = ring_put(&s->out, iov[i].iov_base, iov[i].iov_len);
		if (done < 0)
			return corrupt(s);
		total += done;
		if ((size_t)done < iov[i].iov_len)
			break;
	}
	return total;
}

static ssize_t
shm_write(struct channel *c, const struct iovec *iov, int n, int deadline)
{
	struct shm *s = (struct shm *)c;
	int64_t at = 0;
	ssize_t sent;

	/* It may have finished only, and still read.  One that has been asleep for long may be
	 * none any more: better seen before there are bytes that it might have read. */
	if (atomic_load(&s->out.ring->deaf) || (s->ended && hung_up(s)) ||
	    (ring_sleeps_for_bell(&s->out.ring->produced.sleep) &&
	    socket_is(s, POLLHUP | POLLERR | POLLNVAL)))
		return fail(ECONNRESET);
	while ((sent = put(s, iov, n)) == 0) {
		if (is_down(s))
			return fail(ECONNRESET);
		if (at == 0)
			at = deadline_at(deadline);
		if (wait_for_room(s, at) < 0)
			return -1;
	}
	if (sent > 0) {
		s->written += (uint64_t)sent;
		if (!wake_berths(s))
			wake(s, &s->out.ring->produced.sleep);
	}
	return sent;
}

/* Both that may sleep on this side look again, and the peer's reader. */
static void
stir(struct shm *s)
{
	(void)ring_wake(&s->in.ring->produced.sleep);
	(void)ring_wake(&s->out.ring->consumed.sleep);
	(void)ring_wake(&s->out.ring->produced.sleep);
}

static int
shm_finish(struct channel *c)
{
	struct shm *s = (struct shm *)c;

	s->finished = true;
	if (shutdown(c->fd, SHUT_WR) < 0)
		return -1;
	(void)ring_wake(&s->out.ring->produced.sleep);
	return 0;
}

static bool
shm_pending(const struct channel *c)
{
	const struct shm *s = (const struct shm *)c;

	return s->ended || ring_used(&s->in) != 0;
}

/* Then bells ring for what is waited for. */
static short
shm_poll_events(struct channel *c, bool read, bool write)
{
	struct shm *s = (struct shm *)c;

	if (read)
		ring_drowse(&s->in.ring->produced.sleep, RING_BELL);
	if (write)
		ring_drowse(&s->out.ring->consumed.sleep, RING_BELL);
	if ((read && shm_pending(c)) || (write && ring_room(&s->out) != 0))
		return 0;
	return POLLIN;
}

static void
shm_shutdown(struct channel *c)
{
	struct shm *s = (struct shm *)c;

	atomic_store(&s->in.ring->deaf, 1);
	(void)shutdown(c->fd, SHUT_RDWR);
	stir(s);
}

static uint64_t
shm_position(const struct channel *c)
{
	return ((const struct shm *)c)->written;
}

/* Only the index of a peer that is gone does not move any more: one that is silent may wake
 * up, and read on. */
static bool
shm_taken(const struct channel *c, uint64_t position)
{
	const struct shm *s = (const struct shm *)c;
	uint64_t written = s->written;
	uint32_t unread = (uint32_t)written - atomic_load(&s->out.ring->consumed.index);

	return !s->gone || position <= written - unread;
}

static _Atomic uint32_t *
shm_berth(struct channel *c, unsigned n)
{
	struct ring *r = ((struct shm *)c)->in.ring;

	return n < RING_BERTHS ? &r->berth[n].sleep : &r->produced.sleep;
}

static void
shm_address(struct channel *c, uint64_t berths)
{
	((struct shm *)c)->address = berths & ((UINT64_C(1) << RING_BERTHS) - 1);
}

/* Bells stay where they are: they might be another file's bytes by now. */
static void
shm_notice(struct channel *c)
{
	struct shm *s = (struct shm *)c;

	if (is_down(s) || socket_is(s, POLLRDHUP | POLLHUP | POLLERR | POLLNVAL))
		note_end(s);
}

static void
shm_forget(struct channel *c)
{
	struct shm *s = (struct shm *)c;

	(void)munmap(s->m, sizeof(*s->m));
	free(s);
}

static void
shm_close(struct channel *c, bool polite)
{
	if (polite)
		shm_shutdown(c);
	(void)close(c->fd);
	shm_forget(c);
}

static int
shm_take_fd(struct channel *c)
{
	(void)c;
	return fail(EOPNOTSUPP);
}

static const struct channel_ops shm_ops = {
    .read = shm_read,
    .write = shm_write,
    .finish = shm_finish,
    .pending = shm_pending,
    .pending_is_all = true,
    .poll_events = shm_poll_events,
    .shutdown = shm_shutdown,
    .close = shm_close,
    .take_fd = shm_take_fd,
    .position = shm_position,
    .taken = shm_taken,
    .forget = shm_forget,
    .berth = shm_berth,
    .address = shm_address,
    .notice = shm_notice,
    .tarry = shm_tarry,
};

struct channel *
shm_channel(int fd, struct shm_memory *m, bool offered)
{
	struct shm *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->c.ops = &shm_ops;
	s->c.fd = fd;
	s->m = m;
	s->in.ring = &m->ring[offered ? 0 : 1];
	s->out.ring = &m->ring[offered ? 1 : 0];
	return &s->c;
}
