/*
 * keycache.h - keys that this worker's application uses, ready to compute.
 *
 * SoftHSM2 stays the store and the judge.  An operation that comes in one frame
 * (FRAME_FUSED) goes to it the first time; what it accepted, and the key that it used
 * (learn.h), is entered here under the call, the handle and the mechanism.  The next such
 * operation is computed with that key (key.h), past the same policy, quota and audit, as
 * long as nothing has happened that could change SoftHSM2's answer:
 *
 *	the token's store changed (any application's commit)       the epoch
 *	this application logged in or out, changed a PIN, changed
 *	or destroyed an object, made the token, closed its last
 *	session                                                    keycache_drop()
 *	another session was closed, perhaps with session objects   keycache_drop_objects()
 *	the session is closed, or has an operation already         struct session
 *
 * Keys with CKA_ALWAYS_AUTHENTICATE are never entered.  At most KEYCACHE_MAX are, in sets
 * of KEYCACHE_WAYS by a hash; in a full set a new one takes the place of another.
 *
 * Threads: any.  An entry that is being used outlives its place.
 */
#ifndef CAAS_VSMD_WORKER_KEYCACHE_H
#define CAAS_VSMD_WORKER_KEYCACHE_H

#include <pthread.h>
#include <stdatomic.h>

#include "vsmd/worker/key.h"
#include "vsmd/worker/objects.h"

#define KEYCACHE_MAX 512
#define KEYCACHE_WAYS 4
#define KEYCACHE_SETS (KEYCACHE_MAX / KEYCACHE_WAYS)

struct cached {
	atomic_uint users;    /* its place is one */
	uint64_t epoch;
	uint64_t drops;
	uint32_t number;      /* of the call that does it */
	CK_OBJECT_HANDLE handle;
	CK_MECHANISM_TYPE mechanism;
	uint64_t shape;       /* of its parameter */
	struct object object; /* as policy and audit saw it */
	struct key *key;
};

struct keycache_set {
	pthread_mutex_t lock;
	unsigned victim; /* the next to go */
	struct cached *way[KEYCACHE_WAYS];
};

struct keycache {
	struct keycache_set *_Atomic sets; /* KEYCACHE_SETS, made for the first key */
	_Atomic uint64_t drops;   /* of everything << 32, of what is not on the token */
	_Atomic uint64_t epoch;   /* of what is in it */
	atomic_bool off;          /* SoftHSM2 does not do what learn.c expects */
	atomic_uint unproven;
};

struct request;

void keycache_init(struct keycache *c);
void keycache_free(struct keycache *c);
/* Everything; and: what is not on the token. */
void keycache_drop(struct keycache *c);
void keycache_drop_objects(struct keycache *c);

/*
 * r is a fused request, and its turn has come.  What was learnt for it, to be given back,
 * or NULL: then serve it by SoftHSM2 between keycache_learn_begin() and _end(), which
 * takes its result.
 */
struct cached *keycache_get(struct request *r);
void keycache_put(struct cached *entry);
void keycache_learn_begin(struct request *r);
void keycache_learn_end(struct request *r, CK_RV rv);

#endif
