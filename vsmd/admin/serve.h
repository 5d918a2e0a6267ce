/*
 * serve.h - one administrator's request: validate, ask the store, reply.
 *
 * Knows neither sockets nor processes, so that a fuzzer can put any store behind it.
 */
#ifndef CAAS_VSMD_ADMIN_SERVE_H
#define CAAS_VSMD_ADMIN_SERVE_H

#include <stdbool.h>

#include "common/buf.h"

struct admin_back {
	/* Send `request` (M_A_ASK ...), wait for one message into `answer`; -1 when the
	 * store is gone. */
	int (*ask)(void *arg, const struct buf *request, struct buf *answer);
	void *arg;
	const char *status; /* the supervisor's part of `status`: a JSON object */
};

/*
 * Serve the request body in `in`; append the body of the reply to `out`.  False: the peer
 * or the store broke the protocol, or the store is gone; end.
 */
bool admin_serve(struct buf *in, struct buf *out, const struct admin_back *back);

#endif
