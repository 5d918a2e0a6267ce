/* table.c - see table.h */
#include "libcaas-p11/table.h"

#include <stdlib.h>
#include <string.h>

#include "libcaas-p11/begun.h"
#include "libcaas-p11/pending.h"

#define TABLE_FIRST 64

bool
entry_nameless(const struct entry *e)
{
	static const uint8_t no_id[MSG_ID_FLAGS];

	return memcmp(e->id, no_id, sizeof(no_id)) == 0;
}

static struct entry *
find(const struct handle_table *t, uint64_t virt)
{
	if (t == NULL || virt == 0)
		return NULL;
	for (size_t i = virt & t->mask;; i = (i + 1) & t->mask) {
		struct entry *e = (struct entry *)&t->entries[i];
		uint64_t v = atomic_load_explicit(&e->virt, memory_order_relaxed);

		if (v == virt)
			return e->kind == KIND_DEAD ? NULL : e;
		if (v == 0)
			return NULL;
	}
}

struct entry *
entry_find(const struct handle_table *t, uint64_t virt, enum kind kind)
{
	struct entry *e = find(t, virt);

	return e != NULL && e->kind == kind ? e : NULL;
}

void
entry_put(struct handle_table *t, const struct entry *from, uint64_t virt)
{
	size_t i = virt & t->mask;
	struct entry *e;

	while (t->entries[i].virt != 0)
		i = (i + 1) & t->mask;
	e = &t->entries[i];
	e->remote = from->remote;
	e->slot = from->slot;
	e->owner = from->owner;
	e->flags = from->flags;
	e->pending = from->pending;
	e->begun = from->begun;
	e->blob = from->blob;
	memcpy(e->id, from->id, sizeof(e->id));
	e->kind = from->kind;
	atomic_store_explicit(&e->virt, virt, memory_order_release);
	t->used++;
	t->live++;
}

void
entry_keep(struct entry *e, struct blob *blob)
{
	struct blob *old = atomic_exchange(&e->blob, blob);

	if (blob != NULL)
		e->slot->kept += blob->len;
	if (old != NULL)
		e->slot->kept -= old->len;
	free(old);
}

void
entry_kill(struct handle_table *t, struct entry *e)
{
	if (e->kind == KIND_SESSION)
		e->slot->nsessions--;
	e->kind = KIND_DEAD;
	pending_free(e->pending);
	e->pending = NULL;
	begun_free(atomic_exchange(&e->begun, NULL));
	entry_keep(e, NULL);
	t->live--;
}

/* The index. */

static size_t
index_at(const struct handle_index *x, const struct slot *slot, uint64_t remote)
{
	uint64_t k = (remote ^ (uint64_t)(uintptr_t)slot) * 0x9e3779b97f4a7c15u;

	return (k >> 32) & x->mask;
}

struct entry *
index_find(const struct handles *h, const struct slot *slot, uint64_t remote)
{
	const struct handle_index *x = h->index;

	if (x == NULL)
		return NULL;
	for (size_t i = index_at(x, slot, remote); x->virt[i] != 0;
	     i = (i + 1) & x->mask) {
		struct entry *e = entry_find(h->table, x->virt[i], KIND_OBJECT);

		if (e != NULL && e->slot == slot && e->remote == remote)
			return e;
	}
	return NULL;
}

void
index_put(struct handle_index *x, const struct entry *e)
{
	size_t i = index_at(x, e->slot, e->remote);

	while (x->virt[i] != 0)
		i = (i + 1) & x->mask;
	x->virt[i] = e->virt;
	x->used++;
}

bool
index_make(struct handles *h, size_t more)
{
	size_t size = TABLE_FIRST, want = ((h->table ? h->table->live : 0) + more) * 2;
	struct handle_index *x, *old = h->index;

	while (size < want)
		size *= 2;
	if ((x = calloc(1, sizeof(*x) + size * sizeof(x->virt[0]))) == NULL)
		return false;
	x->mask = size - 1;
	for_each_entry(e, h->table)
		if (e->kind == KIND_OBJECT)
			index_put(x, e);
	h->index = x;
	free(old);
	return true;
}

bool
table_reserve(struct handles *h, size_t n)
{
	struct handle_table *t = h->table, *bigger;
	size_t size = TABLE_FIRST;

	if (t == NULL || (t->used + n) * 4 > (t->mask + 1) * 3) {
		while (size < ((t ? t->live : 0) + n) * 2)
			size *= 2;
		bigger = calloc(1, sizeof(*bigger) + size * sizeof(bigger->entries[0]));
		if (bigger == NULL)
			return false;
		bigger->mask = size - 1;
		for_each_entry(e, t)
			entry_put(bigger, e, e->virt);
		atomic_thread_fence(memory_order_release);
		h->table = bigger;
		free(t);
	}
	if (h->index == NULL || (h->index->used + n) * 4 > (h->index->mask + 1) * 3)
		return index_make(h, n);
	return true;
}
