/*
 * turns.h - in which order logins that wait are served.
 *
 * A login waits for guesses that others have under way with the same PIN, or for the pause of
 * its principal (guess.h).  Among the logins of one principal the first to come is the first to
 * be served.  Among principals the turn goes round: each that waits has one before another has
 * its second, whoever keeps how many waiting; where each has but one, they are served as they
 * came.  One that cannot go yet (its principal's pause is not over) holds up no other principal.
 *
 * A turn is a number.  Who comes gets the one after that of the last that was served, or after
 * the last of its own principal that waits, if that is later.
 *
 * Threads: one.
 */
#ifndef CAAS_STORE_TURNS_H
#define CAAS_STORE_TURNS_H

#include "vsmd/store/state.h"

/* `a` asks for a login: give it a turn.  False: it has one, and is asked again. */
bool turns_take(struct store *s, struct attach *a, struct slot *slot, enum pin_user user);
/* Does anybody else wait for that PIN? */
bool turns_others(const struct store *s, const struct attach *a);
/* Does an earlier one of the same principal? */
bool turns_behind(const struct store *s, const struct attach *a);
/* It may try. */
void turns_served(struct slot *slot, const struct attach *a);
/*
 * Those that wait, in their order: an array that the caller frees, of *ret_n.  NULL: nobody
 * does, or there is no memory (then they wait on).
 */
struct attach **turns_all(const struct store *s, size_t *ret_n);

#endif
