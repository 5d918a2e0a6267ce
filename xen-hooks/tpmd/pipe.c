/* pipe.c - see pipe.h */
#include "xen-hooks/tpmd/pipe.h"

#include <errno.h>
#include <string.h>

#include "common/secmem.h"
#include "vchan-transport/deadline.h"

#define PIECE 16384

void
pipe_init(struct pipe *p, struct channel *channel, size_t most)
{
	memset(p, 0, sizeof(*p));
	p->channel = channel;
	p->most = most;
	p->until = DEADLINE_NEVER;
	buf_init(&p->in, SIZE_MAX / 2);
	buf_init(&p->out, SIZE_MAX / 2);
}

void
pipe_close(struct pipe *p)
{
	channel_close(p->channel);
	p->channel = NULL;
	buf_free(&p->in);
	buf_free(&p->out);
}

bool
pipe_sending(const struct pipe *p)
{
	return p->sent < p->out.len;
}

bool
pipe_poll(struct pipe *p, struct pollfd *ret)
{
	bool sending = pipe_sending(p);

	ret->fd = channel_poll_fd(p->channel);
	ret->events = channel_poll_events(p->channel, !sending, sending);
	ret->revents = 0;
	return ret->events == 0;
}

static uint32_t
length(const struct pipe *p)
{
	return (uint32_t)p->head[0] | (uint32_t)p->head[1] << 8 | (uint32_t)p->head[2] << 16 |
	       (uint32_t)p->head[3] << 24;
}

/* 1: all of it; 0: later; -1: it is over. */
static int
read_head(struct pipe *p)
{
	ssize_t n;

	while (p->nhead < sizeof(p->head)) {
		n = channel_read(
		    p->channel, p->head + p->nhead, sizeof(p->head) - p->nhead, 0);
		if (n < 0 && errno == ETIMEDOUT)
			return 0;
		if (n <= 0)
			return -1;
		if (p->nhead == 0)
			p->until = deadline_at(PIPE_PATIENCE);
		p->nhead += (size_t)n;
	}
	return length(p) == 0 || length(p) > p->most ? -1 : 1;
}

int
pipe_read(struct pipe *p)
{
	uint8_t piece[PIECE];
	int r = read_head(p);

	while (r == 1 && p->in.len < length(p)) {
		size_t left = length(p) - p->in.len;
		ssize_t n = channel_read(
		    p->channel, piece, left < sizeof(piece) ? left : sizeof(piece), 0);

		if (n < 0 && errno == ETIMEDOUT)
			return 0;
		if (n <= 0)
			return -1;
		/* So much memory as has come, and not as was announced. */
		buf_put_raw(&p->in, piece, (size_t)n);
		sec_wipe(piece, (size_t)n);
		if (!buf_ok(&p->in))
			return -1;
	}
	if (r == 1)
		p->until = DEADLINE_NEVER;
	return r;
}

void
pipe_next(struct pipe *p)
{
	p->nhead = 0;
	buf_free(&p->in);
}

int
pipe_write(struct pipe *p)
{
	ssize_t n;

	if (!buf_ok(&p->out))
		return -1;
	if (p->sent == 0 && p->until == DEADLINE_NEVER)
		p->until = deadline_at(PIPE_PATIENCE);
	while (pipe_sending(p)) {
		n = channel_write(p->channel, p->out.data + p->sent, p->out.len - p->sent, 0);
		if (n < 0 && errno == ETIMEDOUT)
			return 0;
		if (n <= 0)
			return -1;
		p->sent += (size_t)n;
	}
	p->sent = 0;
	p->until = DEADLINE_NEVER;
	buf_free(&p->out);
	return 0;
}

bool
pipe_late(const struct pipe *p)
{
	return deadline_left(p->until) == 0;
}
