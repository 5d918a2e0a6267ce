/* collect.c - see collect.h */
#include "vsmd/store/collect.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/secmem.h"
#include "vsmd/store/file.h"
#include "vsmd/store/dirwatch.h"

#define TOKEN_FILE "token.object"

/* Call visit for each name in the directory open at dir; stops on anything but CKR_OK. */
static CK_RV
each_name(int dir, CK_RV (*visit)(void *, const char *), void *arg)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;
	CK_RV rv = CKR_OK;

	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return CKR_DEVICE_ERROR;
	}
	while (rv == CKR_OK && (e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			rv = visit(arg, e->d_name);
	closedir(d);
	return rv;
}

struct names {
	char first[SLOT_DIR];
	unsigned count;
};

static CK_RV
count_name(void *arg, const char *name)
{
	struct names *n = arg;

	if (n->count++ == 0 && strlen(name) < sizeof(n->first))
		memcpy(n->first, name, strlen(name) + 1);
	return n->count > 1 ? CKR_DEVICE_ERROR : CKR_OK;
}

static bool
look(const struct memory *m, const struct slot *slot, struct names *n)
{
	char number[16];
	CK_RV rv;
	int dir;

	memset(n, 0, sizeof(*n));
	snprintf(number, sizeof(number), "%" PRIu32, slot->number);
	dir = openat(m->slots, number, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return false;
	rv = each_name(dir, count_name, n);
	close(dir);
	return rv == CKR_OK;
}

CK_RV
collect_adopt(const struct memory *m, struct slot *slot)
{
	struct names n;

	if (!look(m, slot, &n))
		return CKR_DEVICE_ERROR;
	if (n.count == 0)
		return CKR_OK;
	if (!dirwatch_name_ok(n.first))
		return CKR_DEVICE_ERROR;
	memcpy(slot->directory, n.first, sizeof(slot->directory));
	if (restore_open_token(m, slot) != 0) {
		slot->directory[0] = '\0';
		return CKR_DEVICE_ERROR;
	}
	slot->rescan = true;
	return CKR_OK;
}

bool
collect_alone(const struct memory *m, const struct slot *slot)
{
	struct names n;

	return look(m, slot, &n) && n.count == 1 && strcmp(n.first, slot->directory) == 0;
}

struct collecting {
	struct slot *slot;
	const struct map *map;
	struct txn *txn;
	unsigned files;
	struct map seen; /* keys found by a full comparison */
};

static void
file_key(const struct slot *slot, const char *name, char key[MAP_KEY_MAX])
{
	char what[128];

	snprintf(what, sizeof(what), "file/%s", name);
	slot_key(key, slot->number, what);
}

static CK_RV
bad_file(const struct slot *slot, const char *name, const char *why)
{
	if (slot_may_log(slot))
		log_error("slot %" PRIu32 ": %s %s: not stored", slot->number, name, why);
	return CKR_DEVICE_ERROR;
}

/* SoftHSM2 truncates before it writes: an object without content was never finished. */
static bool
torn(const char *name, off_t size)
{
	const char *dot = strrchr(name, '.');

	return size == 0 && dot != NULL && strcmp(dot, ".object") == 0;
}

static CK_RV
read_file(struct collecting *c, const char *name, const char *key, int fd)
{
	const uint8_t *old;
	struct stat st;
	uint8_t *data;
	size_t len, old_len = 0;
	CK_RV rv = CKR_OK;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return bad_file(c->slot, name, "is not a regular file");
	if (st.st_size > COLLECT_FILE_MAX)
		return bad_file(c->slot, name, "is too large");
	if (torn(name, st.st_size))
		return bad_file(c->slot, name, "is empty: a worker died while it wrote");
	len = (size_t)st.st_size;
	if ((data = malloc(len + 1)) == NULL)
		return CKR_DEVICE_ERROR;
	if (file_read_at(fd, data, len + 1, 0) != (ssize_t)len)
		rv = bad_file(c->slot, name, "changes while it is read");
	else if ((old = map_get(c->map, key, &old_len)) == NULL || old_len != len ||
		 memcmp(old, data, len) != 0) {
		txn_put(c->txn, key, data, len);
		c->slot->growth += (int64_t)len -
				   (old != NULL ? (int64_t)old_len : -COLLECT_EACH);
	}
	sec_wipe(data, len);
	free(data);
	return rv;
}

static void
remove_file(struct collecting *c, const char *key, size_t len)
{
	txn_remove(c->txn, key);
	c->slot->growth -= (int64_t)len + COLLECT_EACH;
}

static CK_RV
collect_file(void *arg, const char *name)
{
	struct collecting *c = arg;
	char key[MAP_KEY_MAX];
	size_t len;
	CK_RV rv;
	int fd;

	if (dirwatch_ignored(name))
		return CKR_OK;
	if (!dirwatch_name_ok(name))
		return bad_file(c->slot, "a file", "has a name that no token's file has");
	file_key(c->slot, name, key);
	fd = openat(c->slot->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		if (map_get(c->map, key, &len) == NULL)
			return CKR_OK;
		if (strcmp(name, TOKEN_FILE) == 0)
			return bad_file(
			    c->slot, name, "is gone: a token is not deleted so");
		remove_file(c, key, len);
		return CKR_OK;
	}
	if (fd < 0)
		return bad_file(c->slot, name, strerror(errno));
	rv = read_file(c, name, key, fd);
	close(fd);
	if (rv == CKR_OK && c->slot->rescan &&
	    (++c->files > COLLECT_FILES_MAX || !map_put(&c->seen, key, "", 0)))
		return bad_file(c->slot, name, "is one file too many");
	return rv;
}

static bool
visit_dirty(void *arg, const char *name, const uint8_t *value, size_t len)
{
	struct collecting *c = arg;

	(void)value, (void)len;
	return collect_file(c, name) == CKR_OK;
}

/* A file of the store that a full comparison did not meet is gone. */
static bool
visit_stored(void *arg, const char *key, const uint8_t *value, size_t len)
{
	struct collecting *c = arg;
	size_t n;

	(void)value;
	if (map_get(&c->seen, key, &n) != NULL)
		return true;
	if (strcmp(strrchr(key, '/') + 1, TOKEN_FILE) == 0)
		return bad_file(c->slot, TOKEN_FILE,
			   "is gone: a token is not deleted so") == CKR_OK;
	remove_file(c, key, len);
	return true;
}

static bool
too_large(const struct slot *slot)
{
	if (slot->growth <= 0 ||
	    slot->bytes + (uint64_t)slot->growth <= COLLECT_BYTES_MAX)
		return false;
	if (slot_may_log(slot))
		log_error("slot %" PRIu32 ": with this change the token would be larger than %u "
			  "MiB, which is the most: delete objects, or use a second token",
		    slot->number, COLLECT_BYTES_MAX >> 20);
	return true;
}

CK_RV
collect(struct slot *slot, const struct map *map, struct txn *t)
{
	struct collecting c = {.slot = slot, .map = map, .txn = t};
	char prefix[MAP_KEY_MAX];
	CK_RV rv = CKR_OK;

	map_init(&c.seen);
	slot->growth = 0;
	if (slot->rescan) {
		rv = each_name(slot->dir, collect_file, &c);
		slot_key(prefix, slot->number, "file/");
		if (rv == CKR_OK && !map_each(map, prefix, visit_stored, &c))
			rv = CKR_DEVICE_ERROR;
	} else if (!map_each(&slot->dirty, "", visit_dirty, &c)) {
		rv = CKR_DEVICE_ERROR;
	}
	map_free(&c.seen);
	slot->rescan = false;
	map_free(&slot->dirty);
	if (rv == CKR_OK && too_large(slot))
		rv = CKR_DEVICE_MEMORY;
	return rv != CKR_OK || txn_ok(t) ? rv : CKR_HOST_MEMORY;
}
