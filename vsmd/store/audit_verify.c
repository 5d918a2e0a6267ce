/* audit_verify.c - see audit_verify.h */
#include "vsmd/store/audit_verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/secmem.h"
#include "vsmd/store/file.h"

void
audit_check_begin(const struct audit *a, struct audit_check *c)
{
	memset(c, 0, sizeof(*c));
	c->end = a->size;
	c->end_seq = a->seq;
	memcpy(c->end_hash, a->last, CRYPT_HASH);
}

static enum audit_verdict __attribute__((format(printf, 2, 3)))
bad(struct audit_check *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->why, sizeof(c->why), fmt, ap);
	va_end(ap);
	return AUDIT_BAD;
}

/* The line at offset, without its newline; its length, or -1. */
static ssize_t
line_at(const struct audit *a, uint64_t offset, uint64_t end, char space[AUDIT_LINE_MAX])
{
	size_t room =
	    end - offset < AUDIT_LINE_MAX ? (size_t)(end - offset) : AUDIT_LINE_MAX;
	ssize_t n = file_read_at(a->fd, space, room, (off_t)offset);
	char *nl = n > 0 ? memchr(space, '\n', (size_t)n) : NULL;

	return nl != NULL ? nl - space : -1;
}

static enum audit_verdict
check_end(const struct audit *a, struct audit_check *c)
{
	struct stat st;

	if (c->seq != c->end_seq || !sec_equal(c->prev, c->end_hash, CRYPT_HASH)) {
		c->line++;
		return bad(c,
		    "the log ends with record %" PRIu64 ", the store knows of %" PRIu64,
		    c->seq, c->end_seq);
	}
	if (fstat(a->fd, &st) != 0 || (uint64_t)st.st_size != a->size) {
		c->line++;
		return bad(c, "something stands behind the last record that is not ours");
	}
	return AUDIT_GOOD;
}

enum audit_verdict
audit_check_step(const struct audit *a, struct audit_check *c, unsigned lines)
{
	char space[AUDIT_LINE_MAX];

	for (unsigned i = 0; i < lines; i++) {
		struct audit_line line;
		const char *wrong;
		ssize_t len;

		if (c->offset == c->end)
			return check_end(a, c);
		c->line++;
		if ((len = line_at(a, c->offset, c->end, space)) < 0)
			return bad(c, "no whole line");
		if ((wrong = audit_parse(a->keys, space, (size_t)len, &line)) != NULL)
			return bad(c, "%s", wrong);
		if (line.seq != c->seq + 1)
			return bad(c,
			    "record %" PRIu64 " stands where %" PRIu64 " should",
			    line.seq, c->seq + 1);
		if (!sec_equal(line.prev, c->prev, CRYPT_HASH))
			return bad(c, "the record before it was altered or replaced");
		c->seq = line.seq;
		memcpy(c->prev, line.hash, CRYPT_HASH);
		c->offset += (uint64_t)len + 1;
	}
	return AUDIT_MORE;
}

/* Where the first whole line at or after offset begins. */
static uint64_t
next_line(const struct audit *a, uint64_t offset)
{
	char space[AUDIT_LINE_MAX];
	ssize_t len;

	if (offset == 0)
		return 0;
	len = line_at(a, offset - 1, a->size, space);
	return len < 0 ? a->size : offset + (uint64_t)len;
}

/* Where record `from` begins, by halving: numbers grow along the file. */
static uint64_t
find(const struct audit *a, uint64_t from)
{
	uint64_t low = 0, high = a->size;
	char space[AUDIT_LINE_MAX];

	while (low < high) {
		uint64_t mid = low + (high - low) / 2, at = next_line(a, mid);
		struct audit_line line = {0};
		ssize_t len = at < a->size ? line_at(a, at, a->size, space) : -1;

		if (len >= 0)
			(void)audit_parse(a->keys, space, (size_t)len, &line);
		if (len < 0 || line.seq >= from)
			high = mid;
		else
			low = at + (uint64_t)len + 1;
	}
	return next_line(a, low);
}

void
audit_read(const struct audit *a, uint64_t from, uint64_t count, struct buf *out)
{
	uint64_t offset = find(a, from);
	char space[AUDIT_LINE_MAX];
	ssize_t len;

	buf_put_u8(out, '[');
	for (uint64_t i = 0; i < count && offset < a->size; i++) {
		if ((len = line_at(a, offset, a->size, space)) < 0 ||
		    (size_t)len + 2 > out->max - out->len)
			break;
		if (i > 0)
			buf_put_u8(out, ',');
		buf_put_raw(out, space, (size_t)len);
		offset += (uint64_t)len + 1;
	}
	buf_put_u8(out, ']');
}
