/*
 * pending.h - what a session has begun: an operation's beginning that is held, or a search
 * that was fetched.  For hold.c, search.c and learn.c; others keep it and free it.
 *
 * Threads: under the session's lock of the handles, but for what is atomic.  Fork: what is
 * atomic is written last, and taken back first: a child sees all of it, or nothing.
 */
#ifndef CAAS_P11_PENDING_H
#define CAAS_P11_PENDING_H

#include <stdatomic.h>

#include "libcaas-p11/hold.h"
#include "libcaas-p11/table.h"

#define HOLD_MAX 512 /* bytes of a beginning; a longer one is not held */

struct pending {
	uint64_t key;        /* of the last beginning (accepted.h); 0: none */
	atomic_bool busy;    /* in the worker, too, as far as is known here */
	const struct call *_Atomic call; /* what is held, or NULL */
	atomic_bool moving;  /* a call is sending it by itself */
	size_t len;
	uint8_t ask[HOLD_MAX]; /* its arguments, with virtual handles (message.h) */

	/* A search that was fetched: */
	CK_OBJECT_HANDLE *_Atomic found; /* NULL: there is none */
	size_t nfound, given;
	bool more; /* the worker has more, and the search is active there */
};

/* The session's, made when needed; NULL: no memory. */
struct pending *pending_of(struct entry *session);
/* Hold this beginning.  False: it is too long, or there is no memory. */
bool pending_put(struct pending *p, const struct call *call, const struct arg *args);
/* The beginning leaves the session, and goes along with e. */
bool pending_take(struct pending *p, struct errand *e);
/* The beginning goes before e.  It stays until it was sent: for who comes meanwhile, and
 * for a child of fork(). */
enum hold pending_first(struct pending *p, struct errand *e);
/* In the child of a fork. */
void pending_renew(struct pending *p);
void pending_free(struct pending *p);

#endif
