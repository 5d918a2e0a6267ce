/*
 * arena.h - memory of one request: many allocations, one release.
 *
 * Everything in it is wiped when it is released, since arguments may be PINs or key
 * values.  The bound is on the sum of all allocations.  One thread at a time.
 */
#ifndef CAAS_PROTOCOL_ARENA_H
#define CAAS_PROTOCOL_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *blocks;
	size_t used, max;
};

void arena_init(struct arena *a, size_t max);
/* Zeroed, aligned for any type; NULL beyond the bound or out of memory. size 0 gives a
 * pointer that must not be read through. */
void *arena_alloc(struct arena *a, size_t size);
/* count * size with the product checked. */
void *arena_array(struct arena *a, size_t count, size_t size);
/* Large output buffers: as arena_alloc(), but only the first `used` bytes as told by
 * arena_used() are wiped; all of them when it is not told. */
void *arena_room(struct arena *a, size_t size);
void arena_used(struct arena *a, void *room, size_t used);
/* Wipe and release everything; the arena can be used again. */
void arena_free(struct arena *a);

#endif
