/*
 * admin.h - one administrator's connection.
 *
 * A process forked by the supervisor for a HELLO_ADMIN of a principal with role admin.
 * After the hello the channel carries frames (protocol/frame.h) whose call is
 * ADMIN_CALL and whose body is  str call, str JSON arguments, bytes secret, bytes blob
 * (the data of a call that has BLOB in vsmd/admin/admin.def, else empty)  and back
 * u8 ok, str JSON result or error text, bytes blob part.  Requests are checked here and
 * passed to the store (M_A_ASK) or answered from what the supervisor gave at fork.
 *
 * vsmd/admin/admin.def has the calls and their arguments, docs/protocol.md the results.
 */
#ifndef CAAS_VSMD_ADMIN_H
#define CAAS_VSMD_ADMIN_H

#include "protocol/hello.h"
#include "vsmd/policy/grant.h"

#define ADMIN_CALL 0xffff0010u /* call number of admin frames */
#define ADMIN_MAX (1u << 20)   /* most bytes of a body */

struct admin_config {
	struct hello_ask hello;
	struct grant grant;
	int channel;
	int store;          /* ipc pipe */
	const char *status; /* the supervisor's part of `status`, JSON */
	uint8_t instance[HELLO_APP_LEN]; /* of this vsmd, for the answer to the hello */
};

/* Serve until the peer closes; returns the exit status. */
int admin_main(const struct admin_config *config);

#endif
