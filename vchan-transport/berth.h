/*
 * berth.h - which of many threads is woken by which bytes.
 *
 * Where many threads wait for what one channel brings, waking one that reads for all, and
 * by it the one that is meant, costs two wake-ups.  In shared memory (shm.h) each can sleep
 * in a berth of its own instead, and the peer, who knows for whom it writes, wakes that one;
 * whoever is awake reads what is there, one thread at a time.
 *
 * A thread lies down with ring_drowse(), looks once more whether bytes pend or somebody has
 * read for it, and sleeps with ring_sleep() (ring.h); it may wake without a reason.  The
 * peer's end wakes nobody in a berth, nor do bytes for nobody: these wake who sleeps on the
 * common word.  An end that the peer did not live to tell of wakes nobody at all: somebody
 * has to look with channel_notice() now and then.
 *
 * Threads: any for channel_berth(), channel_notice() and channel_tarry(), also while another reads,
 * but one for each berth at a time; the writer for channel_address().
 */
#ifndef CAAS_TRANSPORT_BERTH_H
#define CAAS_TRANSPORT_BERTH_H

#include "vchan-transport/ring.h"
#include "vchan-transport/transport.h"

#define BERTH_COMMON RING_BERTHS /* the common word's number: the one after the berths' */

/* The word of berth n of this side, good until the channel is closed; NULL where the
 * transport has none. */
_Atomic uint32_t *channel_berth(struct channel *c, unsigned n);
/* What is written from now on is for those berths of the peer (bit n: berth n).  Without
 * berths, nothing. */
void channel_address(struct channel *c, uint64_t berths);
/* If the end has come, channel_pending() says so from now on.  Channels with berths only. */
void channel_notice(struct channel *c);
/* Look for it for a moment, where that may be worth it (tarry.h).  True: there(arg) is.  Else sleep.
 * Channels with berths only; one thread at a time, others are told false. */
bool channel_tarry(struct channel *c, bool (*there)(void *arg), void *arg);

#endif
