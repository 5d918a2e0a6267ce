/*
 * shortcuts.h - for the tests of hold.c, known.c and told.c: an application with two
 * sessions on a fake vsmd, and what its calls cost in round trips.
 *
 * holding.h and searching.h say what objects it has.  What fails here is a failed
 * assertion of cmocka.
 */
#ifndef CAAS_TEST_SHORTCUTS_H
#define CAAS_TEST_SHORTCUTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "client.h"
#include "fake.h"

extern struct fake *fake;
extern CK_SESSION_HANDLE s, other;
extern CK_MECHANISM rsa, sha;
extern int calls, fused, fetches, infos; /* what fake->calls and so on were at the last count() */

/* What it has cost since the last time: round trips, and those of them that `kind`, fused,
 * fetches or infos, counts. */
#define COST_OF(round_trips, kind, of_them)                                              \
	do {                                                                             \
		assert_int_equal(fake->calls - calls, round_trips);                      \
		assert_int_equal(fake->kind - kind, of_them);                            \
		count();                                                                 \
	} while (0)

/* For a group of tests: start a fake vsmd, and make the RSA key pair "token" on its token;
 * stop it. */
int shortcuts_start(void **state);
int shortcuts_stop(void **state);
/* For each test: load the module, open s and other, log in, and have `make` make its
 * objects; unload it, and have the fake be honest again. */
int shortcuts_begin(void (*make)(void));
int shortcuts_end(void **state);

/* C_Finalize and begin again with these arguments, and CAAS_VSM_SHORTCUTS set to `setting`;
 * NULL: as it is. */
void restart(const CK_C_INITIALIZE_ARGS *args, const char *setting);
/* One more session. */
CK_SESSION_HANDLE open_session(void);
/* Costs are counted from here. */
void count(void);
/* So that what was known is so no more; then count(). */
void wait_until_unknown(void);
/* Run f(arg) in a thread, and return when the fake has read its first call. */
pthread_t call_in_thread(void *(*f)(void *), void *arg);

#endif
