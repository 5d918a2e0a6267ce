/*
 * socket.h - the sockets on which message.h is spoken.
 *
 * A message is sent and received by common/ipc.h.  Descriptors are close-on-exec, and all but
 * seq_connect()'s do not block.  Errors: -1 with errno.
 */
#ifndef CAAS_XEN_SOCKET_H
#define CAAS_XEN_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

#define SEQ_DOMTD "/run/caas-domtd/domtd.sock"
#define SEQ_FORWARD "/run/caas-forward/pair.sock"

/* Listen at an absolute path, in the place of a socket that nobody listens on any more.  The
 * group is not changed when it is (gid_t)-1. */
int seq_listen(const char *path, mode_t mode, gid_t group);
int seq_connect(const char *path);
/* Who is at the other end; `member` is whether he is in `group`, by any of his groups. */
struct seq_peer {
	uid_t uid;
	pid_t pid;
	bool member;
};
int seq_accept(int listener, gid_t group, struct seq_peer *ret);

#endif
