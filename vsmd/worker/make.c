/* make.c - calls that make, change and destroy objects */
#include <string.h>
#include <sys/mman.h>

#include "protocol/invoke.h"
#include "vsmd/worker/policy.h"
#include "vsmd/worker/retire.h"
#include "vsmd/worker/serve.h"

#define RESERVE ((size_t)16 << 20) /* bytes that stay free when objects are made */

void
serve_changed(struct request *r)
{
	/* The process does not end between the change and its commit. */
	atomic_fetch_add(&r->w->gate.writers, 1);
	r->commit = true;
}

/* CKA_TOKEN in a template: 1, 0, or -1 when it is not there. */
static int
wants_token(const struct arg *template)
{
	const CK_ATTRIBUTE *t = template->ptr;
	int found = -1;

	/* Named twice, one "true" is enough to be careful. */
	for (CK_ULONG i = 0; t != NULL && i < template->len; i++)
		if (t[i].type == CKA_TOKEN && t[i].pValue != NULL &&
		    t[i].ulValueLen == sizeof(CK_BBOOL) && found < 1)
			found = *(const CK_BBOOL *)t[i].pValue != CK_FALSE;
	return found;
}

/* The object that the call starts from: the source of a copy, a base or unwrapping key. */
static CK_RV
check_source(struct request *r, size_t at, struct object *o)
{
	const struct grant *g = r->w->grant;
	const struct arg *t = &r->args[serve_arg(r, ARG_ATTRS, 0)];

	if (!objects_get(r->w, r->args[0].len, r->args[at].len, o))
		return CKR_OK; /* SoftHSM2 says what is wrong with it */
	if (policy_hidden(g, o))
		return CKR_OBJECT_HANDLE_INVALID;
	if (r->call->number != CALL_C_CopyObject)
		return policy_use(r, o, r->args[serve_arg(r, ARG_MECH, 0)].ptr);
	if (policy_ruled(g, o) && policy_renames(t->ptr, t->len))
		return policy_refuse(r, CKR_ACTION_PROHIBITED, "rename", o);
	return CKR_OK;
}

/* Will it be an object of the token, and how many?  *ret_mode: how to pass the gate for it. */
static CK_RV
plan(struct request *r, enum call_gate *ret_mode, int *ret_objects)
{
	size_t source = serve_arg(r, ARG_OBJECT, 0), n = call_nargs(r->call);
	struct object o = {0};
	int token = 0;
	CK_RV rv = CKR_OK;

	if (source < n) {
		if ((rv = serve_enter(r, GATE_SHARED)) != CKR_OK)
			return rv;
		rv = check_source(r, source, &o);
		serve_leave(r);
	}
	for (size_t i = 0; i < n; i++)
		if (r->call->args[i] == ARG_ATTRS) {
			int wants = wants_token(&r->args[i]);

			if (wants < 0 && r->call->number == CALL_C_CopyObject)
				wants = o.handle == 0 || o.token;
			token += wants > 0;
		}
	*ret_objects = token;
	*ret_mode = token > 0 ? GATE_EXCLUSIVE : GATE_SHARED;
	return rv;
}

/* The templates of what may be a key: that of the public half may say anything. */
static CK_RV
check_templates(struct request *r)
{
	size_t last = r->call->number == CALL_C_GenerateKeyPair ? 1 : 0;
	const struct arg *t = &r->args[serve_arg(r, ARG_ATTRS, last)];
	const CK_ATTRIBUTE *a = t->ptr;

	if (r->call->number == CALL_C_CreateObject) {
		bool secret = false;

		for (CK_ULONG i = 0; a != NULL && i < t->len; i++)
			if (a[i].type == CKA_CLASS && a[i].pValue != NULL &&
			    a[i].ulValueLen == sizeof(CK_OBJECT_CLASS)) {
				CK_OBJECT_CLASS class = *(const CK_OBJECT_CLASS *)a[i].pValue;

				secret |= class == CKO_PRIVATE_KEY || class == CKO_SECRET_KEY;
			}
		if (!secret)
			return CKR_OK;
	}
	return policy_template(r, a, t->len);
}

/* Identities of the new objects, and what the audit says of the last of them. The gate is
 * held. */
static void
note_made(struct request *r)
{
	struct object o;

	r->reply.refs = r->refs;
	for (size_t i = 0; r->call->args[i] != ARG_END; i++) {
		const CK_OBJECT_HANDLE *h = r->args[i].ptr;

		if (r->call->args[i] != ARG_OUT_OBJECT || h == NULL ||
		    r->reply.nrefs == REQUEST_REFS)
			continue;
		memset(&o, 0, sizeof(o));
		(void)objects_get(r->w, r->args[0].len, *h, &o);
		r->refs[r->reply.nrefs].handle = *h;
		memcpy(r->refs[r->reply.nrefs].id, o.identity, MSG_ID_LEN);
		r->reply.nrefs++;
	}
	r->event.name = r->call->name;
	r->event.rv = CKR_OK;
	event_object(&r->event, &o);
	if (serve_arg(r, ARG_MECH, 0) < call_nargs(r->call))
		event_mech(&r->event, r->args[serve_arg(r, ARG_MECH, 0)].ptr);
}

/* The store takes this together with the objects' files; n refs say which they are. */
static void
note_name(struct request *r, size_t n)
{
	struct gate_made made = {.n = (uint32_t)n};

	if (!r->named)
		return;
	memcpy(made.once, r->once, sizeof(made.once));
	for (size_t i = 0; i < n; i++)
		memcpy(made.id[i], r->refs[i].id, MSG_ID_LEN);
	gate_made(&r->gate, &made);
}

/* What a worker that has ended made for the request that is repeated. */
struct before {
	size_t n; /* 0: nothing */
	CK_OBJECT_HANDLE handles[REQUEST_REFS];
	bool whole; /* nothing of it went with that worker */
};

/* What was done is committed with this, if it was not yet; then the store knows. */
static CK_RV
ask_before(struct request *r, struct gate_made *ret)
{
	uint64_t epoch;
	CK_RV rv = store_commit(r->w, NULL, NULL, &epoch);

	return rv == CKR_OK ? store_once(r->w, r->once, ret) : rv;
}

static CK_RV
look_before(struct request *r, struct before *b)
{
	struct gate_made made;
	CK_RV rv;

	memset(b, 0, sizeof(*b));
	if ((rv = ask_before(r, &made)) != CKR_OK || made.n == 0)
		return rv;
	serve_identities(r, r->args[0].len, made.id, made.n, b->handles);
	b->n = made.n;
	b->whole = true;
	for (size_t i = 0; i < b->n; i++) {
		if (made.id[i][MSG_ID_FLAGS] & MSG_ID_SESSION)
			b->whole = false;
		else if (b->handles[i] == 0)
			return CKR_DEVICE_REMOVED; /* which one it is cannot be told */
	}
	return CKR_OK;
}

/* The worker may have ended before its record was written, so there is one of this too. */
static void
record_again(struct request *r)
{
	r->event.name = r->call->name;
	r->event.rv = CKR_OK;
	event_word(&r->event, "repeated", "yes");
	serve_changed(r);
}

/* The handles, in the reply. */
static CK_RV
give_again(struct request *r, const struct before *b)
{
	size_t used = 0;
	CK_RV rv;

	for (size_t i = 0; r->call->args[i] != ARG_END; i++)
		if (r->call->args[i] == ARG_OUT_OBJECT && r->args[i].ptr != NULL &&
		    used < b->n)
			*(CK_OBJECT_HANDLE *)r->args[i].ptr = b->handles[used++];
	if ((rv = serve_enter(r, GATE_SHARED)) != CKR_OK)
		return rv;
	note_made(r);
	record_again(r);
	serve_leave(r);
	return CKR_OK;
}

/*
 * Who makes objects without end learns that there is no room before the process has none:
 * SoftHSM2 takes memory that it does not get for a failure of its own, and other calls of this
 * application need some too.
 */
static bool
has_memory(void)
{
	void *p = mmap(NULL, RESERVE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS |
	    MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return false;
	(void)munmap(p, RESERVE);
	return true;
}

/* The token may have `more` objects.  The gate is held EXCLUSIVE. */
static bool
has_room(const struct worker *w, int more)
{
	uint32_t max = w->config->nursery->max_objects;

	return max == 0 || (uint64_t)gate_objects(&w->gate) + (unsigned)more <= max;
}

/* The half of a pair that is left, before the pair is made anew: nobody was told of it.  The
 * gate is held EXCLUSIVE.  True: something was destroyed. */
static bool
destroy_half(struct request *r, const struct before *b)
{
	bool any = false;

	for (size_t i = 0; i < b->n; i++)
		if (b->handles[i] != 0 && r->w->fl->C_DestroyObject(r->args[0].len,
		    b->handles[i]) == CKR_OK) {
			objects_forget(&r->w->objects, b->handles[i]);
			gate_objects_add(&r->gate, -1);
			any = true;
		}
	return any;
}

/* Those that are none of the token's end with this worker, unless the guest keeps them. */
static void
keep_made(struct request *r)
{
	for (size_t i = 0; i < r->reply.nrefs; i++) {
		if ((r->refs[i].id[MSG_ID_FLAGS] & MSG_ID_SESSION) == 0)
			continue;
		retire_lost(r->w, RETIRE_MADE);
		keep_note(r, r->refs[i].handle, true);
	}
}

CK_RV
step_make(struct request *r)
{
	struct before before = {0};
	enum call_gate mode;
	int objects;
	bool undone;
	CK_RV rv;

	if ((rv = check_templates(r)) != CKR_OK || (rv = plan(r, &mode, &objects)) != CKR_OK)
		return rv;
	if (r->repeated && mode == GATE_EXCLUSIVE &&
	    (rv = look_before(r, &before)) != CKR_OK)
		return rv;
	if (before.whole)
		return give_again(r, &before);
	if (!has_memory())
		return CKR_DEVICE_MEMORY;
	if ((rv = serve_enter(r, mode)) != CKR_OK)
		return rv;
	if ((undone = destroy_half(r, &before)))
		event_word(&r->event, "half", "destroyed");
	rv = objects == 0 || has_room(r->w, objects) ? call_invoke(r->call, r->w->fl, r->args)
	                             : CKR_DEVICE_MEMORY;
	if (rv == CKR_OK) {
		if (objects > 0)
			gate_objects_add(&r->gate, objects);
		if (mode == GATE_EXCLUSIVE)
			lookup_changed(r->w);
		note_made(r);
		if (mode == GATE_EXCLUSIVE)
			note_name(r, r->reply.nrefs);
	}
	if (undone) {
		r->event.name = r->call->name;
		r->event.rv = rv;
	}
	if (undone || (rv == CKR_OK && mode == GATE_EXCLUSIVE)) {
		serve_changed(r);
		retire_seen(r->w);
	}
	serve_leave(r);
	if (rv == CKR_OK)
		keep_made(r);
	return rv;
}

/* C_SetAttributeValue and C_DestroyObject: judge, then do behind the right gate. */
static CK_RV
change(struct request *r, CK_RV (*judge)(struct request *, const struct object *))
{
	struct worker *w = r->w;
	struct object o = {0};
	struct gate_made made;
	bool known, token;
	CK_RV rv;

	if (r->repeated && (rv = ask_before(r, &made)) != CKR_OK)
		return rv;
	if (r->repeated && made.n > 0) {
		/* By a worker that has ended. */
		record_again(r);
		return CKR_OK;
	}
	if ((rv = serve_enter(r, GATE_SHARED)) != CKR_OK)
		return rv;
	known = objects_get(w, r->args[0].len, r->args[1].len, &o);
	rv = known && policy_hidden(w->grant, &o) ? CKR_OBJECT_HANDLE_INVALID
	    : known                               ? judge(r, &o)
	                                          : CKR_OK;
	serve_leave(r);
	token = !known || o.token;
	if (rv != CKR_OK ||
	    (rv = serve_enter(r, token ? GATE_EXCLUSIVE : GATE_SHARED)) != CKR_OK)
		return rv;
	rv = call_invoke(r->call, w->fl, r->args);
	objects_forget(&w->objects, r->args[1].len);
	if (rv == CKR_OK && token) {
		r->refs[0].handle = r->args[1].len;
		memcpy(r->refs[0].id, o.identity, MSG_ID_LEN);
		note_name(r, 1);
		if (r->call->number == CALL_C_DestroyObject && known)
			gate_objects_add(&r->gate, -1);
		serve_changed(r);
	}
	serve_leave(r);
	if (rv == CKR_OK && !token) {
		if (r->call->number == CALL_C_SetAttributeValue)
			keep_note(r, r->args[1].len, false);
		else
			keep_forget(w, r->args[1].len);
	}
	r->event.name = r->call->name;
	r->event.rv = rv;
	if (known)
		event_object(&r->event, &o);
	return rv;
}

static CK_RV
judge_set(struct request *r, const struct object *o)
{
	const struct arg *t = &r->args[2];
	CK_RV rv = CKR_OK;

	if (object_is_secret(o))
		rv = policy_template(r, t->ptr, t->len);
	if (rv == CKR_OK && policy_ruled(r->w->grant, o) && policy_renames(t->ptr, t->len))
		rv = policy_refuse(r, CKR_ATTRIBUTE_READ_ONLY, "rename", o);
	return rv;
}

static CK_RV
judge_destroy(struct request *r, const struct object *o)
{
	(void)r;
	(void)o;
	return CKR_OK;
}

CK_RV
step_set_attributes(struct request *r)
{
	return change(r, judge_set);
}

CK_RV
step_destroy(struct request *r)
{
	return change(r, judge_destroy);
}
