/*
 * frame.h - what goes over a channel after the hello.
 *
 *	u32 length   of the body that follows the header
 *	u32 id       chosen by the guest; a reply carries the request's
 *	u32 call     number from calls.def, or one of the FRAME_* below
 *	u32 flags    FRAME_FUSED, FRAME_ONCE or FRAME_REPEATED in a request, or 0; anything
 *	             else is a breach of protocol
 *
 * Replies come in any order.  An id may be used again once its reply has arrived; a
 * request with an id still outstanding is a breach.
 */
#ifndef CAAS_PROTOCOL_FRAME_H
#define CAAS_PROTOCOL_FRAME_H

#include "common/buf.h"

#define FRAME_HEADER 16

/*
 * In shared memory the low six bits of an id say in which berth (vchan-transport/berth.h)
 * the guest's thread waits for the reply; FRAME_NO_BERTH: in none.  The eight above them are
 * the number of the processor on which it runs, modulo 256.
 */
#define FRAME_NO_BERTH 63u
#define FRAME_BERTH(id) ((id) & 63u)
#define FRAME_PROCESSOR(id) ((id) >> 6 & 255u)
#define FRAME_ID(count, processor, berth)                                                \
	((uint32_t)(count) << 14 | ((uint32_t)(processor) & 255u) << 6 | (berth))

#define FRAME_MAX_DEFAULT (80u << 20) /* what we offer in the hello */
#define FRAME_MAX_LEAST (1u << 20)    /* less is not a peer of ours */

/* Worker to guest, id 0, no body: still at work.  Sent when nothing else was for a
 * third of the silence that the guest tolerates (hello). */
#define FRAME_BEAT 0xffff0001u
/*
 * Worker to guest, with the id of a request, no body: that request was not served, and no
 * later one will be; ask again on a fresh channel.  Sent when another application changed
 * a PIN or made the token, which this worker's SoftHSM2 cannot learn any more.
 */
#define FRAME_AGAIN 0xffff0003u
/* Guest to worker: resume an application on this fresh channel (resume.h). */
#define FRAME_RESUME 0xffff0002u

/*
 * Flag of a request whose call does in one part what another begins (AFTER in calls.def):
 * the body holds the arguments of the beginning, then those of the call, on one session.
 * The reply holds u64 what came of the beginning, then the call's reply, which carries the
 * same code when the beginning failed.
 */
#define FRAME_FUSED 0x1u

/*
 * Flags of a request that makes, changes or destroys objects (call_named()), for a worker
 * that said HELLO_ONCE: the body begins with FRAME_ONCE_LEN random bytes, which name the
 * request.  With FRAME_REPEATED it was sent before, to a worker that ended: if it was
 * carried out there, on objects of the token, the reply says again what it said then, and
 * nothing is done.
 */
#define FRAME_ONCE 0x2u
#define FRAME_REPEATED 0x4u
#define FRAME_ONCE_LEN 16

/* Guest to worker: a whole search (fetch.h). */
#define FRAME_FETCH 0xffff0004u
/* Guest to worker: all there is to say of the slot (info.h). */
#define FRAME_INFO 0xffff0005u
/* Worker to guest, id 0, where both said HELLO_KEEP: a session object to be kept (kept.h). */
#define FRAME_KEPT 0xffff0006u

struct frame {
	uint32_t length, id, call, flags;
};

/* Append a header; fill in the length with frame_end() once the body is written. */
void frame_begin(struct buf *b, uint32_t id, uint32_t call);
void frame_begin_flags(struct buf *b, uint32_t id, uint32_t call, uint32_t flags);
void frame_end(struct buf *b);
/* Read a header from FRAME_HEADER bytes.  false: length above max_frame, or flags. */
bool frame_parse(const uint8_t header[FRAME_HEADER], uint32_t max_frame, struct frame *ret);
/* The same of a request to a worker, which may have one of the flags. */
bool frame_parse_request(
    const uint8_t header[FRAME_HEADER], uint32_t max_frame, struct frame *ret);

#endif
