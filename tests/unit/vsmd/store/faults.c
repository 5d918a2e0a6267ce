/* faults.c - see faults.h */
#include "faults.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

struct faults faults;

ssize_t __real_pwrite(int fd, const void *p, size_t n, off_t off);
int __real_fdatasync(int fd);
int __real_fsync(int fd);
int __real_renameat(int a, const char *from, int b, const char *to);
int __real_ftruncate(int fd, off_t len);
ssize_t __wrap_pwrite(int fd, const void *p, size_t n, off_t off);
int __wrap_fdatasync(int fd);
int __wrap_fsync(int fd);
int __wrap_renameat(int a, const char *from, int b, const char *to);
int __wrap_ftruncate(int fd, off_t len);
int __real_fstatfs(int fd, struct statfs *ret);
int __wrap_fstatfs(int fd, struct statfs *ret);

void
faults_clear(void)
{
	memset(&faults, 0, sizeof(faults));
}

void
faults_point(void)
{
	if (faults.kill_at > 0 && --faults.kill_at == 0)
		_exit(9);
}

static bool
fails(enum fault_call c)
{
	faults_point();
	if (faults.in[c] == 0 || --faults.in[c] > 0)
		return false;
	if (faults.each[c])
		faults.in[c] = 1;
	errno = faults.error;
	return true;
}

ssize_t
__wrap_pwrite(int fd, const void *p, size_t n, off_t off)
{
	if (!fails(FAULT_PWRITE))
		return __real_pwrite(fd, p, n, off);
	if (faults.cut > 0 &&
	    __real_pwrite(fd, p, n < faults.cut ? n : faults.cut, off) < 0)
		return -1;
	errno = faults.error;
	return -1;
}

static int
synced(int fd, int r)
{
	if (r == 0 && faults.synced != NULL)
		faults.synced(fd);
	return r;
}

int
__wrap_fdatasync(int fd)
{
	return fails(FAULT_FDATASYNC) ? -1 : synced(fd, __real_fdatasync(fd));
}

int
__wrap_fsync(int fd)
{
	return fails(FAULT_FSYNC) ? -1 : synced(fd, __real_fsync(fd));
}

int
__wrap_renameat(int a, const char *from, int b, const char *to)
{
	return fails(FAULT_RENAME) ? -1 : __real_renameat(a, from, b, to);
}

int
__wrap_ftruncate(int fd, off_t len)
{
	return fails(FAULT_TRUNCATE) ? -1 : __real_ftruncate(fd, len);
}

int
__wrap_fstatfs(int fd, struct statfs *ret)
{
	int rc = __real_fstatfs(fd, ret);

	if (rc == 0 && faults.full)
		ret->f_bavail = 0;
	return rc;
}
