/*
 * bounded.h - a call that may block for ever, waited for until a moment.
 *
 * libxenstore and libxenvchan ask XenStore's daemon, in dom0, and wait for as long as it
 * takes: a dom0 that does not answer would hold up who connects beyond his deadline.  So
 * such a call is made by a thread of its own.  When it is late it is left alone; what it
 * brings then is undone by that thread.
 *
 * Threads: any.  Fork: a call that is under way goes on in the parent alone.
 */
#ifndef CAAS_TRANSPORT_BOUNDED_H
#define CAAS_TRANSPORT_BOUNDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOUNDED_LATE 16 /* calls that may be late at the same time in one process */

/*
 * Run work(copy) on a copy of the `size` bytes at `job`, and copy it back: true.  False, and
 * `job` as it was: ETIMEDOUT, it was not done by `at` (deadline.h), and undo(copy) follows
 * when it is; EAGAIN or ENOMEM, there is no thread or no memory for it, or BOUNDED_LATE
 * others are late.  `undo` may be NULL.  Both see nothing but the copy, and what that
 * points to has to last for ever; errno is not passed on.  DEADLINE_NEVER: it is called in this thread.
 */
bool bounded_run(void (*work)(void *job), void (*undo)(void *job), void *job, size_t size,
    int64_t at);

#endif
