/* replay.c - a log read back, and what lies behind its end cut off; see journal.h */
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
	struct buf record, body;
	const struct journal_reader *reader;
	bool ended; /* its reader wants no more */
};

#define ADVICE                                                                           \
	"the store is not opened; put the whole state directory back from one copy, or " \
	"move it away, start anew and use `caas token restore`"

static enum journal_result
damaged(const struct replay *r, const char *what)
{
	if (r->reader->vouched)
		log_error(
		    "%s: %s at byte %" PRIu64 ": " ADVICE, r->name, what, r->j->at.bytes);
	return JOURNAL_DAMAGED;
}

static void
reached(struct replay *r)
{
	const struct journal_reader *reader = r->reader;

	if (reader->reached != NULL && !reader->reached(reader->arg, &r->j->at))
		r->ended = true;
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

	if (j->size - j->at.bytes < RECORD_OVERHEAD ||
	    file_read_at(j->fd, header, sizeof(header), (off_t)j->at.bytes) !=
		sizeof(header))
		return JOURNAL_FULL;
	len = record_length(header);
	if (len == 0 || len > j->size - j->at.bytes)
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
	if (!r->reader->apply(r->reader->arg, &r->body))
		return damaged(r, "a record has no meaning");
	if (!record_chain(j->at.chain, p, len))
		return JOURNAL_IO;
	j->at.bytes += len;
	j->at.records++;
	j->at.sequence++;
	reached(r);
	return JOURNAL_OK;
}

/* The number of the first record is in its header, authenticated with it. */
static enum journal_result
find_sequence(struct replay *r)
{
	struct journal *j = r->j;
	uint8_t header[RECORD_HEADER];
	struct buf b;

	if (file_read_at(j->fd, header, sizeof(header), LOG_HEADER) != sizeof(header))
		return JOURNAL_DAMAGED; /* nobody names a log without records */
	buf_view(&b, header, sizeof(header));
	(void)buf_get_u32(&b);
	(void)buf_get_u32(&b);
	j->at.sequence = buf_get_u64(&b) - 1;
	return JOURNAL_OK;
}

/* The records that the head vouches for. */
static enum journal_result
vouched(struct replay *r, const struct head *head)
{
	struct journal *j = r->j;

	if (j->size < head->bytes)
		return damaged(
		    r, "the log is shorter than `head` says: it was cut, or it is older");
	/* The last record's number is known, the first's follows from their count. */
	if (head->records > head->sequence)
		return damaged(r, "`head` makes no sense");
	j->at.sequence = head->sequence - head->records;
	reached(r);
	while (!r->ended && j->at.bytes < head->bytes) {
		enum journal_result res = next(r);

		if (res == JOURNAL_FULL)
			return damaged(
			    r, "the log was altered, or is not the one `head` names");
		if (res != JOURNAL_OK)
			return res;
	}
	if (r->ended)
		return JOURNAL_OK;
	if (j->at.bytes != head->bytes || j->at.records != head->records ||
	    j->at.sequence != head->sequence ||
	    memcmp(j->at.chain, head->chain, CRYPT_HASH) != 0)
		return damaged(r, "the log is not the one `head` names");
	return JOURNAL_OK;
}

static enum journal_result
follow(struct replay *r)
{
	enum journal_result res = JOURNAL_OK;

	while (!r->ended && (res = next(r)) == JOURNAL_OK)
		;
	return res == JOURNAL_FULL ? JOURNAL_OK : res;
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
	j->size = (uint64_t)st.st_size;
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

static enum journal_result
open_log(struct replay *r, const struct head *head)
{
	struct journal *j = r->j;

	journal_name(r->name, head->generation);
	j->fd = openat(j->dir, r->name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (j->fd >= 0)
		return JOURNAL_OK;
	if (errno != ENOENT)
		log_error("%s: %s: the state directory must be writable by vsmd", r->name,
		    strerror(errno));
	else if (r->reader->vouched)
		log_error("%s: missing, but `head` names it: " ADVICE, r->name);
	return JOURNAL_DAMAGED;
}

static enum journal_result
done(const struct replay *r, enum journal_result res)
{
	if (res == JOURNAL_IO)
		log_error("%s: %s while opening the store: check the disk", r->name,
		    strerror(errno));
	if (res != JOURNAL_OK)
		journal_close(r->j);
	return res;
}

enum journal_result
journal_read(struct journal *j, int dir, const struct store_keys *keys,
    const struct head *head, const struct journal_reader *reader)
{
	struct replay r = {.j = j, .reader = reader};
	enum journal_result res;

	memset(j, 0, sizeof(*j));
	j->dir = dir;
	j->keys = keys;
	if ((res = open_log(&r, head)) != JOURNAL_OK)
		return res;
	buf_init(&r.record, RECORD_MAX);
	buf_init(&r.body, RECORD_BODY_MAX);
	res = check_start(&r, head);
	if (res == JOURNAL_OK && reader->vouched)
		res = vouched(&r, head);
	else if (res == JOURNAL_OK && (res = find_sequence(&r)) == JOURNAL_OK)
		reached(&r);
	if (res == JOURNAL_OK)
		res = follow(&r);
	buf_free(&r.record);
	buf_free(&r.body);
	return done(&r, res);
}

/* What lies behind the end was no record, or one that was never acknowledged. */
static enum journal_result
cut(const struct replay *r)
{
	struct journal *j = r->j;

	if (j->at.bytes < j->size) {
		log_warn("%s: cut off %" PRIu64
			 " bytes of a record that was never complete or acknowledged",
		    r->name, j->size - j->at.bytes);
		if (ftruncate(j->fd, (off_t)j->at.bytes) != 0)
			return JOURNAL_IO;
		j->size = j->at.bytes;
	}
	return fsync(j->fd) != 0 ? JOURNAL_IO : JOURNAL_OK;
}

static enum journal_result
replace_head(const struct journal *j, bool durable)
{
	if (head_write(j->dir, j->keys, &j->at) != 0 || (durable && fsync(j->dir) != 0))
		return JOURNAL_IO;
	return JOURNAL_OK;
}

enum journal_result
journal_settle(struct journal *j, const struct head *old, bool durable)
{
	struct replay r = {.j = j};
	bool same = head_same(&j->at, old);
	enum journal_result res = JOURNAL_OK;

	journal_name(r.name, j->at.generation);
	j->named = j->at.records;
	if (j->at.bytes == j->size && same)
		return JOURNAL_OK;
	if (j->at.generation == old->generation && j->at.records > old->records)
		log_info("%s: took %" PRIu64
			 " records that were complete before their head was",
		    r.name, j->at.records - old->records);
	/* Going back the head goes first: one that names more than the log has is
	 * refused. Going forward the log does. */
	if (durable && !same && fsync(j->fd) != 0)
		res = JOURNAL_IO;
	else if (durable && !same)
		res = replace_head(j, true);
	if (res == JOURNAL_OK)
		res = cut(&r);
	if (res == JOURNAL_OK && !durable)
		res = replace_head(j, false);
	return done(&r, res);
}

enum journal_result
journal_open(struct journal *j, int dir, const struct store_keys *keys,
    const struct head *head, journal_apply apply, void *arg)
{
	struct journal_reader reader = {.vouched = true, .apply = apply, .arg = arg};
	enum journal_result res = journal_read(j, dir, keys, head, &reader);

	return res == JOURNAL_OK ? journal_settle(j, head, false) : res;
}
