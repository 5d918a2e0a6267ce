/* audit_files.c - the files of the audit log: when the next begins, what the store's map
 * has of them, how the oldest is retired; see audit.h */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "vsmd/store/audit.h"

#define AGAIN 60000 /* ms after a seal, or a new file, that failed */

void
audit_name(char name[AUDIT_FILE_NAME], uint64_t file)
{
	snprintf(name, AUDIT_FILE_NAME, AUDIT_FILE_PREFIX "%" PRIu64, file);
}

uint64_t
audit_base(const struct audit *a)
{
	return a->file - a->nends;
}

bool
audit_push_end(struct audit *a, const struct audit_at *at)
{
	struct audit_at *ends = realloc(a->ends, (a->nends + 1) * sizeof(*ends));

	if (ends == NULL)
		return false;
	a->ends = ends;
	a->ends[a->nends++] = *at;
	return true;
}

/* Go on in a new file; what is in the present one is synced. */
int
audit_next_file(struct audit *a)
{
	char name[AUDIT_FILE_NAME];
	int fd, saved;

	if (a->fd >= 0 && a->ragged) {
		errno = EIO;
		return -1;
	}
	audit_name(name, a->file + 1);
	fd = openat(
	    a->dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || fsync(a->dir) != 0 || !audit_push_end(a, &a->at)) {
		saved = errno;
		if (fd >= 0) {
			close(fd);
			(void)unlinkat(a->dir, name, 0);
		}
		errno = saved;
		return -1;
	}
	if (a->fd >= 0)
		close(a->fd);
	a->fd = fd;
	a->file++;
	a->size = a->durable = 0;
	return 0;
}

static bool
epoch_over(const struct audit *a, int64_t ms)
{
	return a->since != 0 && (ms - a->since >= AUDIT_EPOCH_MS ||
				    a->at.seq - a->sealed >= AUDIT_EPOCH_RECORDS);
}

static bool
file_over(const struct audit *a)
{
	return a->limits.rotate > 0 && a->size >= a->limits.rotate;
}

/* The secret of an epoch that is over could not be overwritten. */
static bool
unsettled(const struct audit *a)
{
	return audit_keys_of(&a->keys, a->at.epoch + 1) == NULL;
}

static bool
due(const struct audit *a, int64_t ms)
{
	return file_over(a) || epoch_over(a, ms) || unsettled(a);
}

void
audit_tend(struct audit *a, int64_t ms)
{
	bool file;

	if (a->fd < 0 || a->begun || ms < a->again || !due(a, ms))
		return;
	file = file_over(a);
	a->again = 0;
	if (audit_seal(a) != 0) {
		log_warn("audit log: cannot be sealed: %s: trying again in a minute",
		    strerror(errno));
		a->again = ms + AGAIN;
	} else if (file && audit_next_file(a) != 0) {
		log_warn("audit log: no new file can be begun: %s: going on "
			 "in " AUDIT_FILE_PREFIX "%" PRIu64,
		    strerror(errno), a->file);
		a->again = ms + AGAIN;
	}
}

int64_t
audit_timeout(const struct audit *a, int64_t ms)
{
	int64_t left;

	if (a->fd < 0 || a->begun || (a->since == 0 && !due(a, ms)))
		return -1;
	left = due(a, ms) ? 0 : a->since + AUDIT_EPOCH_MS - ms;
	if (a->again - ms > left)
		left = a->again - ms;
	return left;
}

static void
put_at(struct buf *b, const struct audit_at *at)
{
	buf_put_u64(b, at->seq);
	buf_put_raw(b, at->hash, CRYPT_HASH);
	buf_put_u64(b, at->epoch);
	buf_put_raw(b, at->key, CRYPT_PUBLIC);
}

static void
put(struct txn *t, const char *key, struct buf *b)
{
	if (buf_ok(b))
		txn_put(t, key, b->data, b->len);
	else
		t->failed = true;
	buf_reset(b);
}

void
audit_put_head(const struct audit *a, struct txn *t)
{
	char key[MAP_KEY_MAX];
	struct buf b;

	buf_init(&b, 128);
	for (size_t i = a->stored; i < a->nends; i++) {
		snprintf(key, sizeof(key), AUDIT_END_KEY "%" PRIu64, audit_base(a) + i);
		put_at(&b, &a->ends[i]);
		put(t, key, &b);
	}
	put_at(&b, &a->at);
	buf_put_u64(&b, a->file);
	buf_put_u64(&b, a->size);
	put(t, AUDIT_HEAD_KEY, &b);
	buf_free(&b);
}

void
audit_stored(struct audit *a)
{
	a->stored = a->nends;
	a->begun = false;
}

uint64_t
audit_surplus(const struct audit *a, uint64_t *ret_first, uint64_t *ret_last)
{
	/* ends[0] is of a file that has gone. */
	if (a->fd < 0 || a->limits.keep == 0 || a->nends <= a->limits.keep)
		return 0;
	*ret_first = a->ends[0].seq + 1;
	*ret_last = a->ends[1].seq;
	return audit_base(a) + 1;
}

void
audit_put_retired(const struct audit *a, struct txn *t)
{
	char key[MAP_KEY_MAX];

	snprintf(key, sizeof(key), AUDIT_END_KEY "%" PRIu64, audit_base(a));
	txn_remove(t, key);
}

void
audit_retired(struct audit *a)
{
	char name[AUDIT_FILE_NAME];

	audit_name(name, audit_base(a) + 1);
	memmove(a->ends, a->ends + 1, (a->nends - 1) * sizeof(*a->ends));
	a->nends--;
	a->stored -= a->stored > 0;
	if (unlinkat(a->dir, name, 0) != 0 && errno != ENOENT)
		log_warn("%s: cannot be removed, though it is retired: %s", name,
		    strerror(errno));
}
