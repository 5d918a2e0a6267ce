/*
 * loop.h - the store's one loop: pipes, inotify, commits.
 *
 * Returns when M_S_STOP came or the supervisor is gone, after what waited was committed.
 */
#ifndef CAAS_STORE_LOOP_H
#define CAAS_STORE_LOOP_H

#include "vsmd/store/state.h"

/* The exit status. */
int loop_run(struct store *s);
/* Serve one message of the supervisor. */
void loop_supervisor(struct store *s);

#endif
