/*
 * hold.h - beginnings of operations that wait for the operation.
 *
 * Most of what applications do is C_SignInit, then C_Sign: two round trips for one
 * signature.  A beginning that was accepted before, with the same key and the same
 * mechanism, while nothing has happened that might change the answer, is answered CKR_OK
 * here and held; the call that does the operation takes it along in one frame
 * (FRAME_FUSED).  Any call in between that could tell the difference sends it first.
 *
 * Whether it is accepted is still the worker's to judge.  If it is not, since another
 * application changed the key or the policy changed, the call that took it along says so.
 *
 * A search is fetched as a whole (FRAME_FETCH) and its C_FindObjectsInit held likewise:
 * C_FindObjects and C_FindObjectsFinal are answered here, and a call that could see that
 * no search is active in the worker starts it there first.  Attributes that came along
 * are in known.h; what was told of slot, token and mechanisms in told.h.
 *
 * What was accepted is forgotten with the channel, when the token's store has changed
 * (the epoch of replies), and before calls that log in or out, change or destroy; an
 * answer that was on its way during such a call is not remembered.
 *
 * hold.c has what comes before a call, learn.c what its reply tells, search.c a search that is
 * gone on with; accepted.h what the worker accepted, pending.h what a session holds.
 *
 * Threads: every function takes the session's lock of the handles (handles.h), and all of
 * them for what concerns others: a call that is remembered already meets nobody.  Fork: the
 * child has what was held; what was accepted is void there, since it gets a channel of its
 * own.
 */
#ifndef CAAS_P11_HOLD_H
#define CAAS_P11_HOLD_H

#include "libcaas-p11/effect.h"
#include "protocol/fetch.h"
#include "protocol/info.h"

enum hold {
	HOLD_SEND,  /* the call goes to the worker, with what e->begin holds */
	HOLD_DONE,  /* answered here, with *ret */
	HOLD_FIRST, /* send what e->begin holds by itself, hold_sent(), and ask again */
	HOLD_WAIT,  /* another thread is sending what has to go first: ask again soon */
};

/*
 * Before a call on a session is sent.  With HOLD_SEND and e->begin not NULL the call takes
 * its beginning along; with HOLD_FIRST, e->begin has to go before it, on the session of
 * e->begin_args[0].  The arguments of the beginning lie in e->arena.
 */
enum hold hold_before(struct module *m, struct errand *e, CK_RV *ret);
/* The same before a call on a slot: HOLD_SEND, as FRAME_INFO with e->info, or HOLD_DONE. */
enum hold hold_before_slot(struct errand *e, CK_RV *ret);
/* e->begin, of HOLD_FIRST, was sent, whatever came of it. */
void hold_sent(struct module *m, struct errand *e);
/* The call is over, however it ended, for which HOLD_SEND was said. */
void hold_over(struct module *m, const struct errand *e);
/* The call was not sent after all: hold its beginning again. */
void hold_again(struct module *m, struct errand *e);
/* The call, on a session or a slot, was answered: remember what was accepted, whether the
 * session has an operation now, and the epoch.  `begun` is what came of e->begin. */
void hold_after(struct errand *e, CK_RV begun, CK_RV rv, uint64_t epoch);
/*
 * The search of e->fetch was answered with CKR_OK: its objects, whose virtual handles are
 * in malloc()ed `handles`, taken over here, are what C_FindObjects gives.  What the call
 * gets: CKR_OPERATION_ACTIVE when another thread has begun something meanwhile.
 */
CK_RV hold_found(struct errand *e, const struct fetched *f, CK_OBJECT_HANDLE *handles);
/* FRAME_INFO was answered, with whatever code. */
void hold_told(struct errand *e, const struct info *info);
/* The call was not answered, for the channel's sake. */
void hold_lost(struct errand *e);
/* What the call gets whose beginning was refused: a code that it can have. */
CK_RV hold_refused(CK_RV begun);

#endif
