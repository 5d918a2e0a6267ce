/*
 * await.h - how threads wait for their replies on one link.
 *
 * On a stream, of the threads that wait one reads for all (the leader), and when its own
 * reply came it passes the role on.  A thread that is alone does one send and one receive;
 * one that waits for the leader is parked: it sleeps once and is woken once, without a lock
 * that it would meet.
 *
 * In shared memory each thread sleeps in a berth (vchan-transport/berth.h), from which the
 * worker wakes it when its reply is there; it reads what has arrived, for others too, and
 * wakes those.  Who was not woken for a while leads: it sleeps on the common word, notices
 * the worker's end and its silence, and reads for those that found no berth free, who are
 * parked.
 *
 * Threads: any.
 */
#ifndef CAAS_P11_AWAIT_H
#define CAAS_P11_AWAIT_H

#include "libcaas-p11/inbox.h"
#include "libcaas-p11/link.h"

#define LINK_BUCKETS 64 /* a power of two */

/* Who is to be woken when no lock is held any more. */
struct rouse {
	struct waiter *parked;
	uint64_t berths;
};

struct link {
	struct channel *channel;
	uint32_t max_frame, flags;
	int silence;
	atomic_uint refs;
	dev_t dev; /* of the channel's descriptor */
	ino_t ino;

	struct lock serial;  /* one call at a time, with the application's locks */
	struct lock writing; /* one frame at a time goes out */
	struct lock lock;    /* what follows */
	atomic_bool broken;
	bool led; /* somebody leads; always so while one is parked */
	CK_RV why;
	uint32_t last_id;
	struct waiter *waiting[LINK_BUCKETS];
	struct waiter *parked; /* of those the ones that are */

	bool has_berths;
	_Atomic uint64_t berths; /* taken */
	atomic_bool reading;     /* in shared memory: somebody reads what has arrived */
	atomic_uint received;    /* how often that brought something */

	/* Of who reads: */
	struct inbox inbox;
	struct rouse rouse;
	bool again; /* the worker serves no more */

	void (*keep)(void *arg, uint64_t generation, const struct kept *k); /* or NULL */
	void *keep_arg;
	uint64_t keep_generation;
};

/* Of a waiter.  It changes once; who sees that may go, and the waiter with it. */
enum { WAITS, DONE, FAILED };

/* Where the waiter of that id is linked, or would be.  Caller holds the lock. */
struct waiter **await_find(struct link *l, uint32_t id);
/*
 * The outcome of w, which is in no bucket any more.  Caller holds the lock, and calls
 * await_rouse() when it does not any more.  A waiter that is parked is put on the list of
 * those to be woken; any other may see it for itself, and must not be touched again.
 */
void await_settle(struct link *l, struct waiter *w, int state, struct rouse *rouse);
void await_rouse(struct link *l, struct rouse *rouse);
/* The peer is gone: what it sent to be kept, and nobody has read. */
void await_salvage(struct link *l);
/* Until w is settled. */
void await_reply(struct link *l, struct waiter *w);

#endif
