/* search.c - see search.h, and hold.h for hold_found() */
#include "libcaas-p11/search.h"

#include <stdlib.h>
#include <string.h>

#include "libcaas-p11/known.h"
#include "libcaas-p11/learn.h"
#include "libcaas-p11/module.h"

bool
search_may_fetch(const struct errand *e, struct entry *session)
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

void
search_forget(struct pending *p)
{
	/* In this order: a child of fork() must not see what was freed. */
	free(atomic_exchange(&p->found, NULL));
	p->nfound = p->given = 0;
	p->more = false;
}

enum hold
search_go_on(struct errand *e, struct pending *p, CK_RV *ret)
{
	bool here = p->call != NULL; /* the worker does not know of it */
	CK_OBJECT_HANDLE *list = e->args[1].ptr;
	size_t n = p->nfound - p->given;

	*ret = CKR_OK;
	if (e->call->number == CALL_C_FindObjectsFinal) {
		search_forget(p);
		if (here)
			atomic_store(&p->call, NULL);
		return here ? HOLD_DONE : HOLD_SEND;
	}
	if (list == NULL || e->args[1].plen == NULL || e->args[1].len == 0)
		return here ? pending_first(p, e) : HOLD_SEND;
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
	search_forget(p);
	if (f->more)
		atomic_store(&p->busy, true);
	else if (!pending_put(p, e->call, e->args))
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
		learn_epoch(e->slot, f->epoch, e->asked);
		if (rv == CKR_OK && learn_unchanged(e)) {
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
