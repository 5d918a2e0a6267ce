/* use.c - calls that use keys: policy at the beginning, audit at the end */
#include <stdlib.h>
#include <string.h>

#include "protocol/invoke.h"
#include "vsmd/worker/policy.h"
#include "vsmd/worker/serve.h"

/* Signatures and decryptions are what GRANT_AUDIT_USE records. */
static int
use_of(const struct call *call)
{
	switch (call->number) {
	case CALL_C_SignInit:
	case CALL_C_SignRecoverInit:
	case CALL_C_Sign:
	case CALL_C_SignFinal:
	case CALL_C_SignRecover:
		return USE_SIGN;
	case CALL_C_DecryptInit:
	case CALL_C_Decrypt:
	case CALL_C_DecryptFinal:
		return USE_DECRYPT;
	default:
		return -1;
	}
}

/* Remember in the session what has begun, for its record at the end. */
static void
note_use(struct request *r, const struct object *o)
{
	struct session *s = r->turn.session;
	int use = use_of(r->call);

	if (use < 0 || s == NULL || (r->w->grant->flags & GRANT_AUDIT_USE) == 0)
		return;
	if (s->use[use] == NULL && (s->use[use] = malloc(sizeof(struct event))) == NULL)
		return;
	memset(s->use[use], 0, sizeof(struct event));
	event_object(s->use[use], o);
	event_mech(s->use[use], r->args[1].ptr);
}

CK_RV
step_use_init(struct request *r)
{
	struct worker *w = r->w;
	bool matters = policy_matters(w->grant) || (w->grant->flags & GRANT_AUDIT_USE) != 0;
	struct object o;
	CK_RV rv;

	if (r->cached != NULL) {
		if (!matters)
			return CKR_OK;
		rv = policy_use(r, &r->cached->object, r->args[1].ptr);
		if (rv == CKR_OK)
			note_use(r, &r->cached->object);
		return rv;
	}
	/* Nothing depends on the key: do not look at it. */
	if (!matters)
		return serve_call(r, r->call->gate);
	if ((rv = serve_enter(r, GATE_SHARED)) != CKR_OK)
		return rv;
	if (!objects_get(w, r->args[0].len, r->args[2].len, &o))
		memset(&o, 0, sizeof(o)); /* SoftHSM2 says what is wrong with it */
	else if (policy_hidden(w->grant, &o))
		rv = CKR_OBJECT_HANDLE_INVALID;
	else
		rv = policy_use(r, &o, r->args[1].ptr);
	if (rv == CKR_OK && (rv = call_invoke(r->call, w->fl, r->args)) == CKR_OK)
		note_use(r, &o);
	serve_leave(r);
	return rv;
}

/* SoftHSM2, asked after all, does not take the beginning: nothing was begun, and the guest,
 * who was to be told that it was, hears so. */
static CK_RV
beginning_refused(struct request *r, CK_RV rv)
{
	struct session *s = r->turn.session;
	int use = use_of(r->call);

	buf_truncate(&r->out, FRAME_HEADER);
	buf_put_u64(&r->out, rv);
	if (use >= 0) {
		free(s->use[use]);
		s->use[use] = NULL;
	}
	return rv;
}

/* By the key that was learnt.  What that does not succeed with is SoftHSM2's to judge, from
 * the beginning. */
static CK_RV
use_cached(struct request *r)
{
	const struct arg *in = &r->args[1], *out = &r->args[2];
	CK_ULONG len;
	CK_RV rv;

	if (out->plen != NULL && key_compute(r->cached->key, r->call->number,
	    r->args_of[1][1].ptr, in->ptr, in->len, out->ptr, *out->plen, &len)) {
		*out->plen = len;
		return CKR_OK;
	}
	if ((rv = serve_enter(r, GATE_SHARED)) != CKR_OK)
		return beginning_refused(r, rv);
	rv = call_invoke(r->begin, r->w->fl, r->args_of[1]);
	serve_leave(r);
	if (rv != CKR_OK)
		return beginning_refused(r, rv);
	r->turn.session->busy = true;
	return serve_call(r, r->call->gate);
}

CK_RV
step_use_end(struct request *r)
{
	struct session *s = r->turn.session;
	size_t out = serve_arg(r, ARG_OUT_BYTES, 0);
	int use = use_of(r->call);
	CK_RV rv, audited;

	rv = r->cached != NULL ? use_cached(r) : serve_call(r, r->call->gate);

	/* A question for the length is no use yet. */
	if ((r->w->grant->flags & GRANT_AUDIT_USE) == 0 || s == NULL || use < 0 ||
	    s->use[use] == NULL || r->args[out].ptr == NULL || rv == CKR_BUFFER_TOO_SMALL)
		return rv;
	r->event = *s->use[use];
	r->event.name = r->call->name;
	r->event.rv = rv;
	/* What cannot be recorded is not given out. */
	if ((audited = audit_use(r, &r->event)) != CKR_OK && rv == CKR_OK)
		rv = audited;
	free(s->use[use]);
	s->use[use] = NULL;
	return rv;
}

CK_RV
step_wrap(struct request *r)
{
	struct worker *w = r->w;
	struct object key = {0}, by = {0};
	CK_RV rv;

	if (w->grant->flags & GRANT_DENY_EXTRACT)
		return policy_refuse(r, CKR_KEY_UNEXTRACTABLE, "extract", NULL);
	if ((rv = serve_enter(r, GATE_SHARED)) != CKR_OK)
		return rv;
	if ((rv = serve_visible(r)) == CKR_OK &&
	    objects_get(w, r->args[0].len, r->args[2].len, &by))
		rv = policy_use(r, &by, r->args[1].ptr);
	if (rv == CKR_OK) {
		(void)objects_get(w, r->args[0].len, r->args[3].len, &key);
		rv = call_invoke(r->call, w->fl, r->args);
	}
	serve_leave(r);
	if (rv != CKR_OK || r->args[4].ptr == NULL)
		return rv;
	r->event.name = r->call->name;
	r->event.rv = rv;
	event_object(&r->event, &key);
	event_mech(&r->event, r->args[1].ptr);
	return audit_use(r, &r->event);
}
