/* vault.c - see vault.h */
#include "vsmd/store/vault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/log.h"
#include "vsmd/store/compact.h"
#include "vsmd/store/file.h"

#define ROOM 65536  /* bytes for a record, the head, and a piece of the audit log */
#define ROOM_KEY 32 /* what a key costs in a log beside its bytes */

int
vault_lock(const char *state)
{
	int dir = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (dir < 0) {
		log_error("%s: %s: make the directory, owned by vsmd's user, mode 0700",
		    state, strerror(errno));
		return -1;
	}
	if (fstat(dir, &st) != 0 || st.st_uid != geteuid() || (st.st_mode & 077) != 0) {
		log_error("%s: must belong to uid %u with mode 0700", state,
		    (unsigned)geteuid());
		close(dir);
		return -1;
	}
	if (flock(dir, LOCK_EX | LOCK_NB) != 0) {
		log_error("%s: in use by another vsmd (%s): stop that one first", state,
		    strerror(errno));
		close(dir);
		return -1;
	}
	return dir;
}

static bool
exists(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

bool
vault_each_log(int dir, bool (*visit)(void *, int, const char *, uint64_t), void *arg)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;
	bool ok = d != NULL;

	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (ok && (e = readdir(d)) != NULL) {
		uint64_t generation;

		if (journal_is_name(e->d_name, &generation))
			ok = visit(arg, dir, e->d_name, generation);
	}
	closedir(d);
	return ok;
}

static bool
count_log(void *arg, int dir, const char *name, uint64_t generation)
{
	(void)dir, (void)name, (void)generation;
	++*(unsigned *)arg;
	return true;
}

/* Remove a log unless it is of the generation that arg points to. */
static bool
remove_log(void *arg, int dir, const char *name, uint64_t generation)
{
	const uint64_t *keep = arg;

	if (keep != NULL && *keep == generation)
		return true;
	if (unlinkat(dir, name, 0) != 0)
		log_warn("%s: cannot remove this leftover: %s", name, strerror(errno));
	return true;
}

enum vault_state
vault_look(int dir)
{
	bool head = exists(dir, HEAD_FILE), master = exists(dir, VAULT_MASTER);
	bool audit = exists(dir, VAULT_AUDIT);
	const char *missing;
	unsigned logs = 0;

	if (!vault_each_log(dir, count_log, &logs)) {
		log_error("state directory: cannot be read: %s", strerror(errno));
		return VAULT_DAMAGED;
	}
	if (!head && (exists(dir, VAULT_NEW) || (!master && !audit && logs == 0)))
		return VAULT_EMPTY;
	missing = !head ? HEAD_FILE : !master ? VAULT_MASTER : logs == 0 ? "log.*" : NULL;
	if (missing == NULL)
		return VAULT_PRESENT;
	log_error(
	    "%s: missing, while other files of the store are there: put the whole state "
	    "directory back from one copy, or move it away, start anew and use "
	    "`caas token restore`",
	    missing);
	return VAULT_DAMAGED;
}

int
vault_prepare(int dir)
{
	int fd =
	    openat(dir, VAULT_NEW, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 || fsync(fd) != 0 || fsync(dir) != 0) {
		log_error("state directory: cannot write: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	close(fd);
	(void)unlinkat(dir, VAULT_MASTER, 0);
	(void)unlinkat(dir, VAULT_MASTER_NEXT, 0);
	(void)unlinkat(dir, HEAD_NEXT, 0);
	(void)vault_each_log(dir, remove_log, NULL);
	return 0;
}

static int
begin(struct vault *v, int dir, const uint8_t master[CRYPT_KEY], struct anchor *anchor)
{
	memset(v, 0, sizeof(*v));
	v->dir = dir;
	v->anchor = anchor;
	v->journal.fd = -1;
	map_init(&v->map);
	if ((v->keys = keys_derive(master)) == NULL) {
		log_error("store: cannot derive keys: %s", strerror(errno));
		return -1;
	}
	return 0;
}

int
vault_create(struct vault *v, int dir, const uint8_t master[CRYPT_KEY],
    const uint8_t store[STORE_ID], struct anchor *anchor)
{
	struct head first = {.generation = 1};

	if (begin(v, dir, master, anchor) != 0)
		return -1;
	memcpy(first.store, store, STORE_ID);
	if (anchor != NULL) {
		first.anchor_type = HEAD_ANCHORED;
		if (anchor_define(anchor) != 0) {
			log_error(
			    "the TPM takes no anchor for a new store: %s", anchor->why);
			vault_close(v);
			return -1;
		}
	}
	if (journal_create(&v->journal, dir, v->keys, &first) != 0 ||
	    journal_switch(&v->journal) != 0) {
		log_error(
		    "state directory: cannot make a new store: %s", strerror(errno));
		vault_close(v);
		return -1;
	}
	v->journal.lazy_head = anchor != NULL;
	if (unlinkat(dir, VAULT_NEW, 0) == 0)
		(void)fsync(dir);
	return 0;
}

static bool
apply(void *arg, struct buf *body)
{
	return txn_apply(body, arg);
}

void
vault_sweep(struct vault *v)
{
	(void)vault_each_log(v->dir, remove_log, &v->journal.at.generation);
	v->leftovers = false;
}

static int
open_without(struct vault *v, const struct head *head)
{
	if (journal_open(&v->journal, v->dir, v->keys, head, apply, &v->map) !=
	    JOURNAL_OK)
		return -1;
	if (v->journal.at.anchor_type == HEAD_UNANCHORED)
		return 0;
	/* The heads of commits without an anchor are not sure to stay: after a power cut the
	 * one of before must not say that the TPM knows the end. */
	v->journal.at.anchor_type = HEAD_UNANCHORED;
	if (head_write(v->dir, v->keys, &v->journal.at) == 0 && fsync(v->dir) == 0)
		return 0;
	log_error(HEAD_FILE ": cannot be written: %s", strerror(errno));
	return -1;
}

int
vault_open(
    struct vault *v, int dir, const uint8_t master[CRYPT_KEY], struct anchor *anchor)
{
	struct head head;
	enum head_result r;

	if (begin(v, dir, master, anchor) != 0)
		return -1;
	if ((r = head_read(dir, v->keys, &head)) != HEAD_OK) {
		log_error(HEAD_FILE
		    ": %s: the store is not opened; put the whole state directory "
		    "back from one copy, or move it away, start anew and use "
		    "`caas token restore`",
		    r == HEAD_IO
			? strerror(errno)
			: "altered, cut, or of another store than " VAULT_MASTER);
		vault_close(v);
		return -1;
	}
	if ((anchor != NULL ? vault_judge(v, &head) : open_without(v, &head)) != 0) {
		vault_close(v);
		return -1;
	}
	if (v->rolled_back)
		return 0;
	/* What a crash between two generations, or during the first start, left behind: it
	 * goes when the head that does not name it is sure to stay. */
	if (fsync(v->dir) == 0)
		vault_sweep(v);
	else
		log_warn("state directory: cannot be synced: %s", strerror(errno));
	(void)unlinkat(dir, VAULT_NEW, 0);
	(void)unlinkat(dir, HEAD_NEXT, 0);
	return 0;
}

static enum vault_result
result(enum journal_result r)
{
	if (r == JOURNAL_OK)
		return VAULT_OK;
	log_error("store: commit failed: %s",
	    r == JOURNAL_LARGE ? "the change is larger than 64 MiB" : strerror(errno));
	return r == JOURNAL_FULL ? VAULT_FULL : VAULT_FAILED;
}

static bool
highest(void *arg, int dir, const char *name, uint64_t generation)
{
	uint64_t *most = arg;

	(void)dir, (void)name;
	if (generation > *most)
		*most = generation;
	return true;
}

static int
new_log(struct vault *v)
{
	uint64_t most = v->journal.at.generation;

	if (!vault_each_log(v->dir, highest, &most)) {
		log_warn("state directory: cannot be read: %s", strerror(errno));
		return -1;
	}
	v->leftovers = v->anchor != NULL;
	return compact(&v->journal, &v->map, most + 1, v->anchor != NULL);
}

/* The record is in the log: only with the anchor it is the last state. */
static enum vault_result
make_last(struct vault *v)
{
	struct anchor *a = v->anchor;

	if (anchor_advance(a, v->keys, &v->journal.at) == 0)
		return VAULT_OK;
	log_error("store: commit failed: %s", a->why);
	if (a->strayed)
		log_fatal(
		    "store: the TPM's anchor is not what this store has made of it: "
		    "restarting");
	/* What is on disk may be the last state or not: this log is over. */
	v->journal.broken = true;
	return VAULT_FAILED;
}

static enum vault_result
append(struct vault *v, struct txn *t)
{
	enum vault_result r;
	struct buf body;

	if (v->anchor != NULL)
		anchor_put(v->anchor, t);
	buf_init(&body, RECORD_BODY_MAX);
	txn_write(t, &body);
	r = result(buf_ok(&body) ? journal_append(&v->journal, body.data, body.len)
				 : JOURNAL_LARGE);
	if (r == VAULT_OK && v->anchor != NULL)
		r = make_last(v);
	/* Durable: if memory cannot follow, a restart can. */
	if (r == VAULT_OK && !txn_apply(&body, &v->map))
		log_fatal("store: out of memory after a commit: restarting");
	buf_free(&body);
	if (r == VAULT_OK && v->leftovers && fsync(v->dir) == 0)
		vault_sweep(v);
	return r;
}

/* An embedded TPM that cannot write its state fails for good: it is not tried. */
static bool
tpm_has_room(const struct vault *v)
{
	return v->anchor == NULL || v->anchor->ops->room == NULL ||
	    v->anchor->ops->room(v->anchor->arg);
}

enum vault_result
vault_commit(struct vault *v, struct txn *t)
{
	if (!txn_ok(t)) {
		log_error("store: commit failed: out of memory");
		return VAULT_FAILED;
	}
	if (t->n == 0)
		return VAULT_OK;
	if (v->rolled_back) {
		log_error("store: commit failed: it is rolled back");
		return VAULT_FAILED;
	}
	if (v->anchor != NULL && anchor_settle(v->anchor) != 0) {
		log_error("store: commit failed: %s", v->anchor->why);
		return VAULT_FAILED;
	}
	if (!tpm_has_room(v)) {
		errno = ENOSPC;
		return result(JOURNAL_FULL);
	}
	if (v->journal.broken) {
		if (new_log(v) != 0)
			return result(errno == ENOSPC || errno == EDQUOT ? JOURNAL_FULL
									 : JOURNAL_IO);
		log_info("store: wrote a new log; commits go on");
	} else if (compact_worth(&v->journal, &v->map)) {
		(void)new_log(v); /* or the old log grows on */
	}
	return append(v, t);
}

enum vault_result
vault_accept(struct vault *v, struct txn *t)
{
	enum vault_result r;

	v->rolled_back = false;
	v->journal.broken = true;
	r = vault_commit(v, t);
	v->rolled_back = r != VAULT_OK;
	return r;
}

int
vault_room(const struct vault *v)
{
	uint64_t need = ROOM;
	struct statfs fs;

	if (fstatfs(v->dir, &fs) != 0)
		return -1;
	/* A new log has it all. */
	if (v->rolled_back || v->journal.broken)
		need += v->map.bytes + v->map.count * ROOM_KEY;
	if ((fs.f_flags & ST_RDONLY) == 0 &&
	    (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize >= need && tpm_has_room(v))
		return 0;
	errno = fs.f_flags & ST_RDONLY ? EROFS : ENOSPC;
	return -1;
}

void
vault_close(struct vault *v)
{
	if (!v->rolled_back && v->keys != NULL)
		journal_name_end(&v->journal);
	journal_close(&v->journal);
	map_free(&v->map);
	keys_free(v->keys);
	v->keys = NULL;
}
