/* inbox.c - see inbox.h */
#include "libcaas-p11/inbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/secmem.h"
#include "libcaas-p11/link.h"

static enum inbox_result
why(ssize_t n)
{
	if (n == 0 || errno == ECONNRESET)
		return INBOX_GONE;
	return INBOX_SILENT;
}

/* A large body is complete. */
static enum inbox_result
end_big(struct inbox *in, const struct inbox_sink *sink, void *arg)
{
	if (!sink->deliver(arg, &in->frame, NULL, in->big))
		return INBOX_BREACH;
	in->big = NULL;
	return INBOX_OK;
}

/* Go on with a large body. */
static enum inbox_result
read_big(struct inbox *in, struct channel *channel, int silence,
    const struct inbox_sink *sink, void *arg)
{
	ssize_t n = channel_read(channel, in->big + in->big_len,
	    in->frame.length - in->big_len, silence);

	if (n <= 0)
		return why(n);
	in->big_len += (size_t)n;
	return in->big_len == in->frame.length ? end_big(in, sink, arg) : INBOX_OK;
}

/* A body that is too large for where small ones lie; what came of it moves over. */
static enum inbox_result
begin_big(struct inbox *in, const struct inbox_sink *sink, void *arg)
{
	size_t have = in->len - in->pos;

	if (!sink->expected(arg, &in->frame))
		return INBOX_BREACH;
	if (have > in->frame.length)
		have = in->frame.length;
	if ((in->big = malloc(in->frame.length)) == NULL)
		return INBOX_NO_MEMORY;
	memcpy(in->big, in->data + in->pos, have);
	in->pos += have;
	in->big_len = have;
	return have == in->frame.length ? end_big(in, sink, arg) : INBOX_OK;
}

static enum inbox_result
take_frames(
    struct inbox *in, uint32_t max_frame, const struct inbox_sink *sink, void *arg)
{
	enum inbox_result r = INBOX_OK;

	while (r == INBOX_OK && in->big == NULL && in->len - in->pos >= FRAME_HEADER) {
		if (!frame_parse(in->data + in->pos, max_frame, &in->frame))
			return INBOX_BREACH;
		if (in->frame.length > LINK_SMALL) {
			in->pos += FRAME_HEADER;
			r = begin_big(in, sink, arg);
			continue;
		}
		if (in->len - in->pos - FRAME_HEADER < in->frame.length)
			break;
		in->pos += FRAME_HEADER;
		if (!sink->deliver(arg, &in->frame, in->data + in->pos, NULL))
			return INBOX_BREACH;
		in->pos += in->frame.length;
	}
	return r;
}

enum inbox_result
inbox_read(struct inbox *in, struct channel *channel, uint32_t max_frame, int silence,
    const struct inbox_sink *sink, void *arg)
{
	enum inbox_result r;
	size_t rest;
	ssize_t n;

	if (in->big != NULL)
		return read_big(in, channel, silence, sink, arg);
	if (in->data == NULL && (in->data = malloc(INBOX_SIZE)) == NULL)
		return INBOX_NO_MEMORY;
	n = channel_read(channel, in->data + in->len, INBOX_SIZE - in->len, silence);
	if (n <= 0)
		return why(n);
	in->len += (size_t)n;
	r = take_frames(in, max_frame, sink, arg);
	/* What is left is the start of a small frame; it moves to the front, and what was
	 * handed on is wiped. */
	rest = in->len - in->pos;
	memmove(in->data, in->data + in->pos, rest);
	sec_wipe(in->data + rest, in->len - rest);
	in->len = rest;
	in->pos = 0;
	return r;
}

void
inbox_free(struct inbox *in)
{
	if (in->big != NULL) {
		sec_wipe(in->big, in->big_len);
		free(in->big);
	}
	if (in->data != NULL) {
		sec_wipe(in->data, in->len);
		free(in->data);
	}
	memset(in, 0, sizeof(*in));
}
