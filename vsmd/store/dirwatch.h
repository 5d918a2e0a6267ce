/*
 * dirwatch.h - which files of the token directories changed (inotify).
 *
 * The kernel queues an event before the system call that made it returns, so what a
 * worker did before it asked for a commit is known when dirwatch_read() returns.  When
 * the queue overflowed, all slots are marked for a full comparison.
 */
#ifndef CAAS_STORE_DIRWATCH_H
#define CAAS_STORE_DIRWATCH_H

#include "vsmd/store/slots.h"

/* Names that are not part of the store: SoftHSM2 makes them anew. */
bool dirwatch_ignored(const char *name);
/* A name that a file of a token may have. */
bool dirwatch_name_ok(const char *name);

/* A non-blocking descriptor, or -1 with errno.  Reads a path of /proc: call before the
 * store confines itself. */
int dirwatch_open(struct slots *s);
/* Watch slot->directory, given by its path.  0, or -1 with errno. */
int dirwatch_add(int fd, struct slot *slot, const char *path);
void dirwatch_remove(int fd, struct slot *slot);
/* Read into the slots' dirty names all that was queued when it was called, and not more:
 * whoever makes events as fast as they are read must not hold up the others.  0, or -1
 * with errno. */
int dirwatch_read(int fd, struct slots *s);

#endif
