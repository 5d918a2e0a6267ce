/*
 * press.h - what SoftHSM2 writes of one object, written nowhere.
 *
 * C_GetAttributeValue does not give all there is of an object; the file of a token's object
 * has it, byte strings of a private object encrypted under the token's key.  So a session
 * object is copied to the token, with the functions of libc that make the file answered here
 * (by view.c): a thread that presses has the file's bytes in memory, and the directory, its
 * generation and other processes know nothing of it.  SoftHSM2 writes the copy as the
 * session object is, CKA_TOKEN false in it, before it applies the template.  Then it finds
 * that it cannot read the file, and gives the copy up.
 *
 * Threads: each presses for itself.
 */
#ifndef CAAS_VSMD_WORKER_PRESS_H
#define CAAS_VSMD_WORKER_PRESS_H

#include <stdbool.h>
#include <stdio.h>

#include "common/buf.h"

/* From now on, in this thread, into `file`. */
void press_begin(struct buf *file);
/* True: a whole object was written. */
bool press_end(void);

/* For view.c.  `file` is a name in the token's directory. */
#define PRESS_NOT (-2)
bool press_on(void);
/* As open(2): PRESS_NOT for what is not the copy's. */
int press_open(const char *file, int flags);
/* The stream of such a descriptor; NULL with *ret_ours false: it is another. */
FILE *press_fdopen(int fd, const char *mode, bool *ret_ours);
/* The name is the copy's. */
bool press_names(const char *file);

#endif
