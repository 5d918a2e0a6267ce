/* loop.c - one thread's way through its requests, see pool.h */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>

#include "common/log.h"
#include "protocol/info.h"
#include "vsmd/msg.h"
#include "vsmd/worker/reply.h"
#include "vsmd/worker/retire.h"
#include "vsmd/worker/state.h"

#define BIG 65536          /* body from which a request counts as slow */
#define KEEP (128 << 10)   /* buffers above this are not kept for the next request */
#define ARENA_MAX ((size_t)192 << 20)
#define CHEAP 100000       /* ns: worth a wake-up only if somebody waits already */
#define CROWD 64           /* requests for which a crowd is remembered */
#define SAMPLE 16          /* in-place requests between looks at the channel */

static bool
breach(struct worker *w, const char *what, const struct frame *f)
{
	log_warn("breach of protocol by %s (%s): %s, call %u, %u bytes; channel closed",
	    w->grant->principal, w->grant->peer, what, f->call, f->length);
	worker_end(w, M_WORKER_BREACH);
	return false;
}

static atomic_uint *
cost_at(const struct request *r)
{
	unsigned how = r->fetch || r->info ? 2 : r->begin != NULL ? 1 : 0;

	return &r->w->pool.cost[how][r->call->number];
}

static unsigned
cost_of(const struct request *r)
{
	return atomic_load_explicit(cost_at(r), memory_order_relaxed);
}

/*
 * Do requests of several sessions come at once?  One that follows in the same session
 * could not be served before this one is done anyway.
 */
static bool
in_a_crowd(struct request *r)
{
	struct pool *p = &r->w->pool;
	CK_ULONG session = r->args[0].len;
	bool other = session != p->last_session;
	int crowd = atomic_load(&p->crowd);
	bool calm = crowd == 0;

	if (inbox_has_other(&r->w->inbox, session) ||
	    (other && (atomic_load(&p->suspect) || atomic_load(&p->outstanding) > 1))) {
		crowd = CROWD;
	}
	atomic_store(&p->suspect, false);
	p->last_session = session;
	if (crowd > 0)
		atomic_store(&p->crowd, --crowd);
	if (calm && crowd > 0)
		pool_stir(p);
	return crowd > 0;
}

enum hand { HAND_KEEP, HAND_VACATE, HAND_PROMOTE };

/* Let others read while this request is served? */
static enum hand
hand_on(struct request *r, bool waits)
{
	struct pool *p = &r->w->pool;
	bool crowd = in_a_crowd(r);

	if (waits || r->fetch || (r->call->flags & CALL_SLOW) || r->call->gate == GATE_EXCLUSIVE ||
	    r->frame.length > BIG) {
		r->aside = true;
		atomic_fetch_add(&p->aside, 1);
		return HAND_PROMOTE;
	}
	/*
	 * Every processor has a request to compute, or will have in a moment: another thread
	 * would only contend for them and for SoftHSM2's locks.  If that lasts longer than a
	 * tick, the watch helps.
	 */
	if (atomic_load(&p->outstanding) - atomic_load(&p->aside) >= p->processors ||
	    pool_active(p) >= p->processors)
		return cost_of(r) > POOL_DEAR ? HAND_VACATE : HAND_KEEP;
	/* A wake-up costs about as much as a cheap call, and is for nothing where the guest
	 * has one thread. */
	if (cost_of(r) > POOL_LONG || (crowd && cost_of(r) > POOL_DEAR))
		return HAND_PROMOTE;
	return crowd && (cost_of(r) > CHEAP ||
	                    inbox_has_other(&r->w->inbox, r->args[0].len) ||
	                    channel_arrived(r->w->channel)) ? HAND_PROMOTE : HAND_KEEP;
}

/* Served in place: did another request come meanwhile?  Cheap calls look now and then. */
static void
look_around(struct request *r)
{
	struct pool *p = &r->w->pool;

	if (r->call != NULL &&
	    (cost_of(r) > CHEAP || atomic_fetch_add(&p->sample, 1) % SAMPLE == 0))
		atomic_store(&p->suspect, channel_arrived(r->w->channel));
}

/* The cost without the noise: it falls at once and rises slowly. */
static void
learn_cost(const struct request *r, uint64_t took)
{
	unsigned old = cost_of(r), ns = took < UINT_MAX ? (unsigned)took : UINT_MAX;

	if (old != 0 && ns > old)
		ns = old + (ns - old) / 64;
	atomic_store_explicit(cost_at(r), ns, memory_order_relaxed);
}

/* Nothing of it stays: the next request that this thread serves may come late, or never. */
static void
clean(struct request *r)
{
	arena_free(&r->arena);
	if (r->in.size > KEEP)
		buf_free(&r->in);
	else
		buf_reset(&r->in);
	if (r->out.size > KEEP)
		buf_free(&r->out);
	else
		buf_reset(&r->out);
	memset(r->args_of, 0, sizeof(r->args_of));
	memset(&r->reply, 0, sizeof(r->reply));
	memset(&r->token, 0, sizeof(r->token));
	r->call = r->begin = NULL;
	r->fetch = r->info = r->named = r->repeated = false;
	r->event.name = NULL;
	r->event.detail[0] = '\0';
	r->refused = r->commit = r->has_token = r->aside = false;
}

/* Send what serve() wrote; the id is free from here on. */
static bool
finish(struct request *r, struct seat *seat)
{
	struct worker *w = r->w;
	bool reads = pool_holds(&w->pool, seat), ok;

	if (r->again)
		keep_flush(w);
	turn_done(&w->sessions, &r->turn);
	if (reads)
		look_around(r);
	if (r->aside)
		atomic_fetch_sub(&w->pool.aside, 1);
	if (!reads)
		pool_finishing(&w->pool, seat);
	pool_forget(&w->pool, seat);
	ok = reply_send(r, reads && seat->waiting >= w->pool.processors);
	seat->waiting = 0;
	clean(r);
	if (!ok || r->last)
		worker_end(w, r->again ? 0 : 1);
	return ok && !r->last;
}

/* A call that this version does not have, or that is none of a worker's. */
static bool
unknown(struct request *r, struct seat *seat)
{
	buf_put_u64(&r->out, CKR_FUNCTION_NOT_SUPPORTED);
	buf_put_u64(&r->out, gate_epoch(&r->w->gate));
	return finish(r, seat);
}

static bool
resume(struct request *r, struct seat *seat, bool first)
{
	if (!first)
		return breach(r->w, "resume after other requests", &r->frame);
	pool_promote(r->w, seat);
	pool_begin(r->w, seat, 0);
	if (!serve_resume(r))
		return breach(r->w, "malformed", &r->frame);
	if (r->again) /* half of it would look as if the rest were gone */
		serve_again(r);
	return finish(r, seat);
}

/* The name of a request that makes, changes or destroys objects. */
static bool
decode_once(struct request *r)
{
	const uint8_t *once;

	r->named = r->frame.flags != 0;
	r->repeated = r->frame.flags == FRAME_REPEATED;
	if (!r->named)
		return true;
	if (!call_named(r->call) || (once = buf_get_raw(&r->in, FRAME_ONCE_LEN)) == NULL)
		return false;
	memcpy(r->once, once, FRAME_ONCE_LEN);
	return true;
}

static bool
decode(struct request *r)
{
	if (r->info)
		return r->frame.flags == 0 && info_ask_read(&r->in, &r->args[0].len);
	if ((r->frame.flags & FRAME_FUSED) == 0)
		return decode_once(r) && ask_read(&r->in, r->call, r->args, &r->arena);
	r->begin = call_beginning(r->call);
	return r->begin != NULL && ask_read_fused(&r->in, r->begin, r->args_of[1], r->call,
	    r->args, &r->arena);
}

static bool
dispatch(struct request *r, struct seat *seat)
{
	struct worker *w = r->w;
	bool first = !w->resumed, taken;
	uint64_t arrived = w->inbox.filled, began, took;
	unsigned waiting;
	enum hand hand;

	w->resumed = true;
	keep_asked(w);
	buf_reset(&r->out);
	frame_begin(&r->out, r->frame.id, r->frame.call);
	if (r->frame.call == FRAME_RESUME && r->frame.flags == 0)
		return resume(r, seat, first);
	/* The role is kept: nobody reads a request that this worker would not answer. */
	if (retire_now(r)) {
		serve_again(r);
		return finish(r, seat);
	}
	r->fetch = r->frame.call == FRAME_FETCH;
	r->info = r->frame.call == FRAME_INFO;
	r->call = call_by_number(r->fetch ? CALL_C_FindObjectsInit : r->info ? CALL_C_GetTokenInfo
	                                                                  : r->frame.call);
	if (r->frame.flags == 0 && (r->call == NULL || r->call->where == WHERE_LOCAL ||
	    r->call->where == WHERE_UNSERVED))
		return unknown(r, seat);
	if (r->call == NULL || !decode(r))
		return breach(w, "malformed", &r->frame);
	taken = r->call->where != WHERE_SESSION ||
	    turn_take(&w->sessions, r->args[0].len, session_shares(r->call), &r->turn);
	hand = hand_on(r, !taken);
	/* From here on the inbox may be somebody else's. */
	waiting = hand != HAND_PROMOTE ? inbox_waiting(&w->inbox, w->pool.processors) : 0;
	if (hand == HAND_PROMOTE)
		pool_promote(w, seat);
	else if (hand == HAND_VACATE)
		pool_vacate(w, seat);
	pool_begin(w, seat, waiting);
	if (!taken)
		turn_wait(&w->sessions, &r->turn);
	began = inbox_clock();
	serve(r);
	took = inbox_clock() - began;
	learn_cost(r, took);
	counters_request(w->config->nursery->counters, w->config->cell, r->call->class,
	    began - arrived, took, r->reply.rv != CKR_OK);
	return finish(r, seat);
}

static bool
one(struct request *r, struct seat *seat)
{
	struct worker *w = r->w;

	switch (inbox_read(&w->inbox, w->channel, &r->frame, &r->in)) {
	case INBOX_FRAME:
		break;
	case INBOX_CLOSED:
		worker_end(w, 0);
		return false;
	case INBOX_CUT:
		if (!atomic_load(&w->pool.ended))
			log_info("channel lost: %s", strerror(errno));
		worker_end(w, 1);
		return false;
	default:
		return breach(w, "bad frame header", &r->frame);
	}
	if (!pool_note(&w->pool, seat, r->frame.id))
		return breach(w, "id still outstanding", &r->frame);
	return dispatch(r, seat);
}

void
loop(struct worker *w, struct seat *seat)
{
	struct request *r = calloc(1, sizeof(*r));

	if (r == NULL || gate_open(&r->gate, &w->gate) != 0) {
		log_error("no memory or descriptor for a thread: %s", strerror(errno));
		free(r);
		worker_end(w, 1);
		return;
	}
	r->w = w;
	r->seat = seat;
	r->args = r->args_of[0];
	arena_init(&r->arena, ARENA_MAX);
	buf_init(&r->in, w->max_frame);
	buf_init(&r->out, (size_t)w->max_frame + FRAME_HEADER);
	while (pool_lead(w, seat))
		do {
			if (!one(r, seat))
				goto out;
		} while (pool_keep(w, seat));
out:
	clean(r);
	buf_free(&r->in);
	buf_free(&r->out);
	turn_free(&r->turn);
	gate_close(&r->gate);
	free(r);
}
