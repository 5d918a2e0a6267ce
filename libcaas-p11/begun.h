/*
 * begun.h - operations begun in a worker, to be begun again in the next one.
 *
 * C_SignInit and C_Sign are two calls, and the worker may end between them, or during the
 * second.  What began the operation is kept with the session until the call that does it in
 * one part has been answered; sent to another worker than the beginning was, that call takes
 * it along (FRAME_FUSED).  An operation in several parts is not begun again: its data are
 * gone.
 *
 * Threads: both take the lock of the handles.  Fork: the child has what was kept.
 */
#ifndef CAAS_P11_BEGUN_H
#define CAAS_P11_BEGUN_H

#include "libcaas-p11/effect.h"

#define BEGUN_MAX 4096 /* bytes of a beginning; a longer one is not kept */

struct begun; /* in a session's entry */

/* Before each try to send a call on a session that takes no beginning along: e->begin and
 * e->begin_args, in e->arena, if it has to. */
void begun_again(struct module *m, struct errand *e);
/* The call was answered, its beginning with `began`. */
void begun_after(const struct errand *e, CK_RV began, CK_RV rv);

/* For table.c and handles.c. */
void begun_free(struct begun *b);

#endif
