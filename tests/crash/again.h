/*
 * again.h - the steps of a history done again, each on the disk that it had, and something
 * goes wrong at a point of it: the process ends, or a call fails.
 */
#ifndef CRASH_AGAIN_H
#define CRASH_AGAIN_H

#include "look.h"

struct again {
	const struct history *h;
	struct tally *tally;
	uint32_t seed;
	bool thorough; /* every way to fail at each point, and quiet steps too */
};

/* kill -9 before each point, and in the middle of each write.  By `shares` processes. */
void again_killed(const struct again *a, unsigned shares);
/* Each call fails: no space, an error, a file system that has become read-only; the TPM
 * fails, before a command is done or after.  Once, or as long as the step lasts. */
void again_failing(const struct again *a, unsigned shares);
/*
 * A sync of that step fails and the store goes on: recorded, for power_run().  n counts the
 * syncs of the step from 0; false when it has no such.
 */
bool again_record_failure(
    const struct step *s, struct vsm *v, unsigned n, struct recording *ret);
/* The store is killed at the n-th point of the step, counted from 1, and goes on in a new
 * process: recorded too.  What it shows then it has acknowledged. */
bool again_record_kill(const struct step *s, struct vsm *v, unsigned n, struct recording *ret);

#endif
