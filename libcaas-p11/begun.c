/* begun.c - see begun.h */
#include "libcaas-p11/begun.h"

#include <stdlib.h>
#include <string.h>

#include "common/secmem.h"
#include "libcaas-p11/module.h"
#include "libcaas-p11/table.h"

struct begun {
	const struct call *call;
	uint64_t generation; /* of the channel on which */
	size_t len;
	uint8_t ask[]; /* its arguments, with virtual handles (message.h) */
};

void
begun_free(struct begun *b)
{
	if (b == NULL)
		return;
	sec_wipe(b, sizeof(*b) + b->len);
	free(b);
}

static struct begun *
make(const struct call *call, const struct arg *args, uint64_t generation)
{
	struct begun *made = NULL;
	struct buf b;

	buf_init(&b, BEGUN_MAX);
	if (ask_write(&b, call, args) == CKR_OK && buf_ok(&b) &&
	    (made = malloc(sizeof(*made) + b.len)) != NULL) {
		made->call = call;
		made->generation = generation;
		made->len = b.len;
		memcpy(made->ask, b.data, b.len);
	}
	buf_free(&b);
	return made;
}

/* Caller holds the session's lock.  In this order: a child of fork() must not see what was freed. */
static void
keep(struct entry *session, struct begun *b)
{
	begun_free(atomic_exchange(&session->begun, b));
}

static bool
copy(const struct begun *b, struct errand *e)
{
	void *ask = arena_alloc(&e->arena, b->len);
	struct buf buf;

	if (ask == NULL)
		return false;
	memcpy(ask, b->ask, b->len);
	buf_view(&buf, ask, b->len);
	return ask_read(&buf, b->call, e->begin_args, &e->arena);
}

void
begun_again(struct module *m, struct errand *e)
{
	const struct call *beginning = call_beginning(e->call);
	struct handles *h = &m->handles;
	struct entry *session;
	struct begun *b;

	if (e->begin != NULL || beginning == NULL)
		return;
	handles_lock(h, e->args[0].len);
	session = entry_find(h->table, e->args[0].len, KIND_SESSION);
	if (session != NULL && (b = session->begun) != NULL && b->call == beginning &&
	    b->generation != session->slot->generation && copy(b, e)) {
		e->begin = beginning;
		e->renewed = true;
	}
	handles_unlock(h, e->args[0].len);
}

/* The operation of e->call, if it is in one part, goes on. */
static bool
goes_on(const struct errand *e, CK_RV rv)
{
	return rv == CKR_BUFFER_TOO_SMALL || (rv == CKR_OK && !call_ends(e->call, e->args));
}

void
begun_after(const struct errand *e, CK_RV began, CK_RV rv)
{
	struct handles *h = &e->slot->module->handles;
	const struct call *one_part = call_beginning(e->call);
	struct begun *b = NULL;
	struct entry *session;

	if (e->call->class != CLASS_USE)
		return;
	/* The usual case: it was held, and is done. */
	if (e->begin != NULL && !e->renewed && !(began == CKR_OK && goes_on(e, rv)))
		return;
	if (call_of_beginning(e->call) != NULL) {
		if (rv != CKR_OK)
			return; /* one that is active stays so */
		b = make(e->call, e->args, e->generation);
	} else if (e->begin != NULL) {
		if (began == CKR_OK && goes_on(e, rv))
			b = make(e->begin, e->begin_args, e->generation);
	} else if (one_part != NULL && goes_on(e, rv)) {
		return;
	}
	/* Also when that channel is no more: then it is begun again in the next worker, or over. */
	handles_lock(h, e->args[0].len);
	session = entry_find(h->table, e->args[0].len, KIND_SESSION);
	if (session != NULL) {
		keep(session, b);
		b = NULL;
	}
	handles_unlock(h, e->args[0].len);
	begun_free(b);
}

void
begun_lost(struct module *m, const struct errand *e)
{
	struct entry *session;

	if (e->call->class != CLASS_USE || call_of_beginning(e->call) != NULL)
		return;
	handles_lock(&m->handles, e->args[0].len);
	session = entry_find(m->handles.table, e->args[0].len, KIND_SESSION);
	if (session != NULL)
		keep(session, NULL);
	handles_unlock(&m->handles, e->args[0].len);
}
