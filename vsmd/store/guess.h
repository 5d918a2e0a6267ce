/*
 * guess.h - who guesses PINs is slowed.
 *
 * The lock (pins.h) belongs to a PIN, whoever tries; any right PIN sets it back.  Beside it
 * wrong PINs are counted for each principal: after GUESS_FREE in a row it has one guess at a
 * time, and before each a pause that doubles.  It waits alone: others' logins with the same
 * PIN do not, nor does anything else that its applications do.
 *
 *	slot/N/guess/PRINCIPAL  u32 wrong PINs in a row of the SO, u32 of the user; absent
 *	                        when there are none
 *
 * Counted durably, so after a restart the pause begins anew.
 *
 * Ownership: what is known in memory belongs to the slot.  Threads: one.
 */
#ifndef CAAS_STORE_GUESS_H
#define CAAS_STORE_GUESS_H

#include "vsmd/policy/grant.h"
#include "vsmd/store/pins.h"

#define GUESS_FREE 3	       /* wrong PINs before the first pause */
#define GUESS_PAUSE 250	       /* ms, the first one */
#define GUESS_PAUSE_MAX 300000 /* ms */

struct slot;

struct guess {
	char principal[GRANT_NAME];
	uint32_t failed[PIN_USERS];
	int64_t after[PIN_USERS]; /* ms: no guess before */
	bool noted[PIN_USERS];	  /* a refusal since the last wrong PIN */
};

/*
 * What is known of the principal's guesses, with those that are durable; until it is asked for
 * again.  NULL: no memory.
 */
struct guess *guess_of(struct slot *slot, const struct txn *t, const struct map *m,
    const char *principal, int64_t now);
/* Wrong: one more, in memory and in t. */
void guess_wrong(
    struct slot *slot, struct txn *t, struct guess *g, enum pin_user user, int64_t now);
/* Right: none.  True when t has something to be written. */
bool guess_right(struct slot *slot, struct txn *t, const struct map *m, struct guess *g,
    enum pin_user user);
/* There is a new PIN: nobody has guessed. */
void guess_forget(
    struct slot *slot, struct txn *t, const struct map *m, enum pin_user user);
/* Milliseconds of the pause after so many wrong ones. */
int64_t guess_pause(uint32_t failed);

#endif
