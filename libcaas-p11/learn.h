/*
 * learn.h - what replies tell: which beginnings are accepted, what a session has active, and
 * whether the token's store has changed.
 *
 * hold_after() and hold_told() of hold.h are here.  What was asked before something changed,
 * by this application or by another, is not relied upon.
 */
#ifndef CAAS_P11_LEARN_H
#define CAAS_P11_LEARN_H

#include "libcaas-p11/effect.h"

/* The epoch of a reply to what was `asked` for then: a store that has changed may change any
 * answer.  Under the lock of the handles that known.h and told.h ask for. */
void learn_epoch(struct slot *slot, uint64_t epoch, int64_t asked);
/* No call that may change answers has been on its way since e was sent.  Under any lock. */
bool learn_unchanged(const struct errand *e);

#endif
