/* searching.h - shortcuts.h for searches that are fetched: data objects to be found. */
#ifndef CAAS_TEST_SEARCHING_H
#define CAAS_TEST_SEARCHING_H

#include "protocol/fetch.h"
#include "shortcuts.h"

#define SOME 5		       /* objects with the label "some" */
#define MANY (FETCH_MAX + 100) /* so many that the worker has more than are fetched */

extern CK_OBJECT_HANDLE some[SOME];
extern CK_ATTRIBUTE by_label, by_many; /* finds these; those of make_many() */

#define COST(round_trips, of_them_fetches) COST_OF(round_trips, fetches, of_them_fetches)

/* Before each test: shortcuts_begin() with some. */
int searching_begin(void **state);
/* C_FindObjectsInit by_label, in one round trip. */
void search(CK_SESSION_HANDLE in);
/* The next object, which has to be one of some; 0: no more. */
CK_OBJECT_HANDLE next(CK_SESSION_HANDLE in);
/* The next n, and there are no more. */
void rest(CK_SESSION_HANDLE in, int n);
/* MANY objects of the session s, with the label "many". */
void make_many(void);

#endif
