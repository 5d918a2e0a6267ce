/* file.c - see file.h */
#include "vsmd/store/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int
file_write_at(int fd, const void *data, size_t len, off_t off)
{
	const uint8_t *p = data;

	while (len > 0) {
		ssize_t n = pwrite(fd, p, len, off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0) {
			errno = ENOSPC;
			return -1;
		}
		p += n;
		len -= (size_t)n;
		off += n;
	}
	return 0;
}

ssize_t
file_read_at(int fd, void *data, size_t len, off_t off)
{
	uint8_t *p = data;
	size_t got = 0;

	while (got < len) {
		ssize_t n = pread(fd, p + got, len - got, off + (off_t)got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

ssize_t
file_load(int dir, const char *name, void *data, size_t size)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	ssize_t n = -1;
	int saved;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0) {
		if (S_ISREG(st.st_mode))
			n = file_read_at(fd, data, size, 0);
		else
			errno = EINVAL;
	}
	saved = errno;
	close(fd);
	errno = saved;
	return n;
}

int
file_create(int dir, const char *name)
{
	if (unlinkat(dir, name, 0) != 0 && errno != ENOENT)
		return -1;
	return openat(
	    dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

int
file_replace(int dir, const char *name, const char *temp, const void *data, size_t len)
{
	int fd, saved;

	if ((fd = file_create(dir, temp)) < 0)
		return -1;
	if (file_write_at(fd, data, len, 0) != 0 || fsync(fd) != 0) {
		saved = errno;
		close(fd);
		(void)unlinkat(dir, temp, 0);
		errno = saved;
		return -1;
	}
	close(fd);
	if (renameat(dir, temp, dir, name) != 0) {
		saved = errno;
		(void)unlinkat(dir, temp, 0);
		errno = saved;
		return -1;
	}
	return 0;
}
