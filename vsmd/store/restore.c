/* restore.c - see restore.h */
#include "vsmd/store/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/log.h"
#include "common/tree.h"
#include "vsmd/store/collect.h"
#include "vsmd/store/crypt.h"
#include "vsmd/store/file.h"
#include "vsmd/store/dirwatch.h"
#include "vsmd/worker/gate.h"

#define DEPTH_MAX 8 /* a worker that was taken over may have nested directories */

/* Make and open a directory below `dir`. */
static int
make_dir(int dir, const char *name)
{
	if (mkdirat(dir, name, 0700) != 0 && errno != EEXIST)
		return -1;
	return openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/*
 * An empty directory.  What cannot be removed (nested beyond reason) is moved out of the
 * way: it must not keep the store from working.
 */
static int
make_empty_dir(int dir, const char *name)
{
	char aside[64];

	if (tree_remove(dir, name, DEPTH_MAX) != 0) {
		uint64_t r;

		if (!crypt_random(&r, sizeof(r)))
			return -1;
		snprintf(aside, sizeof(aside), ".aside-%016" PRIx64, r);
		log_warn("%s: cannot be removed, moved to %s", name, aside);
		if (renameat(dir, name, dir, aside) != 0)
			return -1;
	}
	return make_dir(dir, name);
}

int
memory_open(struct memory *m, const char *path)
{
	struct statfs fs;
	int dir;

	m->path = path;
	m->slots = m->gates = -1;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || fstatfs(dir, &fs) != 0) {
		log_error("%s: %s: the directory for keys in memory must exist", path,
		    strerror(errno));
		goto fail;
	}
	if (fs.f_type != TMPFS_MAGIC && fs.f_type != RAMFS_MAGIC) {
		log_error("%s: not on tmpfs: keys in clear would reach a disk; mount a "
			  "tmpfs there",
		    path);
		goto fail;
	}
	m->slots = make_empty_dir(dir, "slots");
	m->gates = make_empty_dir(dir, "gates");
	if (m->slots < 0 || m->gates < 0) {
		log_error("%s: cannot make slots and gates: %s", path, strerror(errno));
		goto fail;
	}
	close(dir);
	return 0;
fail:
	if (dir >= 0)
		close(dir);
	memory_close(m);
	return -1;
}

void
memory_close(struct memory *m)
{
	if (m->slots >= 0)
		close(m->slots);
	if (m->gates >= 0)
		close(m->gates);
	m->slots = m->gates = -1;
}

bool
memory_slot_path(const struct memory *m, const struct slot *slot, char path[PATH_MAX])
{
	int n = snprintf(path, PATH_MAX, "%s/slots/%" PRIu32, m->path, slot->number);

	return n > 0 && n < PATH_MAX;
}

size_t
memory_slot_path_max(const struct memory *m)
{
	return strlen(m->path) + strlen("/slots/4294967295");
}

bool
memory_token_path(const struct memory *m, const struct slot *slot, char path[PATH_MAX])
{
	int n = snprintf(path, PATH_MAX, "%s/slots/%" PRIu32 "/%s", m->path, slot->number,
	    slot->directory);

	return n > 0 && n < PATH_MAX;
}

static int
write_file(int dir, const char *name, const void *data, size_t len)
{
	int fd =
	    openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return -1;
	r = file_write_at(fd, data, len, 0);
	close(fd);
	return r;
}

struct writing {
	struct slot *slot;
	size_t prefix; /* length of "slot/N/file/" */
};

static bool
write_one(void *arg, const char *key, const uint8_t *value, size_t len)
{
	struct writing *w = arg;
	const char *name = key + w->prefix, *dot;
	char lock[MAP_KEY_MAX];

	if (!dirwatch_name_ok(name)) {
		errno = EINVAL;
		return false;
	}
	if (write_file(w->slot->dir, name, value, len) != 0)
		return false;
	w->slot->bytes += len + COLLECT_EACH;
	dot = strrchr(name, '.');
	if (dot == NULL || strcmp(dot, ".object") != 0)
		return true;
	snprintf(lock, sizeof(lock), "%.*s.lock", (int)(dot - name), name);
	return write_file(w->slot->dir, lock, "", 0) == 0;
}

static bool
count_object(void *arg, const char *key, const uint8_t *value, size_t len)
{
	const char *file = strrchr(key, '/'), *dot = strrchr(key, '.');

	(void)value, (void)len;
	*(uint32_t *)arg += file != NULL && strcmp(file, "/token.object") != 0 && dot != NULL &&
	    strcmp(dot, ".object") == 0;
	return true;
}

/* The gate file, with nobody waiting or writing: all of its processes are gone.  Quotas
 * in it stay. */
static int
make_gate(const struct memory *m, struct slot *slot, const struct map *map)
{
	static const uint8_t
	    nobody[sizeof(struct gate_shared) - offsetof(struct gate_shared, waiting)];
	const uint32_t none = 0;
	char name[16], prefix[MAP_KEY_MAX];
	uint32_t objects = 0;

	snprintf(name, sizeof(name), "%" PRIu32, slot->number);
	slot_key(prefix, slot->number, "file/");
	(void)map_each(map, prefix, count_object, &objects);
	if (slot->gate < 0)
		slot->gate = openat(
		    m->gates, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (slot->gate < 0 || ftruncate(slot->gate, GATE_SIZE) != 0 ||
	    file_write_at(slot->gate, nobody, sizeof(nobody),
		offsetof(struct gate_shared, waiting)) != 0 ||
	    file_write_at(slot->gate, &objects, sizeof(objects),
		offsetof(struct gate_shared, objects)) != 0 ||
	    file_write_at(slot->gate, &none, sizeof(none), GATE_MADE) != 0)
		return -1;
	restore_epoch(slot);
	return 0;
}

void
restore_epoch(const struct slot *slot)
{
	if (slot->gate >= 0 &&
	    file_write_at(slot->gate, &slot->epoch, sizeof(slot->epoch),
		offsetof(struct gate_shared, epoch)) != 0)
		log_warn(
		    "slot %" PRIu32 ": gate file: %s", slot->number, strerror(errno));
}

bool
restore_enter(const struct slot *slot)
{
	return flock(slot->gate, LOCK_SH | LOCK_NB) == 0;
}

void
restore_leave(const struct slot *slot)
{
	(void)flock(slot->gate, LOCK_UN);
}

bool
restore_broken(const struct slot *slot)
{
	uint32_t writing = 0;

	return file_read_at(slot->gate, &writing, sizeof(writing),
		   offsetof(struct gate_shared, writing)) != sizeof(writing) ||
	       writing != 0;
}

static int
open_slot(const struct memory *m, const struct slot *slot, bool empty)
{
	char name[16];

	snprintf(name, sizeof(name), "%" PRIu32, slot->number);
	return empty ? make_empty_dir(m->slots, name) : make_dir(m->slots, name);
}

int
restore_open_token(const struct memory *m, struct slot *slot)
{
	int parent = open_slot(m, slot, false);

	if (parent < 0)
		return -1;
	if (slot->dir >= 0)
		close(slot->dir);
	slot->dir = openat(
	    parent, slot->directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	close(parent);
	return slot->dir < 0 ? -1 : 0;
}

int
restore_slot(const struct memory *m, struct slot *slot, const struct map *map)
{
	struct writing w = {.slot = slot};
	char prefix[MAP_KEY_MAX];
	int parent;

	if (slot->dir >= 0)
		close(slot->dir);
	slot->dir = -1;
	slot->bytes = 0;
	slot->growth = 0;
	parent = open_slot(m, slot, true);
	if (parent < 0 || make_gate(m, slot, map) != 0)
		goto fail;
	if (!once_load(slot, map)) {
		errno = ENOMEM;
		goto fail;
	}
	if (slot->initialized) {
		if (!dirwatch_name_ok(slot->directory)) {
			errno = EINVAL;
			goto fail;
		}
		if ((slot->dir = make_dir(parent, slot->directory)) < 0)
			goto fail;
		slot_key(prefix, slot->number, "file/");
		w.prefix = strlen(prefix);
		if (!map_each(map, prefix, write_one, &w))
			goto fail;
	}
	close(parent);
	map_free(&slot->dirty);
	slot->rescan = false;
	return 0;
fail:
	log_error("slot %" PRIu32 ": its directory in memory cannot be made: %s%s",
	    slot->number, strerror(errno),
	    errno == ENOSPC ? ": give the tmpfs more space" : "");
	if (parent >= 0)
		close(parent);
	return -1;
}

void
restore_remove(const struct memory *m, struct slot *slot)
{
	char name[16];

	snprintf(name, sizeof(name), "%" PRIu32, slot->number);
	if (tree_remove(m->slots, name, DEPTH_MAX) != 0)
		log_warn("slot %" PRIu32 ": its directory cannot be removed: %s",
		    slot->number, strerror(errno));
	(void)unlinkat(m->gates, name, 0);
}
