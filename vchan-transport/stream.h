/* stream.h - channels over connected stream sockets, whatever the family. */
#ifndef CAAS_TRANSPORT_STREAM_H
#define CAAS_TRANSPORT_STREAM_H

#include <stdbool.h>
#include <sys/socket.h>

/* connect(2) until the deadline (ms, -1 none) on a blocking socket, which is blocking
 * afterwards too. */
int stream_connect(int fd, const struct sockaddr *sa, socklen_t len, int deadline);
/* accept(2) on a non-blocking listener: the descriptor (blocking, close-on-exec), or -1
 * with EAGAIN when nobody waits. */
int stream_accept(int fd);
/* A stream socket that listens at exactly that address; made non-blocking and close-on-exec.
 * false: another, or none. */
bool stream_listens_at(int fd, const struct sockaddr *sa, socklen_t len);
/* From now on nobody can send a descriptor along (Linux 6.16; before, nothing happens).  It
 * would be closed where it is not wanted, and some take their time to be closed.  What a
 * listener accepts is as the listener was. */
void stream_refuse_fds(int fd);

#endif
