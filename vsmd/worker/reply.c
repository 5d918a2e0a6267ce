/* reply.c - see reply.h */
#include "vsmd/worker/reply.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "common/secmem.h"
#include "vchan-transport/berth.h"

void
reply_init(struct worker *w)
{
	pthread_mutex_init(&w->write_lock, NULL);
	pthread_mutex_init(&w->deferred.lock, NULL);
}

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Take what waits, to be wiped; the one who does so is writing, and what comes meanwhile is
 * put into the other half. */
static struct iovec
take(struct deferred *d, uint64_t *berths)
{
	struct iovec v;

	pthread_mutex_lock(&d->lock);
	v = (struct iovec){.iov_base = d->data[d->half], .iov_len = d->len};
	*berths |= d->berths;
	d->half ^= 1;
	d->berths = 0;
	d->len = d->count = 0;
	d->writing = true;
	pthread_mutex_unlock(&d->lock);
	return v;
}

/* False: more has come meanwhile, go on writing. */
static bool
stop_writing(struct deferred *d)
{
	bool stop;

	pthread_mutex_lock(&d->lock);
	stop = d->len == 0;
	if (stop)
		d->writing = false;
	pthread_mutex_unlock(&d->lock);
	return stop;
}

static uint64_t
berth_of(uint32_t id)
{
	return UINT64_C(1) << FRAME_BERTH(id);
}

/* With the write lock held: what waits, and then b, which may be NULL, for those berths. */
static bool
write_out(struct worker *w, const struct buf *b, uint64_t berths)
{
	struct deferred *d = &w->deferred;
	struct iovec v[2], waited;
	bool ok = true;

	do {
		int n = 0;

		waited = take(d, &berths);
		if (waited.iov_len > 0)
			v[n++] = waited;
		if (b != NULL)
			v[n++] = (struct iovec){.iov_base = b->data, .iov_len = b->len};
		b = NULL;
		atomic_fetch_add(&w->sent, 1);
		channel_address(w->channel, berths);
		berths = 0;
		if (n > 0 && ok)
			ok = channel_writev(w->channel, v, n, WORKER_WRITE_DEADLINE) == 0;
		sec_wipe(waited.iov_base, waited.iov_len);
	} while (!stop_writing(d));
	if (!ok && errno == ETIMEDOUT)
		log_warn("the guest does not read its replies, channel closed");
	return ok;
}

/* May this reply wait?  Also while somebody writes, who looks for more afterwards. */
static bool
defer(struct worker *w, const struct buf *b, uint32_t id, bool busy)
{
	struct deferred *d = &w->deferred;
	uint64_t now = now_ns();
	bool ok;

	if (b->len > REPLY_SMALL)
		return false;
	pthread_mutex_lock(&d->lock);
	ok = (busy || d->writing) && d->len + b->len <= sizeof(d->data[0]) &&
	    (d->writing || (d->count + 1 < REPLY_FEW &&
	    (d->count == 0 || now - d->since <= REPLY_SOON)));
	if (ok) {
		if (d->count++ == 0)
			d->since = now;
		memcpy(d->data[d->half] + d->len, b->data, b->len);
		d->len += b->len;
		d->berths |= berth_of(id);
	}
	pthread_mutex_unlock(&d->lock);
	return ok;
}

bool
reply_send(struct request *r, bool busy)
{
	struct worker *w = r->w;
	bool ok;

	frame_end(&r->out);
	if (!buf_ok(&r->out)) {
		log_error("a reply did not fit a frame, channel closed");
		return false;
	}
	if (!r->last && defer(w, &r->out, r->frame.id, busy)) {
		/* Who was busy may have nothing to do after all. */
		pool_stir(&w->pool);
		return true;
	}
	pthread_mutex_lock(&w->write_lock);
	ok = write_out(w, &r->out, berth_of(r->frame.id));
	pthread_mutex_unlock(&w->write_lock);
	return ok;
}

bool
reply_waits(struct worker *w)
{
	bool waits;

	pthread_mutex_lock(&w->deferred.lock);
	waits = w->deferred.len > 0 && !w->deferred.writing;
	pthread_mutex_unlock(&w->deferred.lock);
	return waits;
}

bool
reply_flush(struct worker *w)
{
	bool ok;

	pthread_mutex_lock(&w->write_lock);
	ok = write_out(w, NULL, 0);
	pthread_mutex_unlock(&w->write_lock);
	return ok;
}

bool
reply_push(struct worker *w, const struct buf *frame)
{
	bool ok;

	if (pthread_mutex_trylock(&w->write_lock) != 0)
		return false;
	ok = write_out(w, frame, 0);
	pthread_mutex_unlock(&w->write_lock);
	if (!ok)
		worker_end(w, 1);
	return ok;
}

void
reply_beat(struct worker *w)
{
	struct buf b;
	bool ok = true;

	if (pthread_mutex_trylock(&w->write_lock) != 0)
		return;
	buf_init(&b, FRAME_HEADER);
	frame_begin(&b, 0, FRAME_BEAT);
	frame_end(&b);
	if (buf_ok(&b))
		ok = write_out(w, &b, 0);
	buf_free(&b);
	pthread_mutex_unlock(&w->write_lock);
	if (!ok)
		worker_end(w, 1);
}
