/*
 * link.h - one channel to a worker, shared by all threads that need it.
 *
 * Each call is one frame out and one frame in, matched by id; any number may be
 * outstanding.  There is no thread of the module's own.
 *
 * A link breaks once and for good: peer gone, silent, or not speaking the protocol.
 * Everybody who waits on it is then told the same code.
 *
 * With the application's locks (locks.h) one call at a time is let through.
 *
 * Threads: any, with cancellation disabled.  Ownership: counted; the last release closes
 * the channel.  Fork: the child calls link_forget() and nothing else.
 */
#ifndef CAAS_P11_LINK_H
#define CAAS_P11_LINK_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "libcaas-p11/locks.h"
#include "protocol/kept.h"
#include "vchan-transport/transport.h"

struct link;

#define LINK_SMALL 2048 /* replies up to here need no allocation */

/* A call that waits, on the stack of its thread. */
struct waiter {
	uint32_t id, call;
	CK_RV why;     /* it failed */
	uint8_t *body; /* the reply; in `small` or of malloc() */
	size_t len;
	bool unsent; /* it failed, and the worker has not served the call */
	bool again;  /* it said so (FRAME_AGAIN) */

	/* link.c's and await.c's alone */
	atomic_int state;
	struct waiter *next;            /* in its bucket, then among the woken */
	_Atomic uint32_t *berth;        /* or NULL */
	struct waiter *before, *behind; /* among the parked */
	bool parked, leads;
	sem_t wake;

	uint8_t small[LINK_SMALL];
};

/* Takes the channel over, also when it fails (then NULL).  The caller has one reference.
 * flags: HELLO_* of the worker's answer. */
struct link *link_new(struct channel *channel, uint32_t max_frame, int silence,
    uint32_t flags, const struct lock_how *how);
/* Session objects that come to be kept (FRAME_KEPT) go there, by any thread that reads, with
 * no lock of the link's held; before the first call. */
void link_keep(struct link *l, void (*keep)(void *, uint64_t, const struct kept *), void *arg,
    uint64_t generation);
void link_hold(struct link *l);
void link_release(struct link *l);
/* In the child of a fork: free it without a byte to the peer. */
void link_forget(struct link *l);

/* The largest body that the peer takes; and what it can. */
uint32_t link_max_frame(const struct link *l);
uint32_t link_flags(const struct link *l);
bool link_broken(struct link *l);
/* Break it: threads that wait get `why`.  The first one counts. */
void link_break(struct link *l, CK_RV why);

/*
 * Send `frame` (header and body, the id is filled in here) and wait for the reply to
 * `call`.  CKR_OK: the body is in w; waiter_free() when done with it.  Otherwise the link
 * is broken.
 */
CK_RV link_call(struct link *l, struct buf *frame, uint32_t call, struct waiter *w);
/* Wipe and release the reply. */
void waiter_free(struct waiter *w);

#endif
