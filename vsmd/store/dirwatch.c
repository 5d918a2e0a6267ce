/* dirwatch.c - see dirwatch.h */
#include "vsmd/store/dirwatch.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define NAME_LEN 96
#define QUEUED 16384   /* the kernel's default */
#define DIRTY_MAX 4096 /* names; with more, all of the slot are compared */
#define EVENTS                                                                           \
	(IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |          \
	    IN_ONLYDIR)

static bool
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

bool
dirwatch_ignored(const char *name)
{
	return ends_with(name, ".lock") || strcmp(name, "generation") == 0;
}

bool
dirwatch_name_ok(const char *name)
{
	size_t n = strnlen(name, NAME_LEN);

	if (n == 0 || n == NAME_LEN || name[0] == '.')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]) && strchr("-_.", name[i]) == NULL)
			return false;
	return true;
}

int
dirwatch_open(struct slots *s)
{
	FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "re");

	if (f == NULL || fscanf(f, "%zu", &s->events) != 1)
		s->events = QUEUED;
	if (f != NULL)
		fclose(f);
	return inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
}

int
dirwatch_add(int fd, struct slot *slot, const char *path)
{
	slot->watch = inotify_add_watch(fd, path, EVENTS);
	return slot->watch < 0 ? -1 : 0;
}

void
dirwatch_remove(int fd, struct slot *slot)
{
	if (slot->watch >= 0)
		(void)inotify_rm_watch(fd, slot->watch);
	slot->watch = -1;
}

static void
note(struct slots *s, const struct inotify_event *e)
{
	for (size_t i = 0; i < s->n; i++) {
		struct slot *slot = s->all[i];

		if (e->mask & IN_Q_OVERFLOW) {
			slot->rescan = true;
			continue;
		}
		if (slot->watch != e->wd)
			continue;
		if (e->mask & IN_IGNORED)
			slot->watch = -1; /* the directory went: the next commit sees */
		else if (e->len > 0 && !dirwatch_ignored(e->name) && !slot->rescan &&
			 (slot->dirty.count >= DIRTY_MAX ||
			     !map_put(&slot->dirty, e->name, "", 0)))
			slot->rescan = true;
		if (slot->rescan)
			map_free(&slot->dirty);
	}
}

int
dirwatch_read(int fd, struct slots *s)
{
	_Alignas(struct inotify_event) char space[16384];
	size_t seen = 0;

	while (seen <= s->events) { /* and the one that says that some were lost */
		ssize_t n = read(fd, space, sizeof(space));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		for (char *p = space; p < space + n;) {
			const struct inotify_event *e = (const void *)p;

			note(s, e);
			p += sizeof(*e) + e->len;
			seen++;
		}
	}
	return 0;
}
