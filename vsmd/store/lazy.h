/*
 * lazy.h - what may wait for a commit: logouts, and the end of the audit log; and what the
 * audit log needs by the clock: seals, new files, and the end of old ones.
 *
 * With an anchor they are committed with whatever comes next, or by themselves after
 * LAZY_AFTER, if the budget of writes (wear.h) allows; and at the end.  Without one they
 * wait for the next commit.
 */
#ifndef CAAS_STORE_LAZY_H
#define CAAS_STORE_LAZY_H

#include "vsmd/store/state.h"

#define LAZY_AFTER 5000	 /* ms */
#define LAZY_AGAIN 60000 /* ms after one that failed */

/* ms until lazy_run() has something to do; -1: not before something happens. */
int lazy_timeout(struct store *s);
/* Commit what has waited long enough; `all`: the store ends. */
void lazy_run(struct store *s, bool all);
/* audit_seal(); a failure is on the log. */
int lazy_seal(struct store *s);
/* A commit was made: what waited is in it. */
void lazy_done(struct store *s);

#endif
