/* link.c - see link.h; what arrives is taken apart in inbox.c */
#include "libcaas-p11/link.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/secmem.h"
#include "libcaas-p11/inbox.h"
#include "protocol/frame.h"

#define BUCKETS 64 /* a power of two */

struct link {
	struct channel *channel;
	struct inbox inbox; /* the leader's */
	uint32_t max_frame;
	int silence;
	atomic_uint refs;
	dev_t dev; /* of the channel's descriptor */
	ino_t ino;

	struct lock serial;  /* one call at a time, with the application's locks */
	struct lock writing; /* one frame at a time goes out */
	struct lock lock;    /* what follows */
	atomic_bool broken;
	bool reading; /* somebody leads */
	CK_RV why;
	uint32_t last_id;
	struct waiter *waiting[BUCKETS];
	struct waiter *parked; /* of those the ones that sleep */

	struct waiter *woken; /* the leader's: to be woken without the lock */
	bool again;           /* the leader's: the worker serves no more */
};

/* Of a waiter.  It changes once; who sees that may go, and the waiter with it. */
enum { WAITS, DONE, FAILED };

static void
identify(struct link *l, dev_t *ret_dev, ino_t *ret_ino)
{
	struct stat st;

	*ret_dev = 0;
	*ret_ino = 0;
	if (fstat(channel_poll_fd(l->channel), &st) == 0) {
		*ret_dev = st.st_dev;
		*ret_ino = st.st_ino;
	}
}

struct link *
link_new(struct channel *channel, uint32_t max_frame, int silence,
    const struct lock_how *how)
{
	struct link *l = calloc(1, sizeof(*l));

	if (l == NULL || lock_init(&l->lock, how) != CKR_OK) {
		free(l);
		channel_close(channel);
		return NULL;
	}
	if (lock_init(&l->writing, how) != CKR_OK ||
	    lock_init(&l->serial, how) != CKR_OK) {
		lock_free(&l->writing);
		lock_free(&l->lock);
		free(l);
		channel_close(channel);
		return NULL;
	}
	l->channel = channel;
	l->max_frame = max_frame;
	l->silence = silence;
	l->refs = 1;
	identify(l, &l->dev, &l->ino);
	return l;
}

void
link_hold(struct link *l)
{
	atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
}

/* A program that becomes a daemon may have closed our descriptor, and the number may be
 * another file by now: then only the memory is ours. */
static bool
descriptor_is_ours(struct link *l)
{
	dev_t dev;
	ino_t ino;

	identify(l, &dev, &ino);
	return dev == l->dev && ino == l->ino;
}

void
link_release(struct link *l)
{
	if (atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (descriptor_is_ours(l))
		channel_close(l->channel);
	else
		channel_forget(l->channel);
	lock_free(&l->serial);
	lock_free(&l->writing);
	lock_free(&l->lock);
	inbox_free(&l->inbox);
	free(l);
}

void
link_forget(struct link *l)
{
	if (descriptor_is_ours(l))
		channel_drop(l->channel);
	else
		channel_forget(l->channel);
	inbox_free(&l->inbox);
	free(l);
}

uint32_t
link_max_frame(const struct link *l)
{
	return l->max_frame;
}

bool
link_broken(struct link *l)
{
	return atomic_load_explicit(&l->broken, memory_order_relaxed);
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

/* The outcome of w, which is in no bucket any more.  Caller holds the lock.  A waiter that
 * sleeps is put on the list of those to be woken; any other sees it for itself, and must
 * not be touched again. */
static void
settle(struct link *l, struct waiter *w, int state, struct waiter **woken)
{
	if (w->parked) {
		unpark(l, w);
		w->next = *woken;
		*woken = w;
	}
	atomic_store_explicit(&w->state, state, memory_order_release);
}

static void
wake_all(struct waiter *woken)
{
	while (woken != NULL) {
		struct waiter *w = woken;

		woken = w->next;
		(void)sem_post(&w->wake);
	}
}

void
link_break(struct link *l, CK_RV why)
{
	struct waiter *w, *woken = NULL;

	lock_take(&l->lock);
	if (l->broken) {
		lock_give(&l->lock);
		return;
	}
	l->broken = true;
	l->why = why;
	for (size_t i = 0; i < BUCKETS; i++) {
		while ((w = l->waiting[i]) != NULL) {
			l->waiting[i] = w->next;
			w->why = why;
			settle(l, w, FAILED, &woken);
		}
	}
	lock_give(&l->lock);
	if (descriptor_is_ours(l))
		channel_shutdown(l->channel);
	wake_all(woken);
}

static struct waiter **
find(struct link *l, uint32_t id)
{
	struct waiter **p = &l->waiting[id % BUCKETS];

	while (*p != NULL && (*p)->id != id)
		p = &(*p)->next;
	return p;
}

/* Somebody waits for this frame. */
static bool
expected(void *arg, const struct frame *f)
{
	struct link *l = arg;
	struct waiter *w;

	lock_take(&l->lock);
	w = *find(l, f->id);
	lock_give(&l->lock);
	return w != NULL && w->call == f->call;
}

static bool
deliver(void *arg, const struct frame *f, const uint8_t *body, uint8_t *big)
{
	struct link *l = arg;
	struct waiter **p, *w;

	if (f->call == FRAME_BEAT)
		return f->id == 0 && f->length == 0;
	lock_take(&l->lock);
	p = find(l, f->id);
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
	settle(l, w, DONE, &l->woken);
	lock_give(&l->lock);
	return true;
}

/* One read and what it brought.  The caller leads, and does not hold the lock. */
static void
lead(struct link *l)
{
	static const struct inbox_sink sink = {.expected = expected, .deliver = deliver};
	enum inbox_result r;

	l->woken = NULL;
	r = inbox_read(&l->inbox, l->channel, l->max_frame, l->silence, &sink, l);
	wake_all(l->woken);
	if (r == INBOX_GONE || (r == INBOX_OK && l->again))
		link_break(l, CKR_DEVICE_REMOVED);
	else if (r == INBOX_NO_MEMORY)
		link_break(l, CKR_HOST_MEMORY);
	else if (r != INBOX_OK)
		link_break(l, CKR_DEVICE_ERROR);
}

/* Read until the reply to w is there, then let one that sleeps do it.  Who is still
 * sending takes the lead by itself when that is done, or must not wait for it. */
static void
lead_until_settled(struct link *l, struct waiter *w)
{
	struct waiter *heir;

	while (atomic_load_explicit(&w->state, memory_order_acquire) == WAITS)
		lead(l);
	lock_take(&l->lock);
	if ((heir = l->parked) != NULL) {
		unpark(l, heir);
		heir->leads = true;
	} else {
		l->reading = false;
	}
	lock_give(&l->lock);
	if (heir != NULL)
		(void)sem_post(&heir->wake);
}

static void
wait_for(struct link *l, struct waiter *w)
{
	bool settled, sleep;

	lock_take(&l->lock);
	settled = atomic_load_explicit(&w->state, memory_order_relaxed) != WAITS;
	sleep = !settled && l->reading;
	if (sleep)
		park(l, w);
	else if (!settled)
		l->reading = w->leads = true;
	lock_give(&l->lock);
	while (sleep && sem_wait(&w->wake) != 0)
		continue; /* a signal */
	if (w->leads)
		lead_until_settled(l, w);
}

/* Enter w under an id that nobody waits for. */
static bool
enlist(struct link *l, struct waiter *w)
{
	lock_take(&l->lock);
	if (l->broken) {
		w->why = l->why;
		w->unsent = true;
		lock_give(&l->lock);
		return false;
	}
	do
		w->id = ++l->last_id;
	while (w->id == 0 || *find(l, w->id) != NULL);
	w->next = l->waiting[w->id % BUCKETS];
	l->waiting[w->id % BUCKETS] = w;
	lock_give(&l->lock);
	return true;
}

/* False: the peer did not get all of it, and the link is broken.  *ret_end: where the frame
 * ends. */
static bool
send_frame(struct link *l, struct buf *frame, uint32_t id, uint64_t *ret_end)
{
	struct iovec v;
	bool sent, gone;

	buf_set_u32(frame, 4, id);
	v.iov_base = frame->data;
	v.iov_len = frame->len;
	lock_take(&l->writing);
	sent = channel_writev(l->channel, &v, 1, l->silence) == 0;
	gone = !sent && errno == ECONNRESET;
	*ret_end = channel_position(l->channel);
	lock_give(&l->writing);
	if (!sent)
		link_break(l, gone ? CKR_DEVICE_REMOVED : CKR_DEVICE_ERROR);
	return sent;
}

CK_RV
link_call(struct link *l, struct buf *frame, uint32_t call, struct waiter *w)
{
	bool serial = l->lock.how->callbacks, sent;
	uint64_t end;

	w->call = call;
	atomic_init(&w->state, WAITS);
	w->why = CKR_GENERAL_ERROR;
	w->body = NULL;
	w->len = 0;
	w->unsent = w->again = w->parked = w->leads = false;
	(void)sem_init(&w->wake, 0, 0);
	if (serial)
		lock_take(&l->serial);
	if (enlist(l, w)) {
		sent = send_frame(l, frame, w->id, &end);
		wait_for(l, w);
		/* Half a frame is never served, nor one that was not read.  By a descriptor
		 * that is another's nobody can tell. */
		w->unsent = !sent || w->again ||
		    (atomic_load(&w->state) == FAILED && !channel_taken(l->channel, end) &&
		    descriptor_is_ours(l));
	} else {
		atomic_init(&w->state, FAILED);
	}
	if (serial)
		lock_give(&l->serial);
	(void)sem_destroy(&w->wake);
	return atomic_load(&w->state) == DONE ? CKR_OK : w->why;
}

void
waiter_free(struct waiter *w)
{
	if (w->body == NULL)
		return;
	sec_wipe(w->body, w->len);
	if (w->body != w->small)
		free(w->body);
	w->body = NULL;
}
