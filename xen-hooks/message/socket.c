/* socket.c - see socket.h */
#include "xen-hooks/message/socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define GROUPS_MAX 1024
#define BACKLOG 16

static int
seq_socket(const char *path, int flags, struct sockaddr_un *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->sun_family = AF_UNIX;
	if (path[0] != '/' || strlen(path) >= sizeof(ret->sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(ret->sun_path, path, strlen(path));
	return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);
}

int
seq_connect(const char *path)
{
	struct sockaddr_un sun;
	int fd = seq_socket(path, 0, &sun), saved;

	if (fd < 0 || connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* 0 when nobody listens there; what is left of an earlier socket is removed. */
static int
clear(const char *path)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	fd = seq_connect(path);
	if (fd >= 0) {
		close(fd);
		errno = EADDRINUSE;
		return -1;
	}
	return unlink(path);
}

int
seq_listen(const char *path, mode_t mode, gid_t group)
{
	struct sockaddr_un sun;
	int fd = seq_socket(path, SOCK_NONBLOCK, &sun), rc = -1, saved;
	mode_t mask;

	if (fd < 0)
		return -1;
	/* For nobody else until the group is the right one. */
	mask = umask(0177);
	if (clear(path) == 0)
		rc = bind(fd, (struct sockaddr *)&sun, sizeof(sun));
	saved = errno;
	umask(mask);
	errno = saved;
	if (rc == 0 && (group == (gid_t)-1 || lchown(path, (uid_t)-1, group) == 0) &&
	    chmod(path, mode) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static bool
in_group(int fd, gid_t primary, gid_t group)
{
	gid_t groups[GROUPS_MAX];
	socklen_t len = sizeof(groups);

	if (primary == group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == group)
			return true;
	return false;
}

int
seq_accept(int listener, gid_t group, struct seq_peer *ret)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), saved;

	if (fd < 0)
		return -1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	*ret = (struct seq_peer){.uid = cred.uid, .pid = cred.pid};
	ret->member = group != (gid_t)-1 && in_group(fd, cred.gid, group);
	return fd;
}
