/* relay.c - see relay.h */
#include "vchan-transport/relay.h"

#include <errno.h>
#include <stdlib.h>

#include "common/secmem.h"

struct relay *
relay_new(struct channel *local, struct channel *upstream)
{
	struct relay *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		channel_close(local);
		channel_close(upstream);
		return NULL;
	}
	r->side[RELAY_LOCAL] = local;
	r->side[RELAY_UPSTREAM] = upstream;
	return r;
}

void
relay_free(struct relay *r)
{
	channel_close(r->side[RELAY_LOCAL]);
	channel_close(r->side[RELAY_UPSTREAM]);
	for (int s = 0; s < 2; s++)
		sec_wipe(r->from[s].buf + r->from[s].start, r->from[s].len);
	free(r);
}

void
relay_hold(struct relay *r,
    bool (*mend)(uint8_t *first, size_t len, const struct peer *whose),
    const struct peer *whose)
{
	r->mend = mend;
	r->whose = *whose;
}

static bool
is_held(const struct relay *r, int s)
{
	return s == RELAY_LOCAL && r->mend != NULL;
}

static bool
wants_read(const struct relay *r, int s, bool draining)
{
	return !draining && !r->from[s].ended && (r->from[s].len == 0 || is_held(r, s));
}

static bool
wants_write(const struct relay *r, int s)
{
	return r->from[!s].len > 0 && !is_held(r, !s);
}

bool
relay_poll(struct relay *r, struct pollfd p[2], bool draining)
{
	bool now = false;

	for (int s = 0; s < 2; s++) {
		bool rd = wants_read(r, s, draining), wr = wants_write(r, s);

		p[s].fd = channel_poll_fd(r->side[s]);
		p[s].revents = 0;
		p[s].events = 0;
		if (rd || wr) {
			p[s].events = channel_poll_events(r->side[s], rd, wr);
			now |= p[s].events == 0;
		} else if (r->hung_up[s]) {
			p[s].fd = -1; /* it would say so for ever */
		}
	}
	return now;
}

/* False when the connection cannot go on. */
static bool
take_in(struct relay *r, int s)
{
	struct relay_flow *f = &r->from[s];
	ssize_t n;

	if (f->len == 0)
		f->start = 0; /* else it is held, and begins there */
	n = channel_read(r->side[s], f->buf + f->len, sizeof(f->buf) - f->len, 0);
	if (n < 0)
		return errno == ETIMEDOUT;
	f->len += (size_t)n;
	f->ended = n == 0;
	if (is_held(r, s) && (f->ended || r->mend(f->buf, f->len, &r->whose)))
		r->mend = NULL;
	return true;
}

static bool
pass_on(struct relay *r, int s)
{
	struct relay_flow *f = &r->from[s];
	ssize_t n;

	if (f->len > 0 && !is_held(r, s)) {
		n = channel_write(r->side[!s], f->buf + f->start, f->len, 0);
		if (n < 0)
			return errno == ETIMEDOUT;
		/* A PIN may have been among them. */
		sec_wipe(f->buf + f->start, (size_t)n);
		f->start += (size_t)n;
		f->len -= (size_t)n;
	}
	if (f->ended && f->len == 0 && !f->passed_on) {
		f->passed_on = true;
		/* A vchan has no half-close: then the end of one is the end of both. */
		return channel_finish(r->side[!s]) == 0;
	}
	return true;
}

bool
relay_move(struct relay *r, const struct pollfd p[2], bool draining)
{
	for (int s = 0; s < 2; s++)
		if (p[s].revents & (POLLHUP | POLLERR | POLLNVAL))
			r->hung_up[s] = true;
	for (int s = 0; s < 2; s++) {
		if (wants_read(r, s, draining) && !take_in(r, s))
			return false;
		if (!pass_on(r, s))
			return false;
	}
	/* Over when both have said all, or when one is gone and all it said is passed on. */
	for (int s = 0; s < 2; s++)
		if (r->from[s].passed_on && (r->from[!s].passed_on || r->hung_up[s]))
			return false;
	return true;
}

bool
relay_empty(const struct relay *r)
{
	return r->from[0].len == 0 && r->from[1].len == 0;
}
