/* tree.c - see tree.h */
#include "common/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define DIRECTORY (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* What is in the directory that is open at fd, which is closed. */
static int
empty(int fd, unsigned depth)
{
	const struct dirent *e;
	DIR *d = fdopendir(fd);
	int r = 0;

	if (d == NULL) {
		close(fd);
		return -1;
	}
	while ((e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
		    tree_remove(fd, e->d_name, depth) != 0)
			r = -1;
	closedir(d);
	return r;
}

int
tree_empty(int dir, unsigned depth)
{
	int fd = openat(dir, ".", DIRECTORY);

	return fd >= 0 ? empty(fd, depth) : -1;
}

int
tree_remove(int dir, const char *name, unsigned depth)
{
	int fd;

	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR || depth == 0)
		return -1;
	fd = openat(dir, name, DIRECTORY);
	if (fd < 0 || empty(fd, depth - 1) != 0)
		return -1;
	return unlinkat(dir, name, AT_REMOVEDIR);
}
