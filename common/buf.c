/* buf.c - see buf.h */
#include "common/buf.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "common/secmem.h"

#define BUF_FIRST 256 /* bytes of a first allocation */

void
buf_init(struct buf *b, size_t max)
{
	memset(b, 0, sizeof(*b));
	b->max = max;
}

void
buf_view(struct buf *b, const void *data, size_t len)
{
	memset(b, 0, sizeof(*b));
	/* A view is never written: every writer checks size against max first. */
	b->data = (uint8_t *)(uintptr_t)data;
	b->len = len;
	b->max = len;
}

void
buf_free(struct buf *b)
{
	if (b->size > 0) {
		sec_wipe(b->data, b->len);
		free(b->data);
	}
	buf_init(b, b->max);
}

void
buf_reset(struct buf *b)
{
	if (b->size == 0) {
		buf_init(b, b->max);
		return;
	}
	sec_wipe(b->data, b->len);
	b->len = b->pos = 0;
	b->failed = false;
}

bool
buf_ok(const struct buf *b)
{
	return !b->failed;
}

bool
buf_end(const struct buf *b)
{
	return !b->failed && b->pos == b->len;
}

void
buf_fail(struct buf *b)
{
	b->failed = true;
}

size_t
buf_left(const struct buf *b)
{
	return b->failed ? 0 : b->len - b->pos;
}

bool
buf_fits(struct buf *b, uint64_t count, size_t each)
{
	if (b->failed || (each > 0 && count > buf_left(b) / each))
		b->failed = true;
	return !b->failed;
}

static bool
grow(struct buf *b, size_t need)
{
	size_t size = b->size ? b->size : BUF_FIRST;
	uint8_t *p;

	while (size < need)
		size = size > b->max / 2 ? b->max : size * 2;
	if ((p = malloc(size)) == NULL)
		return false;
	if (b->size > 0) {
		memcpy(p, b->data, b->len);
		sec_wipe(b->data, b->len);
		free(b->data);
	}
	b->data = p;
	b->size = size;
	return true;
}

void *
buf_reserve(struct buf *b, size_t len)
{
	void *p;

	/* A view has size 0 and len == max: only an empty reservation passes. */
	if (b->failed || len > b->max - b->len ||
	    (b->len + len > b->size && len > 0 && !grow(b, b->len + len)) ||
	    (b->data == NULL && !grow(b, b->max < BUF_FIRST ? b->max : BUF_FIRST))) {
		b->failed = true;
		return NULL;
	}
	p = b->data + b->len;
	b->len += len;
	return p;
}

void
buf_truncate(struct buf *b, size_t len)
{
	if (len > b->len) {
		b->failed = true;
		return;
	}
	if (b->size > 0)
		sec_wipe(b->data + len, b->len - len);
	b->len = len;
	if (b->pos > len)
		b->pos = len;
}

void
buf_put_raw(struct buf *b, const void *data, size_t len)
{
	void *p = buf_reserve(b, len);

	if (p != NULL && len > 0)
		memcpy(p, data, len);
}

/* The first n bytes, n <= 8, of what is the number in little-endian order. */
static void
put_le(struct buf *b, uint64_t v, size_t n)
{
	uint64_t le = htole64(v);

	buf_put_raw(b, &le, n);
}

static uint64_t
get_le(struct buf *b, size_t n)
{
	const uint8_t *p = buf_get_raw(b, n);
	uint64_t le = 0;

	if (p != NULL)
		memcpy(&le, p, n);
	return le64toh(le);
}

void
buf_put_u8(struct buf *b, uint8_t v)
{
	put_le(b, v, 1);
}

void
buf_put_u16(struct buf *b, uint16_t v)
{
	put_le(b, v, 2);
}

void
buf_put_u32(struct buf *b, uint32_t v)
{
	put_le(b, v, 4);
}

void
buf_put_u64(struct buf *b, uint64_t v)
{
	put_le(b, v, 8);
}

void
buf_put_bytes(struct buf *b, const void *data, size_t len)
{
	buf_put_u64(b, len);
	buf_put_raw(b, data, len);
}

void
buf_put_str(struct buf *b, const char *s)
{
	buf_put_bytes(b, s, s ? strlen(s) : 0);
}

void
buf_set_u32(struct buf *b, size_t off, uint32_t v)
{
	if (b->failed || b->size == 0 || off > b->len || b->len - off < 4) {
		b->failed = true;
		return;
	}
	v = htole32(v);
	memcpy(b->data + off, &v, sizeof(v));
}

const uint8_t *
buf_get_raw(struct buf *b, size_t len)
{
	static const uint8_t nothing[1];
	const uint8_t *p;

	if (!buf_fits(b, len, 1))
		return NULL;
	if (len == 0)
		return nothing;
	p = b->data + b->pos;
	b->pos += len;
	return p;
}

uint8_t
buf_get_u8(struct buf *b)
{
	return (uint8_t)get_le(b, 1);
}

uint16_t
buf_get_u16(struct buf *b)
{
	return (uint16_t)get_le(b, 2);
}

uint32_t
buf_get_u32(struct buf *b)
{
	return (uint32_t)get_le(b, 4);
}

uint64_t
buf_get_u64(struct buf *b)
{
	return get_le(b, 8);
}

const uint8_t *
buf_get_bytes(struct buf *b, size_t *ret_len)
{
	uint64_t len = buf_get_u64(b);
	const uint8_t *p = NULL;

	if (buf_fits(b, len, 1))
		p = buf_get_raw(b, (size_t)len);
	*ret_len = p != NULL ? (size_t)len : 0;
	return p;
}

void
buf_get_str(struct buf *b, char *dst, size_t size)
{
	size_t len;
	const uint8_t *p = buf_get_bytes(b, &len);

	dst[0] = '\0';
	if (p == NULL)
		return;
	if (len >= size || memchr(p, '\0', len) != NULL) {
		b->failed = true;
		return;
	}
	memcpy(dst, p, len);
	dst[len] = '\0';
}
