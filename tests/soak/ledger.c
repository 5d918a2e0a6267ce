/* ledger.c - see ledger.h */
#include "tests/soak/ledger.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_MOST 512

static void
path_of(char path[PATH_MOST], const char *name)
{
	snprintf(path, PATH_MOST, "%s/ledger.%s.%s", soak.dir, soak.token, name);
}

/* One write(2): threads and processes do not mix, and SIGKILL takes nothing back. */
static void
line(struct job *j, const char *what, const char *origin, const char *label)
{
	static atomic_int fd = -1;
	char path[PATH_MOST], text[2 * NAME_MOST + 16];
	int n = snprintf(text, sizeof(text), "%s %s %s\n", what, origin, label),
	    mine = -1;

	if (atomic_load(&fd) < 0) {
		path_of(path, soak.name);
		mine = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
		if (!atomic_compare_exchange_strong(&fd, &(int){-1}, mine))
			close(mine);
	}
	if (n >= (int)sizeof(text) || write(atomic_load(&fd), text, (size_t)n) != n)
		fail(j, "the ledger cannot be written");
}

void
ledger_begin(struct job *j, const char *origin, const char *label)
{
	line(j, "begin", origin, label);
}

void
ledger_done(struct job *j, const char *origin, const char *label)
{
	line(j, "done", origin, label);
}

struct entry *
ledger_find(struct ledger *l, const char *origin)
{
	/* What changed lately stands behind. */
	for (size_t i = l->count; i > 0; i--)
		if (strcmp(l->entries[i - 1].origin, origin) == 0)
			return &l->entries[i - 1];
	return NULL;
}

static struct entry *
add(struct job *j, struct ledger *l, const char *origin)
{
	struct entry *more;

	if (l->count == l->room) {
		l->room = l->room * 2 + 64;
		if ((more = realloc(l->entries, l->room * sizeof(*more))) == NULL)
			fail(j, "no memory");
		l->entries = more;
	}
	more = &l->entries[l->count++];
	memset(more, 0, sizeof(*more));
	snprintf(more->origin, sizeof(more->origin), "%s", origin);
	snprintf(more->label, sizeof(more->label), LEDGER_GONE);
	return more;
}

static void
take(struct job *j, struct ledger *l, const char *text)
{
	char what[8], origin[NAME_MOST], label[NAME_MOST];
	struct entry *e;

	if (sscanf(text, "%7s %63s %63s", what, origin, label) != 3)
		fail(j, "a ledger has the line `%s'", text);
	if ((e = ledger_find(l, origin)) == NULL)
		e = add(j, l, origin);
	if (strcmp(what, "begin") == 0) {
		snprintf(e->pending, sizeof(e->pending), "%s", label);
		return;
	}
	snprintf(e->label, sizeof(e->label), "%s", label);
	e->pending[0] = '\0';
	/* Gone for good: its place is free. */
	if (strcmp(label, LEDGER_GONE) == 0)
		*e = l->entries[--l->count];
}

static void
read_file(struct job *j, struct ledger *l, const char *path)
{
	char text[2 * NAME_MOST + 16];
	FILE *f = fopen(path, "r");

	if (f == NULL)
		return;
	while (fgets(text, sizeof(text), f) != NULL)
		take(j, l, text);
	fclose(f);
}

void
ledger_read_own(struct job *j, struct ledger *l)
{
	char path[PATH_MOST];

	memset(l, 0, sizeof(*l));
	path_of(path, soak.name);
	read_file(j, l, path);
}

void
ledger_read_all(struct job *j, struct ledger *l)
{
	char pattern[PATH_MOST];
	glob_t g = {0};

	memset(l, 0, sizeof(*l));
	path_of(pattern, "*");
	if (glob(pattern, 0, NULL, &g) != 0)
		fail(j, "there is no ledger");
	for (size_t i = 0; i < g.gl_pathc; i++)
		read_file(j, l, g.gl_pathv[i]);
	globfree(&g);
}

void
ledger_forget(struct job *j, const char *but)
{
	char path[PATH_MOST];
	glob_t g = {0};

	path_of(path, "*");
	if (glob(path, 0, NULL, &g) != 0)
		fail(j, "there is no ledger");
	path_of(path, but);
	for (size_t i = 0; i < g.gl_pathc; i++)
		if (strcmp(g.gl_pathv[i], path) != 0)
			(void)unlink(g.gl_pathv[i]);
	globfree(&g);
}

void
ledger_free(struct ledger *l)
{
	free(l->entries);
	memset(l, 0, sizeof(*l));
}
