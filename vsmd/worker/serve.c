/* serve.c - see state.h: validate, do, reply */
#include "vsmd/worker/serve.h"

#include <string.h>

#include "common/log.h"
#include "protocol/fetch.h"
#include "protocol/invoke.h"
#include "vsmd/worker/fetch.h"
#include "vsmd/worker/policy.h"

static CK_RV (*const steps[CALL_COUNT_])(struct request *r) = {
    [CALL_C_GetSlotInfo] = step_slot_info,
    [CALL_C_GetTokenInfo] = step_token_info,
    [CALL_C_GetMechanismList] = step_mechanism_list,
    [CALL_C_GetMechanismInfo] = step_mechanism_info,
    [CALL_C_InitToken] = step_init_token,
    [CALL_C_InitPIN] = step_init_pin,
    [CALL_C_SetPIN] = step_set_pin,
    [CALL_C_OpenSession] = step_open_session,
    [CALL_C_CloseSession] = step_close_session,
    [CALL_C_CloseAllSessions] = step_close_all_sessions,
    [CALL_C_GetSessionInfo] = step_session_info,
    [CALL_C_Login] = step_login,
    [CALL_C_Logout] = step_logout,
    [CALL_C_CreateObject] = step_make,
    [CALL_C_CopyObject] = step_make,
    [CALL_C_GenerateKey] = step_make,
    [CALL_C_GenerateKeyPair] = step_make,
    [CALL_C_UnwrapKey] = step_make,
    [CALL_C_DeriveKey] = step_make,
    [CALL_C_DestroyObject] = step_destroy,
    [CALL_C_SetAttributeValue] = step_set_attributes,
    [CALL_C_GetAttributeValue] = step_get_attributes,
    [CALL_C_FindObjectsInit] = step_find_objects_init,
    [CALL_C_FindObjects] = step_find_objects,
    [CALL_C_EncryptInit] = step_use_init,
    [CALL_C_DecryptInit] = step_use_init,
    [CALL_C_SignInit] = step_use_init,
    [CALL_C_SignRecoverInit] = step_use_init,
    [CALL_C_VerifyInit] = step_use_init,
    [CALL_C_VerifyRecoverInit] = step_use_init,
    [CALL_C_Encrypt] = step_use_end,
    [CALL_C_Decrypt] = step_use_end,
    [CALL_C_DecryptFinal] = step_use_end,
    [CALL_C_Sign] = step_use_end,
    [CALL_C_SignFinal] = step_use_end,
    [CALL_C_SignRecover] = step_use_end,
    [CALL_C_WrapKey] = step_wrap,
};

size_t
serve_arg(const struct request *r, enum arg_kind kind, size_t n)
{
	size_t i;

	for (i = 0; r->call->args[i] != ARG_END; i++)
		if (r->call->args[i] == kind && n-- == 0)
			break;
	return i;
}

/*
 * A writer died while it wrote.  The store, asked to commit, sees the mark, has the token
 * discarded and rebuilt, and this worker ended with it.  Whoever asked had no part in that,
 * and asks the next worker (FRAME_AGAIN).
 */
static CK_RV
broken(struct request *r)
{
	uint64_t epoch;

	log_error("a worker died while it wrote to the token: asking for its last commit");
	gate_leave(&r->gate);
	pool_promote(r->w, r->seat);
	(void)store_commit(r->w, NULL, NULL, &epoch);
	r->again = r->last = true;
	return CKR_DEVICE_ERROR;
}

CK_RV
serve_enter(struct request *r, enum call_gate mode)
{
	if (!gate_try(&r->gate, mode)) {
		pool_promote(r->w, r->seat);
		gate_enter(&r->gate, mode);
	}
	return mode != GATE_NONE && gate_broken(&r->gate) ? broken(r) : CKR_OK;
}

void
serve_leave(struct request *r)
{
	if (r->gate.held == GATE_EXCLUSIVE)
		lookup_changed(r->w);
	gate_leave(&r->gate);
}

CK_RV
serve_visible(struct request *r)
{
	struct object o;

	if (r->w->grant->nrules == 0)
		return CKR_OK;
	for (size_t i = 0; r->call->args[i] != ARG_END; i++)
		if (r->call->args[i] == ARG_OBJECT &&
		    objects_get(r->w, r->args[0].len, r->args[i].len, &o) &&
		    policy_hidden(r->w->grant, &o))
			return CKR_OBJECT_HANDLE_INVALID;
	return CKR_OK;
}

CK_RV
serve_call(struct request *r, enum call_gate mode)
{
	CK_RV rv = serve_enter(r, mode);

	if (rv != CKR_OK)
		return rv;
	if ((rv = serve_visible(r)) == CKR_OK)
		rv = call_invoke(r->call, r->w->fl, r->args);
	serve_leave(r);
	return rv;
}

/*
 * SoftHSM2 reads the PINs, and whether there is a token, once per process: where another
 * worker has changed them, this one cannot judge any more.  It says so and ends; the
 * guest attaches anew and asks again (FRAME_AGAIN).
 */
static bool
outdated(const struct request *r)
{
	const struct worker *w = r->w;

	if (gate_pins(&w->gate) == atomic_load(&w->pins))
		return false;
	/* A login that there is already is known here; a fresh worker could not resume it. */
	if (r->call->number == CALL_C_Login && w->user >= 0 &&
	    r->args[1].len != CKU_CONTEXT_SPECIFIC)
		return false;
	return w->blank || r->call->number == CALL_C_Login || r->call->class == CLASS_PIN ||
	    r->call->class == CLASS_INIT;
}

static CK_RV
check_slot(struct request *r)
{
	if (r->call->where != WHERE_SLOT)
		return CKR_OK;
	if (r->args[0].len != r->w->config->nursery->slot)
		return CKR_SLOT_ID_INVALID;
	r->args[0].len = r->w->slot;
	return CKR_OK;
}

/* Make durable what the call changed; what is not durable was not done. */
static CK_RV
commit(struct request *r)
{
	CK_RV rv;

	rv = store_commit(r->w, r->event.name ? &r->event : NULL,
	    r->has_token ? &r->token : NULL, &r->reply.epoch);
	atomic_fetch_sub(&r->w->gate.writers, 1);
	if (rv == CKR_OK)
		return CKR_OK;
	log_error("%s could not be made durable, the token is restored", r->call->name);
	r->last = true;
	return rv;
}

static CK_RV
step(struct request *r)
{
	CK_RV rv;

	if ((rv = check_slot(r)) != CKR_OK || (rv = policy_call(r)) != CKR_OK)
		return rv;
	return steps[r->call->number] != NULL ? steps[r->call->number](r)
	                                      : serve_call(r, r->call->gate);
}

/* What comes before the call of a fused request. */
static CK_RV
step_begin(struct request *r)
{
	const struct call *call = r->call;
	CK_RV rv;

	r->call = r->begin;
	r->args = r->args_of[1];
	if ((rv = step(r)) == CKR_OK && r->cached == NULL && r->turn.session != NULL)
		r->turn.session->busy = true;
	r->call = call;
	r->args = r->args_of[0];
	buf_put_u64(&r->out, rv);
	return rv;
}

/* In the two calls of a fused request by the key that was learnt, or by SoftHSM2 and learn
 * which it uses. */
static CK_RV
step_fused(struct request *r)
{
	CK_RV rv;

	if ((r->cached = keycache_get(r)) == NULL)
		keycache_learn_begin(r);
	if ((rv = step_begin(r)) == CKR_OK)
		rv = step(r);
	if (r->cached == NULL)
		keycache_learn_end(r, rv);
	keycache_put(r->cached);
	r->cached = NULL;
	return rv;
}

CK_RV
serve_step(struct request *r, uint32_t number)
{
	r->call = call_by_number(number);
	return step(r);
}

/* C_FindObjectsInit, C_FindObjects, and C_FindObjectsFinal unless there may be more. */
static void
serve_fetch(struct request *r)
{
	size_t start = r->out.len;
	const struct call *call = r->call;
	CK_OBJECT_HANDLE *handles = arena_array(&r->arena, FETCH_MAX, sizeof(*handles));
	CK_RV rv = handles != NULL ? step(r) : CKR_HOST_MEMORY;
	bool more = false, begun = rv == CKR_OK;
	CK_ULONG n = 0;

	buf_put_u64(&r->out, rv);
	buf_put_u64(&r->out, r->reply.epoch);
	if (begun) {
		r->args[1] = (struct arg){.ptr = handles, .len = FETCH_MAX, .plen = &n};
		rv = serve_step(r, CALL_C_FindObjects);
		more = rv == CKR_OK && n == FETCH_MAX;
		if (!more)
			(void)serve_step(r, CALL_C_FindObjectsFinal);
		if (r->turn.session != NULL)
			r->turn.session->busy = more;
	}
	if (rv == CKR_OK)
		rv = fetch_write(r, handles, n, more);
	if ((rv != CKR_OK || !buf_ok(&r->out)) && more) {
		(void)serve_step(r, CALL_C_FindObjectsFinal);
		if (r->turn.session != NULL)
			r->turn.session->busy = false;
	}
	r->call = call;
	if (rv == CKR_OK && buf_ok(&r->out))
		return;
	r->out.failed = false;
	buf_truncate(&r->out, start);
	buf_put_u64(&r->out, rv != CKR_OK ? rv : CKR_DEVICE_MEMORY);
	buf_put_u64(&r->out, r->reply.epoch);
}

/* What the call means for keys that were learnt: it is done, and not yet answered. */
static void
forget_keys(struct request *r)
{
	struct worker *w = r->w;

	switch (r->call->class) {
	case CLASS_LOGIN:
	case CLASS_PIN:
	case CLASS_INIT:
	case CLASS_OBJECT:
	case CLASS_DESTROY:
		keycache_drop(&w->keys);
		break;
	default: /* sessions: session.c */
		break;
	}
}

static void
note_operation(struct request *r, CK_RV rv)
{
	struct session *s = r->turn.session;

	if (s == NULL || rv != CKR_OK)
		return;
	if (call_ends(r->call, r->args))
		s->busy = false;
	else if (call_begins(r->call))
		s->busy = true;
}

void
serve_again(struct request *r)
{
	buf_reset(&r->out);
	frame_begin(&r->out, r->frame.id, FRAME_AGAIN);
	r->again = r->last = true;
}

static void
serve_one(struct request *r)
{
	struct reply *reply = &r->reply;
	CK_RV rv, committed = CKR_OK;

	/* Before the data are read: an older epoch never hides a change. */
	reply->epoch = gate_epoch(&r->w->gate);
	if (outdated(r)) {
		r->again = true;
		return;
	}
	if (r->info) {
		serve_info(r);
		return;
	}
	if (r->fetch) {
		serve_fetch(r);
		if (r->refused)
			audit_refusal(r, &r->event);
		return;
	}
	rv = r->begin != NULL ? step_fused(r) : step(r);
	note_operation(r, rv);
	forget_keys(r);
	if (r->refused)
		audit_refusal(r, &r->event);
	if (r->commit)
		committed = commit(r);
	reply->rv = rv == CKR_OK ? committed : rv;
	answer_write(&r->out, r->call, r->args, reply);
	answer_used(r->call, r->args, reply->rv, &r->arena);
}

void
serve(struct request *r)
{
	serve_one(r);
	if (r->again)
		serve_again(r);
}
