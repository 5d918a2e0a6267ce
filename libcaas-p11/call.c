/* call.c - see call.h */
#include "libcaas-p11/call.h"

#include "libcaas-p11/begun.h"
#include "libcaas-p11/effect.h"
#include "libcaas-p11/hold.h"
#include "libcaas-p11/module.h"
#include "libcaas-p11/order.h"
#include "libcaas-p11/told.h"
#include "protocol/frame.h"
#include "protocol/hello.h"
#include "vchan-transport/deadline.h"

#include <sys/random.h>
#include <time.h>

/* Channels that may be lost, one after the other, before a worker has read the call; more
 * than this are not bad luck. */
#define TRIES 4

/* Workers that may end under one call: a fourth would not be bad luck either, and the call
 * perhaps the cause. */
#define WORKERS 3

/* Refs of a reply, and little else. */
#define ARENA_MAX ((size_t)MSG_MAX_OBJECTS * 2 * sizeof(struct object_ref))

enum outcome {
	REFUSED,    /* here, before it was sent */
	NO_CHANNEL, /* there is none, and none to be had */
	UNSENT,     /* the worker never saw it, and another try may succeed */
	LOST,       /* nobody knows whether the worker did it */
	ANSWERED
};

/* What the templates ask for is no token object, as far as one can tell here.  Half of a pair
 * may be one. */
static bool
makes_session_object(const struct errand *e)
{
	bool copy = e->call->number == CALL_C_CopyObject; /* as the one that is copied */
	bool token = false, said = false;

	for (size_t i = 0; e->call->args[i] != ARG_END; i++) {
		const CK_ATTRIBUTE *t = e->args[i].ptr;

		if (e->call->args[i] != ARG_ATTRS || t == NULL)
			continue;
		for (CK_ULONG k = 0; k < e->args[i].len; k++) {
			if (t[k].type != CKA_TOKEN)
				continue;
			said = true;
			token |= t[k].pValue == NULL || t[k].ulValueLen != 1 ||
			    *(const CK_BBOOL *)t[k].pValue != CK_FALSE;
		}
	}
	return !token && (said || !copy);
}

static bool
is_fleeting(const struct errand *e)
{
	return call_makes(e->call) ? makes_session_object(e)
	                           : handles_fleeting(&e->slot->module->handles, e->args[1].len);
}

/* It may make, change or destroy objects of the token, and the worker knows requests by their
 * names. */
static void
name_request(struct errand *e, const struct link *link)
{
	if (e->named || e->repeated || !call_named(e->call))
		return;
	e->fleeting = is_fleeting(e);
	if (e->fleeting || (link_flags(link) & HELLO_ONCE) == 0)
		return;
	e->named = getrandom(e->once, sizeof(e->once), 0) == sizeof(e->once);
}

static uint32_t
frame_of(const struct errand *e)
{
	return e->info ? FRAME_INFO : e->fetch ? FRAME_FETCH : e->call->number;
}

static CK_RV
write_frame(struct buf *b, const struct errand *e)
{
	CK_RV rv = CKR_OK;

	if (e->named) {
		frame_begin_flags(
		    b, 0, e->call->number, e->repeated ? FRAME_REPEATED : FRAME_ONCE);
		buf_put_raw(b, e->once, sizeof(e->once));
	} else if (e->begin != NULL) {
		frame_begin_flags(b, 0, e->call->number, FRAME_FUSED);
		rv = ask_write(b, e->begin, e->begin_sent);
	} else {
		frame_begin(b, 0, frame_of(e));
	}
	if (e->info)
		info_ask_write(b, e->args[0].len);
	else if (rv == CKR_OK)
		rv = ask_write(b, e->call, e->sent);
	frame_end(b);
	return rv == CKR_OK && !buf_ok(b) ? CKR_HOST_MEMORY : rv;
}

/* The same of FRAME_FETCH. */
static bool
read_fetched(struct errand *e, const struct waiter *w, CK_RV *ret)
{
	CK_OBJECT_HANDLE *handles = NULL;
	struct fetched f;
	struct buf body;

	*ret = CKR_DEVICE_ERROR;
	buf_view(&body, w->body, w->len);
	if (!fetched_read(&body, &f, &e->arena))
		return false;
	if ((*ret = f.rv) == CKR_OK) {
		*ret = effect_found(e, &f, &handles);
		e->stale = *ret == CKR_DEVICE_REMOVED;
	}
	if (*ret == CKR_OK)
		*ret = hold_found(e, &f, handles);
	return true;
}

/* The same of FRAME_INFO.  CKR_OK also when it was refused: then it has not answered. */
static bool
read_info(struct errand *e, const struct waiter *w, CK_RV *ret)
{
	struct info info;
	struct buf body;

	*ret = CKR_DEVICE_ERROR;
	buf_view(&body, w->body, w->len);
	if (!info_read(&body, &info, &e->arena))
		return false;
	*ret = CKR_OK;
	e->told = info.rv == CKR_OK && told_give(&info, e->call, e->args, ret);
	hold_told(e, &info);
	return true;
}

/* What the reply says; false: nothing that a worker of ours would. */
static bool
read_reply(struct errand *e, const struct waiter *w, CK_RV *ret)
{
	CK_RV begun = CKR_OK;
	struct reply reply;
	struct buf body;
	bool sound;

	if (e->info)
		return read_info(e, w, ret);
	if (e->fetch)
		return read_fetched(e, w, ret);
	buf_view(&body, w->body, w->len);
	sound = e->begin != NULL
	    ? answer_read_fused(&body, e->call, e->sent, &begun, &reply, &e->arena)
	    : answer_read(&body, e->call, e->sent, &reply, &e->arena);
	if (!sound) {
		*ret = CKR_DEVICE_ERROR;
		return false;
	}
	*ret = begun == CKR_OK ? effect_apply(e, &reply) : hold_refused(begun);
	e->stale = begun == CKR_OK && reply.rv == CKR_OK && *ret == CKR_DEVICE_REMOVED;
	begun_after(e, begun, *ret);
	if (e->slot->module->config.shortcuts)
		hold_after(e, begun, *ret, reply.epoch);
	return true;
}

/* One request, one reply; *ret is what the application gets. */
static enum outcome
run(struct errand *e, struct link *link, CK_RV *ret)
{
	struct buf ask;
	struct waiter w;
	bool sound;

	effect_prepare(e);
	e->stale = false;
	name_request(e, link);
	/* A worker of another build, that does not know what the last one was told. */
	if (e->named && (link_flags(link) & HELLO_ONCE) == 0) {
		*ret = CKR_DEVICE_REMOVED;
		return REFUSED;
	}
	buf_init(&ask, FRAME_HEADER + (size_t)link_max_frame(link));
	if ((*ret = write_frame(&ask, e)) != CKR_OK) {
		buf_free(&ask);
		return REFUSED;
	}
	*ret = link_call(link, &ask, frame_of(e), &w);
	buf_free(&ask);
	if (*ret != CKR_OK)
		return w.unsent ? UNSENT : LOST;
	sound = read_reply(e, &w, ret);
	waiter_free(&w);
	/* What it brought is of a worker that has ended meanwhile. */
	if (sound)
		return e->stale ? LOST : ANSWERED;
	link_break(link, CKR_DEVICE_ERROR);
	return LOST;
}

/* Why there is no channel, in words that the specification has for the call. */
static CK_RV
no_channel(const struct errand *e, enum attach result)
{
	bool slot = e->call->where == WHERE_SLOT;

	switch (result) {
	case ATTACH_NO_MEMORY:
		return CKR_HOST_MEMORY;
	case ATTACH_NO_SLOT:
		if (!slot)
			return CKR_DEVICE_REMOVED;
		return order_pointers_bad(e->call, e->args) ? CKR_ARGUMENTS_BAD
							    : CKR_SLOT_ID_INVALID;
	case ATTACH_ABSENT:
	case ATTACH_REFUSED:
		if (e->call->number == CALL_C_GetSlotInfo)
			return CKR_DEVICE_ERROR;
		return slot ? CKR_TOKEN_NOT_PRESENT : CKR_DEVICE_REMOVED;
	default:
		return CKR_DEVICE_ERROR;
	}
}

/* Fill e->sent with what the worker is to be told: its handles, on the channel
 * e->generation of e->slot. */
static CK_RV
address_session(struct module *m, struct errand *e)
{
	CK_RV rv = handles_translate(&m->handles, e->call, e->args, e->sent, &e->arena,
	    &e->slot, &e->generation);
	uint64_t generation = 0;

	if (rv == CKR_SESSION_HANDLE_INVALID && order_pointers_bad(e->call, e->args))
		return CKR_ARGUMENTS_BAD;
	if (rv != CKR_OK || e->begin == NULL)
		return rv;
	rv = handles_translate(&m->handles, e->begin, e->begin_args, e->begin_sent,
	    &e->arena, &e->slot, &generation);
	if (generation != e->generation)
		e->generation = 0; /* of no channel: they were moved in between */
	return rv;
}

/* What the call and its session are on the channel of now. */
static CK_RV
address_now(struct module *m, struct errand *e)
{
	begun_again(m, e);
	return address_session(m, e);
}

/* The slot is the caller's to give back. */
static CK_RV
address_slot(struct module *m, struct errand *e)
{
	enum attach result = slots_get(m, e->args[0].len, &e->slot);

	for (size_t i = 0; e->call->args[i] != ARG_END; i++)
		e->sent[i] = e->args[i];
	return result == ATTACH_OK ? CKR_OK : no_channel(e, result);
}

/* One try. */
static enum outcome
attempt(struct module *m, struct errand *e, CK_RV *ret)
{
	bool session = e->call->where == WHERE_SESSION;
	enum outcome outcome = UNSENT;
	enum attach result;
	uint64_t generation;
	struct link *link;

	if (session && (*ret = address_now(m, e)) != CKR_OK)
		return REFUSED;
	if ((result = slot_link(e->slot, &link, &generation)) != ATTACH_OK) {
		*ret = no_channel(e, result);
		return NO_CHANNEL;
	}
	*ret = CKR_OK;
	if (!session)
		e->generation = generation;
	else if (e->generation != generation) /* it is new, perhaps by this very call */
		*ret = address_now(m, e);
	if (*ret != CKR_OK)
		outcome = REFUSED;
	else if (e->generation == generation)
		outcome = run(e, link, ret);
	else /* and was replaced once more */
		*ret = CKR_DEVICE_ERROR;
	link_release(link);
	return outcome;
}

/* It ended with its worker, if it was not destroyed by it.  Of an object of the token the
 * next worker knows by the request's name whether it was. */
static CK_RV
destroyed(struct module *m, const struct errand *e, CK_RV rv)
{
	if (!e->repeated || !e->fleeting || e->call->number != CALL_C_DestroyObject ||
	    rv != CKR_OBJECT_HANDLE_INVALID)
		return rv;
	handles_drop_object(&m->handles, e->args[1].len);
	return CKR_OK;
}

/*
 * A worker ended that had read the call: may the next one be asked?  What was in its memory,
 * sessions, operations and session objects, went with it; what is done to the token, most
 * calls do to the same effect twice; what has a name is not done twice.  Not after a while:
 * perhaps it ended for something that would take as long again.
 */
static bool
may_repeat(struct errand *e, int64_t until)
{
	if (((e->call->flags & CALL_ONCE) && !e->named && !e->fleeting) ||
	    deadline_left(until) == 0)
		return false;
	e->repeated = true;
	return true;
}

static CK_RV
deliver(struct module *m, struct errand *e)
{
	enum outcome outcome = UNSENT;
	CK_RV rv = CKR_OK;
	int64_t until = deadline_at(m->config.silence);
	int tries = 0, workers = 0;

	while (tries < TRIES) {
		outcome = attempt(m, e, &rv);
		if (outcome == UNSENT)
			tries++;
		else if (outcome == LOST && rv == CKR_DEVICE_REMOVED &&
		    ++workers < WORKERS && may_repeat(e, until))
			tries = 0;
		else
			break;
	}
	if (outcome == NO_CHANNEL || outcome == UNSENT || outcome == LOST) {
		effect_lost(e);
		begun_lost(m, e);
		hold_lost(e);
	} else if (outcome == REFUSED && e->begin != NULL) {
		hold_again(m, e);
	}
	return destroyed(m, e, rv);
}

/* A beginning that was held goes by itself; what comes of it is seen by the call that goes
 * on with it. */
static void
deliver_first(struct module *m, struct errand *e)
{
	struct errand first = {.call = e->begin, .args = e->begin_args};

	arena_init(&first.arena, ARENA_MAX);
	(void)deliver(m, &first);
	arena_free(&first.arena);
	hold_sent(m, e);
}

/* A round trip of another thread is under way. */
static void
pause_shortly(void)
{
	const struct timespec t = {.tv_nsec = 50000};

	(void)nanosleep(&t, NULL);
}

static CK_RV
on_session(struct module *m, struct errand *e)
{
	enum hold hold;
	CK_RV rv;

	if (!m->config.shortcuts)
		return deliver(m, e);
	while ((hold = hold_before(m, e, &rv)) == HOLD_FIRST || hold == HOLD_WAIT)
		if (hold == HOLD_FIRST)
			deliver_first(m, e);
		else
			pause_shortly();
	if (hold == HOLD_DONE)
		return rv;
	rv = deliver(m, e);
	hold_over(m, e);
	return rv;
}

static CK_RV
ask_slot(struct module *m, struct errand *e)
{
	CK_RV rv;

	if (!m->config.shortcuts)
		return deliver(m, e);
	if (hold_before_slot(e, &rv) == HOLD_DONE)
		return rv;
	rv = deliver(m, e);
	if (e->info && !e->told && rv == CKR_OK) {
		e->info = false;
		rv = deliver(m, e);
	}
	hold_over(m, e);
	return rv;
}

static CK_RV
on_slot(struct module *m, struct errand *e)
{
	CK_RV rv = address_slot(m, e);

	if (rv != CKR_OK)
		return rv;
	rv = ask_slot(m, e);
	slots_put(m, e->slot);
	return rv;
}

static CK_RV
carry(struct module *m, const struct call *call, const struct arg *args)
{
	struct errand e = {.call = call, .args = args};
	CK_RV rv;

	arena_init(&e.arena, ARENA_MAX);
	rv = call->where == WHERE_SLOT ? on_slot(m, &e) : on_session(m, &e);
	arena_free(&e.arena);
	return module_stopping() && rv != CKR_OK ? CKR_CRYPTOKI_NOT_INITIALIZED : rv;
}

CK_RV
call_worker(const struct call *call, const struct arg *args)
{
	CK_RV rv = CKR_CRYPTOKI_NOT_INITIALIZED;
	struct module *m;
	int cancel;

	/* A thread that was cancelled in here would leave locks and the lead behind. */
	(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	if ((m = module_enter()) != NULL) {
		rv = carry(m, call, args);
		module_leave();
	}
	(void)pthread_setcancelstate(cancel, NULL);
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
