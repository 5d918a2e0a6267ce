/* modules.c - see domc.h.  No modprobe(8): the image says which, and in which order. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log.h"
#include "xen-hooks/domc/domc.h"

static int
load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool done = fd >= 0 && (syscall(SYS_finit_module, fd, "", 0) == 0 || errno == EEXIST);

	if (!done)
		log_error("module %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	/* The kernel has its copy; the file takes memory. */
	return done ? unlink(path) : -1;
}

int
modules_load(const char *list)
{
	char path[256];
	FILE *f = fopen(list, "re");
	int rc = 0;

	if (f == NULL) {
		log_error("%s: %s: the image is damaged, build it anew", list, strerror(errno));
		return -1;
	}
	while (rc == 0 && fgets(path, sizeof(path), f) != NULL) {
		path[strcspn(path, "\n")] = '\0';
		rc = load(path);
	}
	fclose(f);
	return rc;
}
