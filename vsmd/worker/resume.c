/* resume.c - an application takes up its sessions on a fresh channel, see protocol/resume.h */
#include "protocol/resume.h"

#include <stdlib.h>
#include <string.h>

#include "common/secmem.h"
#include "vsmd/worker/policy.h"
#include "vsmd/worker/serve.h"

#define BATCH 512

struct entry {
	uint8_t id[MSG_ID_LEN];
	CK_OBJECT_HANDLE handle;
};

struct index {
	struct entry *entries;
	size_t n, room;
};

static int
compare(const void *a, const void *b)
{
	return memcmp(((const struct entry *)a)->id, ((const struct entry *)b)->id, MSG_ID_LEN);
}

static bool
add(struct index *x, const struct object *o)
{
	if (x->n == x->room) {
		size_t room = x->room ? 2 * x->room : BATCH;
		struct entry *e = realloc(x->entries, room * sizeof(*e));

		if (e == NULL)
			return false;
		x->entries = e;
		x->room = room;
	}
	memcpy(x->entries[x->n].id, o->identity, MSG_ID_LEN);
	x->entries[x->n++].handle = o->handle;
	return true;
}

/* All objects of the token that the principal may see.  The gate is held. */
static bool
collect(struct worker *w, CK_SESSION_HANDLE session, struct index *x)
{
	CK_OBJECT_HANDLE batch[BATCH];
	CK_ULONG n = 0;
	struct object o;
	bool ok;

	pthread_rwlock_rdlock(&w->keep.finding);
	ok = w->fl->C_FindObjectsInit(session, NULL, 0) == CKR_OK;
	pthread_rwlock_unlock(&w->keep.finding);
	if (!ok)
		return false;
	while (ok && w->fl->C_FindObjects(session, batch, BATCH, &n) == CKR_OK && n > 0)
		for (CK_ULONG i = 0; ok && i < n; i++)
			if (objects_get(w, session, batch[i], &o) && o.token &&
			    !policy_hidden(w->grant, &o))
				ok = add(x, &o);
	(void)w->fl->C_FindObjectsFinal(session);
	return ok;
}

/* The handle of an identity; 0 when there is none or more than one. */
static CK_OBJECT_HANDLE
look_up(const struct index *x, const uint8_t id[MSG_ID_LEN])
{
	size_t low = 0, high = x->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (memcmp(x->entries[mid].id, id, MSG_ID_LEN) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == x->n || memcmp(x->entries[low].id, id, MSG_ID_LEN) != 0)
		return 0;
	if (low + 1 < x->n && memcmp(x->entries[low + 1].id, id, MSG_ID_LEN) == 0)
		return 0;
	return x->entries[low].handle;
}

void
serve_identities(struct request *r, CK_SESSION_HANDLE session,
    const uint8_t (*ids)[MSG_ID_LEN], uint32_t n, CK_OBJECT_HANDLE *ret)
{
	struct index x = {0};

	memset(ret, 0, n * sizeof(*ret));
	if (session == 0 || n == 0 || (r->w->grant->classes & 1u << CLASS_READ) == 0 ||
	    serve_enter(r, GATE_SHARED) != CKR_OK)
		return;
	lookup_identities(r, ids, n);
	if (!collect(r->w, session, &x))
		x.n = 0;
	serve_leave(r);
	if (x.n > 0)
		qsort(x.entries, x.n, sizeof(*x.entries), compare);
	for (uint32_t i = 0; i < n; i++)
		ret[i] = look_up(&x, ids[i]);
	free(x.entries);
}

static CK_RV
resume_login(struct request *r, CK_SESSION_HANDLE session, const struct resume *asked)
{
	struct worker *w = r->w;
	struct event e = {.name = "resume"};
	uint8_t pin[WORKER_PIN_MAX], user = 0;
	size_t len;
	CK_RV rv;

	if (session == 0 || (w->grant->classes & 1u << CLASS_LOGIN) == 0)
		return CKR_USER_NOT_LOGGED_IN;
	rv = store_ticket_open(w, asked->ticket, asked->ticket_len, &user, pin, &len);
	if (rv == CKR_OK && user + 1 != asked->user)
		rv = CKR_USER_NOT_LOGGED_IN;
	if (rv == CKR_OK && (rv = serve_enter(r, GATE_EXCLUSIVE)) == CKR_OK) {
		rv = w->fl->C_Login(session, user, pin, len);
		serve_leave(r);
	}
	if (rv == CKR_OK && user == CKU_USER)
		lookup_login(r, pin, len);
	sec_wipe(pin, sizeof(pin));
	if (rv == CKR_OK) {
		keep_login(w, asked->ticket, asked->ticket_len);
		w->user = user;
	}
	e.rv = rv;
	event_word(&e, "user", user == CKU_SO ? "so" : "user");
	audit_refusal(r, &e);
	return rv;
}

bool
serve_resume(struct request *r)
{
	struct resume asked;
	struct resumed done = {.rv = CKR_OK};
	CK_SESSION_HANDLE any = 0;

	if (!resume_ask_read(&r->in, &asked, &r->arena) || !buf_end(&r->in))
		return false;
	done.epoch = gate_epoch(&r->w->gate);
	done.nsessions = asked.nsessions;
	done.nobjects = asked.nids;
	done.sessions = arena_array(&r->arena, asked.nsessions, sizeof(*done.sessions));
	done.objects = arena_array(&r->arena, asked.nids, sizeof(*done.objects));
	done.nkept = asked.nkept;
	done.kept = arena_array(&r->arena, asked.nkept, sizeof(*done.kept));
	if (done.sessions == NULL || done.objects == NULL || done.kept == NULL)
		return false;
	for (uint32_t i = 0; i < asked.nsessions; i++) {
		if (session_open(r, asked.session_flags[i], &done.sessions[i]) != CKR_OK)
			done.sessions[i] = 0;
		if (any == 0)
			any = done.sessions[i];
	}
	pthread_mutex_lock(&r->w->login_lock);
	if (asked.user > 0)
		done.rv = resume_login(r, any, &asked);
	pthread_mutex_unlock(&r->w->login_lock);
	serve_identities(r, any, (const uint8_t(*)[MSG_ID_LEN])asked.ids, asked.nids,
	    done.objects);
	keep_restore(r, any, &asked, done.sessions, done.kept);
	resume_answer_write(&r->out, &done);
	return true;
}
