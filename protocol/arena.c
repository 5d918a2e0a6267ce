/* arena.c - see arena.h */
#include "protocol/arena.h"

#include <stdint.h>
#include <stdlib.h>

#include "common/secmem.h"

#define ARENA_ALIGN _Alignof(max_align_t)
#define ARENA_BLOCK 4000 /* content of a block that several allocations share */

struct arena_block {
	struct arena_block *next;
	size_t size; /* bytes of content */
	size_t used; /* of these, handed out: what is wiped */
	_Alignas(max_align_t) unsigned char content[];
};

void
arena_init(struct arena *a, size_t max)
{
	a->blocks = NULL;
	a->used = 0;
	a->max = max;
}

static struct arena_block *
add_block(struct arena *a, size_t size)
{
	struct arena_block *block;

	if (size > SIZE_MAX - sizeof(*block))
		return NULL;
	/* Large ones come zeroed from the kernel, so zeroing them is free. */
	if ((block = calloc(1, sizeof(*block) + size)) == NULL)
		return NULL;
	block->size = size;
	block->next = a->blocks;
	a->blocks = block;
	return block;
}

void *
arena_alloc(struct arena *a, size_t size)
{
	struct arena_block *block = a->blocks;
	size_t rounded;
	void *p;

	if (size > a->max - a->used)
		return NULL;
	rounded = (size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
	if (rounded < size)
		return NULL;
	if (rounded == 0)
		rounded = ARENA_ALIGN;
	if (block == NULL || rounded > block->size - block->used) {
		block = add_block(a, rounded > ARENA_BLOCK ? rounded : ARENA_BLOCK);
		if (block == NULL)
			return NULL;
	}
	p = block->content + block->used;
	block->used += rounded;
	a->used += size;
	return p;
}

void *
arena_array(struct arena *a, size_t count, size_t size)
{
	if (size > 0 && count > SIZE_MAX / size)
		return NULL;
	return arena_alloc(a, count * size);
}

void *
arena_room(struct arena *a, size_t size)
{
	struct arena_block *block;

	/* Small ones share a block; what is wiped too much does not matter then. */
	if (size <= ARENA_BLOCK)
		return arena_alloc(a, size);
	if (size > a->max - a->used || (block = add_block(a, size)) == NULL)
		return NULL;
	block->used = size;
	a->used += size;
	return block->content;
}

void
arena_used(struct arena *a, void *room, size_t used)
{
	for (struct arena_block *b = a->blocks; b != NULL; b = b->next) {
		if (b->content != room || b->size <= ARENA_BLOCK)
			continue;
		if (used < b->used)
			b->used = used;
		/* Nothing more may be handed out of what is not wiped. */
		b->size = b->used;
		return;
	}
}

void
arena_free(struct arena *a)
{
	while (a->blocks != NULL) {
		struct arena_block *block = a->blocks;

		a->blocks = block->next;
		sec_wipe(block->content, block->used);
		free(block);
	}
	a->used = 0;
}
