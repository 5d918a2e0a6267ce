/* disk.c - see disk.h */
#include "disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/tree.h"

#define DEPTH 4

static void __attribute__((noreturn)) die(const char *what)
{
	perror(what);
	exit(1);
}

void
disk_free(struct disk_tree *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->files[i].data);
	t->n = 0;
}

static struct disk_file *
add_file(struct disk_tree *t, const char *dir, const char *name, bool is_dir, size_t len)
{
	struct disk_file *f = &t->files[t->n];

	if (t->n == DISK_FILES)
		die("crash: too many files");
	t->n++;
	snprintf(f->name, sizeof(f->name), "%s%s%s", dir, dir[0] != '\0' ? "/" : "", name);
	f->is_dir = is_dir;
	f->len = len;
	if ((f->data = calloc(1, len + 1)) == NULL)
		die("crash");
	return f;
}

void
disk_copy(struct disk_tree *to, const struct disk_tree *from)
{
	disk_free(to);
	for (size_t i = 0; i < from->n; i++) {
		const struct disk_file *f = &from->files[i];

		memcpy(add_file(to, "", f->name, f->is_dir, f->len)->data, f->data, f->len);
	}
	memcpy(to->nv, from->nv, sizeof(to->nv));
	to->nv_len = from->nv_len;
}

static void
read_dir(struct disk_tree *t, int fd, const char *dir)
{
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (d == NULL)
		die(dir);
	while ((e = readdir(d)) != NULL) {
		bool is_dir = e->d_type == DT_DIR;
		struct disk_file *f;
		struct stat st;
		int file;

		if (e->d_name[0] == '.')
			continue;
		file = openat(dirfd(d), e->d_name, O_RDONLY | O_CLOEXEC);
		if (file < 0 || fstat(file, &st) != 0)
			die(e->d_name);
		f = add_file(t, dir, e->d_name, is_dir, is_dir ? 0 : (size_t)st.st_size);
		if (is_dir)
			read_dir(t, file, e->d_name);
		else if (pread(file, f->data, f->len, 0) != (ssize_t)f->len)
			die(e->d_name);
		if (!is_dir)
			close(file);
	}
	closedir(d);
}

void
disk_read(struct disk_tree *t, const char *state, const char *nv)
{
	int fd;

	disk_free(t);
	read_dir(t, open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC), "");
	t->nv_len = 0;
	if (nv == NULL || (fd = open(nv, O_RDONLY | O_CLOEXEC)) < 0)
		return;
	t->nv_len = (size_t)read(fd, t->nv, sizeof(t->nv));
	close(fd);
}

static void
write_file(int dir, const char *name, const void *data, size_t len)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		die(name);
	close(fd);
}

void
disk_write(const struct disk_tree *t, const char *state, const char *nv)
{
	int dir = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0 || tree_empty(dir, DEPTH) != 0)
		die(state);
	for (size_t i = 0; i < t->n; i++) /* a directory stands before what is in it */
		if (t->files[i].is_dir && mkdirat(dir, t->files[i].name, 0700) != 0)
			die(t->files[i].name);
	for (size_t i = 0; i < t->n; i++)
		if (!t->files[i].is_dir)
			write_file(dir, t->files[i].name, t->files[i].data, t->files[i].len);
	close(dir);
	if (nv != NULL && t->nv_len > 0)
		write_file(AT_FDCWD, nv, t->nv, t->nv_len);
	else if (nv != NULL)
		(void)unlink(nv);
}

const struct disk_file *
disk_find(const struct disk_tree *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->files[i].name, name) == 0)
			return &t->files[i];
	return NULL;
}

bool
disk_equal(const struct disk_tree *a, const struct disk_tree *b)
{
	if (a->n != b->n || a->nv_len != b->nv_len || memcmp(a->nv, b->nv, a->nv_len) != 0)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct disk_file *f = disk_find(b, a->files[i].name);

		if (f == NULL || f->len != a->files[i].len ||
		    memcmp(f->data, a->files[i].data, f->len) != 0)
			return false;
	}
	return true;
}

static uint64_t
mix(uint64_t h, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 1099511628211u;
	return (h ^ len) * 1099511628211u;
}

uint64_t
disk_hash(const struct disk_tree *t)
{
	uint64_t all = mix(14695981039346656037u, t->nv, t->nv_len);

	/* In whatever order the files stand. */
	for (size_t i = 0; i < t->n; i++) {
		const struct disk_file *f = &t->files[i];
		uint64_t h = mix(14695981039346656037u, f->name, strlen(f->name));

		all += mix(h, f->data, f->len);
	}
	return all;
}

/* The record replayed. */

static void
grow(struct node *n, size_t len)
{
	if (len > n->room) {
		n->room = 2 * len;
		if ((n->data = realloc(n->data, n->room)) == NULL)
			die("crash");
	}
	if (len > n->len)
		memset(n->data + n->len, 0, len - n->len);
	n->len = len;
}

static struct name *
find_name(struct name *names, size_t n, uint32_t dir, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (names[i].dir == dir && strcmp(names[i].name, name) == 0)
			return &names[i];
	return NULL;
}

static void
set_name(struct name *names, size_t *n, uint32_t dir, const char *name, uint32_t node)
{
	struct name *found = find_name(names, *n, dir, name);

	if (found == NULL) {
		if (*n == RECORD_NODES)
			die("crash: too many names");
		found = &names[(*n)++];
		found->dir = dir;
		snprintf(found->name, sizeof(found->name), "%s", name);
	}
	found->node = node;
}

void
disk_begin(struct disk *d, const struct disk_tree *t, const uint8_t *data)
{
	memset(d, 0, sizeof(*d));
	d->data = data;
	d->nodes[0].is_dir = true;
	memcpy(d->nv, t->nv, sizeof(d->nv));
	d->nv_len = t->nv_len;
	/* The numbers are those of record_begin(), whose order is this one. */
	for (uint32_t i = 0; i < t->n; i++) {
		const struct disk_file *f = &t->files[i];
		const char *slash = strchr(f->name, '/');
		uint32_t dir = 0;

		for (uint32_t k = 0; slash != NULL && k < t->n; k++)
			if (t->files[k].is_dir &&
			    strlen(t->files[k].name) == (size_t)(slash - f->name) &&
			    strncmp(t->files[k].name, f->name, (size_t)(slash - f->name)) == 0)
				dir = k + 1;
		d->nodes[i + 1].is_dir = f->is_dir;
		grow(&d->nodes[i + 1], f->len);
		if (f->len > 0)
			memcpy(d->nodes[i + 1].data, f->data, f->len);
		set_name(d->names, &d->nnames, dir, slash != NULL ? slash + 1 : f->name, i + 1);
	}
}

void
disk_end(struct disk *d)
{
	for (size_t i = 0; i < RECORD_NODES; i++)
		free(d->nodes[i].data);
}

static bool
is_of_name(const struct entry *e)
{
	return e->call == CALL_CREATE || e->call == CALL_RENAME || e->call == CALL_UNLINK ||
	       e->call == CALL_MKDIR;
}

static void
apply_name(struct name *names, size_t *n, const struct entry *e, enum fate fate)
{
	if (fate == LOST)
		return;
	switch (e->call) {
	case CALL_RENAME:
		if (fate != HALF)
			set_name(names, n, e->dir, e->name, 0);
		set_name(names, n, e->dir, e->to, e->node);
		break;
	case CALL_UNLINK:
		set_name(names, n, e->dir, e->name, 0);
		break;
	default:
		set_name(names, n, e->dir, e->name, e->node);
	}
}

static void
apply_bytes(struct node *n, const struct entry *e, const uint8_t *data, enum fate fate)
{
	size_t half = e->len / 2, off = (size_t)e->off, len = fate == HALF ? half : e->len;

	if (fate == LOST)
		return;
	if (e->call == CALL_TRUNCATE) {
		grow(n, off);
		return;
	}
	if (len == 0)
		return;
	if (off + len > n->len)
		grow(n, off + len);
	if (fate == KEPT || fate == HALF)
		memcpy(n->data + off, data, len);
	else if (fate == TAIL) /* the first sector was not written, the length was */
		memcpy(n->data + off + half, data + half, e->len - half);
}

/* A write that may be lost cannot come back once other bytes in its place are sure. */
static void
overwritten(struct disk *d, const struct entry *by)
{
	size_t kept = 0;

	for (size_t i = 0; i < d->npending; i++) {
		struct pending *p = &d->pending[i];
		const struct entry *e = p->e;
		bool gone = p->lost && e != by && e->node == by->node &&
			    (by->call == CALL_TRUNCATE
				    ? e->off >= by->off
				    : e->call == CALL_WRITE && e->off >= by->off &&
					  e->off + e->len <= by->off + by->len);

		if (!gone)
			d->pending[kept++] = *p;
	}
	d->npending = kept;
}

static void
sync_file(struct disk *d, const struct entry *sync)
{
	size_t kept = 0;

	for (size_t i = 0; i < d->npending; i++) {
		struct pending *p = &d->pending[i];

		if (is_of_name(p->e) || p->e->node != sync->node) {
			d->pending[kept++] = *p;
		} else if (p->lost || sync->failed) {
			p->lost = true;
			d->pending[kept++] = *p;
		} else {
			apply_bytes(&d->nodes[p->e->node], p->e, d->data + p->e->data, KEPT);
		}
	}
	d->npending = kept;
}

static void
sync_dir(struct disk *d, const struct entry *sync)
{
	size_t kept = 0;

	if (sync->failed)
		return;
	for (size_t i = 0; i < d->npending; i++) {
		struct pending *p = &d->pending[i];

		if (is_of_name(p->e) && p->e->dir == sync->node)
			apply_name(d->names, &d->nnames, p->e, KEPT);
		else
			d->pending[kept++] = *p;
	}
	d->npending = kept;
}

bool
disk_step(struct disk *d, const struct entry *e)
{
	switch (e->call) {
	case CALL_MARK:
		break;
	case CALL_TPM:
		memcpy(d->nv, d->data + e->data, e->len);
		d->nv_len = e->len;
		break;
	case CALL_SYNC:
		/* Before they are sure, so that what is lost under them goes. */
		for (size_t i = 0; !e->failed && i < d->npending; i++) {
			const struct pending *p = &d->pending[i];

			if (!is_of_name(p->e) && p->e->node == e->node && !p->lost) {
				const struct entry *by = p->e;

				overwritten(d, by);
				for (i = 0; d->pending[i].e != by; i++)
					;
			}
		}
		sync_file(d, e);
		break;
	case CALL_SYNC_DIR:
		sync_dir(d, e);
		break;
	default:
		if (d->npending == DISK_PENDING)
			return false;
		if (e->call == CALL_CREATE || e->call == CALL_MKDIR)
			d->nodes[e->node].is_dir = e->call == CALL_MKDIR;
		d->pending[d->npending++] = (struct pending){.e = e};
	}
	return true;
}

unsigned
disk_fates(const struct disk *d, size_t i)
{
	switch (d->pending[i].e->call) {
	case CALL_WRITE:
		return FATES;
	case CALL_RENAME:
		return HALF + 1;
	default:
		return LOST + 1;
	}
}

void
disk_find_after(const struct disk *d, const uint8_t *fates, struct disk_tree *ret)
{
	static struct name names[RECORD_NODES];
	size_t n = d->nnames;

	disk_free(ret);
	memcpy(names, d->names, n * sizeof(names[0]));
	memcpy(ret->nv, d->nv, sizeof(ret->nv));
	ret->nv_len = d->nv_len;
	for (size_t i = 0; i < d->npending; i++)
		if (is_of_name(d->pending[i].e))
			apply_name(names, &n, d->pending[i].e, fates[i]);
	for (int dirs = 1; dirs >= 0; dirs--) /* directories first */
		for (size_t k = 0; k < n; k++) {
			const struct node *sure = &d->nodes[names[k].node];
			const char *in = "";
			struct disk_file *f;
			struct node now = {0};

			if (names[k].node == 0 || sure->is_dir != (dirs == 1))
				continue;
			for (size_t j = 0; names[k].dir != 0 && j < n; j++)
				if (names[j].node == names[k].dir)
					in = names[j].name;
			if (names[k].dir != 0 && in[0] == '\0')
				continue; /* its directory is not there */
			grow(&now, sure->len);
			if (sure->len > 0)
				memcpy(now.data, sure->data, sure->len);
			for (size_t i = 0; i < d->npending; i++) {
				const struct entry *e = d->pending[i].e;

				if (!is_of_name(e) && e->node == names[k].node)
					apply_bytes(&now, e, d->data + e->data, fates[i]);
			}
			f = add_file(ret, in, names[k].name, sure->is_dir, now.len);
			if (now.len > 0)
				memcpy(f->data, now.data, now.len);
			free(now.data);
		}
}
