/*
 * inbox.h - frames from the guest, read ahead.
 *
 * In shared memory, of the frames that have arrived the one comes first whose sender runs on
 * the processor of the thread that reads, if it overtakes none of the same session: its reply
 * then wakes a thread there, and interrupts no other processor.
 *
 * Belongs to the thread that has the reader role.  A frame's length alone never makes
 * it allocate more than INBOX_AHEAD beyond the bytes that have arrived.
 */
#ifndef CAAS_VSMD_INBOX_H
#define CAAS_VSMD_INBOX_H

#include "common/buf.h"
#include "protocol/frame.h"
#include "vchan-transport/transport.h"

#define INBOX_AHEAD 65536
#define INBOX_SMALL 4096 /* bytes of a frame that may overtake */

enum inbox_result { INBOX_FRAME, INBOX_CLOSED, INBOX_CUT, INBOX_BREACH };

struct inbox {
	uint32_t max_frame;
	bool near;         /* look for such a frame; set it after inbox_init() */
	unsigned overtook; /* how often, since the first frame was the next */
	size_t pos, len;
	uint64_t filled; /* ns: when bytes were last read */
	uint8_t data[INBOX_AHEAD];
	uint8_t aside[INBOX_SMALL]; /* a frame that overtakes, on its way */
};

void inbox_init(struct inbox *i, uint32_t max_frame);
/* Wait for the next frame; its body is put into `body` (reset first).  INBOX_CUT: the
 * guest went away inside a frame, or the channel failed. */
enum inbox_result inbox_read(struct inbox *i, struct channel *c, struct frame *ret,
    struct buf *body);
/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t inbox_clock(void);
/* How many whole frames have arrived already; `most` when it is that many or more. */
unsigned inbox_waiting(const struct inbox *i, unsigned most);
/* The next frame has arrived already, and starts with another session than `session`. */
bool inbox_has_other(const struct inbox *i, uint64_t session);

#endif
