/*
 * ring.h - bytes one way through memory that two processes share, neither trusting the other.
 *
 * The producer adds to one index, the consumer to the other.  Each keeps its own index to
 * itself, and believes the peer's only after a check: what the peer writes into this memory
 * can garble its own bytes or close the channel, and nothing else.  The consumer copies
 * bytes once and wipes them where they lay.
 *
 * Who has to wait says so in the word beside the index it waits for, and looks once more;
 * who moves that index looks at the word afterwards.  So nobody sleeps through a change,
 * and nobody makes a system call while the other side is awake.
 *
 * Of many threads that wait for bytes each can sleep in a berth, a word of its own, and the
 * producer wakes those that the bytes are for.
 *
 * Threads: one producer and one consumer; each end belongs to one of them.
 */
#ifndef CAAS_TRANSPORT_RING_H
#define CAAS_TRANSPORT_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RING_SIZE 32768u /* bytes; a power of two */
#define RING_BERTHS 60   /* with the indices they fill a page */

/* How somebody sleeps, and what wakes it. */
enum ring_sleep { RING_AWAKE, RING_FUTEX, RING_BELL };

/* One side's index, and the word of who waits for it to move; written in turns, so they
 * share a line of the cache. */
struct ring_side {
	_Alignas(64) _Atomic uint32_t index; /* bytes ever, modulo 2^32 */
	_Atomic uint32_t sleep;              /* enum ring_sleep of the other side */
	_Atomic uint32_t cpu; /* on which it was moved last, plus one; 0: not known */
};

struct ring_berth {
	_Alignas(64) _Atomic uint32_t sleep;
};

struct ring {
	struct ring_side produced, consumed;
	_Atomic uint32_t deaf; /* the consumer will read no more, it says */
	struct ring_berth berth[RING_BERTHS]; /* of the consumer's threads */
	_Alignas(4096) uint8_t data[RING_SIZE];
};

struct ring_end {
	struct ring *ring;
	_Atomic uint32_t mine; /* this side's index; others of the process may look */
};

/* As many of len bytes as there is room for or as there are: 0 when that is none, -1 when
 * the peer's index cannot be. */
ssize_t ring_put(struct ring_end *producer, const void *p, size_t len);
ssize_t ring_get(struct ring_end *consumer, void *p, size_t len);
/* Bytes to get, -1 as above. */
ssize_t ring_used(const struct ring_end *consumer);
/* Room to put, -1 as above. */
ssize_t ring_room(const struct ring_end *producer);

/* The producer ran on another processor than this thread does, it says: it may be at work now. */
bool ring_apart(const struct ring_end *consumer);

/* This side is about to sleep in that way: look at the ring again after this; or it is
 * awake again. */
void ring_drowse(_Atomic uint32_t *sleep, enum ring_sleep how);
void ring_awake(_Atomic uint32_t *sleep);
/* It sleeps, if it is still to: false when that ended without a wake-up, after `ms` or by a
 * signal. */
bool ring_sleep(_Atomic uint32_t *sleep, int ms);
bool ring_sleeps_for_bell(_Atomic uint32_t *sleep);
/* The other side is woken if it sleeps on a futex.  How it slept; if for a bell, ring it. */
enum ring_sleep ring_wake(_Atomic uint32_t *sleep);

#endif
