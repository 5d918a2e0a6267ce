/* frame.c - see frame.h */
#include "protocol/frame.h"

#define OPEN UINT32_MAX /* the length of a frame whose body is being written */

static uint32_t
le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static void
begin(struct buf *b, uint32_t id, uint32_t call, uint32_t flags)
{
	buf_put_u32(b, OPEN);
	buf_put_u32(b, id);
	buf_put_u32(b, call);
	buf_put_u32(b, flags);
}

void
frame_begin(struct buf *b, uint32_t id, uint32_t call)
{
	begin(b, id, call, 0);
}

void
frame_begin_flags(struct buf *b, uint32_t id, uint32_t call, uint32_t flags)
{
	begin(b, id, call, flags);
}

void
frame_end(struct buf *b)
{
	size_t off = 0;

	/* Several frames may lie one behind the other; the last one is open. */
	while (buf_ok(b) && b->len - off >= FRAME_HEADER) {
		uint32_t length = le32(b->data + off);

		if (length == OPEN) {
			size_t body = b->len - off - FRAME_HEADER;

			if (body >= OPEN)
				break;
			buf_set_u32(b, off, (uint32_t)body);
			return;
		}
		if (length > b->len - off - FRAME_HEADER)
			break;
		off += FRAME_HEADER + length;
	}
	buf_fail(b);
}

static bool
parse(const uint8_t *header, uint32_t max_frame, uint32_t known, struct frame *ret)
{
	ret->length = le32(header);
	ret->id = le32(header + 4);
	ret->call = le32(header + 8);
	ret->flags = le32(header + 12);
	return ret->length <= max_frame && (ret->flags & ~known) == 0;
}

bool
frame_parse(const uint8_t header[FRAME_HEADER], uint32_t max_frame, struct frame *ret)
{
	return parse(header, max_frame, 0, ret);
}

bool
frame_parse_request(
    const uint8_t header[FRAME_HEADER], uint32_t max_frame, struct frame *ret)
{
	return parse(header, max_frame, FRAME_FUSED | FRAME_ONCE | FRAME_REPEATED, ret) &&
	    (ret->flags & (ret->flags - 1)) == 0;
}
