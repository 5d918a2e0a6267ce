/*
 * shm.h - a unix socket's channel that goes on through shared memory.
 *
 * Two rings (ring.h) carry the bytes; the socket stays for what it does better: it tells
 * when the peer is gone, and wakes who has slept for long.  Who waits for bytes does so on a
 * futex for SHM_NAP ms, then on the socket, where the peer rings a bell (a byte); who waits
 * for room, on a futex, with a look at the socket every SHM_NAP.  So a peer that dies is
 * noticed at once by who has waited for long, and within SHM_NAP by who has not.
 *
 * The switch, after whatever was said before on the socket: vsmd makes the memory and
 * sends its descriptor along with one byte, the guest answers 'y' or 'n'.  A relay in
 * between loses the descriptor, and the answer is 'n'.
 *
 * Errors, threads, fork: as transport.h.  channel_take_fd() is EOPNOTSUPP.  After
 * channel_finish() this side rings no bells: a peer that polls for room is not told.
 */
#ifndef CAAS_TRANSPORT_SHM_H
#define CAAS_TRANSPORT_SHM_H

#include "vchan-transport/transport.h"

#define SHM_NAP 50 /* ms */

/*
 * Offer, or accept, shared memory.  What is returned is the channel to use from then on:
 * one of shared memory, or `stream` as it was when one side cannot.  NULL: the peer is gone
 * or said something else; the stream is closed.
 */
struct channel *shm_offer(struct channel *stream, int deadline);
struct channel *shm_accept(struct channel *stream, int deadline);

#endif
