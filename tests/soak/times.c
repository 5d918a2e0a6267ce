/* times.c - see times.h: 32 bins for each power of two */
#include "tests/soak/times.h"

#define FINE 5 /* bits of a number that its bin tells */

static unsigned
bin_of(uint64_t ns)
{
	unsigned shift = ns >> FINE == 0 ? 0 : 63 - (unsigned)__builtin_clzll(ns) - FINE;

	return (shift << FINE) + (unsigned)(ns >> shift);
}

/* The largest number of a bin. */
static uint64_t
top_of(unsigned bin)
{
	unsigned shift = bin >> FINE > 1 ? (bin >> FINE) - 1 : 0;

	return (((uint64_t)bin - ((uint64_t)shift << FINE) + 1) << shift) - 1;
}

void
times_add(struct times *t, uint64_t ns)
{
	uint64_t longest = atomic_load(&t->longest);

	while (ns > longest && !atomic_compare_exchange_weak(&t->longest, &longest, ns))
		;
	atomic_fetch_add(&t->bins[bin_of(ns)], 1);
	atomic_fetch_add(&t->n, 1);
}

uint64_t
times_of(const struct times *t, unsigned thousandths)
{
	uint64_t n = atomic_load(&t->n), seen = 0, longest = atomic_load(&t->longest);

	for (unsigned i = 0; i < TIMES_BINS; i++) {
		seen += atomic_load(&t->bins[i]);
		if (n > 0 && seen * 1000 >= n * thousandths)
			return top_of(i) < longest ? top_of(i) : longest;
	}
	return 0;
}
