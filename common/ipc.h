/*
 * ipc.h - messages between our own processes.
 *
 * A pipe is one end of a SOCK_SEQPACKET socket pair: one buf per message, at
 * most IPC_MAX bytes, with at most IPC_MAX_FDS descriptors beside it.  What the
 * bytes mean is said where the two ends are written (vsmd/msg.h); they are
 * parsed as strictly as a guest's, because a worker may have been taken over.
 *
 * Errors: -1 with errno; ECONNRESET when the other end is gone, EBADMSG for a
 * message that was cut.  Threads: a send is atomic, receives need one reader at a
 * time.
 */
#ifndef CAAS_COMMON_IPC_H
#define CAAS_COMMON_IPC_H

#include <stddef.h>
#include <sys/types.h>

#include "common/buf.h"

#define IPC_MAX (64 * 1024)
#define IPC_MAX_FDS 2

/* A connected pair, close-on-exec. */
int ipc_pair(int fds[2]);
/* Send all of b.  Blocks. Descriptors stay the caller's. */
int ipc_send(int fd, const struct buf *b, const int *fds, size_t nfds);
/*
 * Receive one message into b (reset first; its bound must be IPC_MAX) and up to
 * IPC_MAX_FDS descriptors, which are the caller's from then on; *ret_nfds is
 * their number, 0 on failure.  fds may be NULL when none are expected: any that come are closed.
 * Blocks unless the pipe is non-blocking (then EAGAIN).
 */
int ipc_recv(int fd, struct buf *b, int *fds, size_t *ret_nfds);

#endif
