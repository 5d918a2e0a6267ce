/* learn.c - see learn.h, and hold.h for hold_told() and hold_after() */
#include "libcaas-p11/learn.h"

#include "libcaas-p11/accepted.h"
#include "libcaas-p11/known.h"
#include "libcaas-p11/module.h"
#include "libcaas-p11/search.h"
#include "libcaas-p11/told.h"

void
learn_epoch(struct slot *slot, uint64_t epoch, int64_t asked)
{
	known_epoch(slot->known, epoch, asked);
	told_reply(slot->told, slot->generation, epoch, asked);
	accepted_epoch(slot, epoch);
}

bool
learn_unchanged(const struct errand *e)
{
	return e->changes == e->slot->changes + 1 && e->slot->changing == 0;
}

void
hold_told(struct errand *e, const struct info *info)
{
	struct slot *slot = e->slot;
	struct handles *h = &slot->module->handles;

	handles_lock_all(h);
	if (e->generation == slot->generation) {
		learn_epoch(slot, info->epoch, e->asked);
		told_all(&slot->told, slot->generation, e->asked, info, learn_unchanged(e));
	}
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
	uint64_t key = rv == CKR_OK ? accepted_key(e->call, e->args) : 0;

	/* What went along was accepted once more, perhaps for the first time by this worker. */
	if (e->begin != NULL && begun == CKR_OK)
		key = accepted_key(e->begin, e->begin_args);
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

	learn_epoch(e->slot, epoch, e->asked);
	if (rv == CKR_OK && learn_unchanged(e))
		told_one(&e->slot->told, e->generation, epoch, e->asked, e->call, e->args);
	if (begun != CKR_OK || was_refused(e->call, rv))
		accepted_forget(e->slot);
	if (session == NULL)
		return;
	if (key != 0)
		accepted_add(e->slot, key, epoch);
	p = session->pending;
	if (length != 0 && p != NULL)
		accepted_set_length(e->slot, p->key, length);
}

/* Would that change anything that is not the session's?  Caller holds its lock. */
static bool
is_news(const struct errand *e, const struct entry *session, CK_RV begun, CK_RV rv,
    uint64_t epoch)
{
	const struct slot *slot = e->slot;
	uint64_t key;

	if (begun != CKR_OK || was_refused(e->call, rv) || told_keeps(e->call) ||
	    length_by(e, rv) != 0 || accepted_older(slot, epoch) ||
	    known_older(slot->known, epoch) ||
	    told_older(slot->told, slot->generation, epoch))
		return true;
	return session != NULL && (key = accepted_by(e, begun, rv)) != 0 &&
	    !accepted_has(slot, key);
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
		search_forget(p);
	if (call_of_beginning(e->call) != NULL)
		p->key = accepted_key(e->call, e->args);
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
			learn_epoch(e->slot, epoch, e->asked);
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
