/*
 * sessions.h - the application's sessions, and whose turn it is in each.
 *
 * SoftHSM2 does not expect two threads in one session, so calls on a session take turns,
 * in the order in which their requests arrived (a guest may send C_SignInit and C_Sign in
 * one breath).  Calls that do not touch what a session remembers share a turn.
 *
 * Threads: any; turn_take() is called by the thread with the reader role.
 */
#ifndef CAAS_VSMD_SESSIONS_H
#define CAAS_VSMD_SESSIONS_H

#include <pthread.h>
#include <stdbool.h>

#include "protocol/calls.h"
#include "vsmd/worker/event.h"

/* What C_*Init began in a session, for the audit of what ends it. */
enum use { USE_ENCRYPT, USE_DECRYPT, USE_SIGN, USE_VERIFY, USE_COUNT };

struct turn;

struct session {
	CK_SESSION_HANDLE handle;
	struct session *next;      /* in its bucket */
	struct turn *first, *last; /* that wait or are taken, in order */
	unsigned sharing;          /* turns taken */
	bool alone;                /* the one taken is not shared */
	bool closed;
	bool busy;                 /* SoftHSM2 has an operation, as far as is known; of the
	                            * turn that is alone */
	struct event *use[USE_COUNT]; /* of the turn that is alone */
};

struct turn {
	struct session *session; /* NULL: no such session, nothing to wait for */
	struct turn *next;
	bool shared, taken;
	pthread_cond_t wake;
	bool has_wake;
};

#define SESSIONS_BUCKETS 256

struct sessions {
	pthread_mutex_t lock;
	struct session *buckets[SESSIONS_BUCKETS];
	size_t count, max; /* max 0: no limit */
};

void sessions_init(struct sessions *t, size_t max);
/* Reserve a place before C_OpenSession: false when the limit is reached. */
bool sessions_reserve(struct sessions *t);
/* Fill the reserved place, or (handle 0) give it back. false: no memory. */
bool sessions_add(struct sessions *t, CK_SESSION_HANDLE handle);
/* The session of a turn that is alone is closed.  True when it was the last one. */
bool sessions_remove(struct sessions *t, struct session *s);
size_t sessions_count(struct sessions *t);
/* None has an operation or a search.  No request is under way. */
bool sessions_idle(struct sessions *t);
/* Up to n handles into `ret`; returns how many. */
size_t sessions_list(struct sessions *t, CK_SESSION_HANDLE *ret, size_t n);

/* How a row uses its session: shared, when it leaves it as it was. */
bool session_shares(const struct call *call);
/* Queue up.  True when the turn has come already; otherwise turn_wait(). */
bool turn_take(struct sessions *t, CK_SESSION_HANDLE handle, bool shared, struct turn *turn);
void turn_wait(struct sessions *t, struct turn *turn);
void turn_done(struct sessions *t, struct turn *turn);
/* A turn is used again and again; this is its end. */
void turn_free(struct turn *turn);
/* Forget all sessions; nobody has a turn. */
void sessions_free(struct sessions *t);

#endif
