/*
 * relay.h - one application's connection and its channel upstream, joined (caas-agent, vsmd-vchan).
 *
 * Bytes only: nothing is parsed, but that the first of the local side's may be held until they
 * are whole, for the owner to mend.  Each direction has a buffer of RELAY_BUFFER bytes, and
 * is not read while it is full, so that a slow side slows the other.
 *
 * Threads: one.  Nothing here waits.
 */
#ifndef CAAS_TRANSPORT_RELAY_H
#define CAAS_TRANSPORT_RELAY_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vchan-transport/transport.h"

#define RELAY_BUFFER (32 * 1024)

enum relay_side { RELAY_LOCAL, RELAY_UPSTREAM };

/* What side s sent, on its way to the other. */
struct relay_flow {
	size_t start, len;  /* of the bytes held in buf */
	bool ended;         /* s will send no more */
	bool passed_on;     /* and the other side knows */
	uint8_t buf[RELAY_BUFFER];
};

struct relay {
	struct channel *side[2];
	bool hung_up[2]; /* poll said so: it can neither send nor be sent to */
	struct relay_flow from[2];
	bool (*mend)(uint8_t *first, size_t len, const struct peer *whose); /* NULL: done */
	struct peer whose;
};

/* Owns both channels, also on failure (NULL), when they are closed. */
struct relay *relay_new(struct channel *local, struct channel *upstream);
void relay_free(struct relay *r);
/*
 * Before anything is moved: hold what the local side says until mend(), which is shown all of it
 * each time that there is more, and may change it, says true.  It must before there are
 * RELAY_BUFFER bytes.  What a side has said when it ends goes on as it is.  *whose is copied.
 */
void relay_hold(struct relay *r,
    bool (*mend)(uint8_t *first, size_t len, const struct peer *whose),
    const struct peer *whose);

/* Fill two entries for poll(2) (fd -1: nothing to wait for).  True: there is something to
 * do at once, do not wait.  draining: take no more bytes in. */
bool relay_poll(struct relay *r, struct pollfd p[2], bool draining);
/* After poll(2): move what can be moved.  False when the connection is over. */
bool relay_move(struct relay *r, const struct pollfd p[2], bool draining);
/* No byte is held. */
bool relay_empty(const struct relay *r);

#endif
