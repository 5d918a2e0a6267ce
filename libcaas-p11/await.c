/* await.c - see await.h; what arrives is taken apart in inbox.c */
#include "libcaas-p11/await.h"

#include <stdlib.h>
#include <string.h>

#include "protocol/frame.h"
#include "vchan-transport/berth.h"
#include "vchan-transport/deadline.h"

#define FRAME_KEPT_MAX (KEPT_MAX_PASS + KEPT_MAX_OBJECT + 64) /* bytes of its body */
#define NAP 50 /* ms in a berth until somebody leads, who then looks for the end as often */

struct waiter **
await_find(struct link *l, uint32_t id)
{
	struct waiter **p = &l->waiting[(id ^ id >> 6) % LINK_BUCKETS];

	while (*p != NULL && (*p)->id != id)
		p = &(*p)->next;
	return p;
}

/* Caller holds the lock. */
static void
park(struct link *l, struct waiter *w)
{
	w->parked = true;
	w->before = NULL;
	w->behind = l->parked;
	if (l->parked != NULL)
		l->parked->before = w;
	l->parked = w;
}

/* Caller holds the lock, and wakes w when it does not any more. */
static void
unpark(struct link *l, struct waiter *w)
{
	if (w->before != NULL)
		w->before->behind = w->behind;
	else
		l->parked = w->behind;
	if (w->behind != NULL)
		w->behind->before = w->before;
	w->parked = false;
}

/* The leader sleeps elsewhere, with a berth or without.  Sequentially consistent, as what is
 * done to words that are slept on (ring.c). */
void
await_settle(struct link *l, struct waiter *w, int state, struct rouse *rouse)
{
	if (w->parked) {
		unpark(l, w);
		w->next = rouse->parked;
		rouse->parked = w;
	} else if (l->has_berths && w->leads) {
		rouse->berths |= UINT64_C(1) << BERTH_COMMON;
	} else if (w->berth != NULL) {
		rouse->berths |= UINT64_C(1) << FRAME_BERTH(w->id);
	}
	atomic_store(&w->state, state);
}

/* A berth may be somebody else's by now, who then looks for nothing. */
void
await_rouse(struct link *l, struct rouse *rouse)
{
	struct waiter *w;

	while ((w = rouse->parked) != NULL) {
		rouse->parked = w->next;
		(void)sem_post(&w->wake);
	}
	for (; rouse->berths != 0; rouse->berths &= rouse->berths - 1)
		(void)ring_wake(channel_berth(l->channel,
		    (unsigned)__builtin_ctzll(rouse->berths)));
}

/* Somebody waits for this frame. */
static bool
expected(void *arg, const struct frame *f)
{
	struct link *l = arg;
	struct waiter *w;
	bool is;

	if (f->call == FRAME_KEPT)
		return f->id == 0 && l->keep != NULL && f->length <= FRAME_KEPT_MAX;
	lock_take(&l->lock);
	w = *await_find(l, f->id);
	is = w != NULL && w->call == f->call;
	lock_give(&l->lock);
	return is;
}

/* False: a breach. */
static bool
take_kept(struct link *l, const struct frame *f, const uint8_t *body, uint8_t *big)
{
	struct kept k;
	struct buf b;

	buf_view(&b, big != NULL ? big : body, f->length);
	if (f->id != 0 || l->keep == NULL || !kept_read(&b, &k))
		return false;
	l->keep(l->keep_arg, l->keep_generation, &k);
	free(big);
	return true;
}

static bool
deliver(void *arg, const struct frame *f, const uint8_t *body, uint8_t *big)
{
	struct link *l = arg;
	struct waiter **p, *w;

	if (f->call == FRAME_BEAT)
		return f->id == 0 && f->length == 0;
	if (f->call == FRAME_KEPT)
		return take_kept(l, f, body, big);
	lock_take(&l->lock);
	p = await_find(l, f->id);
	if ((w = *p) != NULL && f->call == FRAME_AGAIN && f->length == 0) {
		/* It is told when the link is broken, so that it asks on another one. */
		w->again = l->again = true;
		lock_give(&l->lock);
		return true;
	}
	if (w == NULL || w->call != f->call) {
		lock_give(&l->lock);
		return false;
	}
	*p = w->next;
	if (big != NULL) {
		w->body = big;
	} else {
		memcpy(w->small, body, f->length);
		w->body = w->small;
	}
	w->len = f->length;
	await_settle(l, w, DONE, &l->rouse);
	lock_give(&l->lock);
	return true;
}

static const struct inbox_sink sink = {.expected = expected, .deliver = deliver};

/* One read and what it brought; only one thread at a time does it, without the lock. */
static void
read_once(struct link *l, int silence)
{
	enum inbox_result r;

	r = inbox_read(&l->inbox, l->channel, l->max_frame, silence, &sink, l);
	atomic_fetch_add(&l->received, 1);
	await_rouse(l, &l->rouse);
	if (r == INBOX_GONE || (r == INBOX_OK && l->again))
		link_break(l, CKR_DEVICE_REMOVED);
	else if (r == INBOX_NO_MEMORY)
		link_break(l, CKR_HOST_MEMORY);
	else if (r != INBOX_OK)
		link_break(l, CKR_DEVICE_ERROR);
}

void
await_salvage(struct link *l)
{
	bool ours;

	lock_take(&l->lock);
	ours = !l->led && !l->broken && !atomic_exchange(&l->reading, true);
	l->led |= ours; /* nobody else will read */
	lock_give(&l->lock);
	while (ours && inbox_read(&l->inbox, l->channel, l->max_frame, 0, &sink, l) == INBOX_OK)
		await_rouse(l, &l->rouse);
}

static bool
settled(struct waiter *w)
{
	return atomic_load(&w->state) != WAITS;
}

/* Bytes wait that nobody is reading. */
static bool
neglected(struct link *l)
{
	return channel_pending(l->channel) && !atomic_load(&l->reading) && !link_broken(l);
}

/* Read everything that has arrived, unless another thread is at it: that one looks again
 * when it is done. */
static void
read_arrived(struct link *l)
{
	while (neglected(l) && !atomic_exchange(&l->reading, true)) {
		while (channel_pending(l->channel) && !link_broken(l))
			read_once(l, 0);
		atomic_store(&l->reading, false);
	}
}

/* Read for everybody, on a stream. */
static void
lead_stream(struct link *l, struct waiter *w)
{
	while (!settled(w))
		read_once(l, l->silence);
}

struct look {
	struct link *link;
	struct waiter *waiter;
};

static bool
something(void *arg)
{
	const struct look *k = arg;

	return settled(k->waiter) || neglected(k->link);
}

static bool
alone(const struct link *l)
{
	uint64_t taken = atomic_load_explicit(&l->berths, memory_order_relaxed);

	return (taken & (taken - 1)) == 0;
}

/* Lie down first, then look: bytes that come later are for somebody who sleeps. */
static bool
sleep_in(struct link *l, struct waiter *w, _Atomic uint32_t *berth)
{
	struct look k = {l, w};
	bool woken;

	if (alone(l) && channel_tarry(l->channel, something, &k))
		return true;
	ring_drowse(berth, RING_FUTEX);
	woken = settled(w) || neglected(l) || ring_sleep(berth, NAP);
	ring_awake(berth);
	return woken;
}

/* Nothing has come since that was the count. */
static bool
silent(struct link *l, unsigned received)
{
	return !channel_pending(l->channel) && !atomic_load(&l->reading) &&
	    atomic_load(&l->received) == received;
}

/* Notice what wakes nobody in a berth, in shared memory. */
static void
lead_memory(struct link *l, struct waiter *w)
{
	_Atomic uint32_t *berth = channel_berth(l->channel, BERTH_COMMON);
	unsigned received = atomic_load(&l->received);
	int64_t until = deadline_at(l->silence);

	for (;;) {
		if (!channel_pending(l->channel))
			channel_notice(l->channel);
		read_arrived(l);
		if (settled(w))
			return;
		if (!silent(l, received)) {
			received = atomic_load(&l->received);
			until = deadline_at(l->silence);
		} else if (deadline_left(until) == 0) {
			link_break(l, CKR_DEVICE_ERROR);
		}
		(void)sleep_in(l, w, berth);
	}
}

/* Until the reply to w is there; then let one that is parked do it.  Who is still sending
 * takes the lead by itself when that is done, or must not wait for it. */
static void
lead(struct link *l, struct waiter *w)
{
	struct waiter *heir;

	(l->has_berths ? lead_memory : lead_stream)(l, w);
	lock_take(&l->lock);
	if ((heir = l->parked) != NULL) {
		unpark(l, heir);
		heir->leads = true;
	} else {
		l->led = false;
	}
	lock_give(&l->lock);
	if (heir != NULL)
		(void)sem_post(&heir->wake);
}

/* Lead, unless somebody does; then wait for that, where `may_park` says so. */
static void
lead_or_park(struct link *l, struct waiter *w, bool may_park)
{
	bool parked = false;

	lock_take(&l->lock);
	if (!settled(w)) {
		if (!l->led)
			l->led = w->leads = true;
		else if ((parked = may_park))
			park(l, w);
	}
	lock_give(&l->lock);
	while (parked && sem_wait(&w->wake) != 0)
		continue; /* a signal */
	if (w->leads)
		lead(l, w);
}

void
await_reply(struct link *l, struct waiter *w)
{
	if (w->berth == NULL) {
		lead_or_park(l, w, true);
		return;
	}
	for (;;) {
		read_arrived(l);
		if (settled(w))
			return;
		if (!sleep_in(l, w, w->berth) && !settled(w))
			lead_or_park(l, w, false);
	}
}
