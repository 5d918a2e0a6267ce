/* retire.c - see retire.h */
#include "vsmd/worker/retire.h"

#include <sched.h>

#include "common/log.h"
#include "vsmd/worker/state.h"

#define YIELDS 64

void
retire_lost(struct worker *w, size_t bytes)
{
	(void)atomic_fetch_add_explicit(&w->lost, bytes, memory_order_relaxed);
}

void
retire_seen(struct worker *w)
{
	uint64_t now = gate_epoch(&w->gate);
	uint64_t commits = now - atomic_exchange_explicit(&w->seen, now, memory_order_relaxed);

	/* Another thread may have looked at a later one meanwhile. */
	if (commits != 0 && commits <= UINT64_MAX / 2)
		retire_lost(w, RETIRE_COMMIT *
		    (commits < RETIRE_COMMITS ? (size_t)commits : RETIRE_COMMITS));
}

/* Replies have gone out.  Who has sent the last one needs a moment to say that it is done. */
static bool
are_sent(struct pool *p)
{
	for (int i = 0; i < YIELDS && atomic_load(&p->finishing) != 0; i++)
		sched_yield();
	return atomic_load(&p->finishing) == 0;
}

/* This is the one request that there is, as far as can be seen here. */
static bool
is_alone(struct worker *w)
{
	return atomic_load(&w->pool.outstanding) == 1 && w->inbox.pos == w->inbox.len &&
	    !channel_arrived(w->channel) && are_sent(&w->pool);
}

/* What came meanwhile is asked again without a doubt where the guest sees that nobody has read
 * it, in shared memory; elsewhere a change of PIN would not be. */
static bool
is_still_alone(struct worker *w)
{
	return w->inbox.near || is_alone(w);
}

/* The next worker can take the login up: it has a ticket, and nobody has changed a PIN since
 * this one began.  So a change of PIN is never answered by who is about to go. */
static bool
login_lasts(struct worker *w)
{
	return gate_pins(&w->gate) == w->config->pins && (w->user < 0 || keep_has_login(w));
}

/* Each time an odd number of requests later: one that comes before each second request of an
 * application, as a search's beginning does, is not passed over for ever. */
static bool
is_too_soon(struct worker *w)
{
	if (w->retire_wait > 0) {
		w->retire_wait--;
		return true;
	}
	w->retire_wait = w->retire_pause = w->retire_pause == 0 ? 2
	    : w->retire_pause < RETIRE_PAUSE ? 2 * w->retire_pause : RETIRE_PAUSE;
	return false;
}

bool
retire_now(struct request *r)
{
	struct worker *w = r->w;
	size_t lost = atomic_load_explicit(&w->lost, memory_order_relaxed);
	size_t most = w->config->nursery->retire;

	if (most == 0 || lost < most || lost < w->retire_next || is_too_soon(w))
		return false;
	if (!is_alone(w) || !login_lasts(w) || !sessions_idle(&w->sessions))
		return false;
	/* That costs something, and is likely to fail again. */
	w->retire_next = lost + lost / 8;
	if (!keep_all(w, RETIRE_KEPT) || !is_still_alone(w))
		return false;
	log_info("many objects were made: the next worker goes on");
	return true;
}
