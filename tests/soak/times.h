/*
 * times.h - how long things took, counted by many processes in memory that they share.
 *
 * Within 3 % of the truth.  Zeroed memory is an empty one.  Any process and thread may add.
 */
#ifndef CAAS_TEST_TIMES_H
#define CAAS_TEST_TIMES_H

#include <stdatomic.h>
#include <stdint.h>

#define TIMES_BINS (60 * 32)

struct times {
	_Atomic uint64_t n, longest; /* ns */
	_Atomic uint32_t bins[TIMES_BINS];
};

void times_add(struct times *t, uint64_t ns);
/* What so many of a thousand are not above; 0 of an empty one. */
uint64_t times_of(const struct times *t, unsigned thousandths);

#endif
