/*
 * wear.h - a budget of writes to the TPM's NV memory, which wears.
 *
 * It fills at `per_day` evenly, up to a tenth of a day's; what must be written is written
 * all the same, and what may wait looks whether something is left.  per_day 0: no budget.
 * Times are clock_ms().
 */
#ifndef CAAS_STORE_WEAR_H
#define CAAS_STORE_WEAR_H

#include <stdbool.h>
#include <stdint.h>

struct wear {
	unsigned per_day;
	double left; /* writes; below zero: spent in advance */
	int64_t at;  /* when that was so */
};

/* A full one. */
void wear_init(struct wear *w, unsigned per_day, int64_t now);
void wear_spend(struct wear *w, uint64_t writes, int64_t now);
/* ms until a write that may wait may be made; 0: now. */
int64_t wear_wait(const struct wear *w, int64_t now);
/* Writes that are left, not below zero; 0 without a budget. */
unsigned wear_left(const struct wear *w, int64_t now);

#endif
