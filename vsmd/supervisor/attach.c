/*
 * attach.c - from an accepted hello to a worker.
 *
 * The application waits in its slot's queue until the nursery is ready; then the store
 * hears of it (M_S_ATTACH), then the nursery (M_N_ATTACH).  Full pipes leave it in the
 * queue.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/log.h"
#include "vchan-transport/stream.h"
#include "vsmd/msg.h"
#include "vsmd/supervisor/super.h"

#define PATIENCE 20000 /* ms in the queue */
#define KIND_WORKER 0

/* Off the queue and released; its channel is closed with the answer `status`, unless
 * status is HELLO_OK: then a worker has it. */
static void
attach_end(struct super *s, struct slot *slot, struct attach *a, enum hello_status status)
{
	struct attach **at = &slot->queue;
	struct channel *channel;

	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	if (status == HELLO_OK)
		close(a->channel);
	else {
		limits_drop(s, a->principal);
		if ((channel = channel_from_fd(a->channel)) != NULL)
			greet_refuse(s, channel, status);
		else
			close(a->channel);
	}
	if (a->store >= 0)
		close(a->store);
	buf_free(&a->grant);
	free(a);
}

void
attach_refuse_all(struct super *s, struct slot *slot, enum hello_status status)
{
	while (slot->queue != NULL)
		attach_end(s, slot, slot->queue, status);
}

void
attach_add(struct super *s, struct slot *slot, int channel, const uint8_t *hello,
    const struct grant *grant)
{
	struct attach *a = calloc(1, sizeof(*a)), **at = &slot->queue;

	if (a == NULL) {
		limits_drop(s, grant->principal);
		close(channel);
		return;
	}
	a->channel = channel;
	a->store = -1;
	a->until = now_ms() + PATIENCE;
	memcpy(a->hello, hello, HELLO_LEN);
	memcpy(a->principal, grant->principal, sizeof(a->principal));
	buf_init(&a->grant, IPC_MAX);
	grant_write(&a->grant, grant);
	while (*at != NULL)
		at = &(*at)->next;
	*at = a;
	attach_flush(s, slot);
}

/* 0, or -1 with EAGAIN when its pipe is full. */
static int
tell_store(struct super *s, struct slot *slot, struct attach *a)
{
	struct buf b;
	int pair[2], rc;

	if (ipc_pair(pair) < 0)
		return -1;
	/* Of a worker that was taken over the store has none to close either. */
	stream_refuse_fds(pair[0]);
	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_S_ATTACH);
	buf_put_u32(&b, slot->id);
	buf_put_u8(&b, KIND_WORKER);
	buf_put_raw(&b, a->grant.data, a->grant.len);
	rc = store_send(s, &b, &pair[0], 1);
	buf_free(&b);
	close(pair[0]);
	if (rc < 0)
		close(pair[1]);
	else
		a->store = pair[1];
	return rc;
}

static int
tell_nursery(struct nursery *n, struct attach *a)
{
	int fds[2] = {a->channel, a->store}, rc;
	struct buf b;

	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_N_ATTACH);
	buf_put_raw(&b, a->hello, HELLO_LEN);
	buf_put_raw(&b, a->grant.data, a->grant.len);
	rc = ipc_send(n->watch.fd, &b, fds, 2);
	buf_free(&b);
	return rc;
}

/* True when it is done with, one way or the other; false when a pipe is full. */
static bool
hand_over(struct super *s, struct slot *slot, struct attach *a)
{
	struct nursery *n = slot->nursery;

	if (a->store < 0 && tell_store(s, slot, a) < 0) {
		if (errno == EAGAIN) {
			store_wait_room(s);
			return false;
		}
		/* It is dying, and its exit not yet seen: then who waits is told to ask
		 * again, and the next one takes it. */
		if (errno == ECONNRESET)
			return false;
		if (log_may(a->principal))
			log_error("cannot tell the store of an application: %s",
			    strerror(errno));
		attach_end(s, slot, a, HELLO_FAILED);
		return true;
	}
	if (tell_nursery(n, a) < 0) {
		if (errno == EAGAIN) {
			watch_events(s, &n->watch, EPOLLIN | EPOLLOUT);
			return false;
		}
		/* It is dying, and its exit not yet seen: the next one takes this. */
		nursery_kill(n);
		nursery_retire(s, slot);
		return false;
	}
	if (!workers_handed_over(n, a->principal)) {
		/* Without a record the limits would be wrong: end them all. */
		log_error("no memory for a worker's record");
		nursery_kill(n);
		limits_drop(s, a->principal);
	}
	attach_end(s, slot, a, HELLO_OK);
	return true;
}

void
attach_flush(struct super *s, struct slot *slot)
{
	if (slot->queue == NULL || slot->state != SLOT_OPEN || !s->store.ready)
		return;
	if (slot->nursery == NULL) {
		if (now_ms() >= slot->retry_at || slot->failures == 0)
			if (nursery_fork(s, slot) < 0)
				attach_refuse_all(s, slot, HELLO_FAILED);
		return;
	}
	while (slot->queue != NULL && slot->nursery != NULL && slot->nursery->ready)
		if (!hand_over(s, slot, slot->queue))
			return;
}

int64_t
attach_tick(struct super *s, int64_t now)
{
	int64_t next = NEVER;

	for (size_t i = 0; i < s->nslots; i++) {
		struct slot *slot = s->slots[i];

		while (slot->queue != NULL && slot->queue->until <= now) {
			if (log_may(slot->queue->principal))
				log_warn("an application waited too long for its nursery "
					 "slot=%u principal=%s",
				    slot->id, slot->queue->principal);
			attach_end(s, slot, slot->queue, HELLO_BUSY);
		}
		if (slot->queue == NULL)
			continue;
		if (slot->queue->until < next)
			next = slot->queue->until;
		if (slot->nursery == NULL) {
			attach_flush(s, slot);
			if (slot->nursery == NULL && slot->queue != NULL &&
			    slot->retry_at < next)
				next = slot->retry_at;
		}
	}
	return next;
}
