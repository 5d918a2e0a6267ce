/*
 * pipe.h - frames on a channel, without waiting: u32 length, then so many bytes.
 *
 * One frame is read, and no byte beyond it; while something is to be sent, nothing is read.  What
 * has begun, a frame or sending, has to be over in PIPE_PATIENCE.
 *
 * Ownership: a pipe owns its channel and its buffers.  Threads: one.
 */
#ifndef CAAS_TPMD_PIPE_H
#define CAAS_TPMD_PIPE_H

#include <poll.h>

#include "common/buf.h"
#include "vchan-transport/transport.h"

#define PIPE_PATIENCE 10000 /* ms */

struct pipe {
	struct channel *channel;
	uint8_t head[4];
	size_t nhead;
	size_t most;	/* bytes of a frame: set by the owner */
	struct buf in;	/* the frame, without its length */
	struct buf out; /* with it */
	size_t sent;	/* of out */
	int64_t until;	/* deadline.h; DEADLINE_NEVER: nothing has begun */
};

/* Takes the channel. */
void pipe_init(struct pipe *p, struct channel *channel, size_t most);
void pipe_close(struct pipe *p);
/* What to poll for.  True: it can go on at once. */
bool pipe_poll(struct pipe *p, struct pollfd *ret);
/* 1: in holds a whole frame, to be followed by pipe_next(); 0: not yet; -1: it is over. */
int pipe_read(struct pipe *p);
void pipe_next(struct pipe *p);
/* Send what is in out.  0; -1: it is over. */
int pipe_write(struct pipe *p);
bool pipe_sending(const struct pipe *p);
/* It has taken too long. */
bool pipe_late(const struct pipe *p);

#endif
