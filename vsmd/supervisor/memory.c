/*
 * memory.c - the one place where token directories are in clear: never on a disk.
 *
 * With the right to mount: a tmpfs of our own in a mount namespace of our own, which ends
 * with the last of our processes, kept out of swap where the kernel can.  Otherwise: a
 * directory in /dev/shm, named by a link in the runtime directory so that the next start
 * removes what a killed one left.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "common/log.h"
#include "common/tree.h"
#include "vsmd/supervisor/super.h"

#define SHM "/dev/shm"
#define PREFIX SHM "/vsmd-"
#define SIZE "25%" /* of the machine's memory */
#define DEPTH 8

static void
empty_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)tree_empty(fd, DEPTH);
	close(fd);
}

/* A namespace and a tmpfs.  1: done, 0: not allowed here, -1: failed otherwise. */
static int
mount_private(const char *path, uid_t uid, gid_t gid)
{
	char options[128];
	int n;

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return 0;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -1;
	n = snprintf(options, sizeof(options), "mode=0700,size=%s,uid=%u,gid=%u", SIZE,
	    (unsigned)uid, (unsigned)gid);
	snprintf(options + n, sizeof(options) - (size_t)n, ",noswap");
	if (mount("vsmd", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) == 0)
		return 1;
	/* Before Linux 6.4 tmpfs knows no noswap. */
	options[n] = '\0';
	if (mount("vsmd", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) ==
	    0) {
		log_warn("this kernel cannot keep a tmpfs out of swap: encrypt or turn "
			 "off swap");
		return 1;
	}
	return errno == EPERM || errno == EACCES ? 0 : -1;
}

/* What a killed vsmd left: only what its link names, is ours, and is a directory. */
static void
remove_stale(const char *link)
{
	char target[256];
	struct stat st;
	ssize_t n = readlink(link, target, sizeof(target) - 1);

	if (n < 0)
		return;
	target[n] = '\0';
	if (strncmp(target, PREFIX, strlen(PREFIX)) == 0 &&
	    strchr(target + strlen(PREFIX), '/') == NULL && lstat(target, &st) == 0 &&
	    S_ISDIR(st.st_mode) && (st.st_uid == geteuid() || geteuid() == 0)) {
		log_info("removing the memory of a vsmd that was killed path=%s", target);
		empty_path(target);
		(void)rmdir(target);
	}
	(void)unlink(link);
}

static int
make_shared(struct super *s, const char *link, uid_t uid, gid_t gid)
{
	char path[] = PREFIX "XXXXXX";
	struct statfs fs;

	if (statfs(SHM, &fs) < 0 || fs.f_type != TMPFS_MAGIC) {
		log_error(
		    "keys would touch a disk: " SHM " is no tmpfs. Mount one there, or "
		    "start vsmd as root so that it can mount its own");
		return -1;
	}
	if (mkdtemp(path) == NULL) {
		log_error("cannot make a directory in " SHM ": %s", strerror(errno));
		return -1;
	}
	if ((geteuid() == 0 && chown(path, uid, gid) < 0) || symlink(path, link) < 0 ||
	    (s->memory.path = strdup(path)) == NULL ||
	    (s->memory.link = strdup(link)) == NULL) {
		log_error("cannot prepare %s: %s", path, strerror(errno));
		(void)rmdir(path);
		return -1;
	}
	log_info("token directories lie in %s, not in a private mount: that needs "
		 "root or CAP_SYS_ADMIN",
	    path);
	return 0;
}

int
memory_make(struct super *s, uid_t uid, gid_t gid)
{
	const char *runtime = config_settings(s->boot)->runtime;
	char *path = NULL, *link = NULL;
	int rc = -1;

	if (asprintf(&path, "%s/memory", runtime) < 0 ||
	    asprintf(&link, "%s/memory.link", runtime) < 0) {
		log_error("out of memory");
		goto out;
	}
	remove_stale(link);
	switch (mount_private(path, uid, gid)) {
	case 1:
		s->memory.mounted = true;
		s->memory.path = path;
		path = NULL;
		rc = 0;
		break;
	case 0:
		rc = make_shared(s, link, uid, gid);
		break;
	default:
		log_error("cannot mount a tmpfs on %s: %s", path, strerror(errno));
	}
out:
	free(path);
	free(link);
	return rc;
}

void
memory_empty(struct super *s)
{
	empty_path(s->memory.path);
}

void
memory_remove(struct super *s)
{
	if (s->memory.path != NULL) {
		memory_empty(s);
		if (!s->memory.mounted)
			(void)rmdir(s->memory.path);
	}
	if (s->memory.link != NULL)
		(void)unlink(s->memory.link);
	free(s->memory.path);
	free(s->memory.link);
	s->memory.path = s->memory.link = NULL;
}
