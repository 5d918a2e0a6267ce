/*
 * hold.c - see hold.h: what a call does before it is sent, and what becomes of its beginning.
 * What replies tell is learn.c's, searches are search.c's.
 */
#include "libcaas-p11/hold.h"

#include "libcaas-p11/accepted.h"
#include "libcaas-p11/known.h"
#include "libcaas-p11/module.h"
#include "libcaas-p11/search.h"
#include "libcaas-p11/told.h"

#define LARGE 65536 /* bytes of data that leave no room for a beginning beside them */

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

/* Caller holds the session's lock. */
static bool
may_hold(const struct handles *h, const struct errand *e, struct entry *session)
{
	const struct entry *object;
	struct pending *p;
	uint64_t key = accepted_key(e->call, e->args);

	if (key == 0 || !accepted_has(session->slot, key) ||
	    (p = pending_of(session)) == NULL || p->busy)
		return false;
	if (e->call->args[2] == ARG_OBJECT) {
		object = entry_find(h->table, e->args[2].len, KIND_OBJECT);
		if (object == NULL || object->slot != session->slot)
			return false;
	}
	if (!pending_put(p, e->call, e->args))
		return false;
	p->key = key;
	return true;
}

/* A question for the length of a signature, which has been asked before. */
static bool
knows_length(const struct errand *e, const struct entry *session)
{
	CK_ULONG length;

	if (e->call->number != CALL_C_Sign || e->args[2].ptr != NULL ||
	    e->args[2].plen == NULL || e->args[1].ptr == NULL ||
	    (length = accepted_length(session->slot, session->pending->key)) == 0)
		return false;
	*e->args[2].plen = length;
	return true;
}

static void
note_changes(struct errand *e, const struct slot *slot)
{
	e->changes = slot->changing == 0 ? slot->changes + 1 : 0;
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
			return pending_first(s->pending, e);
		result = HOLD_WAIT;
	}
	return result;
}

/* Until hold_over(), no answer on this slot is remembered.  Caller holds all locks. */
static void
begin_change(struct errand *e, struct slot *slot)
{
	accepted_forget(slot);
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
		return search_go_on(e, p, ret);
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
	if (!holds && search_may_fetch(e, session)) {
		e->fetch = true;
		return HOLD_SEND;
	}
	if (!holds)
		return may_hold(h, e, session) ? HOLD_DONE : HOLD_SEND;
	if (call_beginning(e->call) != p->call || has_large_data(e))
		return pending_first(p, e);
	if (knows_length(e, session))
		return HOLD_DONE;
	(void)pending_take(p, e);
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
		(void)pending_put(session->pending, e->begin, e->begin_args);
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
