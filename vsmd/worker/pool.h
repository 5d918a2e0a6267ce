/*
 * pool.h - the threads of a worker: one leads, the others follow.
 *
 * The thread that has the reader role reads a frame and serves it itself.  While it
 * serves, nobody reads; so it first hands the role on when the call may take long, when
 * the call has to wait for something, or when requests were seen to arrive meanwhile.
 * While every processor has a request to compute it wakes nobody: it keeps the role
 * through a short call, and gives it up for a long one, to whoever is done first.  Who is
 * done while the reader serves and more frames have arrived takes the role from it; where
 * requests come in a crowd it looks for them for a while, yielding, before it sleeps.  A guest
 * with one thread and cheap calls so costs no wake-up at all.  Where the guess was wrong,
 * the watch (the main thread) takes the role away, or wakes a reader, after a tick or two:
 * no request ever waits for a slow one to end.  While the guest has used one session at a
 * time, nobody is likely to wait, and ticks are longer.
 *
 * The watch also sends the beats (frame.h), and session objects to be kept (keep.h).  It
 * sleeps while nothing is being served.
 */
#ifndef CAAS_VSMD_POOL_H
#define CAAS_VSMD_POOL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "protocol/calls.h"

struct worker;

#define POOL_MAX 256
#define POOL_TICK 3      /* ms until the role is taken from who serves */
#define POOL_CALM 24     /* the same, without a crowd */
#define POOL_DEAR 60000  /* ns: in a crowd, a call that takes longer hands the role on first */
#define POOL_LONG 1000000 /* ns: the same, in any case */

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t follow; /* followers wait for the role here */
	pthread_cond_t watch;  /* the main thread */
	atomic_uint idle, total; /* written with the lock held */
	atomic_uint finishing; /* threads that send a reply, and then look for the role */
	unsigned max;
	bool vacant;           /* nobody has the role */
	_Atomic uint64_t role; /* count << 1 | serving; 0 when nobody has it */
	uint64_t count;        /* of the role's changes; its holder's */
	atomic_int resting;    /* of the watch: enum in pool.c */
	atomic_bool ended;
	int status;
	_Atomic uint64_t serving[POOL_MAX]; /* id + 1 of each thread's request, 0: none */
	atomic_uint outstanding;
	atomic_uint aside;     /* of these, calls that are slow or wait for something */
	atomic_uint waiting;   /* whole frames in the inbox, when the reader began to serve */
	unsigned processors;   /* that this process may use */
	atomic_uint cost[3][CALL_COUNT_]; /* ns; of fused requests; of FRAME_FETCH */
	/* The reader's; others may look at the first: */
	atomic_int crowd;      /* requests for which a crowd is expected */
	CK_ULONG last_session;
	/* Guesses of who has just been it: */
	atomic_uint sample;
	atomic_bool suspect;   /* bytes had arrived when the last call was done */
};

/* What a thread knows of itself. */
struct seat {
	unsigned number;
	bool finishing; /* counted in pool.finishing */
	uint64_t role; /* value of pool.role when it is ours, 0 otherwise */
	unsigned waiting; /* pool.waiting, as it was set by this thread */
};

/* Run with at most `threads` threads until pool_end(); returns its status. */
int pool_run(struct worker *w, unsigned threads);
void pool_end(struct pool *p, int status);

/* The thread body, in loop.c. */
void loop(struct worker *w, struct seat *seat);
/* Wait for the role. False: the pool has ended. */
bool pool_lead(struct worker *w, struct seat *seat);
/* Hand the role on, if this seat has it: somebody is woken to read. */
void pool_promote(struct worker *w, struct seat *seat);
/*
 * Give the role up, if this seat has it, and wake nobody: whoever is done first reads on.
 * For when every processor is busy; should that last, the watch wakes somebody.
 */
void pool_vacate(struct worker *w, struct seat *seat);
/* Around serving: note the request, and, when the role is kept, that it is idle, with
 * `waiting` frames in the inbox. */
void pool_begin(struct worker *w, struct seat *seat, unsigned waiting);
/* True when the role is still ours: read the next frame at once. */
bool pool_keep(struct worker *w, struct seat *seat);
/* The role was not taken from this seat yet; it may be at any moment, while it serves. */
bool pool_holds(struct pool *p, const struct seat *seat);
/* Something is left for the watch to do: it does not rest. */
void pool_stir(struct pool *p);
/* keep_wait() has something new to say. */
void pool_expect(struct pool *p);
/* Threads that compute, or are about to look for something to compute. */
unsigned pool_active(struct pool *p);
/* False when the id is outstanding already. Reader only. */
bool pool_note(struct pool *p, struct seat *seat, uint32_t id);
/* Before the reply is sent. */
void pool_forget(struct pool *p, struct seat *seat);
/* The same, by who has not the role: no thread is made meanwhile for what this one can do. */
void pool_finishing(struct pool *p, struct seat *seat);

#endif
