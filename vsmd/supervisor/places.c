/* places.c - the state and runtime directories, and that only one vsmd has them. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "vsmd/supervisor/super.h"

#define PATIENCE 50 /* tries of 100 ms: the processes of a killed vsmd are ending */

static int
directory(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	struct stat st;

	if (mkdir(path, mode) == 0) {
		/* Not the umask's business: guests must reach the socket. */
		if (chmod(path, mode) == 0 &&
		    (geteuid() != 0 || chown(path, uid, gid) == 0))
			return 0;
	} else if (errno == EEXIST && stat(path, &st) == 0) {
		if (!S_ISDIR(st.st_mode)) {
			log_error("%s is no directory", path);
			return -1;
		}
		if (st.st_uid != uid && st.st_uid != 0) {
			log_error(
			    "%s belongs to uid %u, but vsmd runs as uid %u: chown it, or "
			    "set user in vsmd.conf",
			    path, (unsigned)st.st_uid, (unsigned)uid);
			return -1;
		}
		if (st.st_mode & S_IWOTH) {
			log_error("%s can be written by everybody: chmod o-w it", path);
			return -1;
		}
		if (st.st_uid == uid || geteuid() != 0 || chown(path, uid, gid) == 0)
			return 0;
	}
	log_error("cannot make %s: %s", path, strerror(errno));
	return -1;
}

static int
lock_again(int fd)
{
	/* Past this many tries it is not one that is ending. */
	for (int i = 0; i < PATIENCE; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -1;
		(void)poll(NULL, 0, 100);
	}
	errno = EWOULDBLOCK;
	return -1;
}

/* The holder's pid stands in the file, for the message. */
static int
lock(const char *dir, const char *name)
{
	char path[1024], pid[32];
	int fd, n;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		log_error("cannot open %s: %s", path, strerror(errno));
		return -1;
	}
	if (lock_again(fd) < 0) {
		ssize_t len = pread(fd, pid, sizeof(pid) - 1, 0);

		pid[len > 0 ? len : 0] = '\0';
		pid[strspn(pid, "0123456789")] = '\0';
		if (errno == EWOULDBLOCK)
			log_error("another vsmd (pid %s) runs on %s: stop it first, or "
				  "give this "
				  "one directories of its own",
			    pid[0] ? pid : "unknown", dir);
		else
			log_error("cannot lock %s: %s", path, strerror(errno));
		close(fd);
		return -1;
	}
	n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)n, 0) < 0)
		log_warn("cannot write %s: %s", path, strerror(errno));
	return fd;
}

int
places_open(struct super *s, uid_t uid, gid_t gid)
{
	const struct config_settings *c = config_settings(s->boot);

	if (directory(c->state, 0700, uid, gid) < 0 ||
	    directory(c->runtime, 0755, uid, gid) < 0)
		return -1;
	if ((s->lock_state = lock(c->state, "vsmd.lock")) < 0 ||
	    (s->lock_runtime = lock(c->runtime, "vsmd.pid")) < 0)
		return -1;
	if (geteuid() == 0 && (fchown(s->lock_state, uid, gid) < 0 ||
				  fchown(s->lock_runtime, uid, gid) < 0)) {
		log_error("cannot give the lock files to uid %u: %s", (unsigned)uid,
		    strerror(errno));
		return -1;
	}
	return 0;
}

void
places_close(struct super *s)
{
	/* The files stay: removing a lock file lets two hold it. */
	if (s->lock_runtime >= 0) {
		if (ftruncate(s->lock_runtime, 0) < 0)
			log_debug("cannot empty vsmd.pid: %s", strerror(errno));
		close(s->lock_runtime);
	}
	if (s->lock_state >= 0)
		close(s->lock_state);
	s->lock_runtime = s->lock_state = -1;
}
