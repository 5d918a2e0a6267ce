/* handles.c - see handles.h; how they are kept is in table.c */
#include "libcaas-p11/handles.h"

#include <stdlib.h>
#include <string.h>

#include "libcaas-p11/begun.h"
#include "libcaas-p11/pending.h"
#include "libcaas-p11/table.h"
#include "protocol/mech.h"
#include "protocol/resume.h"

/* Grows over the whole life of the process, past C_Finalize. */
static _Atomic uint64_t last_handle;

CK_RV
handles_init(struct handles *h, const struct lock_how *how)
{
	CK_RV rv = CKR_OK;

	memset(h, 0, sizeof(*h));
	for (size_t i = 0; i < HANDLES_LOCKS; i++) {
		if ((rv = lock_init(&h->locks[i].lock, how)) == CKR_OK)
			continue;
		while (i-- > 0)
			lock_free(&h->locks[i].lock);
		break;
	}
	return rv;
}

void
handles_lock(struct handles *h, uint64_t session)
{
	lock_take(&h->locks[session % HANDLES_LOCKS].lock);
}

void
handles_unlock(struct handles *h, uint64_t session)
{
	lock_give(&h->locks[session % HANDLES_LOCKS].lock);
}

void
handles_lock_all(struct handles *h)
{
	for (size_t i = 0; i < HANDLES_LOCKS; i++)
		lock_take(&h->locks[i].lock);
}

void
handles_unlock_all(struct handles *h)
{
	for (size_t i = HANDLES_LOCKS; i-- > 0;)
		lock_give(&h->locks[i].lock);
}

CK_RV
handles_renew(struct handles *h)
{
	struct handle_table *t = h->table;
	CK_RV rv = CKR_OK;

	for (size_t i = 0; i < HANDLES_LOCKS && rv == CKR_OK; i++)
		rv = lock_renew(&h->locks[i].lock);
	if (rv != CKR_OK || t == NULL)
		return rv;
	/* The counts may lag behind the entries by one change. */
	t->used = t->live = 0;
	for (size_t i = 0; i <= t->mask; i++)
		t->used += t->entries[i].virt != 0;
	for_each_entry(e, t) {
		t->live++;
		e->slot->nsessions += e->kind == KIND_SESSION;
		pending_renew(e->pending);
		free(atomic_exchange(&e->blob, NULL));
		blob_forget(&e->slot->astray);
		e->slot->kept = 0;
	}
	return index_make(h, 0) ? CKR_OK : CKR_HOST_MEMORY;
}

void
handles_free(struct handles *h)
{
	for_each_entry(e, h->table) {
		pending_free(e->pending);
		begun_free(e->begun);
		free(e->blob);
	}
	free(h->table);
	free(h->index);
	h->table = NULL;
	h->index = NULL;
	for (size_t i = 0; i < HANDLES_LOCKS; i++)
		lock_free(&h->locks[i].lock);
}

/* The worker's handle of an object, for a session of `slot`.  Caller holds a lock. */
struct view {
	const struct handles *h;
	const struct slot *slot;
};

static CK_OBJECT_HANDLE
remote_object(void *ctx, CK_OBJECT_HANDLE object)
{
	const struct view *v = ctx;
	const struct entry *e = entry_find(v->h->table, object, KIND_OBJECT);

	return e != NULL && e->slot == v->slot ? e->remote : CK_INVALID_HANDLE;
}

static bool
translate_arg(enum arg_kind kind, struct arg *arg, struct view *v, struct arena *arena)
{
	if (kind == ARG_OBJECT)
		arg->len = remote_object(v, arg->len);
	if (kind != ARG_MECH || arg->ptr == NULL)
		return true;
	arg->ptr = (void *)(uintptr_t)mech_map(arg->ptr, remote_object, v, arena);
	return arg->ptr != NULL;
}

CK_RV
handles_translate(struct handles *h, const struct call *call, const struct arg *args,
    struct arg *remote, struct arena *arena, struct slot **ret_slot,
    uint64_t *ret_generation)
{
	struct view view = {.h = h};
	struct entry *session;
	CK_RV rv = CKR_OK;

	handles_lock(h, args[0].len);
	session = entry_find(h->table, args[0].len, KIND_SESSION);
	if (session == NULL) {
		handles_unlock(h, args[0].len);
		return CKR_SESSION_HANDLE_INVALID;
	}
	view.slot = *ret_slot = session->slot;
	*ret_generation = session->slot->generation;
	for (size_t i = 0; call->args[i] != ARG_END; i++) {
		remote[i] = args[i];
		if (!translate_arg(call->args[i], &remote[i], &view, arena))
			rv = CKR_HOST_MEMORY;
	}
	remote[0].len = session->remote;
	handles_unlock(h, args[0].len);
	return rv;
}

CK_RV
handles_add_session(struct handles *h, struct slot *slot, uint64_t generation,
    CK_SESSION_HANDLE remote, CK_FLAGS flags, CK_SESSION_HANDLE *ret)
{
	struct entry e = {
	    .remote = remote, .slot = slot, .flags = flags, .kind = KIND_SESSION};
	CK_RV rv = CKR_OK;
	uint64_t virt;

	handles_lock_all(h);
	if (slot->generation != generation) {
		rv = CKR_DEVICE_REMOVED;
	} else if (!table_reserve(h, 1)) {
		rv = CKR_HOST_MEMORY;
	} else {
		virt = atomic_fetch_add(&last_handle, 1) + 1;
		entry_put(h->table, &e, virt);
		slot->nsessions++;
		*ret = virt;
	}
	handles_unlock_all(h);
	return rv;
}

/* Write a new object; there is room. */
static struct entry *
add_object(struct handles *h, struct slot *slot, const struct object_ref *ref,
    uint64_t owner)
{
	struct entry new = {.remote = ref->handle, .slot = slot, .owner = owner,
	    .kind = KIND_OBJECT}, *e;
	uint64_t virt = atomic_fetch_add(&last_handle, 1) + 1;

	memcpy(new.id, ref->id, sizeof(new.id));
	entry_put(h->table, &new, virt);
	e = entry_find(h->table, virt, KIND_OBJECT);
	index_put(h->index, e);
	return e;
}

CK_RV
handles_add_objects(struct handles *h, struct slot *slot, uint64_t generation,
    const struct object_ref *refs, size_t n, CK_SESSION_HANDLE session, bool found,
    CK_OBJECT_HANDLE *ret)
{
	struct entry *maker, *e;
	CK_RV rv = CKR_OK;

	handles_lock_all(h);
	if (slot->generation != generation)
		rv = CKR_DEVICE_REMOVED;
	else if (!table_reserve(h, n))
		rv = CKR_HOST_MEMORY;
	maker = found ? NULL : entry_find(h->table, session, KIND_SESSION);
	for (size_t i = 0; rv == CKR_OK && i < n; i++) {
		bool dies = maker != NULL && (refs[i].id[MSG_ID_FLAGS] & MSG_ID_SESSION);

		ret[i] = CK_INVALID_HANDLE;
		if (refs[i].handle == CK_INVALID_HANDLE)
			continue;
		if ((e = index_find(h, slot, refs[i].handle)) == NULL)
			e = add_object(h, slot, &refs[i], dies ? session : 0);
		if (dies) {
			maker->owner = session;
			if (e->blob == NULL)
				entry_keep(e, blob_found(&slot->astray, e->remote));
		}
		ret[i] = e->virt;
	}
	handles_unlock_all(h);
	return rv;
}

/* NULL, or too much: the object is lost with the worker; what was kept before would be wrong. */
static void
keep(struct handles *h, struct slot *slot, CK_OBJECT_HANDLE remote, struct blob *blob)
{
	struct entry *e = index_find(h, slot, remote);

	if (e == NULL) {
		if (blob != NULL)
			blob_stray(&slot->astray, remote, blob);
		return;
	}
	entry_keep(e, blob);
	if (slot->kept > KEPT_MAX_ALL)
		entry_keep(e, NULL);
}

void
handles_keep(
    struct handles *h, struct slot *slot, uint64_t generation, const struct kept *k)
{
	struct blob *blob = blob_new(k->object, k->object_len);

	handles_lock_all(h);
	if (slot->generation == generation)
		keep(h, slot, k->handle, blob);
	else
		free(blob);
	handles_unlock_all(h);
}

uint64_t
handles_kept(struct handles *h, CK_OBJECT_HANDLE object)
{
	const struct entry *e;
	uint64_t number;

	handles_lock(h, object);
	e = entry_find(h->table, object, KIND_OBJECT);
	number = e != NULL && e->blob != NULL ? e->blob->number : 0;
	handles_unlock(h, object);
	return number;
}

void
handles_unkeep(struct handles *h, CK_OBJECT_HANDLE object, uint64_t number)
{
	struct entry *e;

	handles_lock_all(h);
	e = entry_find(h->table, object, KIND_OBJECT);
	if (e != NULL && e->blob != NULL && e->blob->number == number)
		entry_keep(e, NULL);
	handles_unlock_all(h);
}

bool
handles_fleeting(struct handles *h, CK_OBJECT_HANDLE object)
{
	const struct entry *e;
	bool is;

	handles_lock(h, object);
	e = entry_find(h->table, object, KIND_OBJECT);
	is = e != NULL && (e->id[MSG_ID_FLAGS] & MSG_ID_SESSION);
	handles_unlock(h, object);
	return is;
}

void
handles_drop_object(struct handles *h, CK_OBJECT_HANDLE object)
{
	struct entry *e;

	handles_lock_all(h);
	if ((e = entry_find(h->table, object, KIND_OBJECT)) != NULL)
		entry_kill(h->table, e);
	handles_unlock_all(h);
}

static void
drop_slot(struct handles *h, const struct slot *slot)
{
	for_each_entry(e, h->table)
		if (e->slot == slot)
			entry_kill(h->table, e);
}

bool
handles_drop_session(struct handles *h, CK_SESSION_HANDLE session)
{
	bool last = false;
	struct entry *s;

	handles_lock_all(h);
	if ((s = entry_find(h->table, session, KIND_SESSION)) != NULL) {
		last = s->slot->nsessions == 1;
		entry_kill(h->table, s);
		if (last) {
			drop_slot(h, s->slot);
		} else if (s->owner != 0) { /* it made session objects */
			for_each_entry(e, h->table)
				if (e->kind == KIND_OBJECT && e->owner == session)
					entry_kill(h->table, e);
		}
	}
	handles_unlock_all(h);
	return last;
}

void
handles_drop_slot(struct handles *h, struct slot *slot)
{
	handles_lock_all(h);
	drop_slot(h, slot);
	handles_unlock_all(h);
}

uint64_t
handles_mark(void)
{
	return atomic_load(&last_handle);
}

void
handles_logged_out(struct handles *h, struct slot *slot, uint64_t mark)
{
	handles_lock_all(h);
	for_each_entry(e, h->table)
		if (e->slot == slot && e->kind == KIND_OBJECT && e->virt <= mark &&
		    (e->id[MSG_ID_FLAGS] & MSG_ID_PRIVATE))
			entry_kill(h->table, e);
	handles_unlock_all(h);
}

void
handles_held_free(struct handles_held *held)
{
	free(held->sessions);
	free(held->flags);
	free(held->objects);
	free(held->ids);
	for (uint32_t i = 0; i < held->nkept; i++)
		free(held->kept[i].blob);
	free(held->kept);
	memset(held, 0, sizeof(*held));
}

/* Where the session is in the array; nsessions: nowhere. */
static uint32_t
number_of(const struct handles_held *held, CK_SESSION_HANDLE session, uint32_t hint)
{
	uint32_t i = 0;

	if (hint < held->nsessions && held->sessions[hint] == session)
		return hint;
	while (i < held->nsessions && held->sessions[i] != session)
		i++;
	return i;
}

/* Copies of what is kept.  Caller holds all locks. */
static void
hold_kept(struct handles *h, const struct slot *slot, size_t most, struct handles_held *ret)
{
	uint32_t session = 0;

	for_each_entry(e, h->table) {
		const struct blob *blob = e->blob;
		struct handles_kept *k = &ret->kept[ret->nkept];

		if (e->slot != slot || e->kind != KIND_OBJECT || e->owner == 0 ||
		    blob == NULL || blob->len > most || ret->nkept == RESUME_MAX_OBJECTS)
			continue;
		session = number_of(ret, e->owner, session);
		if (session == ret->nsessions ||
		    (k->blob = blob_new(blob->bytes, blob->len)) == NULL)
			continue;
		k->object = e->virt;
		k->session = session;
		ret->nkept++;
		most -= blob->len;
	}
}

CK_RV
handles_held(struct handles *h, struct slot *slot, size_t most, struct handles_held *ret)
{
	size_t live;

	memset(ret, 0, sizeof(*ret));
	handles_lock_all(h);
	live = (h->table ? h->table->live : 0) + 1;
	ret->sessions = calloc(live, sizeof(*ret->sessions));
	ret->flags = calloc(live, sizeof(*ret->flags));
	ret->objects = calloc(live, sizeof(*ret->objects));
	ret->ids = calloc(live, sizeof(*ret->ids));
	ret->kept = calloc(live, sizeof(*ret->kept));
	if (!ret->sessions || !ret->flags || !ret->objects || !ret->ids || !ret->kept) {
		handles_unlock_all(h);
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
		    !entry_nameless(e) &&
		    ret->nobjects < RESUME_MAX_OBJECTS) {
			ret->objects[ret->nobjects] = e->virt;
			memcpy(ret->ids[ret->nobjects++], e->id, sizeof(e->id));
		}
	}
	hold_kept(h, slot, most, ret);
	/* What a reply of the channel before brings from now on would not be taken along. */
	slot->generation = 0;
	handles_unlock_all(h);
	return CKR_OK;
}

CK_RV
handles_moved(struct handles *h, struct slot *slot, uint64_t generation,
    const struct handles_held *held, const CK_SESSION_HANDLE *sessions,
    const CK_OBJECT_HANDLE *objects, const CK_OBJECT_HANDLE *kept)
{
	struct entry *e;
	CK_RV rv;

	handles_lock_all(h);
	for_each_entry(old, h->table)
		if (old->slot == slot)
			old->remote = CK_INVALID_HANDLE;
	for (uint32_t i = 0; i < held->nsessions; i++)
		if ((e = entry_find(h->table, held->sessions[i], KIND_SESSION)) != NULL)
			e->remote = sessions[i];
	for (uint32_t i = 0; i < held->nobjects; i++)
		if ((e = entry_find(h->table, held->objects[i], KIND_OBJECT)) != NULL)
			e->remote = objects[i];
	for (uint32_t i = 0; i < held->nkept; i++)
		if ((e = entry_find(h->table, held->kept[i].object, KIND_OBJECT)) != NULL)
			e->remote = kept[i];
	blob_forget(&slot->astray);
	for_each_entry(gone, h->table)
		if (gone->slot == slot && gone->remote == CK_INVALID_HANDLE)
			entry_kill(h->table, gone);
	if (slot->nsessions == 0)
		drop_slot(h, slot);
	slot->generation = generation;
	rv = index_make(h, 0) ? CKR_OK : CKR_HOST_MEMORY;
	handles_unlock_all(h);
	return rv;
}
