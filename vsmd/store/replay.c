/* replay.c - journal_open(): read a log back, and judge it; see journal.h */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "vsmd/store/file.h"
#include "vsmd/store/journal.h"

struct replay {
	struct journal *j;
	char name[LOG_NAME_MAX];
	uint64_t size; /* of the file */
	struct buf record, body;
	journal_apply apply;
	void *arg;
};

#define ADVICE                                                                           \
	"the store is not opened; put the whole state directory back from one copy, or " \
	"move it away, start anew and use `caas token restore`"

static enum journal_result
damaged(const struct replay *r, const char *what)
{
	log_error("%s: %s at byte %" PRIu64 ": " ADVICE, r->name, what, r->j->at.bytes);
	return JOURNAL_DAMAGED;
}

/*
 * Read, open and apply the record at the end of what was read so far.  JOURNAL_FULL says
 * that no valid record stands there.
 */
static enum journal_result
next(struct replay *r)
{
	struct journal *j = r->j;
	struct record_place at = {.store = j->at.store,
	    .generation = j->at.generation,
	    .sequence = j->at.sequence + 1,
	    .chain = j->at.chain};
	uint8_t header[RECORD_HEADER], *p;
	size_t len;

	if (r->size - j->at.bytes < RECORD_OVERHEAD ||
	    file_read_at(j->fd, header, sizeof(header), (off_t)j->at.bytes) !=
		sizeof(header))
		return JOURNAL_FULL;
	len = record_length(header);
	if (len == 0 || len > r->size - j->at.bytes)
		return JOURNAL_FULL;
	buf_reset(&r->record);
	buf_reset(&r->body);
	if ((p = buf_reserve(&r->record, len)) == NULL) {
		errno = ENOMEM;
		return JOURNAL_IO;
	}
	if (file_read_at(j->fd, p, len, (off_t)j->at.bytes) != (ssize_t)len)
		return JOURNAL_IO;
	if (!record_open(j->keys, &at, p, len, &r->body))
		return JOURNAL_FULL;
	if (!r->apply(r->arg, &r->body))
		return damaged(r, "a record has no meaning");
	if (!record_chain(j->at.chain, p, len))
		return JOURNAL_IO;
	j->at.bytes += len;
	j->at.records++;
	j->at.sequence++;
	return JOURNAL_OK;
}

/* The records that the head vouches for. */
static enum journal_result
vouched(struct replay *r, const struct head *head)
{
	struct journal *j = r->j;

	if (r->size < head->bytes)
		return damaged(
		    r, "the log is shorter than `head` says: it was cut, or it is older");
	/* The last record's number is known, the first's follows from their count. */
	if (head->records > head->sequence)
		return damaged(r, "`head` makes no sense");
	j->at.sequence = head->sequence - head->records;
	while (j->at.bytes < head->bytes) {
		enum journal_result res = next(r);

		if (res == JOURNAL_FULL)
			return damaged(
			    r, "the log was altered, or is not the one `head` names");
		if (res != JOURNAL_OK)
			return res;
	}
	if (j->at.bytes != head->bytes || j->at.records != head->records ||
	    j->at.sequence != head->sequence ||
	    memcmp(j->at.chain, head->chain, CRYPT_HASH) != 0)
		return damaged(r, "the log is not the one `head` names");
	return JOURNAL_OK;
}

/* What lies behind: records whose head was lost are taken, the rest is cut off. */
static enum journal_result
roll_forward(struct replay *r, const struct head *head)
{
	struct journal *j = r->j;
	enum journal_result res;

	while ((res = next(r)) == JOURNAL_OK)
		;
	if (res != JOURNAL_FULL)
		return res;
	if (j->at.bytes == r->size && j->at.bytes == head->bytes)
		return JOURNAL_OK;
	if (j->at.records > head->records)
		log_info("%s: took %" PRIu64
			 " records that were complete before their head was",
		    r->name, j->at.records - head->records);
	if (j->at.bytes < r->size) {
		log_warn("%s: cut off %" PRIu64
			 " bytes of a record that was never complete",
		    r->name, r->size - j->at.bytes);
		if (ftruncate(j->fd, (off_t)j->at.bytes) != 0)
			return JOURNAL_IO;
	}
	if (fsync(j->fd) != 0)
		return JOURNAL_IO;
	return head_write(j->dir, j->keys, &j->at) != 0 ? JOURNAL_IO : JOURNAL_OK;
}

static enum journal_result
check_start(struct replay *r, const struct head *head)
{
	struct journal *j = r->j;
	uint8_t found[LOG_HEADER], want[LOG_HEADER];
	struct stat st;

	if (fstat(j->fd, &st) != 0)
		return JOURNAL_IO;
	if (!S_ISREG(st.st_mode))
		return damaged(r, "not a regular file");
	r->size = (uint64_t)st.st_size;
	j->at = *head;
	j->at.bytes = 0;
	j->at.records = 0;
	if (!journal_start(&j->at, want, j->at.chain))
		return JOURNAL_IO;
	if (file_read_at(j->fd, found, sizeof(found), 0) != sizeof(found) ||
	    memcmp(found, want, sizeof(want)) != 0)
		return damaged(r, "not a log of this store and generation");
	j->at.bytes = LOG_HEADER;
	return JOURNAL_OK;
}

enum journal_result
journal_open(struct journal *j, int dir, const struct store_keys *keys,
    const struct head *head, journal_apply apply, void *arg)
{
	struct replay r = {.j = j, .apply = apply, .arg = arg};
	enum journal_result res;

	memset(j, 0, sizeof(*j));
	j->dir = dir;
	j->keys = keys;
	journal_name(r.name, head->generation);
	j->fd = openat(dir, r.name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (j->fd < 0 && errno == ENOENT) {
		log_error("%s: missing, but `head` names it: " ADVICE, r.name);
		return JOURNAL_DAMAGED;
	}
	if (j->fd < 0) {
		log_error("%s: %s: the state directory must be writable by vsmd", r.name,
		    strerror(errno));
		return JOURNAL_IO;
	}
	buf_init(&r.record, RECORD_MAX);
	buf_init(&r.body, RECORD_BODY_MAX);
	res = check_start(&r, head);
	if (res == JOURNAL_OK)
		res = vouched(&r, head);
	if (res == JOURNAL_OK)
		res = roll_forward(&r, head);
	buf_free(&r.record);
	buf_free(&r.body);
	if (res == JOURNAL_IO)
		log_error("%s: %s while opening the store: check the disk", r.name,
		    strerror(errno));
	if (res != JOURNAL_OK)
		journal_close(j);
	return res;
}
