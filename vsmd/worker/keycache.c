/* keycache.c - see keycache.h */
#include "vsmd/worker/keycache.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "protocol/mech.h"
#include "vsmd/worker/learn.h"
#include "vsmd/worker/state.h"

#define UNPROVEN_MAX 16 /* keys in a row that were not what SoftHSM2 used */
#define EVERYTHING ((uint64_t)1 << 32) /* in drops */

void
keycache_init(struct keycache *c)
{
	memset(c, 0, sizeof(*c));
}

static void
sets_free(struct keycache_set *sets)
{
	for (size_t i = 0; sets != NULL && i < KEYCACHE_SETS; i++)
		pthread_mutex_destroy(&sets[i].lock);
	free(sets);
}

/* The sets, which stay once they are made.  NULL: no memory. */
static struct keycache_set *
sets_of(struct keycache *c)
{
	struct keycache_set *sets = atomic_load(&c->sets), *before = NULL;

	if (sets != NULL || (sets = calloc(KEYCACHE_SETS, sizeof(*sets))) == NULL)
		return sets;
	for (size_t i = 0; i < KEYCACHE_SETS; i++)
		pthread_mutex_init(&sets[i].lock, NULL);
	if (atomic_compare_exchange_strong(&c->sets, &before, sets))
		return sets;
	sets_free(sets);
	return before;
}

void
keycache_put(struct cached *entry)
{
	if (entry == NULL || atomic_fetch_sub(&entry->users, 1) != 1)
		return;
	key_free(entry->key);
	free(entry);
}

static void
drop(struct keycache *c, bool objects_only)
{
	struct keycache_set *sets = atomic_load(&c->sets);

	for (struct keycache_set *s = sets; sets != NULL && s < sets + KEYCACHE_SETS; s++) {
		pthread_mutex_lock(&s->lock);
		for (size_t i = 0; i < KEYCACHE_WAYS; i++) {
			struct cached *e = s->way[i];

			if (e == NULL || (objects_only && e->object.token))
				continue;
			s->way[i] = NULL;
			keycache_put(e);
		}
		pthread_mutex_unlock(&s->lock);
	}
}

void
keycache_drop(struct keycache *c)
{
	/* First: what is being learnt now must not come in afterwards. */
	atomic_fetch_add(&c->drops, EVERYTHING);
	drop(c, false);
}

void
keycache_drop_objects(struct keycache *c)
{
	atomic_fetch_add(&c->drops, 1);
	drop(c, true);
}

void
keycache_free(struct keycache *c)
{
	drop(c, false);
	sets_free(atomic_exchange(&c->sets, NULL));
}

static const CK_MECHANISM *
mech_of(const struct request *r)
{
	return r->args_of[1][1].ptr;
}

static CK_OBJECT_HANDLE
handle_of(const struct request *r)
{
	return r->args_of[1][2].len;
}

/*
 * The kind of key that the request is about; KEY_NONE: nothing for the cache.  Nor are no
 * data: a key does not compute with them, so they would count as unproven.
 */
static enum key_kind
kind_of(const struct request *r)
{
	const CK_MECHANISM *m = r->begin->args[2] == ARG_OBJECT ? mech_of(r) : NULL;
	const struct arg *in = &r->args_of[0][1];

	return m != NULL && in->ptr != NULL && in->len > 0
	    ? key_kind_for(r->call->number, m) : KEY_NONE;
}

/* Since it was entered, or while it was learnt. */
static bool
dropped(const struct cached *e, const struct keycache *c)
{
	uint64_t since = atomic_load(&c->drops) ^ e->drops;

	return e->object.token ? since >= EVERYTHING : since != 0;
}

static struct keycache_set *
set_of(struct keycache_set *sets, uint32_t number, CK_OBJECT_HANDLE handle, uint64_t shape)
{
	uint64_t h = shape ^ handle * 0x9e3779b97f4a7c15u;

	h = (h ^ h >> 31 ^ number) * 0xbf58476d1ce4e5b9u;
	return &sets[(h ^ h >> 29) % KEYCACHE_SETS];
}

/* The mechanism itself is no matter of a hash, which could be made to fit. */
static bool
same(const struct cached *e, uint32_t number, CK_OBJECT_HANDLE handle,
    CK_MECHANISM_TYPE mechanism, uint64_t shape)
{
	return e->number == number && e->handle == handle && e->mechanism == mechanism &&
	    e->shape == shape;
}

struct cached *
keycache_get(struct request *r)
{
	struct keycache *c = &r->w->keys;
	struct keycache_set *sets = atomic_load(&c->sets), *set;
	struct cached *entry = NULL;
	uint64_t shape, epoch = r->reply.epoch;

	if (atomic_load(&c->off) || r->turn.session == NULL || r->turn.session->closed ||
	    r->turn.session->busy || kind_of(r) == KEY_NONE)
		return NULL;
	/* Nobody else's change leaves a key behind here. */
	if (atomic_load(&c->epoch) != epoch) {
		drop(c, false);
		atomic_store(&c->epoch, epoch);
		return NULL;
	}
	if (sets == NULL)
		return NULL;
	shape = mech_shape(mech_of(r));
	set = set_of(sets, r->call->number, handle_of(r), shape);
	pthread_mutex_lock(&set->lock);
	for (size_t i = 0; i < KEYCACHE_WAYS && entry == NULL; i++) {
		struct cached *e = set->way[i];

		if (e != NULL && same(e, r->call->number, handle_of(r),
		    mech_of(r)->mechanism, shape) && e->epoch == epoch && !dropped(e, c))
			entry = e;
	}
	if (entry != NULL)
		atomic_fetch_add(&entry->users, 1);
	pthread_mutex_unlock(&set->lock);
	return entry;
}

void
keycache_learn_begin(struct request *r)
{
	enum key_kind kind = atomic_load(&r->w->keys.off) ? KEY_NONE : kind_of(r);

	r->drops = atomic_load(&r->w->keys.drops);
	learn_begin(kind);
}

/* The key must be used with a login of its own each time. */
static bool
always_authenticate(const struct request *r)
{
	CK_BBOOL always = CK_FALSE;
	CK_ATTRIBUTE t = {CKA_ALWAYS_AUTHENTICATE, &always, sizeof(always)};
	CK_RV rv = r->w->fl->C_GetAttributeValue(
	    r->args_of[1][0].len, handle_of(r), &t, 1);

	return rv != CKR_ATTRIBUTE_TYPE_INVALID && (rv != CKR_OK || always != CK_FALSE);
}

/* Several keys in a row were not those that SoftHSM2 computes with. */
static void
unproven(struct keycache *c)
{
	if (atomic_fetch_add(&c->unproven, 1) + 1 == UNPROVEN_MAX &&
	    !atomic_exchange(&c->off, true))
		log_warn("SoftHSM2 computes in a way that is not known here: "
			 "going on without the cache of keys, slower");
}

static struct cached *
entry_of(struct request *r, struct key *key)
{
	struct cached *entry = calloc(1, sizeof(*entry));
	bool may;

	if (entry == NULL)
		return NULL;
	*entry = (struct cached){.users = 1, .epoch = r->reply.epoch, .drops = r->drops,
	    .number = r->call->number, .handle = handle_of(r),
	    .mechanism = mech_of(r)->mechanism, .shape = mech_shape(mech_of(r)), .key = key};
	if (serve_enter(r, GATE_SHARED) == CKR_OK) {
		may = objects_get(r->w, r->args[0].len, entry->handle, &entry->object) &&
		    !(entry->object.class == CKO_PRIVATE_KEY && always_authenticate(r));
		serve_leave(r);
		if (may)
			return entry;
	}
	free(entry);
	return NULL;
}

/* The place of what is the same, or is none, or else of one that has to go. */
static struct cached **
way_for(struct keycache_set *set, const struct cached *entry)
{
	struct cached **free_way = NULL;

	for (size_t i = 0; i < KEYCACHE_WAYS; i++) {
		struct cached **e = &set->way[i];

		if (*e == NULL)
			free_way = e;
		else if (same(*e, entry->number, entry->handle, entry->mechanism,
		    entry->shape))
			return e;
	}
	return free_way != NULL ? free_way : &set->way[set->victim++ % KEYCACHE_WAYS];
}

static void
enter(struct keycache *c, struct cached *entry)
{
	struct keycache_set *sets = sets_of(c), *set;
	struct cached **way;

	if (sets == NULL) {
		keycache_put(entry);
		return;
	}
	set = set_of(sets, entry->number, entry->handle, entry->shape);
	pthread_mutex_lock(&set->lock);
	/* It may have been dropped while it was learnt. */
	if (!dropped(entry, c)) {
		way = way_for(set, entry);
		keycache_put(*way);
		*way = entry;
	} else {
		keycache_put(entry);
	}
	pthread_mutex_unlock(&set->lock);
}

void
keycache_learn_end(struct request *r, CK_RV rv)
{
	struct keycache *c = &r->w->keys;
	const struct arg *in = &r->args[1], *out = &r->args[2];
	struct key *key = learn_end();
	struct cached *entry = NULL;

	if (rv != CKR_OK || out->ptr == NULL || out->plen == NULL ||
	    kind_of(r) == KEY_NONE || atomic_load(&c->off)) {
		key_free(key);
		return;
	}
	if (key == NULL || !key_proven(key, r->call->number, mech_of(r), in->ptr, in->len,
	    out->ptr, *out->plen)) {
		/* A secret key may just be longer than what is kept. */
		if (key != NULL || kind_of(r) != KEY_BYTES)
			unproven(c);
		key_free(key);
		return;
	}
	atomic_store(&c->unproven, 0);
	if ((entry = entry_of(r, key)) != NULL)
		enter(c, entry);
	else
		key_free(key);
}
