/* unix.c - stream sockets in the file system; the peer is a uid */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "vchan-transport/ops.h"
#include "vchan-transport/stream.h"

#define LOCK_TRIES 100
#define LOCK_PAUSE_NS 10000000

struct unix_listener {
	struct listener l;
	struct sockaddr_un sa;
	dev_t dev; /* the file we made, and nobody else's, is removed at the end */
	ino_t ino;
	pid_t owner;
};

static void
fill(struct sockaddr_un *sa, const struct address *a)
{
	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	/* address_parse() checked that it fits. */
	memcpy(sa->sun_path, a->path, strlen(a->path) + 1);
}

/* Two starters on one path take turns: the lock is on the directory, so that no lock
 * file is left behind. */
static int
lock_directory(const char *path)
{
	char dir[sizeof(((struct sockaddr_un *)0)->sun_path)];
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
	size_t len = (size_t)(strrchr(path, '/') - path);
	int fd;

	memcpy(dir, path, len);
	dir[len] = '\0';
	if ((fd = open(len == 0 ? "/" : dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return -1;
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return fd;
		(void)nanosleep(&pause, NULL);
	}
	(void)close(fd);
	errno = EADDRINUSE;
	return -1;
}

/* Remove a socket that nobody listens on. */
static int
remove_stale(const struct sockaddr_un *sa)
{
	struct stat st;
	int fd, alive;

	if (lstat(sa->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
		return -1;
	/* Whatever is not a refusal (a full queue, a datagram socket) is somebody. */
	alive = connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 ||
	    errno != ECONNREFUSED;
	(void)close(fd);
	if (alive) {
		errno = EADDRINUSE;
		return -1;
	}
	return unlink(sa->sun_path);
}

/* Nobody can connect before listen(2), so the mode is in place in time. */
static int
bind_and_listen(struct unix_listener *u, unsigned mode)
{
	struct stat st;

	stream_refuse_fds(u->l.fd);
	if (fchmod(u->l.fd, 0600) < 0 ||
	    bind(u->l.fd, (const struct sockaddr *)&u->sa, sizeof(u->sa)) < 0)
		return -1;
	if (lstat(u->sa.sun_path, &st) < 0 || chmod(u->sa.sun_path, mode) < 0 ||
	    listen(u->l.fd, SOMAXCONN) < 0) {
		int saved = errno;

		(void)unlink(u->sa.sun_path);
		errno = saved;
		return -1;
	}
	u->dev = st.st_dev;
	u->ino = st.st_ino;
	return 0;
}

static struct listener *
unix_listen(const struct address *a, unsigned mode)
{
	struct unix_listener *u;
	int lock = -1, saved;

	if ((u = calloc(1, sizeof(*u))) == NULL)
		return NULL;
	fill(&u->sa, a);
	u->l.ops = &transport_unix;
	u->owner = getpid();
	u->l.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (u->l.fd < 0 || (lock = lock_directory(a->path)) < 0 ||
	    remove_stale(&u->sa) < 0 || bind_and_listen(u, mode) < 0) {
		saved = errno;
		if (lock >= 0)
			(void)close(lock);
		if (u->l.fd >= 0)
			(void)close(u->l.fd);
		free(u);
		errno = saved;
		return NULL;
	}
	(void)close(lock);
	return &u->l;
}

static struct listener *
unix_adopt(const struct address *a, int fd)
{
	struct unix_listener *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return NULL;
	fill(&u->sa, a);
	if (!stream_listens_at(fd, (const struct sockaddr *)&u->sa, sizeof(u->sa))) {
		free(u);
		errno = EINVAL;
		return NULL;
	}
	stream_refuse_fds(fd);
	u->l.ops = &transport_unix;
	u->l.fd = fd;
	return &u->l; /* without an owner: its file stays */
}

static void
unix_close(struct listener *l)
{
	struct unix_listener *u = (struct unix_listener *)l;
	struct stat st;

	/* Not in a forked child, and not what another process put there.  While we listen,
	 * nobody takes our place: after close(2) a successor's socket may get our inode. */
	if (u->owner == getpid() && lstat(u->sa.sun_path, &st) == 0 &&
	    st.st_dev == u->dev && st.st_ino == u->ino)
		(void)unlink(u->sa.sun_path);
	(void)close(l->fd);
	free(u);
}

static struct channel *
wrap(int fd)
{
	struct channel *c = channel_from_fd(fd);
	int saved = errno;

	if (c == NULL)
		(void)close(fd);
	errno = saved;
	return c;
}

static struct channel *
unix_accept(struct listener *l, struct peer *ret_peer)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	int fd = stream_accept(l->fd), saved;

	if (fd < 0)
		return NULL;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0) {
		saved = errno;
		(void)close(fd);
		errno = saved;
		return NULL;
	}
	memset(ret_peer, 0, sizeof(*ret_peer));
	ret_peer->kind = PEER_UID;
	ret_peer->id = cred.uid;
	ret_peer->gid = cred.gid;
	ret_peer->pid = (uint32_t)cred.pid;
	return wrap(fd);
}

static struct channel *
unix_connect(const struct address *a, int deadline)
{
	struct sockaddr_un sa;
	int fd, saved;

	fill(&sa, a);
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
		return NULL;
	if (stream_connect(fd, (const struct sockaddr *)&sa, sizeof(sa), deadline) < 0) {
		saved = errno;
		(void)close(fd);
		errno = saved;
		return NULL;
	}
	return wrap(fd);
}

const struct transport_ops transport_unix = {
    .listen = unix_listen,
    .adopt = unix_adopt,
    .accept = unix_accept,
    .close = unix_close,
    .connect = unix_connect,
};
