/*
 * state.h - what the files of the worker share; nothing outside vsmd/worker uses it.
 *
 * One struct worker per process; one struct request per serving thread.  Order of locks:
 * a session's turn, login_lock, keep.pushing, the gate, open_lock, keep.finding, then one of
 * the short mutexes (sessions, objects, keys, lookup, store, keep), never two of these at
 * once.
 */
#ifndef CAAS_VSMD_WORKER_STATE_H
#define CAAS_VSMD_WORKER_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "common/buf.h"
#include "protocol/arena.h"
#include "protocol/calls.h"
#include "protocol/frame.h"
#include "protocol/message.h"
#include "vchan-transport/transport.h"
#include "vsmd/worker/event.h"
#include "vsmd/worker/gate.h"
#include "vsmd/worker/inbox.h"
#include "vsmd/worker/keep.h"
#include "vsmd/worker/keycache.h"
#include "vsmd/worker/lookup.h"
#include "vsmd/worker/objects.h"
#include "vsmd/worker/pool.h"
#include "vsmd/worker/quota.h"
#include "vsmd/worker/sessions.h"
#include "vsmd/worker/store.h"
#include "vsmd/worker/worker.h"

#define WORKER_PIN_MAX 1024       /* more is no PIN of ours (SoftHSM2: 255) */
#define WORKER_TICKET_MAX 1024
#define WORKER_WRITE_DEADLINE 30000 /* ms without progress until a guest counts as gone */

/* Replies that wait, for the next one or for who writes just now (reply.h). */
struct deferred {
	pthread_mutex_t lock;
	bool writing;      /* somebody writes, and takes these when that is done */
	unsigned count;
	size_t len;
	uint64_t since;
	uint64_t berths;   /* that they are for (berth.h) */
	unsigned half;     /* where they are put; the other one is being written */
	uint8_t data[2][16384];
};

struct worker {
	const struct worker_config *config;
	const struct grant *grant;
	CK_FUNCTION_LIST *fl;
	CK_SLOT_ID slot;         /* SoftHSM2's number of our slot */
	atomic_uint pins;        /* generation of the PINs that SoftHSM2 knows */
	atomic_bool blank;       /* there is no token yet */
	uint32_t max_frame, silence;
	struct gate_file gate;
	struct channel *channel;
	pthread_mutex_t write_lock;
	struct deferred deferred;
	atomic_ulong sent;       /* replies and beats */
	struct inbox inbox;      /* of whoever has the reader role */
	struct pool pool;
	struct sessions sessions;
	struct objects objects;
	struct keycache keys;
	struct keep keep;
	struct lookup lookup;
	struct store store;
	struct audit audit;

	pthread_mutex_t login_lock; /* one login, logout or PIN change at a time */
	int user;                   /* CKU_SO, CKU_USER, or -1 */
	pthread_mutex_t open_lock;  /* SoftHSM2's sessions and ours become more, or fewer */
	bool resumed;               /* FRAME_RESUME came, or a call: only the first may be one */
	atomic_size_t lost;         /* bytes that SoftHSM2 does not give back (retire.h) */
	_Atomic uint64_t seen;      /* the gate's epoch that SoftHSM2 has read (retire.h) */
	size_t retire_next;         /* of the reader: bytes lost, and requests, */
	unsigned retire_wait, retire_pause; /* until it looks again */
};

#define REQUEST_REFS 2

struct request {
	struct worker *w;
	struct seat *seat;           /* of the thread that serves it */
	struct gate gate;
	struct frame frame;
	struct buf in, out;
	struct arena arena;
	const struct call *call;     /* that is being served, with these arguments: */
	struct arg *args;
	bool fetch;                  /* FRAME_FETCH: the call is C_FindObjectsInit */
	bool info;                   /* FRAME_INFO: the call is C_GetTokenInfo, the dearest in it */
	bool named, repeated;        /* FRAME_ONCE, FRAME_REPEATED: */
	uint8_t once[FRAME_ONCE_LEN];
	const struct call *begin;    /* of a fused request: what comes before the call, */
	struct arg args_of[2][ARGS_MAX]; /* arguments of the call, of the beginning */
	struct turn turn;            /* in the session of args[0] */
	struct cached *cached;       /* the key of a fused request, or NULL */
	uint64_t drops;              /* of the cache, when it was begun to learn */
	struct reply reply;
	struct object_ref refs[REQUEST_REFS]; /* for calls with at most two handles */
	uint8_t ticket[WORKER_TICKET_MAX];
	struct event event;          /* to commit, when it has a name */
	struct store_token token;    /* beside it, after C_InitToken */
	bool has_token;
	bool aside;                  /* slow, or waits: counted in pool.aside */
	bool refused;                /* event is a policy-refusal */
	bool commit;                 /* the call changed the token's files */
	bool last;                   /* end the worker after the reply */
	bool again;                  /* not served: the guest asks on a fresh channel */
};

/* serve.c: everything between a decoded request and its reply. */
void serve(struct request *r);
/* The reply: not served, ask the next worker. */
void serve_again(struct request *r);
/* The call of the row itself, on SoftHSM2, behind the gate `mode`. */
CK_RV serve_call(struct request *r, enum call_gate mode);
/* Pass the gate; the reader role is handed on before waiting.  CKR_DEVICE_ERROR when a
 * writer died in there (not held then). */
CK_RV serve_enter(struct request *r, enum call_gate mode);
void serve_leave(struct request *r);
/* resume.c: FRAME_RESUME.  false: a breach of protocol. */
bool serve_resume(struct request *r);
/* The same: the handles of objects of the token that have these identities, 0 where there is
 * none, or more than one.  The gate is not held. */
void serve_identities(struct request *r, CK_SESSION_HANDLE session,
    const uint8_t (*ids)[MSG_ID_LEN], uint32_t n, CK_OBJECT_HANDLE *ret);

/* For the metrics. */
static inline void
worker_count(struct worker *w, enum counter which)
{
	counters_add(w->config->nursery->counters, w->config->cell, which);
}

/* End the process as soon as no thread writes the token's files; does not return to the
 * guest.  Any thread; returns to the caller, who must stop serving. */
void worker_end(struct worker *w, int status);

#endif
