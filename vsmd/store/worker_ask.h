/*
 * worker_ask.h - what a worker may ask, and the answers (M_W_* of vsmd/msg.h).
 *
 * A worker may have been taken over: it is asked for nothing that is believed beyond its
 * own slot and principal, which the supervisor gave.
 */
#ifndef CAAS_STORE_WORKER_ASK_H
#define CAAS_STORE_WORKER_ASK_H

#include "vsmd/store/state.h"

#define EVENT_NAME 64
#define EVENT_DETAIL 512

/* Serve a->request.  False when it is malformed: the pipe is to be closed. */
bool worker_ask(struct store *s, struct attach *a);

/* M_W_COMMIT's body, from its start. */
struct commit_ask {
	uint8_t nevents;
	bool has_token; /* after C_InitToken */
	char label[SLOT_LABEL], serial[SLOT_SERIAL];
};
/* Check the body; with `audit`, write its events to the audit log.  False when malformed;
 * *ret_written says how the audit log fared. */
bool commit_ask_read(struct store *s, struct attach *a, bool audit,
    struct commit_ask *ret, CK_RV *ret_written);
/* Counting of PINs is on for this principal. */
unsigned worker_pin_limit(const struct store *s, const struct attach *a);

#endif
