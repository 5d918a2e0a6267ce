/*
 * loop.h - caas-tis-bridge's one loop: commands of a TPM from stream sockets, one after
 * the other, to the TPM, and its responses back.
 *
 * A connection brings commands as they are, and each is answered by the response, in one
 * piece: tcsd reads once.  A client that sends what is no command, or does not read, is let
 * go; so is one whose command the TPM did not answer, which says so in the log.
 */
#ifndef CAAS_TIS_BRIDGE_LOOP_H
#define CAAS_TIS_BRIDGE_LOOP_H

#include "tpm/tis/tis.h"

#define LOOP_CLIENTS 16 /* at one time; more are closed at once */

/* Until `signals` is readable.  `listener` accepts without blocking; both stay the
 * caller's. */
void loop_run(struct tis *t, int listener, int signals);

#endif
