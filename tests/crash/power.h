/*
 * power.h - the power goes at each point of a record: what the disk may then hold, opened.
 */
#ifndef CRASH_POWER_H
#define CRASH_POWER_H

#include "look.h"

struct power {
	const char *name;
	const struct recording *r;
	struct tally *tally;
	uint32_t seed;
	unsigned tries;	   /* as the history's */
	unsigned most;	   /* variants at a point */
	unsigned sample;   /* of so many states one is looked at; 0: all are */
	bool thorough;	   /* at every point, of quiet steps too */
	unsigned nested;   /* of so many states one: the power goes during the start too */
	bool stop_at_first;
	size_t first;	   /* entry from which on it is looked; at most `until` */
	size_t until;
};

/* By `shares` processes.  The disks are those of `v`'s kind. */
void power_run(const struct power *p, unsigned shares);

#endif
