/* hold.c - see hold.h */
#include "libcaas-p11/hold.h"

#include <stdlib.h>
#include <string.h>

#include "common/secmem.h"
#include "libcaas-p11/known.h"
#include "libcaas-p11/module.h"
#include "libcaas-p11/table.h"
#include "libcaas-p11/told.h"
#include "protocol/mech.h"

#define LARGE 65536  /* bytes of data that leave no room for a beginning beside them */
#define ACCEPTED 256 /* places, each for any beginning whose hash falls on it */

/* What a session has begun. */
struct pending {
	uint64_t key;        /* of the last beginning, as in struct accepted; 0: none */
	atomic_bool busy;    /* in the worker, too, as far as is known here */
	const struct call *_Atomic call; /* what is held, or NULL */
	atomic_bool moving;  /* a call is sending it by itself */
	size_t len;
	uint8_t ask[HOLD_MAX]; /* its arguments, with virtual handles (message.h) */

	/* A search that was fetched: */
	CK_OBJECT_HANDLE *_Atomic found; /* NULL: there is none */
	size_t nfound, given;
	bool more; /* the worker has more, and the search is active there */
};

/* Beginnings that the worker accepted on a slot. */
struct accepted {
	uint64_t generation, epoch;
	struct {
		uint64_t key;
		CK_ULONG length; /* of a signature, when it was asked for; 0: unknown */
	} place[ACCEPTED];
};

void
pending_free(struct pending *p)
{
	if (p == NULL)
		return;
	free(p->found);
	sec_wipe(p, sizeof(*p));
	free(p);
}

void
pending_renew(struct pending *p)
{
	/* The thread that sent it is the parent's, and so is the channel. */
	if (p != NULL)
		atomic_store(&p->moving, false);
}

void
accepted_free(struct accepted *a)
{
	free(a);
}

static uint64_t
mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15u;
	return h ^ h >> 29;
}

/* The number by which a beginning is known: call, key, mechanism, and what in the
 * mechanism's parameter could make a difference to the answer.  0: none of these, or a
 * parameter too long to be held, whose length may be nonsense. */
static uint64_t
key_of(const struct call *call, const struct arg *args)
{
	uint64_t h = mix(0x1234567, call->number);
	const CK_MECHANISM *m = args[1].ptr;

	if (call_of_beginning(call) == NULL || m == NULL || m->ulParameterLen > HOLD_MAX)
		return 0;
	h = mix(h, mech_shape(m));
	h = mix(h, call->args[2] == ARG_OBJECT ? args[2].len : 0);
	return h != 0 ? h : 1;
}

/* What was accepted on the slot's present channel, or NULL.  Caller holds a lock. */
static struct accepted *
accepted_of(const struct slot *slot)
{
	struct accepted *a = slot->accepted;

	return a != NULL && a->generation == slot->generation ? a : NULL;
}

static bool
was_accepted(const struct slot *slot, uint64_t key)
{
	const struct accepted *a = accepted_of(slot);

	return a != NULL && a->place[key % ACCEPTED].key == key;
}

/* Caller holds all locks. */
static void
accept(struct slot *slot, uint64_t key, uint64_t epoch)
{
	struct accepted *a = slot->accepted;

	if (a == NULL && (a = slot->accepted = calloc(1, sizeof(*a))) == NULL)
		return;
	if (a->generation != slot->generation) {
		memset(a, 0, sizeof(*a));
		a->generation = slot->generation;
		a->epoch = epoch;
	}
	/* Served before a change that is known already: worth nothing. */
	if (epoch < a->epoch)
		return;
	if (a->place[key % ACCEPTED].key != key)
		a->place[key % ACCEPTED].length = 0;
	a->place[key % ACCEPTED].key = key;
}

static void
forget_accepted(struct slot *slot)
{
	if (slot->accepted != NULL)
		memset(slot->accepted->place, 0, sizeof(slot->accepted->place));
}

/* Does a call leave open whether something is held?  It neither changes what the answer to
 * a beginning would be, nor sees whether there was one. */
static bool
indifferent(const struct call *call)
{
	switch (call->number) {
	case CALL_C_GetSessionInfo:
	case CALL_C_GetAttributeValue:
	case CALL_C_GetObjectSize:
	case CALL_C_SeedRandom:
	case CALL_C_GenerateRandom:
	case CALL_C_GetFunctionStatus:
	case CALL_C_CancelFunction:
		return true;
	default:
		return false;
	}
}

/* Could the call change the answer to beginnings on other sessions? */
static bool
changes_answers(const struct call *call)
{
	switch (call->class) {
	case CLASS_LOGIN:
	case CLASS_PIN:
	case CLASS_INIT:
	case CLASS_OBJECT:
	case CLASS_DESTROY:
		return true;
	default:
		return false;
	}
}

static struct pending *
pending_of(struct entry *session)
{
	if (session->pending == NULL)
		session->pending = calloc(1, sizeof(*session->pending));
	return session->pending;
}

static bool
put_ask(struct pending *p, const struct call *call, const struct arg *args)
{
	struct buf b;
	bool ok;

	buf_init(&b, HOLD_MAX);
	ok = ask_write(&b, call, args) == CKR_OK && buf_ok(&b);
	if (ok) {
		memcpy(p->ask, b.data, b.len);
		p->len = b.len;
		/* Last: a child of fork() sees all of it, or nothing. */
		atomic_store(&p->call, call);
	}
	buf_free(&b);
	return ok;
}

static bool
copy_ask(const struct pending *p, struct errand *e)
{
	void *copy = arena_alloc(&e->arena, p->len);
	struct buf b;

	if (copy == NULL)
		return false;
	memcpy(copy, p->ask, p->len);
	buf_view(&b, copy, p->len);
	if (!ask_read(&b, p->call, e->begin_args, &e->arena))
		return false;
	e->begin = p->call;
	return true;
}

/* The beginning leaves the session, and goes along with e. */
static bool
take_ask(struct pending *p, struct errand *e)
{
	if (!copy_ask(p, e))
		return false;
	atomic_store(&p->call, NULL);
	atomic_store(&p->busy, true);
	return true;
}

/* The beginning goes before e.  It stays until it was sent: for who comes meanwhile, and
 * for a child of fork(). */
static enum hold
send_first(struct pending *p, struct errand *e)
{
	if (!copy_ask(p, e))
		return HOLD_SEND;
	atomic_store(&p->moving, true);
	return HOLD_FIRST;
}

/* Caller holds the session's lock. */
static bool
may_hold(const struct handles *h, const struct errand *e, struct entry *session)
{
	const struct entry *object;
	struct pending *p;
	uint64_t key = key_of(e->call, e->args);

	if (key == 0 || !was_accepted(session->slot, key) ||
	    (p = pending_of(session)) == NULL || p->busy)
		return false;
	if (e->call->args[2] == ARG_OBJECT) {
		object = entry_find(h->table, e->args[2].len, KIND_OBJECT);
		if (object == NULL || object->slot != session->slot)
			return false;
	}
	if (!put_ask(p, e->call, e->args))
		return false;
	p->key = key;
	return true;
}

/* A question for the length of a signature, which has been asked before. */
static bool
knows_length(const struct errand *e, const struct entry *session)
{
	const struct pending *p = session->pending;
	const struct accepted *a = accepted_of(session->slot);

	if (e->call->number != CALL_C_Sign || e->args[2].ptr != NULL ||
	    e->args[2].plen == NULL || e->args[1].ptr == NULL || a == NULL ||
	    a->place[p->key % ACCEPTED].key != p->key ||
	    a->place[p->key % ACCEPTED].length == 0)
		return false;
	*e->args[2].plen = a->place[p->key % ACCEPTED].length;
	return true;
}

/* C_FindObjectsInit whose search may be fetched: the session has nothing active, and the
 * template is one that can be held. */
static bool
may_fetch(const struct errand *e, struct entry *session)
{
	const CK_ATTRIBUTE *t = e->args[1].ptr;
	struct pending *p;
	size_t len = 0;

	if (e->call->number != CALL_C_FindObjectsInit || (t == NULL && e->args[1].len > 0) ||
	    e->args[1].len > HOLD_MAX / 17)
		return false;
	for (CK_ULONG i = 0; i < e->args[1].len; i++) {
		if ((t[i].type & CKF_ARRAY_ATTRIBUTE) || t[i].ulValueLen > HOLD_MAX)
			return false;
		len += 17 + t[i].ulValueLen;
	}
	return len + 32 <= HOLD_MAX && (p = pending_of(session)) != NULL && !p->busy &&
	    p->found == NULL;
}

static void
forget_search(struct pending *p)
{
	/* In this order: a child of fork() must not see what was freed. */
	free(atomic_exchange(&p->found, NULL));
	p->nfound = p->given = 0;
	p->more = false;
}

/* The session has a search that was fetched, and the call is about searches. */
static enum hold
go_on_searching(struct errand *e, struct pending *p, CK_RV *ret)
{
	bool here = p->call != NULL; /* the worker does not know of it */
	CK_OBJECT_HANDLE *list = e->args[1].ptr;
	size_t n = p->nfound - p->given;

	*ret = CKR_OK;
	if (e->call->number == CALL_C_FindObjectsFinal) {
		forget_search(p);
		if (here)
			atomic_store(&p->call, NULL);
		return here ? HOLD_DONE : HOLD_SEND;
	}
	if (list == NULL || e->args[1].plen == NULL || e->args[1].len == 0)
		return here ? send_first(p, e) : HOLD_SEND;
	if (n == 0 && p->more)
		return HOLD_SEND;
	if (n > e->args[1].len)
		n = e->args[1].len;
	if (n > 0)
		memcpy(list, p->found + p->given, n * sizeof(*list));
	p->given += n;
	*e->args[1].plen = n;
	return HOLD_DONE;
}

/* The epoch of a reply: a store that has changed may change any answer. */
static void
note_epoch(struct slot *slot, uint64_t epoch, int64_t asked)
{
	struct accepted *a = accepted_of(slot);

	known_epoch(slot->known, epoch, asked);
	told_reply(slot->told, slot->generation, epoch, asked);
	if (a == NULL || epoch <= a->epoch)
		return;
	forget_accepted(slot);
	a->epoch = epoch;
}

static void
note_changes(struct errand *e, const struct slot *slot)
{
	e->changes = slot->changing == 0 ? slot->changes + 1 : 0;
}

/* No call that may change answers has been on its way since then. */
static bool
unchanged(const struct errand *e)
{
	return e->changes == e->slot->changes + 1 && e->slot->changing == 0;
}

/* The session has a search.  Caller holds all locks. */
static CK_RV
begin_search(struct errand *e, const struct fetched *f, CK_OBJECT_HANDLE *handles)
{
	struct handles *h = &e->slot->module->handles;
	struct entry *session = entry_find(h->table, e->args[0].len, KIND_SESSION);
	struct pending *p;

	if (session == NULL || session->slot != e->slot)
		return CKR_SESSION_HANDLE_INVALID;
	if ((p = pending_of(session)) == NULL)
		return CKR_HOST_MEMORY;
	if (p->call != NULL && !f->more)
		return CKR_OPERATION_ACTIVE;
	forget_search(p);
	if (f->more)
		atomic_store(&p->busy, true);
	else if (!put_ask(p, e->call, e->args))
		return CKR_HOST_MEMORY;
	p->nfound = f->count;
	p->more = f->more;
	atomic_store(&p->found, handles);
	return CKR_OK;
}

CK_RV
hold_found(struct errand *e, const struct fetched *f, CK_OBJECT_HANDLE *handles)
{
	struct handles *h = &e->slot->module->handles;
	struct batch *b = known_batch(f, handles);
	CK_RV rv;

	handles_lock_all(h);
	rv = begin_search(e, f, handles);
	if (e->generation == e->slot->generation) {
		note_epoch(e->slot, f->epoch, e->asked);
		if (rv == CKR_OK && unchanged(e)) {
			known_add(&e->slot->known, e->generation, f->epoch, e->asked, b);
			b = NULL;
		}
	}
	handles_unlock_all(h);
	known_batch_free(b);
	if (rv != CKR_OK)
		free(handles);
	return rv;
}

/* What any session of the slot holds goes before e.  Caller holds all locks. */
static enum hold
send_any_first(struct handles *h, struct errand *e, const struct slot *slot)
{
	enum hold result = HOLD_SEND;

	for_each_entry(s, h->table) {
		if (s->kind != KIND_SESSION || s->slot != slot || s->pending == NULL ||
		    s->pending->call == NULL)
			continue;
		if (!s->pending->moving)
			return send_first(s->pending, e);
		result = HOLD_WAIT;
	}
	return result;
}

/* Until hold_over(), no answer on this slot is remembered.  Caller holds all locks. */
static void
begin_change(struct errand *e, struct slot *slot)
{
	forget_accepted(slot);
	known_forget(slot->known);
	told_change(slot->told);
	slot->changes++;
	slot->changing++;
	e->changing = slot;
}

static bool
has_large_data(const struct errand *e)
{
	for (size_t i = 0; e->call->args[i] != ARG_END; i++)
		if (e->call->args[i] == ARG_BYTES && e->args[i].len > LARGE)
			return true;
	return false;
}

/* C_GetSessionInfo, or C_GetAttributeValue of an object that there still is: known. */
static bool
may_answer(const struct handles *h, const struct errand *e, struct slot *slot, CK_RV *ret)
{
	const struct entry *o;

	if (e->call->number == CALL_C_GetSessionInfo)
		return told_answer(
		    slot->told, slot->generation, e->asked, e->call, e->args, ret);
	if (e->call->number != CALL_C_GetAttributeValue || slot->known == NULL)
		return false;
	o = entry_find(h->table, e->args[1].len, KIND_OBJECT);
	return o != NULL && o->slot == slot && known_answer(slot->known, slot->generation,
	    e->asked, o->virt, e->args[2].ptr, e->args[2].len, ret);
}

/* Calls that concern other sessions, too. */
static bool
concerns_others(const struct call *call)
{
	return changes_answers(call) || call->number == CALL_C_CloseSession;
}

/* Caller holds the session's lock, or all for what concerns others. */
static enum hold
before(struct handles *h, struct errand *e, struct entry *session, CK_RV *ret)
{
	struct pending *p = session->pending;
	bool holds = p != NULL && p->call != NULL;
	struct slot *slot = session->slot;
	enum hold result;

	note_changes(e, slot);
	if (may_answer(h, e, slot, ret))
		return HOLD_DONE;
	if (indifferent(e->call))
		return HOLD_SEND;
	if (holds && p->moving)
		return HOLD_WAIT;
	if (p != NULL && p->found != NULL && (e->call->number == CALL_C_FindObjects ||
	    e->call->number == CALL_C_FindObjectsFinal))
		return go_on_searching(e, p, ret);
	if (e->call->number == CALL_C_CloseSession) {
		/* What it holds goes with it; session objects do, and may be in use. */
		if (holds)
			atomic_store(&p->call, NULL);
		return session->owner != 0 ? send_any_first(h, e, slot) : HOLD_SEND;
	}
	if (changes_answers(e->call)) {
		if ((result = send_any_first(h, e, slot)) == HOLD_SEND)
			begin_change(e, slot);
		return result;
	}
	if (!holds && may_fetch(e, session)) {
		e->fetch = true;
		return HOLD_SEND;
	}
	if (!holds)
		return may_hold(h, e, session) ? HOLD_DONE : HOLD_SEND;
	if (call_beginning(e->call) != p->call || has_large_data(e))
		return send_first(p, e);
	if (knows_length(e, session))
		return HOLD_DONE;
	(void)take_ask(p, e);
	return HOLD_SEND;
}

static void
lock_for(struct handles *h, uint64_t number, bool all)
{
	if (all)
		handles_lock_all(h);
	else
		handles_lock(h, number);
}

static void
unlock_for(struct handles *h, uint64_t number, bool all)
{
	if (all)
		handles_unlock_all(h);
	else
		handles_unlock(h, number);
}

enum hold
hold_before(struct module *m, struct errand *e, CK_RV *ret)
{
	struct handles *h = &m->handles;
	bool all = concerns_others(e->call);
	enum hold result = HOLD_SEND;
	struct entry *session;

	e->asked = known_now();
	lock_for(h, e->args[0].len, all);
	session = entry_find(h->table, e->args[0].len, KIND_SESSION);
	*ret = CKR_OK;
	if (session != NULL)
		result = before(h, e, session, ret);
	unlock_for(h, e->args[0].len, all);
	return result;
}

enum hold
hold_before_slot(struct errand *e, CK_RV *ret)
{
	struct slot *slot = e->slot;
	struct handles *h = &slot->module->handles;
	bool all = changes_answers(e->call);
	enum hold result = HOLD_SEND;

	e->asked = known_now();
	lock_for(h, slot->id, all);
	note_changes(e, slot);
	if (all)
		begin_change(e, slot);
	else if (told_answer(slot->told, slot->generation, e->asked, e->call, e->args, ret))
		result = HOLD_DONE;
	else
		e->info = told_may_fetch(slot->told, slot->generation, e->call, e->args);
	unlock_for(h, slot->id, all);
	return result;
}

void
hold_told(struct errand *e, const struct info *info)
{
	struct slot *slot = e->slot;
	struct handles *h = &slot->module->handles;

	handles_lock_all(h);
	if (e->generation == slot->generation) {
		note_epoch(slot, info->epoch, e->asked);
		told_all(&slot->told, slot->generation, e->asked, info, unchanged(e));
	}
	handles_unlock_all(h);
}

void
hold_sent(struct module *m, struct errand *e)
{
	uint64_t s = e->begin_args[0].len;
	struct handles *h = &m->handles;
	struct entry *session;

	handles_lock(h, s);
	session = entry_find(h->table, s, KIND_SESSION);
	if (session != NULL && session->pending != NULL) {
		atomic_store(&session->pending->busy, true);
		atomic_store(&session->pending->call, NULL);
		atomic_store(&session->pending->moving, false);
	}
	handles_unlock(h, s);
	e->begin = NULL;
}

void
hold_over(struct module *m, const struct errand *e)
{
	struct handles *h = &m->handles;

	if (e->changing == NULL)
		return;
	handles_lock_all(h);
	e->changing->changing--;
	handles_unlock_all(h);
}

void
hold_again(struct module *m, struct errand *e)
{
	uint64_t s = e->begin_args[0].len;
	struct handles *h = &m->handles;
	struct entry *session;

	handles_lock(h, s);
	session = entry_find(h->table, s, KIND_SESSION);
	if (session != NULL && session->pending != NULL && session->pending->call == NULL) {
		(void)put_ask(session->pending, e->begin, e->begin_args);
		atomic_store(&session->pending->busy, false);
	}
	handles_unlock(h, s);
}

void
hold_lost(struct errand *e)
{
	struct handles *h = &e->slot->module->handles;

	handles_lock_all(h);
	told_renew(e->slot->told);
	handles_unlock_all(h);
}

/* A beginning that was, for what it says of key and mechanism. */
static bool
was_refused(const struct call *call, CK_RV rv)
{
	return call_of_beginning(call) != NULL && rv != CKR_OK && rv != CKR_OPERATION_ACTIVE;
}

/* The beginning that this reply says is accepted; 0: none, or not to be relied upon. */
static uint64_t
accepted_by(const struct errand *e, CK_RV begun, CK_RV rv)
{
	uint64_t key = rv == CKR_OK ? key_of(e->call, e->args) : 0;

	/* What went along was accepted once more, perhaps for the first time by this worker. */
	if (e->begin != NULL && begun == CKR_OK)
		key = key_of(e->begin, e->begin_args);
	return e->changes == e->slot->changes + 1 ? key : 0;
}

/* The length of a signature that the session may ask for again; 0: it is none. */
static CK_ULONG
length_by(const struct errand *e, CK_RV rv)
{
	return rv == CKR_OK && e->call->number == CALL_C_Sign && !call_ends(e->call, e->args) &&
	    e->args[2].plen != NULL ? *e->args[2].plen : 0;
}

/* Caller holds all locks. */
static void
learn(struct errand *e, const struct entry *session, CK_RV begun, CK_RV rv, uint64_t epoch)
{
	uint64_t key = accepted_by(e, begun, rv);
	CK_ULONG length = length_by(e, rv);
	const struct pending *p;
	struct accepted *a;

	note_epoch(e->slot, epoch, e->asked);
	if (rv == CKR_OK && unchanged(e))
		told_one(&e->slot->told, e->generation, epoch, e->asked, e->call, e->args);
	if (begun != CKR_OK || was_refused(e->call, rv))
		forget_accepted(e->slot);
	if (session == NULL)
		return;
	if (key != 0)
		accept(e->slot, key, epoch);
	p = session->pending;
	if (length != 0 && p != NULL && p->key != 0 && was_accepted(e->slot, p->key) &&
	    (a = accepted_of(e->slot)) != NULL)
		a->place[p->key % ACCEPTED].length = length;
}

/* Would that change anything that is not the session's?  Caller holds its lock. */
static bool
is_news(const struct errand *e, const struct entry *session, CK_RV begun, CK_RV rv,
    uint64_t epoch)
{
	const struct slot *slot = e->slot;
	const struct accepted *a = accepted_of(slot);
	uint64_t key;

	if (begun != CKR_OK || was_refused(e->call, rv) || told_keeps(e->call) ||
	    length_by(e, rv) != 0 || (a != NULL && epoch > a->epoch) ||
	    known_older(slot->known, epoch) ||
	    told_older(slot->told, slot->generation, epoch))
		return true;
	return session != NULL && (key = accepted_by(e, begun, rv)) != 0 &&
	    !was_accepted(slot, key);
}

/* What changes for the session alone.  Caller holds its lock. */
static void
after(const struct errand *e, struct entry *session, CK_RV rv)
{
	struct pending *p = pending_of(session);

	if (p == NULL || rv != CKR_OK)
		return;
	if (call_begins(e->call))
		atomic_store(&p->busy, true);
	/* One that was not fetched, after one that was and whose channel was lost. */
	if (e->call->number == CALL_C_FindObjectsInit && p->call == NULL)
		forget_search(p);
	if (call_of_beginning(e->call) != NULL)
		p->key = key_of(e->call, e->args);
	if (call_ends(e->call, e->args))
		atomic_store(&p->busy, false);
}

void
hold_after(struct errand *e, CK_RV begun, CK_RV rv, uint64_t epoch)
{
	bool concerns = call_begins(e->call) || e->call->number == CALL_C_FindObjectsFinal;
	struct handles *h = &e->slot->module->handles;
	uint64_t s = e->args[0].len;
	struct entry *session = NULL;
	bool all = false;

	handles_lock(h, s);
	if (concerns)
		session = entry_find(h->table, s, KIND_SESSION);
	if (session != NULL && session->slot != e->slot)
		session = NULL;
	/* Of a channel that is no more: its worker's word on nothing that there is. */
	if (e->generation == e->slot->generation) {
		if (session != NULL)
			after(e, session, rv);
		all = is_news(e, session, begun, rv, epoch);
		if (!all)
			note_epoch(e->slot, epoch, e->asked);
	}
	handles_unlock(h, s);
	if (!all)
		return;
	handles_lock_all(h);
	session = concerns ? entry_find(h->table, s, KIND_SESSION) : NULL;
	if (e->generation == e->slot->generation)
		learn(e, session != NULL && session->slot == e->slot ? session : NULL, begun, rv,
		    epoch);
	handles_unlock_all(h);
}

CK_RV
hold_refused(CK_RV begun)
{
	switch (begun) {
	case CKR_HOST_MEMORY:
	case CKR_GENERAL_ERROR:
	case CKR_FUNCTION_FAILED:
	case CKR_FUNCTION_REJECTED:
	case CKR_DEVICE_ERROR:
	case CKR_DEVICE_MEMORY:
	case CKR_DEVICE_REMOVED:
	case CKR_SESSION_HANDLE_INVALID:
	case CKR_SESSION_CLOSED:
	case CKR_USER_NOT_LOGGED_IN:
		return begun;
	default:
		/* Of the key or the mechanism: not what this call is asked about. */
		return CKR_OPERATION_NOT_INITIALIZED;
	}
}
