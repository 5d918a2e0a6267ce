/* link.c - see link.h; replies are waited for in await.c */
#include "libcaas-p11/link.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/secmem.h"
#include "libcaas-p11/await.h"
#include "protocol/frame.h"
#include "vchan-transport/berth.h"

_Static_assert(RING_BERTHS <= FRAME_NO_BERTH, "an id has room for the number of a berth");

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
link_new(struct channel *channel, uint32_t max_frame, int silence, uint32_t flags,
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
	l->flags = flags;
	l->silence = silence;
	l->refs = 1;
	l->has_berths = channel_berth(channel, 0) != NULL;
	identify(l, &l->dev, &l->ino);
	return l;
}

void
link_keep(struct link *l, void (*keep)(void *, uint64_t, const struct kept *), void *arg,
    uint64_t generation)
{
	l->keep = keep;
	l->keep_arg = arg;
	l->keep_generation = generation;
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

uint32_t
link_flags(const struct link *l)
{
	return l->flags;
}

bool
link_broken(struct link *l)
{
	return atomic_load_explicit(&l->broken, memory_order_relaxed);
}

void
link_break(struct link *l, CK_RV why)
{
	struct rouse rouse = {0};
	struct waiter *w;

	lock_take(&l->lock);
	if (l->broken) {
		lock_give(&l->lock);
		return;
	}
	l->broken = true;
	l->why = why;
	for (size_t i = 0; i < LINK_BUCKETS; i++) {
		while ((w = l->waiting[i]) != NULL) {
			l->waiting[i] = w->next;
			w->why = why;
			await_settle(l, w, FAILED, &rouse);
		}
	}
	lock_give(&l->lock);
	if (descriptor_is_ours(l))
		channel_shutdown(l->channel);
	await_rouse(l, &rouse);
}

/* A berth for w, whose number is returned.  Caller holds the lock. */
static uint32_t
take_berth(struct link *l, struct waiter *w)
{
	uint64_t taken = atomic_load(&l->berths);
	unsigned n = taken != UINT64_MAX ? (unsigned)__builtin_ctzll(~taken) : RING_BERTHS;

	if (n >= RING_BERTHS)
		return FRAME_NO_BERTH;
	atomic_fetch_or(&l->berths, UINT64_C(1) << n);
	w->berth = channel_berth(l->channel, n);
	return n;
}

/* Any time later, without the lock. */
static void
leave_berth(struct link *l, struct waiter *w)
{
	if (w->berth == NULL)
		return;
	ring_awake(w->berth);
	atomic_fetch_and(&l->berths, ~(UINT64_C(1) << FRAME_BERTH(w->id)));
}

/* An id that nobody waits for.  Caller holds the lock. */
static void
identify_call(struct link *l, struct waiter *w)
{
	uint32_t berth = l->has_berths ? take_berth(l, w) : 0;

	do
		w->id = l->has_berths ? FRAME_ID(++l->last_id, sched_getcpu(), berth)
				      : ++l->last_id;
	while (w->id == 0 || *await_find(l, w->id) != NULL);
}

/* Enter w. */
static bool
enlist(struct link *l, struct waiter *w)
{
	struct waiter **bucket;

	lock_take(&l->lock);
	if (l->broken) {
		w->why = l->why;
		w->unsent = true;
		lock_give(&l->lock);
		return false;
	}
	identify_call(l, w);
	bucket = await_find(l, w->id);
	w->next = *bucket;
	*bucket = w;
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
	if (gone)
		await_salvage(l);
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
	w->berth = NULL;
	(void)sem_init(&w->wake, 0, 0);
	if (serial)
		lock_take(&l->serial);
	if (enlist(l, w)) {
		sent = send_frame(l, frame, w->id, &end);
		await_reply(l, w);
		leave_berth(l, w);
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
