/* index.c - see index.h */
#include "vsmd/worker/index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BUCKETS 16384
#define BY_NAME INDEX_KEYS
#define CHAINS (INDEX_KEYS + 1)
#define USED 0x80000000u
#define NONE 0 /* places count from 1 */

struct entry {
	struct index_object o;
	_Atomic uint32_t next[CHAINS];
};

struct index {
	_Atomic uint64_t changes;
	atomic_bool complete;
	atomic_uint top; /* places that were ever used */
	atomic_uint sealed, unknown;
	uint32_t free; /* the first place that is free again, then by next[0] */
	_Atomic uint32_t bucket[CHAINS][BUCKETS];
	struct entry entries[INDEX_MAX];
};

struct index *
index_make(void)
{
	/* Pages that are never touched take no memory. */
	void *p = mmap(NULL, sizeof(struct index), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void
index_free(struct index *x)
{
	if (x != NULL)
		munmap(x, sizeof(*x));
}

bool
index_complete(const struct index *x)
{
	return atomic_load(&x->complete);
}

void
index_set_complete(struct index *x)
{
	atomic_store(&x->complete, true);
}

_Atomic uint64_t *
index_changes(struct index *x)
{
	return &x->changes;
}

size_t
index_sealed(const struct index *x)
{
	return atomic_load(&x->sealed);
}

void
index_clear(struct index *x)
{
	atomic_store(&x->complete, false);
	atomic_store(&x->top, 0);
	atomic_store(&x->sealed, 0);
	atomic_store(&x->unknown, 0);
	x->free = NONE;
	memset(x->bucket, 0, sizeof(x->bucket));
}

static uint64_t
name_hash(const uint8_t name[VIEW_NAME])
{
	uint64_t h;

	memcpy(&h, name, sizeof(h)); /* random as it is */
	return h;
}

static uint32_t
top(const struct index *x)
{
	uint32_t n = atomic_load(&x->top);

	return n < INDEX_MAX ? n : INDEX_MAX;
}

/* The entry at a place that came out of the table. */
static struct entry *
at(const struct index *x, uint32_t place)
{
	if (place == NONE || place > INDEX_MAX)
		return NULL;
	return (struct entry *)(uintptr_t)&x->entries[place - 1];
}

static _Atomic uint32_t *
head(const struct index *x, unsigned chain, uint64_t hash)
{
	return (_Atomic uint32_t *)(uintptr_t)&x->bucket[chain][hash % BUCKETS];
}

static uint32_t
find(const struct index *x, const uint8_t name[VIEW_NAME])
{
	uint32_t place = atomic_load(head(x, BY_NAME, name_hash(name)));
	struct entry *e;

	for (size_t n = 0; n < INDEX_MAX && (e = at(x, place)) != NULL; n++) {
		if (memcmp(e->o.name, name, VIEW_NAME) == 0)
			return place;
		place = atomic_load(&e->next[BY_NAME]);
	}
	return NONE;
}

/* Whoever reads meanwhile finds the old chain or the new one; others may link in too. */
static void
link_in(struct index *x, unsigned chain, uint64_t hash, uint32_t place)
{
	_Atomic uint32_t *h = head(x, chain, hash);
	uint32_t first = atomic_load(h);

	do
		atomic_store(&at(x, place)->next[chain], first);
	while (!atomic_compare_exchange_weak(h, &first, place));
}

static void
link_out(struct index *x, unsigned chain, uint64_t hash, uint32_t place)
{
	_Atomic uint32_t *p = head(x, chain, hash);
	struct entry *e;

	for (size_t n = 0; n < INDEX_MAX; n++) {
		uint32_t now = atomic_load(p);

		if ((e = at(x, now)) == NULL)
			return;
		if (now != place)
			p = &e->next[chain];
		else if (atomic_compare_exchange_strong(
			     p, &now, atomic_load(&e->next[chain])))
			return;
	}
}

static void
count(struct index *x, uint32_t flags, unsigned by)
{
	if (flags & INDEX_SEALED)
		atomic_fetch_add(&x->sealed, by);
	if (flags & INDEX_UNKNOWN)
		atomic_fetch_add(&x->unknown, by);
}

static uint32_t
take_place(struct index *x)
{
	uint32_t place = __atomic_load_n(&x->free, __ATOMIC_RELAXED); /* may be spoilt meanwhile */
	struct entry *e = at(x, place);

	if (e != NULL) {
		x->free = atomic_load(&e->next[0]);
		return place;
	}
	place = atomic_load(&x->top);
	if (place >= INDEX_MAX)
		return NONE;
	memset(&x->entries[place], 0, sizeof(x->entries[place]));
	atomic_store(&x->top, place + 1);
	return place + 1;
}

/* Out of everything but the chain of names. */
static void
strip(struct index *x, uint32_t place)
{
	struct entry *e = at(x, place);

	for (unsigned by = 0; by < INDEX_KEYS; by++)
		if (e->o.hash[by] != 0)
			link_out(x, by, e->o.hash[by], place);
}

bool
index_put(struct index *x, const struct index_object *o)
{
	uint32_t place = find(x, o->name), before = 0;
	bool new = place == NONE;
	struct entry *e;

	if (new)
		place = take_place(x);
	if ((e = at(x, place)) == NULL)
		return false;
	if (!new) {
		before = e->o.flags;
		strip(x, place);
	}
	e->o = *o;
	e->o.flags |= USED;
	for (unsigned by = 0; by < INDEX_KEYS; by++)
		if (o->hash[by] != 0)
			link_in(x, by, o->hash[by], place);
	if (new)
		link_in(x, BY_NAME, name_hash(o->name), place);
	/* In this order: never none while there is one. */
	count(x, o->flags, 1);
	count(x, before, -1u);
	return true;
}

void
index_remove(struct index *x, const uint8_t name[VIEW_NAME])
{
	uint32_t place = find(x, name);
	struct entry *e = at(x, place);

	if (e == NULL)
		return;
	strip(x, place);
	count(x, e->o.flags, -1u);
	link_out(x, BY_NAME, name_hash(name), place);
	memset(&e->o, 0, sizeof(e->o));
	atomic_store(&e->next[0], x->free);
	x->free = place;
}

bool
index_get(const struct index *x, const uint8_t name[VIEW_NAME], struct index_object *ret)
{
	const struct entry *e = at(x, find(x, name));

	if (e == NULL)
		return false;
	*ret = e->o;
	ret->flags &= ~USED;
	return true;
}

size_t
index_by_hash(const struct index *x, enum index_by by, uint64_t hash,
    uint8_t (*ret)[VIEW_NAME], size_t room)
{
	uint32_t place = atomic_load(head(x, by, hash));
	const struct entry *e;
	size_t found = 0;

	for (size_t n = 0; n < INDEX_MAX && found <= room && (e = at(x, place)) != NULL;
	     n++) {
		if (e->o.hash[by] == hash && found++ < room)
			memcpy(ret[found - 1], e->o.name, VIEW_NAME);
		place = atomic_load(&e->next[by]);
	}
	return found;
}

size_t
index_by_class(
    const struct index *x, uint32_t class, uint8_t (*ret)[VIEW_NAME], size_t room)
{
	size_t found = 0;
	uint32_t n = top(x);

	for (uint32_t i = 0; i < n && found <= room; i++) {
		const struct index_object *o = &x->entries[i].o;

		if ((o->flags & USED) && o->class == class && found++ < room)
			memcpy(ret[found - 1], o->name, VIEW_NAME);
	}
	return found;
}

size_t
index_by_flag(
    const struct index *x, uint32_t flag, uint8_t (*ret)[VIEW_NAME], size_t room)
{
	size_t found = 0;
	uint32_t n = top(x);

	if (flag == INDEX_UNKNOWN && atomic_load(&x->unknown) == 0)
		return 0;
	for (uint32_t i = 0; i < n && found <= room; i++) {
		const struct index_object *o = &x->entries[i].o;

		if ((o->flags & USED) && (o->flags & flag) && found++ < room)
			memcpy(ret[found - 1], o->name, VIEW_NAME);
	}
	return found;
}
