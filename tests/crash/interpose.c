/* interpose.c - the store's calls, counted and written down; see record.h */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "record.h"
#include "tpm/tpm.h"
#include "vsmd/store/anchor_tpm.h"
#include "vsmd/store/compact.h"
#include "vsm.h"

#define FDS 1024
#define NOBODY UINT32_MAX /* a file that is none of the store's on disk */

struct record *record;
static bool inside; /* this process is the store, or its vsmd-tpm */
static uint32_t fd_node[FDS];

ssize_t __real_pwrite(int fd, const void *p, size_t n, off_t off);
int __real_fdatasync(int fd);
int __real_fsync(int fd);
int __real_renameat(int a, const char *from, int b, const char *to);
int __real_ftruncate(int fd, off_t len);
int __real_unlinkat(int dir, const char *name, int flags);
int __real_mkdirat(int dir, const char *name, mode_t mode);
int __real_openat(int dir, const char *name, int flags, ...);
int __real_open(const char *name, int flags, ...);
int __real_close(int fd);
int __real_clock_gettime(clockid_t clock, struct timespec *ret);
bool __real_compact_worth(const struct journal *j, const struct map *m);
int __real_anchor_tpm_init(struct anchor_tpm *t, struct anchor *a, const struct sealer *s,
    const struct master *m, const char *embedded);
enum tpm_result __real_tpm_anchor_define(struct tpm *t, const struct tpm_anchor *a,
    const uint8_t origin[TPM_ANCHOR_LEN]);
enum tpm_result __real_tpm_anchor_extend(struct tpm *t, const struct tpm_anchor *a,
    const uint8_t digest[TPM_ANCHOR_LEN]);
enum tpm_result __real_tpm_anchor_count(struct tpm *t, const struct tpm_anchor *a);

ssize_t __wrap_pwrite(int fd, const void *p, size_t n, off_t off);
int __wrap_fdatasync(int fd);
int __wrap_fsync(int fd);
int __wrap_renameat(int a, const char *from, int b, const char *to);
int __wrap_ftruncate(int fd, off_t len);
int __wrap_unlinkat(int dir, const char *name, int flags);
int __wrap_mkdirat(int dir, const char *name, mode_t mode);
int __wrap_openat(int dir, const char *name, int flags, ...);
int __wrap_open(const char *name, int flags, ...);
int __wrap_close(int fd);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
bool __wrap_compact_worth(const struct journal *j, const struct map *m);
int __wrap_anchor_tpm_init(struct anchor_tpm *t, struct anchor *a, const struct sealer *s,
    const struct master *m, const char *embedded);
bool __wrap_crypt_scrypt(const void *secret, size_t len, const uint8_t *salt,
    size_t salt_len, unsigned cost, uint8_t out[CRYPT_KEY]);
enum tpm_result __wrap_tpm_anchor_define(struct tpm *t, const struct tpm_anchor *a,
    const uint8_t origin[TPM_ANCHOR_LEN]);
enum tpm_result __wrap_tpm_anchor_extend(struct tpm *t, const struct tpm_anchor *a,
    const uint8_t digest[TPM_ANCHOR_LEN]);
enum tpm_result __wrap_tpm_anchor_count(struct tpm *t, const struct tpm_anchor *a);

void
record_make(void)
{
	record = mmap(NULL, sizeof(*record), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (record == MAP_FAILED) {
		perror("crash: no memory for the record");
		exit(1);
	}
}

static uint32_t
new_node(uint32_t dir, const char *name, bool is_dir)
{
	uint32_t n = record->nnodes;

	if (n == RECORD_NODES || strlen(name) >= RECORD_NAME) {
		record->full = true;
		return NOBODY;
	}
	record->nnodes++;
	record->nodes[n].there = true;
	record->nodes[n].is_dir = is_dir;
	record->nodes[n].dir = dir;
	snprintf(record->nodes[n].name, RECORD_NAME, "%s", name);
	return n;
}

static void
find_files(int fd, uint32_t dir)
{
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		uint32_t n;

		if (e->d_name[0] == '.')
			continue;
		n = new_node(dir, e->d_name, e->d_type == DT_DIR);
		if (e->d_type == DT_DIR)
			find_files(__real_openat(dirfd(d), e->d_name,
				       O_RDONLY | O_DIRECTORY | O_CLOEXEC),
			    n);
	}
	if (d != NULL)
		closedir(d);
}

void
record_begin(const char *state, const char *nv)
{
	record->kill_at = record->fail_at = record->points = record->failed = 0;
	record->kill_torn = record->fail_late = record->full = record->tpm_failed = false;
	record->nentries = record->nnodes = 0;
	record->ndata = 0;
	snprintf(record->state, sizeof(record->state), "%s", state);
	snprintf(record->nv, sizeof(record->nv), "%s", nv);
	(void)new_node(0, "", true);
	find_files(__real_open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0);
}

void
record_enter(void)
{
	inside = true;
	for (size_t i = 0; i < FDS; i++)
		fd_node[i] = NOBODY;
}

static struct entry *
add(enum disk_call call)
{
	struct entry *e = &record->entries[record->nentries];

	if (record->nentries == RECORD_ENTRIES) {
		record->full = true;
		return NULL;
	}
	memset(e, 0, sizeof(*e));
	e->call = call;
	return e;
}

static void
add_data(struct entry *e, const void *data, size_t len)
{
	if (record->ndata + len > RECORD_DATA) {
		record->full = true;
		return;
	}
	e->data = record->ndata;
	e->len = len;
	memcpy(record->data + e->data, data, len);
	record->ndata += len;
}

void
record_mark(uint32_t number)
{
	struct entry *e = add(CALL_MARK);

	if (e != NULL) {
		e->off = number;
		record->nentries++;
	}
}

bool
record_point(void)
{
	uint32_t n = ++record->points;

	if (n == record->kill_at && !record->kill_torn)
		_exit(VSM_KILLED);
	if (record->fail_at == 0 || n < record->fail_at ||
	    n - record->fail_at >= record->fail_count)
		return false;
	record->failed++;
	errno = record->fail_errno;
	return true;
}

static bool
torn_here(void)
{
	return record->kill_torn && record->points == record->kill_at;
}

static uint32_t
node_of(int fd)
{
	return inside && fd >= 0 && fd < FDS ? fd_node[fd] : NOBODY;
}

static uint32_t
find(uint32_t dir, const char *name)
{
	for (uint32_t i = 1; i < record->nnodes; i++)
		if (record->nodes[i].there && record->nodes[i].dir == dir &&
		    strcmp(record->nodes[i].name, name) == 0)
			return i;
	return NOBODY;
}

static void
set_fd(int fd, uint32_t node)
{
	if (inside && fd >= 0 && fd < FDS)
		fd_node[fd] = node;
}

static int
opened(int dir, const char *name, int flags, mode_t mode)
{
	uint32_t in = node_of(dir), node = NOBODY;
	struct entry *e;
	int fd;

	if (in != NOBODY && strcmp(name, ".") == 0)
		node = in;
	else if (in != NOBODY)
		node = find(in, name);
	if (in == NOBODY || node != NOBODY || !(flags & O_CREAT)) {
		fd = __real_openat(dir, name, flags, mode);
		set_fd(fd, node);
		return fd;
	}
	if (record_point())
		return -1;
	if ((fd = __real_openat(dir, name, flags, mode)) < 0)
		return -1;
	node = new_node(in, name, false);
	set_fd(fd, node);
	if ((e = add(CALL_CREATE)) != NULL) {
		e->node = node;
		e->dir = in;
		snprintf(e->name, RECORD_NAME, "%s", name);
		record->nentries++;
	}
	return fd;
}

int
__wrap_openat(int dir, const char *name, int flags, ...)
{
	mode_t mode = 0;

	if (flags & O_CREAT) {
		va_list ap;

		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	return inside ? opened(dir, name, flags, mode)
		      : __real_openat(dir, name, flags, mode);
}

int
__wrap_open(const char *name, int flags, ...)
{
	size_t n = strlen(record->state);
	mode_t mode = 0;
	int fd;

	if (flags & O_CREAT) {
		va_list ap;

		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	fd = __real_open(name, flags, mode);
	if (inside && strncmp(name, record->state, n) != 0)
		set_fd(fd, NOBODY);
	else if (inside) /* it, or the directory of an embedded TPM in it */
		set_fd(fd, name[n] == '\0' ? 0 : find(0, name + n + 1));
	return fd;
}

int
__wrap_close(int fd)
{
	set_fd(fd, NOBODY);
	return __real_close(fd);
}

ssize_t
__wrap_pwrite(int fd, const void *p, size_t n, off_t off)
{
	uint32_t node = node_of(fd);
	struct entry *e;
	size_t len = n;
	bool fails;

	if (node == NOBODY)
		return __real_pwrite(fd, p, n, off);
	fails = record_point();
	if (fails && !record->fail_late)
		return -1;
	if (fails || torn_here())
		len = n / 2;
	if (__real_pwrite(fd, p, len, off) != (ssize_t)len)
		return -1;
	if (torn_here())
		_exit(VSM_KILLED);
	if ((e = add(CALL_WRITE)) != NULL) {
		e->node = node;
		e->off = (uint64_t)off;
		add_data(e, p, len);
		record->nentries++;
	}
	if (fails)
		errno = record->fail_errno;
	return fails ? -1 : (ssize_t)n;
}

int
__wrap_ftruncate(int fd, off_t len)
{
	uint32_t node = node_of(fd);
	struct entry *e;

	if (node == NOBODY)
		return __real_ftruncate(fd, len);
	if (record_point() || __real_ftruncate(fd, len) != 0)
		return -1;
	if ((e = add(CALL_TRUNCATE)) != NULL) {
		e->node = node;
		e->off = (uint64_t)len;
		record->nentries++;
	}
	return 0;
}

static void
add_sync(uint32_t node, bool failed)
{
	struct entry *e = add(record->nodes[node].is_dir ? CALL_SYNC_DIR : CALL_SYNC);

	if (e == NULL)
		return;
	e->node = node;
	e->failed = failed;
	snprintf(e->name, RECORD_NAME, "%s", record->nodes[node].name);
	record->nentries++;
}

static int
synced(int fd, int (*real)(int fd))
{
	uint32_t node = node_of(fd);
	bool fails;

	if (node == NOBODY)
		return real(fd);
	fails = record_point();
	if (!fails && real(fd) != 0)
		return -1;
	add_sync(node, fails);
	if (fails)
		errno = record->fail_errno;
	return fails ? -1 : 0;
}

int
__wrap_fdatasync(int fd)
{
	return synced(fd, __real_fdatasync);
}

int
__wrap_fsync(int fd)
{
	return synced(fd, __real_fsync);
}

int
__wrap_renameat(int a, const char *from, int b, const char *to)
{
	uint32_t in = node_of(a), node, old;
	struct entry *e;

	if (in == NOBODY)
		return __real_renameat(a, from, b, to);
	if (record_point() || __real_renameat(a, from, b, to) != 0)
		return -1;
	node = find(in, from);
	old = find(in, to);
	if (old != NOBODY)
		record->nodes[old].there = false;
	if (node != NOBODY)
		snprintf(record->nodes[node].name, RECORD_NAME, "%s", to);
	if ((e = add(CALL_RENAME)) != NULL) {
		e->node = node;
		e->dir = in;
		snprintf(e->name, RECORD_NAME, "%s", from);
		snprintf(e->to, RECORD_NAME, "%s", to);
		record->nentries++;
	}
	return 0;
}

int
__wrap_unlinkat(int dir, const char *name, int flags)
{
	uint32_t in = node_of(dir), node;
	struct entry *e;

	if (in == NOBODY)
		return __real_unlinkat(dir, name, flags);
	if ((node = find(in, name)) == NOBODY) /* nothing is there */
		return __real_unlinkat(dir, name, flags);
	if (record_point() || __real_unlinkat(dir, name, flags) != 0)
		return -1;
	record->nodes[node].there = false;
	if ((e = add(CALL_UNLINK)) != NULL) {
		e->dir = in;
		snprintf(e->name, RECORD_NAME, "%s", name);
		record->nentries++;
	}
	return 0;
}

int
__wrap_mkdirat(int dir, const char *name, mode_t mode)
{
	uint32_t in = node_of(dir), node;
	struct entry *e;

	if (in == NOBODY || find(in, name) != NOBODY)
		return __real_mkdirat(dir, name, mode);
	if (record_point() || __real_mkdirat(dir, name, mode) != 0)
		return -1;
	node = new_node(in, name, true);
	if ((e = add(CALL_MKDIR)) != NULL) {
		e->node = node;
		e->dir = in;
		snprintf(e->name, RECORD_NAME, "%s", name);
		record->nentries++;
	}
	return 0;
}

/* The TPM. */

static void
add_tpm(void)
{
	uint8_t nv[RECORD_NV];
	struct entry *e;
	ssize_t n;
	int fd;

	if (record->nv[0] == '\0')
		return;
	if ((fd = __real_open(record->nv, O_RDONLY | O_CLOEXEC)) < 0)
		return;
	n = read(fd, nv, sizeof(nv));
	__real_close(fd);
	if (n > 0 && (e = add(CALL_TPM)) != NULL) {
		add_data(e, nv, (size_t)n);
		record->nentries++;
	}
}

static bool
tpm_point(void)
{
	bool fails = record_point();

	record->tpm_failed |= fails;
	return fails;
}

static enum tpm_result
told(bool fails, enum tpm_result r)
{
	add_tpm();
	return fails ? TPM_FAILED : r;
}

enum tpm_result
__wrap_tpm_anchor_define(
    struct tpm *t, const struct tpm_anchor *a, const uint8_t origin[TPM_ANCHOR_LEN])
{
	bool fails = tpm_point();

	if (fails && !record->fail_late)
		return TPM_FAILED;
	return told(fails, __real_tpm_anchor_define(t, a, origin));
}

enum tpm_result
__wrap_tpm_anchor_extend(
    struct tpm *t, const struct tpm_anchor *a, const uint8_t digest[TPM_ANCHOR_LEN])
{
	bool fails = tpm_point();

	if (fails && !record->fail_late)
		return TPM_FAILED;
	return told(fails, __real_tpm_anchor_extend(t, a, digest));
}

enum tpm_result
__wrap_tpm_anchor_count(struct tpm *t, const struct tpm_anchor *a)
{
	bool fails = tpm_point();

	if (fails && !record->fail_late)
		return TPM_FAILED;
	return told(fails, __real_tpm_anchor_count(t, a));
}

/* What would take long. */

bool
__wrap_compact_worth(const struct journal *j, const struct map *m)
{
	return vsm_compact_now() || __real_compact_worth(j, m);
}

int
__wrap_anchor_tpm_init(struct anchor_tpm *t, struct anchor *a, const struct sealer *s,
    const struct master *m, const char *embedded)
{
	int r = __real_anchor_tpm_init(t, a, s, m, embedded);

	a->patience = 0; /* a TPM that fails is asked once what it holds */
	return r;
}

/* For the store time stands still: nothing happens because some of it has passed. */
int
__wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
	if (!inside || clock != CLOCK_MONOTONIC)
		return __real_clock_gettime(clock, ret);
	*ret = (struct timespec){.tv_sec = 1000};
	return 0;
}

bool
__wrap_crypt_scrypt(const void *secret, size_t len, const uint8_t *salt, size_t salt_len,
    unsigned cost, uint8_t out[CRYPT_KEY])
{
	struct part both[2] = {{salt, salt_len}, {secret, len}};

	(void)cost;
	return crypt_hash(both, 2, out);
}
