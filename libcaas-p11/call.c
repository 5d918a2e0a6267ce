/* call.c - see call.h */
#include "libcaas-p11/call.h"

#include "libcaas-p11/effect.h"
#include "libcaas-p11/module.h"
#include "libcaas-p11/order.h"
#include "protocol/frame.h"

/* The channel may be lost, and found again, between looking up the handles and using
 * them; more often than this is not bad luck. */
#define TRIES 4

/* Refs of a reply, and little else. */
#define ARENA_MAX ((size_t)MSG_MAX_OBJECTS * 2 * sizeof(struct object_ref))

enum outcome {
	REFUSED,  /* here, before it was sent */
	UNSENT,   /* the worker never saw it */
	LOST,     /* nobody knows whether the worker did it */
	ANSWERED
};

/* One request, one reply; *ret is what the application gets. */
static enum outcome
run(struct errand *e, struct link *link, CK_RV *ret)
{
	struct buf ask, body;
	struct waiter w;
	struct reply reply;
	struct arena arena;
	enum outcome outcome = ANSWERED;

	effect_prepare(e);
	buf_init(&ask, FRAME_HEADER + (size_t)link_max_frame(link));
	frame_begin(&ask, 0, e->call->number);
	*ret = ask_write(&ask, e->call, e->sent);
	frame_end(&ask);
	if (*ret == CKR_OK && !buf_ok(&ask))
		*ret = CKR_HOST_MEMORY;
	if (*ret != CKR_OK) {
		buf_free(&ask);
		return REFUSED;
	}
	*ret = link_call(link, &ask, e->call->number, &w);
	buf_free(&ask);
	if (*ret != CKR_OK)
		return w.unsent ? UNSENT : LOST;
	buf_view(&body, w.body, w.len);
	arena_init(&arena, ARENA_MAX);
	if (answer_read(&body, e->call, e->sent, &reply, &arena)) {
		*ret = effect_apply(e, &reply);
	} else {
		*ret = CKR_DEVICE_ERROR;
		link_break(link, *ret);
		outcome = LOST;
	}
	arena_free(&arena);
	waiter_free(&w);
	return outcome;
}

/* Why there is no channel, in words that the specification has for the call. */
static CK_RV
no_channel(const struct call *call, enum attach result)
{
	switch (result) {
	case ATTACH_NO_MEMORY:
		return CKR_HOST_MEMORY;
	case ATTACH_NO_SLOT:
		return call->where == WHERE_SLOT ? CKR_SLOT_ID_INVALID
						 : CKR_DEVICE_REMOVED;
	case ATTACH_ABSENT:
	case ATTACH_REFUSED:
		if (call->number == CALL_C_GetSlotInfo)
			return CKR_DEVICE_ERROR;
		return call->where == WHERE_SLOT ? CKR_TOKEN_NOT_PRESENT
						 : CKR_DEVICE_REMOVED;
	default:
		return CKR_DEVICE_ERROR;
	}
}

/* Fill e->sent with what the worker is to be told: its handles, on the channel
 * e->generation of e->slot. */
static CK_RV
address_session(struct module *m, struct errand *e)
{
	if (handles_translate(
		&m->handles, e->call, e->args, e->sent, &e->slot, &e->generation))
		return CKR_OK;
	return order_pointers_bad(e->call, e->args) ? CKR_ARGUMENTS_BAD :
	    CKR_SESSION_HANDLE_INVALID;
}

static CK_RV
address_slot(struct module *m, struct errand *e)
{
	enum attach result = slots_get(m, e->args[0].len, &e->slot);

	for (size_t i = 0; e->call->args[i] != ARG_END; i++)
		e->sent[i] = e->args[i];
	if (result == ATTACH_OK)
		return CKR_OK;
	if (result == ATTACH_NO_SLOT && order_pointers_bad(e->call, e->args))
		return CKR_ARGUMENTS_BAD;
	return no_channel(e->call, result);
}

static CK_RV
carry(struct module *m, const struct call *call, const struct arg *args)
{
	struct errand e = {.call = call, .args = args};
	enum outcome outcome = UNSENT;
	CK_RV rv = CKR_DEVICE_ERROR;
	uint64_t generation;
	struct link *link;
	enum attach result;

	for (int i = 0; i < TRIES && outcome == UNSENT; i++) {
		rv = call->where == WHERE_SESSION ? address_session(m, &e) :
		    address_slot(m, &e);
		if (rv != CKR_OK)
			return rv;
		if ((result = slot_link(e.slot, &link, &generation)) != ATTACH_OK) {
			rv = no_channel(call, result);
			break;
		}
		if (call->where == WHERE_SLOT)
			e.generation = generation;
		if (e.generation == generation)
			outcome = run(&e, link, &rv);
		else
			rv = CKR_DEVICE_ERROR;
		link_release(link);
	}
	if (outcome == UNSENT || outcome == LOST)
		effect_lost(&e);
	return module_stopping() && rv != CKR_OK ? CKR_CRYPTOKI_NOT_INITIALIZED : rv;
}

CK_RV
call_worker(const struct call *call, const struct arg *args)
{
	struct module *m = module_enter();
	CK_RV rv;

	if (m == NULL)
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	rv = carry(m, call, args);
	module_leave();
	return rv;
}

CK_RV
call_nobody(void)
{
	if (module_enter() == NULL)
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	module_leave();
	return CKR_FUNCTION_NOT_SUPPORTED;
}
