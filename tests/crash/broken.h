/*
 * broken.h - records of stores that are wrong: a sync was forgotten, an order is another.
 *
 * The harness has to find something in each of them, or it finds nothing.
 */
#ifndef CRASH_BROKEN_H
#define CRASH_BROKEN_H

#include "history.h"

struct broken {
	const char *name;
	bool anchored; /* of which history */
	/* Syncs of that name are left out: "log", a file's, "/" for the state directory. */
	const char *no_sync;
	/* What stands before what it should stand behind: done in the other order. */
	enum disk_call first, second;
	const char *first_name, *second_name;
};
extern const struct broken brokens[];
extern const size_t brokens_count;

/* The record as such a store would have made it; entries alone are the caller's.  False:
 * nothing in it is changed by that. */
bool broken_record(const struct broken *b, const struct recording *r, struct recording *ret);
/* The same with that entry left out. */
void broken_without(const struct recording *r, size_t entry, struct recording *ret);

#endif
