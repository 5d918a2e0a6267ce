/*
 * once.h - which requests have made what, so that a repeated one makes nothing again.
 *
 * A worker that made objects for a request with a name (FRAME_ONCE in protocol/frame.h)
 * leaves the name and the objects' identities in the gate file (vsmd/worker/gate.h), while
 * it holds the gate.  They are taken with the objects' files, by the same commit: an object
 * without its name is never durable, nor the other way round.  The last ONCE_MAX of a slot
 * are remembered, for longer than any guest tries to reach a worker again.
 *
 * In the map: slot/N/once/K, K = number % ONCE_MAX: u64 number, 16 bytes name, u8 n,
 * n * 16 bytes identity.
 *
 * Ownership: in the slot.  Threads: one.
 */
#ifndef CAAS_STORE_ONCE_H
#define CAAS_STORE_ONCE_H

#include "common/buf.h"
#include "vsmd/store/txn.h"

#define ONCE_MAX 4096
#define ONCE_LEN 16

struct slot;

struct once {
	uint64_t next;
	struct once_entry *entries; /* ONCE_MAX, or NULL: none yet */
};

/* Known again from the map: at start, and when the slot was taken back to its last commit.
 * False: out of memory. */
bool once_load(struct slot *slot, const struct map *map);
void once_free(struct once *o);
/* While the slot's gate is held alone: what workers left there goes into t.  0, or -1 when
 * the gate file cannot be read. */
int once_take(struct slot *slot, struct txn *t);
/* u8 n, identities: what the request of that name made. */
void once_tell(const struct slot *slot, const uint8_t name[ONCE_LEN], struct buf *out);

#endif
