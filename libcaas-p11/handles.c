/*
 * handles.c - see handles.h
 *
 * The table is an open-addressed hash by virtual handle.  An entry is published by the
 * store of its number and ends by the store of its kind; a larger table is filled
 * before it is published.  So a fork at any point leaves the child a table that is right,
 * or lacks the change that was being made.  The index is derived, and made anew there.
 */
#include "libcaas-p11/handles.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libcaas-p11/slots.h"
#include "protocol/resume.h"

#define TABLE_FIRST 64
#define SWEEP_FROM 4096 /* entries from which growing looks for superseded objects */

enum kind { KIND_DEAD, KIND_SESSION, KIND_OBJECT };

struct entry {
	_Atomic uint64_t virt; /* 0: never used */
	uint64_t remote;
	struct slot *slot;
	uint64_t owner; /* of an object: the session that it dies with, or 0;
	                 * of a session: not 0 when it made such objects */
	CK_FLAGS flags; /* of a session */
	uint32_t era;   /* of an object: logouts on the slot before it was last seen */
	atomic_uchar kind;
	uint8_t id[MSG_ID_LEN];
};

struct handle_table {
	size_t mask, used, live; /* used counts dead entries too */
	struct entry entries[];
};

struct handle_index {
	size_t mask, used;
	uint64_t virt[]; /* 0: never used; of a dead entry: ignored */
};

static const uint8_t no_id[MSG_ID_LEN];

/* Grows over the whole life of the process, past C_Finalize. */
static _Atomic uint64_t last_handle;

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

static struct entry *
find_kind(const struct handle_table *t, uint64_t virt, enum kind kind)
{
	struct entry *e = find(t, virt);

	return e != NULL && e->kind == kind ? e : NULL;
}

/* Write an entry that is not in the table; there is room. */
static void
put(struct handle_table *t, const struct entry *from, uint64_t virt)
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
	e->era = from->era;
	memcpy(e->id, from->id, sizeof(e->id));
	e->kind = from->kind;
	atomic_store_explicit(&e->virt, virt, memory_order_release);
	t->used++;
	t->live++;
}

static void
kill_entry(struct handle_table *t, struct entry *e)
{
	if (e->kind == KIND_SESSION)
		e->slot->nsessions--;
	e->kind = KIND_DEAD;
	t->live--;
}

#define for_each_entry(e, t)                                                             \
	for (struct entry *e = (t) ? (t)->entries : NULL,                                \
			  *end_ = (t) ? e + (t)->mask + 1 : e;                           \
	     e < end_; e++)                                                              \
		if (e->virt != 0 && e->kind != KIND_DEAD)

/* The index. */

static size_t
index_at(const struct handle_index *x, const struct slot *slot, uint64_t remote)
{
	uint64_t k = (remote ^ (uint64_t)(uintptr_t)slot) * 0x9e3779b97f4a7c15u;

	return (k >> 32) & x->mask;
}

static struct entry *
index_find(const struct handles *h, const struct slot *slot, uint64_t remote)
{
	const struct handle_index *x = h->index;

	if (x == NULL)
		return NULL;
	for (size_t i = index_at(x, slot, remote); x->virt[i] != 0;
	     i = (i + 1) & x->mask) {
		struct entry *e = find_kind(h->table, x->virt[i], KIND_OBJECT);

		if (e != NULL && e->slot == slot && e->remote == remote)
			return e;
	}
	return NULL;
}

static void
index_put(struct handle_index *x, const struct entry *e)
{
	size_t i = index_at(x, e->slot, e->remote);

	while (x->virt[i] != 0)
		i = (i + 1) & x->mask;
	x->virt[i] = e->virt;
	x->used++;
}

/* A new index of what lives, with room for `more`. */
static bool
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

/*
 * Private objects that were found anew after a logout have new handles; those from before
 * are void, but only the worker knows which they are.  So that an application that logs
 * in and out for ever does not grow for ever: an object that was not seen since a logout
 * after which another with the same identity was seen counts as superseded by that.
 */
static void
sweep(struct handles *h)
{
	struct handle_table *t = h->table;
	size_t size = TABLE_FIRST, i;
	struct entry **newest;
	uint64_t k;

	while (size < t->live * 2)
		size *= 2;
	if ((newest = calloc(size, sizeof(*newest))) == NULL)
		return;
	for (int pass = 0; pass < 2; pass++) {
		for_each_entry(e, t) {
			if (e->kind != KIND_OBJECT ||
			    memcmp(e->id, no_id, sizeof(no_id)) == 0)
				continue;
			memcpy(&k, e->id, sizeof(k));
			for (i = k & (size - 1); newest[i] != NULL;
			     i = (i + 1) & (size - 1))
				if (newest[i]->slot == e->slot &&
				    memcmp(newest[i]->id, e->id, sizeof(e->id)) == 0)
					break;
			if (pass == 0 && (newest[i] == NULL || e->era > newest[i]->era))
				newest[i] = e;
			else if (pass == 1 && e->era < newest[i]->era)
				kill_entry(t, e);
		}
	}
	free(newest);
}

/* Room for n more entries, in the table and in the index. */
static bool
reserve(struct handles *h, size_t n)
{
	struct handle_table *t = h->table, *bigger;
	size_t size = TABLE_FIRST;

	if (t == NULL || (t->used + n) * 4 > (t->mask + 1) * 3) {
		if (t != NULL && t->live >= SWEEP_FROM)
			sweep(h);
		while (size < ((t ? t->live : 0) + n) * 2)
			size *= 2;
		bigger = calloc(1, sizeof(*bigger) + size * sizeof(bigger->entries[0]));
		if (bigger == NULL)
			return false;
		bigger->mask = size - 1;
		for_each_entry(e, t)
			put(bigger, e, e->virt);
		atomic_thread_fence(memory_order_release);
		h->table = bigger;
		free(t);
	}
	if (h->index == NULL || (h->index->used + n) * 4 > (h->index->mask + 1) * 3)
		return index_make(h, n);
	return true;
}

CK_RV
handles_init(struct handles *h, const struct lock_how *how)
{
	memset(h, 0, sizeof(*h));
	return lock_init(&h->lock, how);
}

CK_RV
handles_renew(struct handles *h)
{
	struct handle_table *t = h->table;
	CK_RV rv = lock_renew(&h->lock);

	if (rv != CKR_OK || t == NULL)
		return rv;
	/* The counts may lag behind the entries by one change. */
	t->used = t->live = 0;
	for (size_t i = 0; i <= t->mask; i++)
		t->used += t->entries[i].virt != 0;
	for_each_entry(e, t) {
		t->live++;
		e->slot->nsessions += e->kind == KIND_SESSION;
	}
	return index_make(h, 0) ? CKR_OK : CKR_HOST_MEMORY;
}

void
handles_free(struct handles *h)
{
	free(h->table);
	free(h->index);
	h->table = NULL;
	h->index = NULL;
	lock_free(&h->lock);
}

bool
handles_translate(struct handles *h, const struct call *call, const struct arg *args,
    struct arg *remote, struct slot **ret_slot, uint64_t *ret_generation)
{
	struct entry *session, *e;

	lock_take(&h->lock);
	session = find_kind(h->table, args[0].len, KIND_SESSION);
	if (session == NULL) {
		lock_give(&h->lock);
		return false;
	}
	for (size_t i = 0; call->args[i] != ARG_END; i++) {
		remote[i] = args[i];
		if (call->args[i] == ARG_SESSION) {
			remote[i].len = session->remote;
		} else if (call->args[i] == ARG_OBJECT) {
			e = find_kind(h->table, args[i].len, KIND_OBJECT);
			remote[i].len = e != NULL && e->slot == session->slot ?
			    e->remote : CK_INVALID_HANDLE;
		}
	}
	*ret_slot = session->slot;
	*ret_generation = session->slot->generation;
	lock_give(&h->lock);
	return true;
}

struct slot *
handles_slot(struct handles *h, CK_SESSION_HANDLE session)
{
	struct entry *e;
	struct slot *slot;

	lock_take(&h->lock);
	e = find_kind(h->table, session, KIND_SESSION);
	slot = e != NULL ? e->slot : NULL;
	lock_give(&h->lock);
	return slot;
}

CK_RV
handles_add_session(struct handles *h, struct slot *slot, uint64_t generation,
    CK_SESSION_HANDLE remote, CK_FLAGS flags, CK_SESSION_HANDLE *ret)
{
	struct entry e = {
	    .remote = remote, .slot = slot, .flags = flags, .kind = KIND_SESSION};
	CK_RV rv = CKR_OK;
	uint64_t virt;

	lock_take(&h->lock);
	if (slot->generation != generation) {
		rv = CKR_DEVICE_REMOVED;
	} else if (!reserve(h, 1)) {
		rv = CKR_HOST_MEMORY;
	} else {
		virt = atomic_fetch_add(&last_handle, 1) + 1;
		put(h->table, &e, virt);
		slot->nsessions++;
		*ret = virt;
	}
	lock_give(&h->lock);
	return rv;
}

CK_RV
handles_add_objects(struct handles *h, struct slot *slot, uint64_t generation,
    const struct object_ref *refs, size_t n, CK_SESSION_HANDLE owner,
    CK_OBJECT_HANDLE *ret)
{
	struct entry new = {.slot = slot, .owner = owner, .kind = KIND_OBJECT};
	CK_RV rv = CKR_OK;
	struct entry *e;

	lock_take(&h->lock);
	if (slot->generation != generation)
		rv = CKR_DEVICE_REMOVED;
	else if (!reserve(h, n))
		rv = CKR_HOST_MEMORY;
	if (rv == CKR_OK && (e = find_kind(h->table, owner, KIND_SESSION)) != NULL)
		e->owner = owner;
	for (size_t i = 0; rv == CKR_OK && i < n; i++) {
		ret[i] = CK_INVALID_HANDLE;
		if (refs[i].handle == CK_INVALID_HANDLE)
			continue;
		if ((e = index_find(h, slot, refs[i].handle)) == NULL) {
			new.remote = refs[i].handle;
			memcpy(new.id, refs[i].id, sizeof(new.id));
			ret[i] = atomic_fetch_add(&last_handle, 1) + 1;
			put(h->table, &new, ret[i]);
			e = find(h->table, ret[i]);
			index_put(h->index, e);
		}
		e->era = slot->logouts;
		ret[i] = e->virt;
	}
	lock_give(&h->lock);
	return rv;
}

void
handles_drop_object(struct handles *h, CK_OBJECT_HANDLE object)
{
	struct entry *e;

	lock_take(&h->lock);
	if ((e = find_kind(h->table, object, KIND_OBJECT)) != NULL)
		kill_entry(h->table, e);
	lock_give(&h->lock);
}

static void
drop_slot(struct handles *h, const struct slot *slot)
{
	for_each_entry(e, h->table)
		if (e->slot == slot)
			kill_entry(h->table, e);
}

bool
handles_drop_session(struct handles *h, CK_SESSION_HANDLE session)
{
	bool last = false;
	struct entry *s;

	lock_take(&h->lock);
	if ((s = find_kind(h->table, session, KIND_SESSION)) != NULL) {
		last = s->slot->nsessions == 1;
		kill_entry(h->table, s);
		if (last) {
			drop_slot(h, s->slot);
		} else if (s->owner != 0) { /* it made session objects */
			for_each_entry(e, h->table)
				if (e->kind == KIND_OBJECT && e->owner == session)
					kill_entry(h->table, e);
		}
	}
	lock_give(&h->lock);
	return last;
}

void
handles_drop_slot(struct handles *h, struct slot *slot)
{
	lock_take(&h->lock);
	drop_slot(h, slot);
	lock_give(&h->lock);
}

void
handles_logged_out(struct handles *h, struct slot *slot)
{
	lock_take(&h->lock);
	slot->logouts++;
	lock_give(&h->lock);
}

size_t
handles_sessions(struct handles *h, const struct slot *slot)
{
	size_t n;

	lock_take(&h->lock);
	n = slot->nsessions;
	lock_give(&h->lock);
	return n;
}

void
handles_held_free(struct handles_held *held)
{
	free(held->sessions);
	free(held->flags);
	free(held->objects);
	free(held->ids);
	memset(held, 0, sizeof(*held));
}

CK_RV
handles_held(struct handles *h, struct slot *slot, struct handles_held *ret)
{
	size_t live;

	memset(ret, 0, sizeof(*ret));
	lock_take(&h->lock);
	live = (h->table ? h->table->live : 0) + 1;
	ret->sessions = calloc(live, sizeof(*ret->sessions));
	ret->flags = calloc(live, sizeof(*ret->flags));
	ret->objects = calloc(live, sizeof(*ret->objects));
	ret->ids = calloc(live, sizeof(*ret->ids));
	if (!ret->sessions || !ret->flags || !ret->objects || !ret->ids) {
		lock_give(&h->lock);
		handles_held_free(ret);
		return CKR_HOST_MEMORY;
	}
	for_each_entry(e, h->table) {
		if (e->slot != slot)
			continue;
		if (e->kind == KIND_SESSION && ret->nsessions < RESUME_MAX_SESSIONS) {
			ret->sessions[ret->nsessions] = e->virt;
			ret->flags[ret->nsessions++] = e->flags;
		} else if (e->kind == KIND_OBJECT && e->owner == 0 &&
		    memcmp(e->id, no_id, sizeof(no_id)) != 0 &&
		    ret->nobjects < RESUME_MAX_OBJECTS) {
			ret->objects[ret->nobjects] = e->virt;
			memcpy(ret->ids[ret->nobjects++], e->id, sizeof(e->id));
		}
	}
	lock_give(&h->lock);
	return CKR_OK;
}

CK_RV
handles_moved(struct handles *h, struct slot *slot, uint64_t generation,
    const struct handles_held *held, const CK_SESSION_HANDLE *sessions,
    const CK_OBJECT_HANDLE *objects)
{
	struct entry *e;
	CK_RV rv;

	lock_take(&h->lock);
	for_each_entry(old, h->table)
		if (old->slot == slot)
			old->remote = CK_INVALID_HANDLE;
	for (uint32_t i = 0; i < held->nsessions; i++)
		if ((e = find_kind(h->table, held->sessions[i], KIND_SESSION)) != NULL) {
			e->remote = sessions[i];
			e->owner = 0;
		}
	for (uint32_t i = 0; i < held->nobjects; i++)
		if ((e = find_kind(h->table, held->objects[i], KIND_OBJECT)) != NULL)
			e->remote = objects[i];
	for_each_entry(gone, h->table)
		if (gone->slot == slot && gone->remote == CK_INVALID_HANDLE)
			kill_entry(h->table, gone);
	if (slot->nsessions == 0)
		drop_slot(h, slot);
	slot->generation = generation;
	rv = index_make(h, 0) ? CKR_OK : CKR_HOST_MEMORY;
	lock_give(&h->lock);
	return rv;
}
