/*
 * retire.h - a worker that has grown lets the next one go on.
 *
 * Of each session object that was destroyed SoftHSM2 keeps some memory for as long as its
 * process lives, and of each that was taken out to be kept (keep.h) some more.  A server that
 * makes a key for each handshake, a thousand times a second, would have a worker of a
 * gigabyte in an hour.  Of a token's object it keeps what it read of it, in each worker that
 * searched while it was there, whoever made it.  So a worker that must have lost NURSERY_RETIRE
 * bytes serves no further request: it has the guest ask the next one (FRAME_AGAIN), which
 * begins with what the guest holds of sessions, login and session objects, as after a crash.
 *
 * It does so in a moment in which that takes nothing from the application: no other request is
 * there, no session has an operation or a search, the login has a ticket that opens, and all
 * session objects, which are not many, have just been given to the guest.  If it is no such
 * moment, the request is served, and somewhat later it looks again.  Where none ever comes, or
 * the guest keeps no session objects, the worker grows on, up to max-memory.
 *
 * Threads: retire_lost() and retire_seen() any; retire_now() by who has the reader role.
 */
#ifndef CAAS_VSMD_RETIRE_H
#define CAAS_VSMD_RETIRE_H

#include <stdbool.h>
#include <stddef.h>

#define RETIRE_PAUSE 1024 /* requests at most until it looks again; even */
#define RETIRE_KEPT  16   /* session objects that may be there then */

/* What SoftHSM2 2.6 does not give back. */
#define RETIRE_MADE    256  /* of a session object */
#define RETIRE_PRESSED 1024 /* of one that was taken out */
#define RETIRE_COMMIT  1024 /* of a change to the token: half of an RSA key pair */
#define RETIRE_COMMITS 4096 /* that count at a time; who writes the gate's file may lie */

struct request;
struct worker;

void retire_lost(struct worker *w, size_t bytes);
/* SoftHSM2 has looked through the token, as far as it has changed since it last did. */
void retire_seen(struct worker *w);
/* The request is not to be served by this worker. */
bool retire_now(struct request *r);

#endif
