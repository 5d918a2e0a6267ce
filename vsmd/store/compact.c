/* compact.c - see compact.h */
#include "vsmd/store/compact.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "vsmd/store/txn.h"

#define CHUNK (1u << 20) /* about the size of a record */
#define PER_KEY 32	 /* at least what a key costs beside its bytes */

bool
compact_worth(const struct journal *j, const struct map *m)
{
	uint64_t live = m->bytes + m->count * PER_KEY;

	return j->at.bytes > COMPACT_MIN && j->at.bytes / 2 > live;
}

struct writer {
	struct journal *to;
	struct txn txn;
	enum journal_result result;
};

static bool
flush(struct writer *w)
{
	struct buf body;

	if (w->txn.n == 0)
		return true;
	buf_init(&body, RECORD_BODY_MAX);
	txn_write(&w->txn, &body);
	w->result =
	    buf_ok(&body) ? journal_put(w->to, body.data, body.len) : JOURNAL_LARGE;
	buf_free(&body);
	txn_clear(&w->txn);
	return w->result == JOURNAL_OK;
}

static bool
add(void *arg, const char *key, const uint8_t *value, size_t len)
{
	struct writer *w = arg;

	txn_put(&w->txn, key, value, len);
	return w->txn.bytes < CHUNK || flush(w);
}

int
compact(struct journal *j, const struct map *m, uint64_t generation, bool keep)
{
	struct journal fresh;
	struct writer w = {.to = &fresh};
	struct head at = j->at;
	char name[LOG_NAME_MAX];
	int saved, switched;

	at.generation = generation;
	journal_name(name, at.generation);
	if (journal_create(&fresh, j->dir, j->keys, &at) != 0) {
		saved = errno;
		log_warn("%s: cannot be made: %s", name, strerror(errno));
		errno = saved;
		return -1;
	}
	txn_init(&w.txn);
	if (!map_each(m, "", add, &w) || !flush(&w) ||
	    (switched = journal_switch(&fresh)) < 0) {
		saved = w.result == JOURNAL_LARGE ? EFBIG : errno;
		log_warn("%s: not written: %s", name, strerror(saved));
		txn_clear(&w.txn);
		journal_close(&fresh);
		(void)unlinkat(j->dir, name, 0);
		errno = saved;
		return -1;
	}
	journal_name(name, j->at.generation);
	fresh.lazy_head = j->lazy_head;
	/* Where the head alone says which log it is, nothing is acknowledged in this one before
	 * that is sure to stay: the next commit writes another. */
	fresh.broken = switched > 0 && !keep;
	journal_close(j);
	*j = fresh;
	if (!keep && switched == 0 && unlinkat(j->dir, name, 0) != 0)
		log_warn("%s: cannot remove the old log: %s", name, strerror(errno));
	log_info("store: log.%" PRIu64 " has %" PRIu64 " bytes after compaction",
	    j->at.generation, j->at.bytes);
	return 0;
}
