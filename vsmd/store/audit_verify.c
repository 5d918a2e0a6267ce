/* audit_verify.c - see audit_verify.h */
#include "vsmd/store/audit_verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/secmem.h"
#include "vsmd/store/file.h"

/* Everything that can be read one after the other: the store's descriptor is for its own
 * place.  -1 with errno. */
static int
open_to_read(const struct audit *a, uint64_t file, uint64_t *ret_size)
{
	char name[AUDIT_FILE_NAME];
	struct stat st;
	int fd;

	audit_name(name, file);
	fd = openat(a->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		return -1;
	}
	if (fd >= 0)
		*ret_size = (uint64_t)st.st_size;
	return fd;
}

struct audit_check *
audit_check_begin(const struct audit *a)
{
	const struct audit_epoch *e = audit_keys_of(&a->keys, a->at.epoch);
	struct audit_check *c = sec_alloc(sizeof(*c));

	if (c == NULL)
		return NULL;
	audit_judge_begin(&c->judge, &a->ends[0]);
	c->end = a->at;
	c->judge.want = &c->end;
	if (e != NULL) {
		memcpy(c->mac, e->mac, CRYPT_KEY);
		c->judge.mac = c->mac;
		c->judge.mac_epoch = e->number;
	}
	c->file = audit_base(a) + 1;
	c->last = a->file;
	/* What is written from now on is of no concern. */
	if ((c->fd = open_to_read(a, c->last, &c->last_size)) >= 0)
		close(c->fd);
	c->fd = -1;
	return c;
}

void
audit_check_free(struct audit_check *c)
{
	if (c != NULL && c->fd >= 0)
		close(c->fd);
	sec_free(c);
}

static enum audit_verdict
next_line(struct audit_check *c)
{
	char space[AUDIT_LINE_MAX], name[AUDIT_FILE_NAME], *nl = NULL;
	uint64_t left = c->size - c->offset;
	size_t room = left < sizeof(space) ? (size_t)left : sizeof(space), len;
	ssize_t n = file_read_at(c->fd, space, room, (off_t)c->offset);

	audit_name(name, c->file);
	if (n > 0)
		nl = memchr(space, '\n', (size_t)n);
	len = nl != NULL ? (size_t)(nl - space) : n > 0 ? (size_t)n : 0;
	/* A line that has no end, or cannot be read, is the last of its file. */
	c->offset = nl != NULL ? c->offset + len + 1 : c->size;
	return audit_judge_line(&c->judge, name, ++c->number, space, len, nl != NULL);
}

enum audit_verdict
audit_check_step(const struct audit *a, struct audit_check *c, unsigned lines)
{
	char name[AUDIT_FILE_NAME];
	enum audit_verdict v = AUDIT_MORE;

	for (unsigned i = 0; v == AUDIT_MORE && i < lines; i++) {
		if (c->file > c->last)
			return audit_judge_end(&c->judge);
		if (c->fd < 0) {
			c->offset = c->number = 0;
			if ((c->fd = open_to_read(a, c->file, &c->size)) < 0) {
				audit_name(name, c->file);
				return audit_judge_no_file(&c->judge, name);
			}
			if (c->file == c->last && c->size > c->last_size)
				c->size = c->last_size;
		}
		if (c->offset < c->size) {
			v = next_line(c);
			continue;
		}
		close(c->fd);
		c->fd = -1;
		c->file++;
	}
	return v;
}

/* The line at offset, without its newline; its length, or -1. */
static ssize_t
line_at(int fd, uint64_t offset, uint64_t end, char space[AUDIT_LINE_MAX])
{
	size_t room =
	    end - offset < AUDIT_LINE_MAX ? (size_t)(end - offset) : AUDIT_LINE_MAX;
	ssize_t n = file_read_at(fd, space, room, (off_t)offset);
	char *nl = n > 0 ? memchr(space, '\n', (size_t)n) : NULL;

	return nl != NULL ? nl - space : -1;
}

/* Where the first whole line at or after offset begins. */
static uint64_t
next_start(int fd, uint64_t offset, uint64_t size)
{
	char space[AUDIT_LINE_MAX];
	ssize_t len;

	if (offset == 0)
		return 0;
	len = line_at(fd, offset - 1, size, space);
	return len < 0 ? size : offset + (uint64_t)len;
}

/* Where record `from` begins, by halving: numbers grow along the file. */
static uint64_t
find(int fd, uint64_t from, uint64_t size)
{
	uint64_t low = 0, high = size;
	char space[AUDIT_LINE_MAX];

	while (low < high) {
		uint64_t mid = low + (high - low) / 2, at = next_start(fd, mid, size);
		ssize_t len = at < size ? line_at(fd, at, size, space) : -1;

		if (len < 0 || audit_line_seq(space, (size_t)len) >= from)
			high = mid;
		else
			low = at + (uint64_t)len + 1;
	}
	return next_start(fd, low, size);
}

/* One line; false: it does not fit. */
static bool
put_line(struct buf *out, const char *line, size_t len, bool first)
{
	struct audit_line parsed;
	char *text = NULL;
	bool ok;

	if (audit_line_parse(line, len, &parsed) != NULL) {
		/* Latin letters and signs: of what is no text, a question mark. */
		char clean[AUDIT_LINE_MAX];
		json_t *o;

		for (size_t i = 0; i < len; i++)
			clean[i] = line[i] >= ' ' && line[i] <= '~' ? line[i] : '?';
		o = json_stringn(clean, len);
		text = o != NULL ? json_dumps(o, JSON_ENCODE_ANY) : NULL;
		json_decref(o);
		if (text == NULL)
			return false;
		line = text;
		len = strlen(text);
	}
	ok = len + 2 <= out->max - out->len;
	if (ok && !first)
		buf_put_u8(out, ',');
	if (ok)
		buf_put_raw(out, line, len);
	free(text);
	return ok;
}

/* The records of a file; false: nothing more fits. */
static bool
read_file(const struct audit *a, uint64_t file, uint64_t from, uint64_t count,
    uint64_t *done, struct buf *out)
{
	char space[AUDIT_LINE_MAX];
	uint64_t size = 0, offset;
	bool fits = true;
	ssize_t len;
	int fd;

	if ((fd = open_to_read(a, file, &size)) < 0)
		return true;
	if (file == a->file && size > a->size)
		size = a->size;
	offset = find(fd, from, size);
	while (fits && *done < count && offset < size &&
	       (len = line_at(fd, offset, size, space)) >= 0) {
		fits = put_line(out, space, (size_t)len, *done == 0);
		*done += fits;
		offset += (uint64_t)len + 1;
	}
	close(fd);
	return fits;
}

void
audit_read(const struct audit *a, uint64_t from, uint64_t count, struct buf *out)
{
	uint64_t done = 0;
	bool fits = true;

	buf_put_u8(out, '[');
	for (size_t i = 1; fits && done < count && i <= a->nends; i++)
		if (i == a->nends || a->ends[i].seq >= from)
			fits = read_file(a, audit_base(a) + i, from, count, &done, out);
	buf_put_u8(out, ']');
}
