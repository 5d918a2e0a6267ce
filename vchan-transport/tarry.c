/* tarry.c - see tarry.h */
#include "vchan-transport/tarry.h"

#include <sched.h>

#include "vchan-transport/deadline.h"

#define LONGEST	  50000 /* ns */
#define DISTURBED 5000	/* ns between two looks: somebody else had the processor */
#define VAIN	  8

_Static_assert((1 << VAIN) - 1 == TARRY_LEFT_OUT, "left out is 2^vain - 1");

static bool
look(bool (*there)(void *arg), void *arg)
{
	int64_t begin = deadline_at(0), last = begin, now;

	do {
		if (there(arg))
			return true;
		sched_yield();
		now = deadline_at(0);
		if (now - last > DISTURBED)
			return false;
		last = now;
	} while (now - begin < LONGEST);
	return false;
}

/* Slowly back to looking: who is answered soon only now and then had better sleep. */
static unsigned
after(unsigned vain, bool there)
{
	if (there)
		return vain > 0 ? vain - 1 : 0;
	return vain + 2 < VAIN ? vain + 2 : VAIN;
}

bool
tarry(struct tarry *t, bool (*there)(void *arg), void *arg)
{
	unsigned left_out = atomic_load_explicit(&t->left_out, memory_order_relaxed), vain;
	bool is;

	if (left_out > 0) {
		atomic_store_explicit(&t->left_out, left_out - 1, memory_order_relaxed);
		return false;
	}
	if (atomic_exchange(&t->taken, true))
		return false;
	is = look(there, arg);
	vain = after(atomic_load_explicit(&t->vain, memory_order_relaxed), is);
	atomic_store_explicit(&t->vain, vain, memory_order_relaxed);
	atomic_store_explicit(&t->left_out, (1u << vain) - 1, memory_order_relaxed);
	atomic_store(&t->taken, false);
	return is;
}
