/* pending.c - see pending.h */
#include "libcaas-p11/pending.h"

#include <stdlib.h>
#include <string.h>

#include "common/secmem.h"

struct pending *
pending_of(struct entry *session)
{
	if (session->pending == NULL)
		session->pending = calloc(1, sizeof(*session->pending));
	return session->pending;
}

bool
pending_put(struct pending *p, const struct call *call, const struct arg *args)
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

bool
pending_take(struct pending *p, struct errand *e)
{
	if (!copy_ask(p, e))
		return false;
	atomic_store(&p->call, NULL);
	atomic_store(&p->busy, true);
	return true;
}

enum hold
pending_first(struct pending *p, struct errand *e)
{
	if (!copy_ask(p, e))
		return HOLD_SEND;
	atomic_store(&p->moving, true);
	return HOLD_FIRST;
}

void
pending_renew(struct pending *p)
{
	/* The thread that sent it is the parent's, and so is the channel. */
	if (p != NULL)
		atomic_store(&p->moving, false);
}

void
pending_free(struct pending *p)
{
	if (p == NULL)
		return;
	free(p->found);
	sec_wipe(p, sizeof(*p));
	free(p);
}
