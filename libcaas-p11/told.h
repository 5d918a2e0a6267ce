/*
 * told.h - what a worker has told of slot, token, mechanisms and sessions.
 *
 * Programs that list slots or mechanisms ask for one thing at a time, the same ones again
 * and again.  The first such question on a channel brings all there is to say of the slot
 * (FRAME_INFO, protocol/info.h); it and later ones are answered from that for as long as
 * known.h answers: some reply on the channel was asked for in the last KNOWN_MS.  How
 * what was told can change:
 *
 * Slot and mechanisms cannot, while the channel lasts.  SoftHSM2 makes its list when it is
 * initialised, of what it was built with and its configuration, before the worker is
 * forked; the policy applied to it is the grant that came with the channel, since a
 * reload counts for new channels; the slot is a number and a flag that is always set.
 *
 * The state of a session changes by what this application does: known until it logs in or
 * out, or tries to.
 *
 * The token's label and PINs change with the store, whose epoch all replies tell; its flags
 * by wrong PINs of this application, and without an epoch by those of others.  So it is
 * asked for again KNOWN_MS after it was asked for, whatever else was; its utcTime is as
 * old.
 *
 * Whatever is not a plain question, as one without a buffer or for a mechanism that is not
 * in the list, goes to the worker.  So does everything if FRAME_INFO is refused, as by a
 * worker that does not have it.  A call that fails with its channel has all of it
 * forgotten: who then asks whether there still is a token, or a session, is not told so
 * from memory.
 *
 * Threads: told_answer(), told_may_fetch(), told_older(), and told_reply() with an epoch
 * that is not newer, under any lock of the handles; what changes more under all.  Fork: the
 * child forgets, since it gets a channel of its own, and with it perhaps another grant.
 */
#ifndef CAAS_P11_TOLD_H
#define CAAS_P11_TOLD_H

#include "protocol/info.h"

struct told; /* of a slot */

/* Answer a call from what came with this reply to FRAME_INFO, however late it is.  false:
 * it has to be asked by itself. */
bool told_give(const struct info *info, const struct call *call, const struct arg *args,
    CK_RV *ret);
/* Answer it from memory, at `now` (known_now()).  false: not from here. */
bool told_answer(const struct told *t, uint64_t generation, int64_t now,
    const struct call *call, const struct arg *args, CK_RV *ret);
/* Not answered: is it a question that may go as FRAME_INFO? */
bool told_may_fetch(const struct told *t, uint64_t generation, const struct call *call,
    const struct arg *args);

/*
 * Remember what was `asked` for then: all, with `current` unless this application may have
 * changed something meanwhile; or the answer CKR_OK to C_GetTokenInfo or C_GetSessionInfo
 * in args.  *told is made when needed; without memory nothing is remembered.
 */
void told_all(struct told **told, uint64_t generation, int64_t asked,
    const struct info *info, bool current);
void told_one(struct told **told, uint64_t generation, uint64_t epoch, int64_t asked,
    const struct call *call, const struct arg *args);
/* Any reply on this channel; and: this application may change token or sessions. */
void told_reply(struct told *t, uint64_t generation, uint64_t epoch, int64_t asked);
/* An epoch that would end something of it; a call whose answer told_one() remembers. */
bool told_older(const struct told *t, uint64_t generation, uint64_t epoch);
bool told_keeps(const struct call *call);
void told_change(struct told *t);
/* In the child of a fork, and when the channel was lost. */
void told_renew(struct told *t);
void told_free(struct told *t);

#endif
