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
 * Records for power_run(): a sync of the step fails, and the store goes on; or it is killed at
 * a point, and goes on in a new process, and what it shows then it has acknowledged.  n counts
 * the syncs, or the points, from 1.
 */
enum again_result {
	AGAIN_RECORDED,
	AGAIN_NONE, /* the step has not as many */
	AGAIN_WRONG /* without any power cut */
};
enum again_result again_record_failure(
    const struct step *s, struct vsm *v, unsigned n, struct recording *ret);
enum again_result again_record_kill(
    const struct step *s, struct vsm *v, unsigned n, struct recording *ret);

#endif
