/* audit_open.c - the end of the audit log against what the store says; see audit.h */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/hex.h"
#include "common/log.h"
#include "common/secmem.h"
#include "vsmd/store/audit.h"
#include "vsmd/store/clock.h"
#include "vsmd/store/file.h"
#include "vsmd/store/vault.h"

#define OLD_HEAD (8 + 8 + CRYPT_HASH) /* u64 seq, u64 size, hash: of audit/audit.log */

static void
get_at(struct buf *b, struct audit_at *ret)
{
	const uint8_t *hash, *key;

	ret->seq = buf_get_u64(b);
	hash = buf_get_raw(b, CRYPT_HASH);
	ret->epoch = buf_get_u64(b);
	key = buf_get_raw(b, CRYPT_PUBLIC);
	if (hash != NULL && key != NULL) {
		memcpy(ret->hash, hash, CRYPT_HASH);
		memcpy(ret->key, key, CRYPT_PUBLIC);
	}
}

struct range {
	uint64_t low, high;
	size_t n;
};

static bool
widen(void *arg, const char *key, const uint8_t *value, size_t len)
{
	uint64_t file = strtoull(key + strlen(AUDIT_END_KEY), NULL, 10);
	struct range *r = arg;

	(void)value, (void)len;
	if (r->n == 0 || file < r->low)
		r->low = file;
	if (r->n == 0 || file > r->high)
		r->high = file;
	r->n++;
	return true;
}

/* Where the files before the present one end. */
static bool
sealed_ends(struct audit *a, const struct map *map)
{
	struct range r = {0};

	(void)map_each(map, AUDIT_END_KEY, widen, &r);
	if (r.n == 0 || r.high + 1 != a->file || r.high - r.low + 1 != r.n)
		return false;
	for (uint64_t file = r.low; file <= r.high; file++) {
		char key[MAP_KEY_MAX];
		const uint8_t *p;
		struct audit_at at = {0};
		struct buf b;
		size_t len;

		snprintf(key, sizeof(key), AUDIT_END_KEY "%" PRIu64, file);
		if ((p = map_get(map, key, &len)) == NULL)
			return false;
		buf_view(&b, p, len);
		get_at(&b, &at);
		if (!buf_end(&b) || !audit_push_end(a, &at))
			return false;
	}
	a->stored = a->nends;
	return true;
}

/* What the store says of the last record at the last commit.  A log of the form before
 * this one is left as it is, and its last record is the one before our first. */
static bool
sealed_head(struct audit *a, const struct map *map)
{
	size_t len = 0;
	const uint8_t *p = map_get(map, AUDIT_HEAD_KEY, &len), *hash;
	struct audit_at first = {0};
	struct buf b;

	a->file = 1;
	buf_view(&b, p, len);
	if (p != NULL && len != OLD_HEAD) {
		get_at(&b, &a->at);
		a->file = buf_get_u64(&b);
		a->size = buf_get_u64(&b);
		return buf_end(&b) && sealed_ends(a, map);
	}
	if (p != NULL) {
		first.seq = buf_get_u64(&b);
		(void)buf_get_u64(&b);
		if ((hash = buf_get_raw(&b, CRYPT_HASH)) != NULL)
			memcpy(first.hash, hash, CRYPT_HASH);
		log_info(
		    VAULT_AUDIT "/audit.log is of an earlier version and stays as it "
				"is: the log goes on in " AUDIT_FILE_PREFIX "1");
	}
	a->at = first;
	return audit_push_end(a, &first);
}

static int
open_file(const struct audit *a, uint64_t file, int flags)
{
	char name[AUDIT_FILE_NAME];
	struct stat st;
	int fd;

	audit_name(name, file);
	fd = openat(
	    a->dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | flags, 0600);
	if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}

static bool
there(const struct audit *a, uint64_t file)
{
	char name[AUDIT_FILE_NAME];
	struct stat st;

	audit_name(name, file);
	return fstatat(a->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A new file that could not be used was removed again, and the power has brought it back:
 * it is the last one, and empty.  It is removed. */
static bool
was_given_up(const struct audit *a, uint64_t file)
{
	char name[AUDIT_FILE_NAME];
	struct stat st;

	audit_name(name, file);
	return !there(a, file + 1) && fstatat(a->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode) && st.st_size == 0 && unlinkat(a->dir, name, 0) == 0;
}

/* The line that ends (with its newline) where the store says is the one that it knows. */
static bool
ends_as_sealed(struct audit *a, uint64_t size)
{
	char space[AUDIT_LINE_MAX];
	uint64_t from = a->size > sizeof(space) ? a->size - sizeof(space) : 0;
	size_t n = (size_t)(a->size - from), start;
	struct audit_line line;

	if (a->size == 0)
		return true;
	if (size < a->size || file_read_at(a->fd, space, n, (off_t)from) != (ssize_t)n ||
	    space[n - 1] != '\n')
		return false;
	for (start = n - 1; start > 0 && space[start - 1] != '\n'; start--)
		;
	if (audit_line_parse(space + start, n - 1 - start, &line) != NULL ||
	    line.seq != a->at.seq || !sec_equal(line.hash, a->at.hash, CRYPT_HASH))
		return false;
	if (line.kind != AUDIT_RECORD)
		a->sealed = line.seq;
	return true;
}

enum vouched { BY_NOBODY, LATER, NOW };

/* Whether a record that follows in the chain is ours: by its MAC where its epoch's secret
 * is still there, by the seal behind it where it is not. */
static enum vouched
vouched(const struct audit *a, const struct audit_at *at, const struct audit_line *l,
    const char *line, size_t len)
{
	const struct audit_epoch *e =
	    audit_keys_of(&a->keys, l->kind == AUDIT_BEGINNING ? l->epoch : at->epoch);

	switch (l->kind) {
	case AUDIT_SEAL:
		return l->epoch == at->epoch && audit_line_sig_fits(at->key, line, len)
			   ? NOW
			   : BY_NOBODY;
	case AUDIT_BEGINNING:
		return e != NULL && memcmp(e->public, l->next, CRYPT_PUBLIC) == 0 &&
			       audit_line_mac_fits(e->mac, line, len)
			   ? NOW
			   : BY_NOBODY;
	case AUDIT_RECORD:
		break;
	}
	if (e == NULL || memcmp(e->public, at->key, CRYPT_PUBLIC) != 0)
		return LATER;
	return audit_line_mac_fits(e->mac, line, len) ? NOW : BY_NOBODY;
}

/* Take the records behind the last commit's in the present file, as far as they are
 * whole. False: records follow for which nothing speaks. */
static bool
follow(struct audit *a)
{
	struct audit_at at = a->at;
	uint64_t size = a->size;
	char space[AUDIT_LINE_MAX], *nl;
	struct audit_line line;
	ssize_t n;

	while ((n = file_read_at(a->fd, space, sizeof(space), (off_t)size)) > 0 &&
	       (nl = memchr(space, '\n', (size_t)n)) != NULL) {
		size_t len = (size_t)(nl - space);
		enum vouched v;

		if (audit_line_parse(space, len, &line) != NULL ||
		    line.seq != at.seq + 1 ||
		    !sec_equal(line.prev, at.hash, CRYPT_HASH) ||
		    (v = vouched(a, &at, &line, space, len)) == BY_NOBODY)
			break;
		audit_at_step(&at, &line);
		size += len + 1;
		if (v == LATER)
			continue;
		a->at = at;
		a->size = size;
		a->begun |= line.kind == AUDIT_BEGINNING;
		if (line.kind != AUDIT_RECORD)
			a->sealed = line.seq;
	}
	return size == a->size;
}

static uint64_t
size_of(const struct audit *a)
{
	struct stat st;

	return fstat(a->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* Behind the end there are lines that are records: no crash left them there, but where
 * zeroes stand before them: pages that were not synced reach the disk in any order. */
static bool
records_behind(const struct audit *a)
{
	char space[AUDIT_LINE_MAX], *nl;
	uint64_t at = a->size;
	struct audit_line line;
	ssize_t n;

	while ((n = file_read_at(a->fd, space, sizeof(space), (off_t)at)) > 0) {
		nl = memchr(space, '\n', (size_t)n);
		if (at == a->size &&
		    memchr(space, '\0', nl != NULL ? (size_t)(nl - space) : (size_t)n) !=
			NULL)
			return false;
		if (nl != NULL &&
		    audit_line_parse(space, (size_t)(nl - space), &line) == NULL)
			return true;
		at += nl != NULL ? (uint64_t)(nl - space) + 1 : (uint64_t)n;
	}
	return false;
}

/* From the file that the store knows to the last one.  False: it is not as we left it. */
static bool
follow_files(struct audit *a)
{
	int fd;

	if (!ends_as_sealed(a, size_of(a)))
		return false;
	for (;;) {
		if (!follow(a))
			return false;
		if (!there(a, a->file + 1) ||
		    (a->size != size_of(a) && was_given_up(a, a->file + 1)))
			return !records_behind(a);
		if (a->size != size_of(a) || (fd = open_file(a, a->file + 1, 0)) < 0 ||
		    !audit_push_end(a, &a->at))
			return false;
		close(a->fd);
		a->fd = fd;
		a->file++;
		a->size = a->durable = 0;
	}
}

/* A full disk has no room for it, and is no reason not to start. */
static void
note(struct audit *a, const char *event, const char *detail)
{
	struct audit_event e = {.principal = "",
	    .peer = "",
	    .slot = -1,
	    .token = "",
	    .event = event,
	    .detail = detail};

	log_warn("audit: %s: %s", event, detail);
	if (audit_append(a, &e) != 0)
		log_warn("audit: no record tells of that: %s", strerror(errno));
}

/* Go on in a file behind all that are there: whoever looks into it finds all there is. */
static int
leave(struct audit *a)
{
	/* A seal in it may have ended an epoch. */
	if (a->fd >= 0 && audit_sync(a) != 0)
		log_warn("audit: %s", strerror(errno));
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
	while (there(a, a->file + 1)) {
		if (!audit_push_end(a, &a->at))
			return -1;
		a->file++;
	}
	return audit_next_file(a);
}

/* They are there.  No seal may name a key, and no secret be overwritten, because of what
 * the disk does not have yet.  A disk that fails now is asked again by audit_tend(). */
static void
settle_keys(struct audit *a)
{
	if (audit_keys_renew(&a->keys) != 0)
		audit_keys_drop(&a->keys, a->at.epoch + 1);
	if (audit_settle(a) != 0)
		log_warn("audit: the secret of an epoch that is over cannot be overwritten: "
			 "%s: trying again in a minute",
		    strerror(errno));
}

/* The secrets that the place needs, or others, which nothing certifies. */
static int
take_keys(struct audit *a)
{
	const struct audit_epoch *e = audit_keys_of(&a->keys, a->at.epoch);
	char why[128], store[HEX_UUID];

	hex_uuid(store, a->store);
	if (e != NULL && memcmp(e->public, a->at.key, CRYPT_PUBLIC) == 0) {
		settle_keys(a);
		return 0;
	}
	snprintf(why, sizeof(why), "store=%s", store);
	if (a->at.epoch > 0) {
		snprintf(why, sizeof(why), "store=%s lost=%" PRIu64, store, a->at.epoch);
		log_warn("audit: the secrets of the audit log (" VAULT_AUDIT
			 "/" AUDIT_KEYS_FILE ") are lost, or older: new ones begin, and "
			 "`caas audit verify' will say so");
	}
	return audit_append_beginning(a, why);
}

static int
judge(struct audit *a)
{
	bool good = a->fd >= 0 && follow_files(a);
	uint64_t cut = good ? size_of(a) - a->size : 0;
	uint64_t last = a->at.seq;
	char detail[160];

	a->rewrite = a->size > a->durable;
	if ((!good && leave(a) != 0) ||
	    (cut > 0 && ftruncate(a->fd, (off_t)a->size) != 0))
		return -1;
	a->ragged = cut > 0;
	if (take_keys(a) != 0)
		return -1;
	if (a->sealed != a->at.seq)
		a->since = clock_ms();
	if (!good) {
		snprintf(detail, sizeof(detail),
		    "record %" PRIu64 ", or what follows it, is not as the store left "
				      "it: records were lost "
		    "or altered",
		    last);
		note(a, "audit-damaged", detail);
	} else if (cut > 0) {
		snprintf(detail, sizeof(detail),
		    "%" PRIu64 " bytes behind record %" PRIu64
		    " were no whole record, cut off",
		    cut, last);
		note(a, "audit-repaired", detail);
	}
	return 0;
}

/* The present file.  That it is missing, or no file, is for judge(). */
static bool
open_present(struct audit *a, bool fresh)
{
	a->fd = open_file(a, a->file, fresh ? O_CREAT : 0);
	return a->fd >= 0 || errno == ENOENT || errno == EINVAL || errno == EISDIR ||
	       errno == ELOOP || errno == ENXIO;
}

/* A crash may have come between the commit that retired a file and its removal. */
static void
sweep(const struct audit *a)
{
	char name[AUDIT_FILE_NAME];

	audit_name(name, audit_base(a));
	if (audit_base(a) > 0 && unlinkat(a->dir, name, 0) == 0)
		log_info(VAULT_AUDIT "/%s: was retired, and is removed now", name);
}

int
audit_open(struct audit *a, int state, const struct store_keys *keys,
    const uint8_t store[STORE_ID], const struct map *map,
    const struct audit_limits *limits)
{
	memset(a, 0, sizeof(*a));
	a->fd = -1;
	a->limits = *limits;
	memcpy(a->store, store, STORE_ID);
	buf_init(&a->tail, AUDIT_TAIL_MAX);
	(void)mkdirat(state, VAULT_AUDIT, 0700);
	a->dir =
	    openat(state, VAULT_AUDIT, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (!sealed_head(a, map)) {
		log_error("audit log: what the store says of it makes no sense");
		audit_close(a);
		return -1;
	}
	a->durable = a->size;
	/* Whoever has made it may have ended before the sync. */
	if (a->dir < 0 || fsync(state) != 0 ||
	    audit_keys_open(&a->keys, a->dir, keys, store) != 0 ||
	    !open_present(a, a->at.epoch == 0) || fsync(a->dir) != 0 || judge(a) != 0) {
		log_error(VAULT_AUDIT "/" AUDIT_FILE_PREFIX "*: %s: they and " VAULT_AUDIT
				      "/" AUDIT_KEYS_FILE " must be writable files",
		    strerror(errno));
		audit_close(a);
		return -1;
	}
	sweep(a);
	return 0;
}
