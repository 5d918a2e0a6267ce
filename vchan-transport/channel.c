/* channel.c - what all channels have in common, see transport.h */
#include "vchan-transport/ops.h"

#include <errno.h>
#include <poll.h>

#include "vchan-transport/berth.h"
#include "vchan-transport/deadline.h"

static bool
is_down(const struct channel *c)
{
	if (!atomic_load_explicit(&c->down, memory_order_relaxed))
		return false;
	errno = ECONNRESET;
	return true;
}

ssize_t
channel_read(struct channel *c, void *p, size_t len, int deadline)
{
	ssize_t n;

	if (len == 0) {
		errno = EINVAL;
		return -1;
	}
	if (is_down(c))
		return -1;
	n = c->ops->read(c, p, len, deadline);
	/* The end that a shutdown of ours makes is not the peer's. */
	return n == 0 && is_down(c) ? -1 : n;
}

int
channel_read_all(struct channel *c, void *p, size_t len, int deadline)
{
	int64_t at = deadline_at(deadline);
	size_t done = 0;

	while (done < len) {
		/* The first wait is the caller's number: a constant is cheaper below. */
		ssize_t n = channel_read(c, (char *)p + done, len - done,
		    done == 0 ? deadline : deadline_left(at));

		if (n < 0)
			return -1;
		if (n == 0) {
			errno = ECONNRESET;
			return -1;
		}
		done += (size_t)n;
	}
	return 0;
}

static ssize_t
write_some(struct channel *c, const struct iovec *iov, int n, int deadline)
{
	ssize_t sent;

	if (is_down(c))
		return -1;
	sent = c->ops->write(c, iov, n, deadline);
	if (sent < 0 && errno == EPIPE)
		errno = ECONNRESET;
	return sent;
}

ssize_t
channel_write(struct channel *c, const void *p, size_t len, int deadline)
{
	struct iovec v = {.iov_base = (void *)(uintptr_t)p, .iov_len = len};

	if (len == 0) {
		errno = EINVAL;
		return -1;
	}
	return write_some(c, &v, 1, deadline);
}

int
channel_writev(struct channel *c, const struct iovec *iov, int n, int deadline)
{
	size_t off = 0; /* of iov[0] already sent */

	for (;;) {
		struct iovec rest;
		ssize_t sent;

		for (; n > 0 && off >= iov->iov_len; iov++, n--)
			off -= iov->iov_len;
		if (n <= 0)
			return 0;
		if (off == 0) {
			sent = write_some(c, iov, n, deadline);
		} else {
			/* The rest of a torn piece goes alone, so that the
			 * caller's array stays as it is. */
			rest.iov_base = (char *)iov->iov_base + off;
			rest.iov_len = iov->iov_len - off;
			sent = write_some(c, &rest, 1, deadline);
		}
		if (sent < 0)
			return -1;
		off += (size_t)sent;
	}
}

int
channel_finish(struct channel *c)
{
	return c->ops->finish(c);
}

int
channel_poll_fd(const struct channel *c)
{
	return c->fd;
}

short
channel_poll_events(struct channel *c, bool read, bool write)
{
	return c->ops->poll_events(c, read, write);
}

bool
channel_pending(const struct channel *c)
{
	return c->ops->pending(c);
}

bool
channel_arrived(const struct channel *c)
{
	struct pollfd p = {.fd = c->fd, .events = POLLIN};

	return c->ops->pending(c) || (!c->ops->pending_is_all && poll(&p, 1, 0) > 0);
}

uint64_t
channel_position(const struct channel *c)
{
	return c->ops->position != NULL ? c->ops->position(c) : 0;
}

bool
channel_taken(const struct channel *c, uint64_t position)
{
	return c->ops->taken == NULL || c->ops->taken(c, position);
}

_Atomic uint32_t *
channel_berth(struct channel *c, unsigned n)
{
	return c->ops->berth != NULL ? c->ops->berth(c, n) : NULL;
}

void
channel_address(struct channel *c, uint64_t berths)
{
	if (c->ops->address != NULL)
		c->ops->address(c, berths);
}

bool
channel_tarry(struct channel *c, bool (*there)(void *arg), void *arg)
{
	return c->ops->tarry(c, there, arg);
}

void
channel_notice(struct channel *c)
{
	c->ops->notice(c);
}

void
channel_shutdown(struct channel *c)
{
	atomic_store(&c->down, true);
	c->ops->shutdown(c);
}

void
channel_close(struct channel *c)
{
	if (c != NULL)
		c->ops->close(c, true);
}

void
channel_drop(struct channel *c)
{
	if (c != NULL)
		c->ops->close(c, false);
}

void
channel_forget(struct channel *c)
{
	c->ops->forget(c);
}

int
channel_take_fd(struct channel *c)
{
	return c->ops->take_fd(c);
}
