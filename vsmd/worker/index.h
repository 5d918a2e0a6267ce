/*
 * index.h - which objects of a token have this label, id, class or identity.
 *
 * A table in memory that the nursery makes and all workers of the token share; it ends
 * with the nursery.  It knows objects by the names of their files, and what they are
 * found by as a hash: of a private object under a key that only who has logged in can
 * make (the token's), of others under none.  The identity (objects.h) is a hash of the name,
 * which is no secret, and needs no key.  It says what may match, SoftHSM2 what does
 * (lookup.h).
 *
 * It is filled once, by who first needs it: the private objects when the first user who
 * has logged in does.  From then on a worker that changes an object changes its entry
 * too, while it holds the gate EXCLUSIVE.  Everything else here is called while it is
 * held SHARED; those who add then are one at a time (INDEX_LOCK, a byte of the gate's
 * file).
 *
 * A worker that was taken over can write nonsense into it, as it can into the files: so
 * nothing in it is trusted to be in range, or to end.
 *
 * Threads: any, by the gate.
 */
#ifndef CAAS_VSMD_WORKER_INDEX_H
#define CAAS_VSMD_WORKER_INDEX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vsmd/worker/view.h"

#define INDEX_MAX 131072 /* objects; a token with more has no index */

enum index_by { INDEX_LABEL, INDEX_ID, INDEX_IDENTITY, INDEX_KEYS };

/* An object; a hash of 0 is none. */
struct index_object {
	uint8_t name[VIEW_NAME];
	uint64_t hash[INDEX_KEYS];
	uint32_t class;
	uint32_t flags;
};

#define INDEX_SEALED 0x1  /* private, and whoever entered it could not read it */
#define INDEX_UNKNOWN 0x2 /* may match anything */

struct index;

/* Empty; NULL with errno. */
struct index *index_make(void);
void index_free(struct index *x);

/* All objects are in it. */
bool index_complete(const struct index *x);
void index_set_complete(struct index *x);
/* The count of seen.h, for which this is just the place. */
_Atomic uint64_t *index_changes(struct index *x);
/* How many are sealed. */
size_t index_sealed(const struct index *x);
/* Forget all. */
void index_clear(struct index *x);

/* Enter, or replace. false: there are too many. */
bool index_put(struct index *x, const struct index_object *o);
void index_remove(struct index *x, const uint8_t name[VIEW_NAME]);
/* What is known of an object; false: nothing. */
bool index_get(
    const struct index *x, const uint8_t name[VIEW_NAME], struct index_object *ret);

/*
 * Names of those that may match, up to `room`; returns how many there are, at most room
 * + 1. By a hash; by class; those of which nothing is known, which the others leave out;
 * those that are sealed.
 */
size_t index_by_hash(const struct index *x, enum index_by by, uint64_t hash,
    uint8_t (*ret)[VIEW_NAME], size_t room);
size_t index_by_class(
    const struct index *x, uint32_t class, uint8_t (*ret)[VIEW_NAME], size_t room);
size_t index_by_flag(
    const struct index *x, uint32_t flag, uint8_t (*ret)[VIEW_NAME], size_t room);

#endif
