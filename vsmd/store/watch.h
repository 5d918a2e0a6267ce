/*
 * watch.h - which files of the token directories changed (inotify).
 *
 * The kernel queues an event before the system call that made it returns, so what a worker
 * did before it asked for a commit is known when watch_read() returns.  When the queue
 * overflowed, all slots are marked for a full comparison.
 */
#ifndef CAAS_STORE_WATCH_H
#define CAAS_STORE_WATCH_H

#include "vsmd/store/slots.h"

/* Names that are not part of the store: SoftHSM2 makes them anew. */
bool watch_ignored(const char *name);
/* A name that a file of a token may have. */
bool watch_name_ok(const char *name);

/* A non-blocking descriptor, or -1 with errno. */
int watch_open(void);
/* Watch slot->directory, given by its path.  0, or -1 with errno. */
int watch_add(int fd, struct slot *slot, const char *path);
void watch_remove(int fd, struct slot *slot);
/* Read all that is queued into the slots' dirty names.  0, or -1 with errno. */
int watch_read(int fd, struct slots *s);

#endif
