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
#include <unistd.h>

#include "common/log.h"
#include "vsmd/store/compact.h"
#include "vsmd/store/file.h"

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

/* Call visit for each log file; stops on false. */
static bool
each_log(int dir, bool (*visit)(void *, int, const char *, uint64_t), void *arg)
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

	if (!each_log(dir, count_log, &logs)) {
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
	(void)each_log(dir, remove_log, NULL);
	return 0;
}

static int
begin(struct vault *v, int dir, const uint8_t master[CRYPT_KEY])
{
	memset(v, 0, sizeof(*v));
	v->dir = dir;
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
    const uint8_t store[STORE_ID])
{
	struct head first = {.generation = 1};

	if (begin(v, dir, master) != 0)
		return -1;
	memcpy(first.store, store, STORE_ID);
	if (journal_create(&v->journal, dir, v->keys, &first) != 0 ||
	    journal_switch(&v->journal) != 0) {
		log_error(
		    "state directory: cannot make a new store: %s", strerror(errno));
		vault_close(v);
		return -1;
	}
	if (unlinkat(dir, VAULT_NEW, 0) == 0)
		(void)fsync(dir);
	return 0;
}

static bool
apply(void *arg, struct buf *body)
{
	return txn_apply(body, arg);
}

int
vault_open(struct vault *v, int dir, const uint8_t master[CRYPT_KEY])
{
	struct head head;
	enum head_result r;

	if (begin(v, dir, master) != 0)
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
	if (journal_open(&v->journal, dir, v->keys, &head, apply, &v->map) !=
	    JOURNAL_OK) {
		vault_close(v);
		return -1;
	}
	/* What a crash between two generations, or during the first start, left behind.
	 */
	(void)each_log(dir, remove_log, &v->journal.at.generation);
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

enum vault_result
vault_commit(struct vault *v, const struct txn *t)
{
	enum journal_result r;
	struct buf body;

	if (!txn_ok(t)) {
		log_error("store: commit failed: out of memory");
		return VAULT_FAILED;
	}
	if (t->n == 0)
		return VAULT_OK;
	if (v->journal.broken) {
		if (compact(&v->journal, &v->map) != 0)
			return result(errno == ENOSPC || errno == EDQUOT ? JOURNAL_FULL
									 : JOURNAL_IO);
		log_info("store: wrote a new log after a failed sync; commits go on");
	} else if (compact_worth(&v->journal, &v->map)) {
		(void)compact(&v->journal, &v->map); /* or the old log grows on */
	}
	buf_init(&body, RECORD_BODY_MAX);
	txn_write(t, &body);
	r = buf_ok(&body) ? journal_append(&v->journal, body.data, body.len)
			  : JOURNAL_LARGE;
	if (r == JOURNAL_OK) {
		/* Durable: if memory cannot follow, a restart can. */
		if (!txn_apply(&body, &v->map))
			log_fatal("store: out of memory after a commit: restarting");
	}
	buf_free(&body);
	return result(r);
}

void
vault_close(struct vault *v)
{
	journal_close(&v->journal);
	map_free(&v->map);
	keys_free(v->keys);
	v->keys = NULL;
}
