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

/* A non-blocking descriptor, or -1 with errno. */
int dirwatch_open(void);
/* Watch slot->directory, given by its path.  0, or -1 with errno. */
int dirwatch_add(int fd, struct slot *slot, const char *path);
void dirwatch_remove(int fd, struct slot *slot);
/* Read all that is queued into the slots' dirty names.  0, or -1 with errno. */
int dirwatch_read(int fd, struct slots *s);

#endif
