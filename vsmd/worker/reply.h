/*
 * reply.h - what the worker writes to the guest.
 *
 * A write wakes the guest, which costs both sides more than a short call.  So while more
 * requests lie in the inbox than there are processors, replies wait for each other: never
 * more than REPLY_FEW of them, for REPLY_SOON, or for a large one.  Who defers a reply
 * goes on to serve the next request at once, and sends both; should that take long after
 * all, the watch (pool.h) sends what waits.  A reply that comes while another is being
 * written is taken along by that writer.
 *
 * Threads: any.
 */
#ifndef CAAS_VSMD_REPLY_H
#define CAAS_VSMD_REPLY_H

#include "vsmd/worker/state.h"

#define REPLY_FEW 8
#define REPLY_SOON 300000  /* ns */
#define REPLY_SMALL 4096   /* bytes; a larger one is not copied, and does not wait */

void reply_init(struct worker *w);
/*
 * Write the reply of a request from its out buf, which frame_begin() began.  busy: the
 * caller has the reader role and serves another request at once.  False when the guest is
 * gone or does not read; the worker then ends.
 */
bool reply_send(struct request *r, bool busy);
/* Something waits, and nobody is writing; and: send it.  False as above. */
bool reply_waits(struct worker *w);
bool reply_flush(struct worker *w);
/* A frame that answers nothing, whole.  false: another thread is writing, or the guest is gone. */
bool reply_push(struct worker *w, const struct buf *frame);
/* A beat, unless another thread is writing just now. */
void reply_beat(struct worker *w);

#endif
