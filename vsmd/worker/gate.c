/* gate.c - see gate.h */
#include "vsmd/worker/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"

_Static_assert(offsetof(struct gate_shared, waiting) == 72, "layout of the gate file");
_Static_assert(offsetof(struct gate_shared, pins) == 80, "layout of the gate file");
_Static_assert(offsetof(struct gate_shared, objects) == 84, "layout of the gate file");
_Static_assert(sizeof(struct gate_made) == 64, "layout of the gate file");

/* The gate that this thread holds, or has paused. */
static _Thread_local struct gate *current;

int
gate_file_open(struct gate_file *f, const char *path)
{
	struct stat st;
	void *p;
	int fd, saved;

	if ((fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) < 0)
		return -1;
	if (fstat(fd, &st) != 0 || (st.st_size < GATE_SIZE && ftruncate(fd, GATE_SIZE) != 0))
		goto fail;
	p = mmap(NULL, GATE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		goto fail;
	close(fd);
	f->path = path;
	f->shared = p;
	atomic_init(&f->writers, 0);
	atomic_init(&f->closing, false);
	return 0;
fail:
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

void
gate_file_close(struct gate_file *f)
{
	if (f->shared != NULL)
		munmap(f->shared, GATE_SIZE);
	f->shared = NULL;
}

uint64_t
gate_epoch(const struct gate_file *f)
{
	return atomic_load(&f->shared->epoch);
}

uint32_t
gate_pins(const struct gate_file *f)
{
	return atomic_load(&f->shared->pins);
}

uint32_t
gate_pins_changed(struct gate_file *f)
{
	return atomic_fetch_add(&f->shared->pins, 1) + 1;
}

uint32_t
gate_objects(const struct gate_file *f)
{
	return atomic_load(&f->shared->objects);
}

void
gate_objects_add(struct gate *g, int n)
{
	_Atomic uint32_t *objects = &g->file->shared->objects;
	int64_t now = (int64_t)atomic_load(objects) + n;

	atomic_store(objects, (uint32_t)(now > 0 ? now : 0));
}

int
gate_open(struct gate *g, struct gate_file *f)
{
	memset(g, 0, sizeof(*g));
	g->file = f;
	g->pid = (uint32_t)getpid();
	g->fd = open(f->path, O_RDWR | O_CLOEXEC);
	return g->fd < 0 ? -1 : 0;
}

void
gate_close(struct gate *g)
{
	if (g->fd >= 0)
		close(g->fd);
	g->fd = -1;
}

/* A lock that fails for another reason than being taken leaves no way to go on. */
static bool
room(struct gate *g, int how)
{
	while (flock(g->fd, how) != 0) {
		if (errno == EWOULDBLOCK)
			return false;
		if (errno != EINTR)
			log_fatal("gate %s: %s", g->file->path, strerror(errno));
	}
	return true;
}

static bool
byte(struct gate *g, off_t at, int cmd, short type)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};

	while (fcntl(g->fd, cmd, &l) != 0) {
		if (errno == EAGAIN || errno == EACCES)
			return false;
		if (errno != EINTR)
			log_fatal("gate %s: %s", g->file->path, strerror(errno));
	}
	return true;
}

static bool
door(struct gate *g, int cmd, short type)
{
	return byte(g, GATE_DOOR, cmd, type);
}

static void
entered(struct gate *g, enum call_gate mode)
{
	g->held = mode;
	current = g;
	/* A mark that is there already stays: it is not ours to wipe. */
	if (mode == GATE_EXCLUSIVE) {
		uint32_t none = 0;

		atomic_compare_exchange_strong(
		    &g->file->shared->writing, &none, g->pid);
	}
}

void
gate_made(struct gate *g, const struct gate_made *made)
{
	uint8_t *at = (uint8_t *)g->file->shared + GATE_MADE;
	uint32_t n;

	memcpy(&n, at, sizeof(n));
	if (n >= GATE_MADE_MAX)
		return;
	memcpy(at + 64 + (size_t)n * sizeof(*made), made, sizeof(*made));
	n++;
	memcpy(at, &n, sizeof(n));
}

void
gate_index_lock(struct gate *g)
{
	byte(g, GATE_INDEX, F_OFD_SETLKW, F_WRLCK);
}

void
gate_index_unlock(struct gate *g)
{
	byte(g, GATE_INDEX, F_OFD_SETLK, F_UNLCK);
}

/* Announce a writer; when the process is ending, this thread ends here. */
static void
begin_write(struct gate_file *f)
{
	atomic_fetch_add(&f->writers, 1);
	if (!atomic_load(&f->closing))
		return;
	atomic_fetch_sub(&f->writers, 1);
	for (;;)
		poll(NULL, 0, -1);
}

void
gate_shut(struct gate_file *f)
{
	atomic_store(&f->closing, true);
}

bool
gate_drain(struct gate_file *f, int ms)
{
	gate_shut(f);
	for (; atomic_load(&f->writers) > 0 && ms > 0; ms--)
		poll(NULL, 0, 1);
	return atomic_load(&f->writers) == 0;
}

bool
gate_try(struct gate *g, enum call_gate mode)
{
	bool got;

	if (mode == GATE_NONE)
		return true;
	/* Somebody waits for the room to empty: do not step in before him. */
	if (atomic_load(&g->file->shared->waiting) != 0)
		return false;
	if (mode == GATE_EXCLUSIVE)
		begin_write(g->file);
	got = room(g, (mode == GATE_SHARED ? LOCK_SH : LOCK_EX) | LOCK_NB);
	if (!got && mode == GATE_EXCLUSIVE)
		atomic_fetch_sub(&g->file->writers, 1);
	if (got)
		entered(g, mode);
	return got;
}

void
gate_enter(struct gate *g, enum call_gate mode)
{
	if (mode == GATE_NONE)
		return;
	if (mode == GATE_EXCLUSIVE) {
		begin_write(g->file);
		/* Hold the door while the room empties: no reader overtakes. */
		atomic_fetch_add(&g->file->shared->waiting, 1);
		door(g, F_OFD_SETLKW, F_WRLCK);
		room(g, LOCK_EX);
		atomic_fetch_sub(&g->file->shared->waiting, 1);
	} else {
		door(g, F_OFD_SETLKW, F_RDLCK);
		room(g, LOCK_SH);
	}
	door(g, F_OFD_SETLK, F_UNLCK);
	entered(g, mode);
}

void
gate_leave(struct gate *g)
{
	bool wrote = g->held == GATE_EXCLUSIVE;
	uint32_t me = g->pid;

	if (g->held == GATE_NONE)
		return;
	if (wrote)
		atomic_compare_exchange_strong(&g->file->shared->writing, &me, 0);
	g->held = GATE_NONE;
	current = NULL;
	room(g, LOCK_UN);
	if (wrote)
		atomic_fetch_sub(&g->file->writers, 1);
}

bool
gate_broken(const struct gate *g)
{
	uint32_t writer = atomic_load(&g->file->shared->writing);

	return writer != 0 && writer != g->pid;
}

void
gate_pause(void)
{
	struct gate *g = current;

	if (g == NULL || g->held == GATE_NONE)
		return;
	g->paused = g->held;
	gate_leave(g);
	current = g;
}

void
gate_resume(void)
{
	struct gate *g = current;

	if (g == NULL || g->paused == GATE_NONE)
		return;
	gate_enter(g, g->paused);
	g->paused = GATE_NONE;
}
