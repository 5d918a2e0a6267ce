/*
 * deadline.h - a moment by which something must have happened.
 *
 * Callers give milliseconds from now, -1 for never; inside, the moment is kept, so
 * that a wait that is interrupted or makes partial progress goes on for what is left.
 * Threads: no state.
 */
#ifndef CAAS_TRANSPORT_DEADLINE_H
#define CAAS_TRANSPORT_DEADLINE_H

#include <stdint.h>

#define DEADLINE_NEVER INT64_MAX

/* The moment `ms` milliseconds from now on the monotonic clock, in nanoseconds. */
int64_t deadline_at(int ms);
/* Milliseconds until then, as poll(2) wants them: rounded up, -1 for never, 0 for
 * passed. */
int deadline_left(int64_t at);
/* poll(2) one descriptor until then: 0 when any event (also HUP and ERR) is there, -1
 * with ETIMEDOUT when the moment passed.  Signals do not end the wait. */
int deadline_poll(int fd, short events, int64_t at);

#endif
