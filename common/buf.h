/*
 * buf.h - the one type that touches bytes from elsewhere.
 *
 * A buf is a growing byte string with a read position, an upper bound that is
 * set when it is made, and an error flag that sticks.  Writers append, readers
 * consume from the front.  Numbers are little-endian.
 *
 * Errors: the first operation that would pass the bound, run out of memory, or
 * read past the end sets the flag; from then on writers do nothing and readers
 * return 0 or NULL.  So a message is written or read straight down, and judged
 * once, at its end: buf_ok() after writing, buf_end() after reading, which
 * refuses leftovers too.  A count read from a buf must pass buf_fits() before
 * anything is allocated for it.
 *
 * Ownership: buf_init() makes an empty buf that owns its memory, grown by
 * need; buf_view() borrows memory that the caller keeps.  buf_get_bytes() and
 * buf_get_raw() return pointers into the buf, good until it is written or freed.
 * buf_free() and buf_reset() wipe what was held; growing wipes what is left
 * behind.
 *
 * Threads: a buf belongs to one thread at a time.  Fork: nothing special.
 */
#ifndef CAAS_COMMON_BUF_H
#define CAAS_COMMON_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data;
	size_t len;   /* bytes written */
	size_t pos;   /* bytes consumed */
	size_t size;  /* bytes allocated; 0 for a view */
	size_t max;   /* len may never exceed this */
	bool failed;
};

/* An empty buf that may hold at most `max` bytes.  Allocates nothing yet. */
void buf_init(struct buf *b, size_t max);
/* A read-only buf over `len` bytes that stay the caller's. */
void buf_view(struct buf *b, const void *data, size_t len);
/* Wipe and release; the buf is then as after buf_init() with the same bound. */
void buf_free(struct buf *b);
/* Wipe the content, keep the memory for the next message, clear the error. */
void buf_reset(struct buf *b);

/* No operation failed so far. */
bool buf_ok(const struct buf *b);
/* No operation failed and nothing is left to read. */
bool buf_end(const struct buf *b);
/* Set the error flag by hand: the bytes were well formed, their meaning was not. */
void buf_fail(struct buf *b);
/* Bytes not yet consumed. */
size_t buf_left(const struct buf *b);
/* True when `count` items of at least `each` bytes can still follow; otherwise
 * the buf has failed. */
bool buf_fits(struct buf *b, uint64_t count, size_t each);

void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_u16(struct buf *b, uint16_t v);
void buf_put_u32(struct buf *b, uint32_t v);
void buf_put_u64(struct buf *b, uint64_t v);
/* `len` bytes as they are.  `data` may be NULL when `len` is 0. */
void buf_put_raw(struct buf *b, const void *data, size_t len);
/* A u64 length, then the bytes. */
void buf_put_bytes(struct buf *b, const void *data, size_t len);
/* buf_put_bytes() of a C string without its NUL; NULL is written as "". */
void buf_put_str(struct buf *b, const char *s);
/* Room for `len` bytes at the end, uninitialised, counted as written.  NULL on
 * failure.  The pointer is good until the next write. */
void *buf_reserve(struct buf *b, size_t len);
/* Cut the content to `len` bytes, which must not be more than it holds. */
void buf_truncate(struct buf *b, size_t len);
/* Overwrite four bytes at `off`, which must have been written before. */
void buf_set_u32(struct buf *b, size_t off, uint32_t v);

uint8_t buf_get_u8(struct buf *b);
uint16_t buf_get_u16(struct buf *b);
uint32_t buf_get_u32(struct buf *b);
uint64_t buf_get_u64(struct buf *b);
/* The next `len` bytes, borrowed; NULL on failure (never NULL for len 0 otherwise). */
const uint8_t *buf_get_raw(struct buf *b, size_t len);
/* A u64 length and that many bytes, borrowed. */
const uint8_t *buf_get_bytes(struct buf *b, size_t *ret_len);
/* A string of at most size - 1 bytes without NUL inside, copied and terminated.
 * Longer, or holding a NUL: the buf fails and dst is "". */
void buf_get_str(struct buf *b, char *dst, size_t size);

#endif
