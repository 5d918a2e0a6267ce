/*
 * apart.h - the suite's connecting half somewhere else: in another process, or another domain.
 *
 * The tests run in the near half, which listens.  What they do with their clients the far half
 * does for them: one request and one reply over a channel of their own, the control, whose
 * address is not that of the tests.  A far client is a struct channel like others, whose
 * functions ask; only its descriptor cannot be polled (can_do() in contract.h).
 *
 * Both halves are the same program: numbers go as they lie in memory.
 * Threads: any; each waits for the reply to its own request, and the far half has a thread for
 * each.
 */
#ifndef TESTS_CONTRACT_APART_H
#define TESTS_CONTRACT_APART_H

#include <stdbool.h>
#include <stdint.h>

#include "vchan-transport/transport.h"

#define FAR_BYTES 16384 /* of one request or reply, at most */
#define FAR_PIECES 8    /* of one write */

enum far_op {
	FAR_CONNECT, /* bytes: the address; count: shared memory too; result: the client's number */
	FAR_READ,    /* count: at most so many */
	FAR_WRITE,   /* bytes, in pieces */
	FAR_FINISH,
	FAR_PENDING,
	FAR_SHUTDOWN,
	FAR_CLOSE,
	FAR_CAN_DO, /* count: 1 to read, 2 to write, or both */
	FAR_DROP,   /* by a child */
	FAR_PID,
	FAR_FILES,
	FAR_END,
};

struct far_request {
	uint32_t id, op, client, count;
	int32_t deadline;
	uint32_t pieces, piece[FAR_PIECES]; /* their lengths */
	uint32_t len;                       /* bytes that follow */
};

struct far_reply {
	uint32_t id;
	int32_t err; /* errno, when the result is less than 0 */
	int64_t result;
	uint32_t len;
};

/* The near half: the far one is there, behind this channel, which it owns.  False: not. */
bool far_begin(struct channel *control);
bool far_is(void);
bool far_has(const struct channel *c); /* it is a client that is there */
/* As transport_connect(), there.  shares: and then shm_accept(). */
struct channel *far_connect(const char *address, int deadline, bool shares);
/* A request without bytes.  c may be NULL.  Returns its result, with errno. */
int64_t far_ask(enum far_op op, const struct channel *c, uint32_t count, int deadline);
bool far_end(void); /* false: it was lost before */

/* The far half, until it is told to end.  False: the near one was lost before. */
bool far_serve(struct channel *control);

#endif
