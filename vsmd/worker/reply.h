/* reply.h - what the worker writes to the guest. Any thread. */
#ifndef CAAS_VSMD_REPLY_H
#define CAAS_VSMD_REPLY_H

#include "vsmd/worker/state.h"

/* Write the reply of a request from its out buf, which frame_begin() began. False when
 * the guest is gone or does not read; the worker then ends. */
bool reply_send(struct request *r);
/* A beat, unless another thread is writing just now. */
void reply_beat(struct worker *w);

#endif
