/*
 * effect.h - what an answered call changes in the guest.
 *
 * Handles of the worker become virtual ones before the application sees them, closed
 * sessions and destroyed objects are forgotten, a login leaves a ticket.
 *
 * Threads: any.
 */
#ifndef CAAS_P11_EFFECT_H
#define CAAS_P11_EFFECT_H

#include "libcaas-p11/slots.h"
#include "protocol/fetch.h"
#include "protocol/frame.h"
#include "protocol/message.h"

/* A call on its way: `args` are the application's, `sent` those with the worker's
 * handles, whose OUT_SESSION and OUT_OBJECT point into `out`. */
struct errand {
	const struct call *call;
	const struct arg *args;
	struct arg sent[ARGS_MAX];
	bool fetch; /* C_FindObjectsInit, as FRAME_FETCH */
	bool info;  /* told.h: a call on a slot, as FRAME_INFO */
	bool told;  /* and that answered it */
	int64_t asked; /* hold.h: when the application did, in ms; 0: unknown */
	const struct call *begin; /* hold.h: goes along in the same frame, or NULL */
	struct arg begin_args[ARGS_MAX], begin_sent[ARGS_MAX]; /* likewise */
	bool renewed; /* begun.h: it does, since the worker that had it has ended */
	bool repeated; /* a worker ended that had read it */
	bool stale;    /* its reply is of a channel that was replaced meanwhile */
	bool fleeting; /* what it makes or destroys ends with the worker */
	bool named;    /* FRAME_ONCE, by: */
	uint8_t once[FRAME_ONCE_LEN];
	CK_ULONG out[ARGS_MAX];
	struct slot *slot;
	uint64_t generation;
	uint64_t mark; /* handles_mark() before it was sent */
	uint64_t kept; /* of C_SetAttributeValue: handles_kept() before it was sent */
	uint64_t changes;      /* hold.c: the slot's when it was sent; 0: not to be known */
	struct slot *changing; /* hold.c: where it may change answers, or NULL */
	struct arena arena; /* what was translated; refs of the reply */
};

/* Point the handles that the call returns at places of ours. */
void effect_prepare(struct errand *e);
/* The reply is in; what the application gets. */
CK_RV effect_apply(struct errand *e, const struct reply *reply);
/* The objects of a search, as virtual handles of malloc(). */
CK_RV effect_found(struct errand *e, const struct fetched *f, CK_OBJECT_HANDLE **ret);
/* There was no reply, and there is no channel any more: a session that was to be closed
 * is closed. */
void effect_lost(const struct errand *e);

#endif
