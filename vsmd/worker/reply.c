/* reply.c - see reply.h */
#include "vsmd/worker/reply.h"

#include <errno.h>
#include <string.h>

#include "common/log.h"

static bool
write_out(struct worker *w, const struct buf *b)
{
	struct iovec v = {.iov_base = b->data, .iov_len = b->len};

	atomic_fetch_add(&w->sent, 1);
	if (channel_writev(w->channel, &v, 1, WORKER_WRITE_DEADLINE) == 0)
		return true;
	if (errno == ETIMEDOUT)
		log_warn("the guest does not read its replies, channel closed");
	return false;
}

bool
reply_send(struct request *r)
{
	struct worker *w = r->w;
	bool ok;

	frame_end(&r->out);
	if (!buf_ok(&r->out)) {
		log_error("a reply did not fit a frame, channel closed");
		return false;
	}
	pthread_mutex_lock(&w->write_lock);
	ok = write_out(w, &r->out);
	pthread_mutex_unlock(&w->write_lock);
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
		ok = write_out(w, &b);
	buf_free(&b);
	pthread_mutex_unlock(&w->write_lock);
	if (!ok)
		worker_end(w, 1);
}
