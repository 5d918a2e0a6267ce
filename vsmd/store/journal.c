/* journal.c - see journal.h */
#include "vsmd/store/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "vsmd/store/file.h"

static const char magic[8] = {'C', 'A', 'A', 'S', 'L', 'O', 'G', '1'};
static const char chain_label[] = "caas store chain";

void
journal_name(char name[LOG_NAME_MAX], uint64_t generation)
{
	snprintf(name, LOG_NAME_MAX, LOG_PREFIX "%" PRIu64, generation);
}

bool
journal_is_name(const char *name, uint64_t *ret_generation)
{
	char again[LOG_NAME_MAX], *end;
	const char *digits = name + strlen(LOG_PREFIX);

	if (strncmp(name, LOG_PREFIX, strlen(LOG_PREFIX)) != 0 || *digits < '0' ||
	    *digits > '9')
		return false;
	errno = 0;
	*ret_generation = strtoull(digits, &end, 10);
	if (errno != 0 || *end != '\0')
		return false;
	journal_name(again, *ret_generation);
	return strcmp(again, name) == 0;
}

bool
journal_start(
    const struct head *at, uint8_t header[LOG_HEADER], uint8_t chain[CRYPT_HASH])
{
	struct part parts[2] = {{chain_label, sizeof(chain_label)}, {header, LOG_HEADER}};
	struct buf b;

	buf_init(&b, LOG_HEADER);
	buf_put_raw(&b, magic, sizeof(magic));
	buf_put_raw(&b, at->store, STORE_ID);
	buf_put_u64(&b, at->generation);
	if (!buf_ok(&b) || b.len != LOG_HEADER) {
		buf_free(&b);
		return false;
	}
	memcpy(header, b.data, LOG_HEADER);
	buf_free(&b);
	return crypt_hash(parts, 2, chain);
}

int
journal_create(
    struct journal *j, int dir, const struct store_keys *keys, const struct head *at)
{
	uint8_t header[LOG_HEADER];
	char name[LOG_NAME_MAX];
	int saved;

	memset(j, 0, sizeof(*j));
	j->dir = dir;
	j->fd = -1;
	j->keys = keys;
	j->at = *at;
	j->at.bytes = LOG_HEADER;
	j->at.records = 0;
	if (!journal_start(&j->at, header, j->at.chain)) {
		errno = EIO;
		return -1;
	}
	journal_name(name, at->generation);
	if ((j->fd = file_create(dir, name)) < 0)
		return -1;
	if (file_write_at(j->fd, header, sizeof(header), 0) != 0) {
		saved = errno;
		journal_close(j);
		(void)unlinkat(dir, name, 0);
		errno = saved;
		return -1;
	}
	return 0;
}

static enum journal_result
failed(void)
{
	return errno == ENOSPC || errno == EDQUOT ? JOURNAL_FULL : JOURNAL_IO;
}

/* Seal a body as the next record, and say where the log ends with it. */
static enum journal_result
make_record(const struct journal *j, const void *body, size_t len, struct buf *record,
    struct head *end)
{
	struct record_place at = {.store = j->at.store,
	    .generation = j->at.generation,
	    .sequence = j->at.sequence + 1,
	    .chain = j->at.chain};

	if (len > RECORD_BODY_MAX)
		return JOURNAL_LARGE;
	*end = j->at;
	if (!record_seal(j->keys, &at, body, len, record) ||
	    !record_chain(end->chain, record->data, record->len)) {
		errno = ENOMEM;
		return JOURNAL_IO;
	}
	end->bytes += record->len;
	end->records++;
	end->sequence++;
	return JOURNAL_OK;
}

enum journal_result
journal_put(struct journal *j, const void *body, size_t len)
{
	enum journal_result r;
	struct buf record;
	struct head end;

	buf_init(&record, RECORD_MAX);
	r = make_record(j, body, len, &record, &end);
	if (r == JOURNAL_OK &&
	    file_write_at(j->fd, record.data, record.len, (off_t)j->at.bytes) != 0)
		r = failed();
	if (r == JOURNAL_OK)
		j->at = end;
	buf_free(&record);
	return r;
}

int
journal_switch(struct journal *j)
{
	if (fsync(j->fd) != 0 || fsync(j->dir) != 0)
		return -1;
	if (head_write(j->dir, j->keys, &j->at) != 0)
		return -1;
	j->named = j->at.records;
	/* From here on the new log is the store; only the old one must not go before the
	 * new head is sure to stay. */
	if (fsync(j->dir) != 0) {
		log_warn(
		    "state directory: sync after a new log failed: %s", strerror(errno));
		return 1;
	}
	return 0;
}

/* Cut the log back to what the head on disk names; where that cannot be made certain,
 * the journal is broken. */
static void
cut_back(struct journal *j, bool sync)
{
	int saved = errno;

	if (ftruncate(j->fd, (off_t)j->at.bytes) != 0 || (sync && fdatasync(j->fd) != 0))
		j->broken = true;
	errno = saved;
}

static bool
head_may_wait(const struct journal *j, const struct head *end)
{
	return j->lazy_head && end->records - j->named < HEAD_EVERY;
}

enum journal_result
journal_append(struct journal *j, const void *body, size_t len)
{
	enum journal_result r;
	struct buf record;
	struct head end;

	if (j->broken || j->fd < 0) {
		errno = EIO;
		return JOURNAL_IO;
	}
	buf_init(&record, RECORD_MAX);
	r = make_record(j, body, len, &record, &end);
	if (r != JOURNAL_OK)
		goto out;
	if (file_write_at(j->fd, record.data, record.len, (off_t)j->at.bytes) != 0) {
		r = failed();
		cut_back(j, false); /* half a record is no record: no sync needed */
	} else if (fdatasync(j->fd) != 0) {
		r = failed();
		cut_back(j, false);
		j->broken = true;
	} else if (head_may_wait(j, &end)) {
		j->at = end;
	} else if (head_write(j->dir, j->keys, &end) != 0) {
		r = failed();
		cut_back(j, true); /* a whole record would be taken at the next start */
	} else {
		j->at = end;
		j->named = end.records;
	}
out:
	buf_free(&record);
	return r;
}

void
journal_name_end(struct journal *j)
{
	if (j->fd < 0 || j->broken || j->named == j->at.records)
		return;
	if (head_write(j->dir, j->keys, &j->at) != 0)
		log_warn(HEAD_FILE ": cannot be written: %s", strerror(errno));
	else
		j->named = j->at.records;
}

void
journal_close(struct journal *j)
{
	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
}
