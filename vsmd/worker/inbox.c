/* inbox.c - see inbox.h */
#include "vsmd/worker/inbox.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "common/secmem.h"
#include "protocol/calls.h"

#define LOOK 8     /* frames to choose from */
#define OVERTAKE 4 /* in a row */

uint64_t
inbox_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void
inbox_init(struct inbox *i, uint32_t max_frame)
{
	i->max_frame = max_frame;
	i->near = false;
	i->overtook = 0;
	i->pos = i->len = 0;
	i->filled = 0;
}

/* At least `need` bytes from pos on.  1, 0 when the guest closed, -1. */
static int
fill(struct inbox *i, struct channel *c, size_t need)
{
	while (i->len - i->pos < need) {
		ssize_t n;

		if (i->pos > 0) {
			memmove(i->data, i->data + i->pos, i->len - i->pos);
			i->len -= i->pos;
			i->pos = 0;
		}
		n = channel_read(c, i->data + i->len, sizeof(i->data) - i->len, -1);
		if (n <= 0)
			return n < 0 ? -1 : 0;
		i->len += (size_t)n;
		i->filled = inbox_clock();
	}
	return 1;
}

/* What has been read may be a PIN: once handed on, nothing of it stays here. */
static void
taken(struct inbox *i, size_t n)
{
	sec_wipe(i->data + i->pos, n);
	i->pos += n;
	if (i->pos == i->len)
		i->pos = i->len = 0;
}

static enum inbox_result
read_body(struct inbox *i, struct channel *c, size_t left, struct buf *body)
{
	size_t n = i->len - i->pos;

	if (n > left)
		n = left;
	buf_put_raw(body, i->data + i->pos, n);
	taken(i, n);
	for (left -= n; left > 0; left -= n) {
		size_t had = body->len;
		uint8_t *p;
		ssize_t got;

		n = left < INBOX_AHEAD ? left : INBOX_AHEAD;
		if ((p = buf_reserve(body, n)) == NULL)
			return INBOX_CUT;
		if ((got = channel_read(c, p, n, -1)) <= 0) {
			errno = got == 0 ? ECONNRESET : errno;
			return INBOX_CUT;
		}
		n = (size_t)got;
		buf_truncate(body, had + n);
	}
	return buf_ok(body) ? INBOX_FRAME : INBOX_CUT;
}

/* A small call on a session, whole, at `at`; *ret_session is which. */
static bool
may_move(const struct inbox *i, size_t at, struct frame *ret, uint64_t *ret_session)
{
	const struct call *call;

	if (i->len - at < FRAME_HEADER + sizeof(*ret_session) ||
	    !frame_parse_request(i->data + at, i->max_frame, ret) ||
	    ret->length < sizeof(*ret_session) || ret->length > INBOX_SMALL - FRAME_HEADER ||
	    ret->length > i->len - at - FRAME_HEADER || (ret->flags & ~FRAME_FUSED) != 0)
		return false;
	call = call_by_number(ret->call);
	memcpy(ret_session, i->data + at + FRAME_HEADER, sizeof(*ret_session));
	return call != NULL && call->where == WHERE_SESSION;
}

/* The frame of n bytes at `at` becomes the next. */
static void
overtake(struct inbox *i, size_t at, size_t n)
{
	memcpy(i->aside, i->data + at, n);
	memmove(i->data + i->pos + n, i->data + i->pos, at - i->pos);
	memcpy(i->data + i->pos, i->aside, n);
	sec_wipe(i->aside, n);
}

/* Where the first frame is that was sent from this processor and may be the next. */
static size_t
nearest(const struct inbox *i, size_t *ret_len)
{
	unsigned here = (unsigned)sched_getcpu() & 255u;
	uint64_t passed[LOOK], session;
	size_t at = i->pos;
	struct frame f;

	for (unsigned n = 0; n < LOOK && may_move(i, at, &f, &session); n++) {
		*ret_len = FRAME_HEADER + f.length;
		for (unsigned k = 0; k < n; k++)
			if (passed[k] == session)
				return i->pos;
		if (FRAME_PROCESSOR(f.id) == here)
			return at;
		passed[n] = session;
		at += *ret_len;
	}
	return i->pos;
}

/* It becomes the next; but no frame waits for ever. */
static void
choose(struct inbox *i)
{
	size_t len = 0, at = i->pos;

	if (i->near && i->overtook < OVERTAKE)
		at = nearest(i, &len);
	i->overtook = at == i->pos ? 0 : i->overtook + 1;
	if (at != i->pos)
		overtake(i, at, len);
}

enum inbox_result
inbox_read(struct inbox *i, struct channel *c, struct frame *ret, struct buf *body)
{
	int rc;

	buf_reset(body);
	if ((rc = fill(i, c, FRAME_HEADER)) != 1) {
		if (rc == 0 && i->pos == i->len)
			return INBOX_CLOSED;
		errno = rc == 0 ? ECONNRESET : errno;
		return INBOX_CUT;
	}
	choose(i);
	if (!frame_parse_request(i->data + i->pos, i->max_frame, ret))
		return INBOX_BREACH;
	taken(i, FRAME_HEADER);
	return read_body(i, c, ret->length, body);
}

bool
inbox_has_other(const struct inbox *i, uint64_t session)
{
	uint64_t other;

	/* Of a fused request too, the session comes first. */
	if (i->len - i->pos < FRAME_HEADER + sizeof(other))
		return false;
	memcpy(&other, i->data + i->pos + FRAME_HEADER, sizeof(other));
	return other != session;
}

unsigned
inbox_waiting(const struct inbox *i, unsigned most)
{
	size_t pos = i->pos;
	struct frame f;
	unsigned n;

	for (n = 0; n < most && i->len - pos >= FRAME_HEADER; n++) {
		if (!frame_parse_request(i->data + pos, i->max_frame, &f) ||
		    i->len - pos - FRAME_HEADER < f.length)
			break;
		pos += FRAME_HEADER + f.length;
	}
	return n;
}
