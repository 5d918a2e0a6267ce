/*
 * search.h - a search that was fetched as a whole (FRAME_FETCH), and goes on here.
 *
 * hold_found() of hold.h begins it, with what the worker has found.
 *
 * Threads: under the session's lock of the handles.
 */
#ifndef CAAS_P11_SEARCH_H
#define CAAS_P11_SEARCH_H

#include "libcaas-p11/pending.h"

/* C_FindObjectsInit whose search may be fetched: the session has nothing active, and the
 * template is one that can be held. */
bool search_may_fetch(const struct errand *e, struct entry *session);
/* The session has a search that was fetched, and the call is about searches. */
enum hold search_go_on(struct errand *e, struct pending *p, CK_RV *ret);
void search_forget(struct pending *p);

#endif
