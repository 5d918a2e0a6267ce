/* loop.c - see loop.h */
#include "vsmd/store/loop.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/log.h"
#include "vsmd/msg.h"
#include "vsmd/policy/grant.h"
#include "vsmd/store/admin_ask.h"
#include "vsmd/store/commit.h"
#include "vsmd/store/dirwatch.h"
#include "vsmd/store/lazy.h"
#include "vsmd/store/sealer.h"

#define GATE_RETRY 2	/* ms until a taken gate is tried again */
#define LOGIN_RETRY 100 /* ms until a waiting login is looked at again */
#define SEALER_LOOK 1000 /* ms until the TPM's deadline is looked at again */

static bool
take_attach(struct store *s, struct buf *b, const int *fds, size_t nfds)
{
	uint32_t slot = buf_get_u32(b);
	uint8_t kind = buf_get_u8(b);
	struct grant *g = malloc(sizeof(*g));
	bool ok = g != NULL && grant_read(b, g) && buf_end(b) && kind <= 1 && nfds == 1;

	const struct slot *known = slot_table_find(&s->slots, slot);

	if (ok && kind == 0 && (known == NULL || known->rolled_back)) {
		log_warn("slot %" PRIu32 " is no more: a worker's pipe is closed", slot);
		close(fds[0]);
	} else if (ok) {
		(void)attached_add(s, fds[0], slot, kind == 1, g);
	}
	free(g);
	return ok;
}

static bool
take_discarded(struct store *s, struct buf *b)
{
	struct slot *slot;
	uint32_t number = buf_get_u32(b);

	if (!buf_end(b))
		return false;
	if ((slot = slot_table_find(&s->slots, number)) != NULL)
		store_discarded(s, slot);
	return true;
}

void
loop_supervisor(struct store *s)
{
	int fds[IPC_MAX_FDS];
	size_t nfds = 0;
	struct buf b;
	bool ok;

	buf_init(&b, IPC_MAX);
	if (ipc_recv(s->supervisor, &b, fds, &nfds) != 0) {
		if (errno != EAGAIN)
			s->gone = true;
		buf_free(&b);
		return;
	}
	switch (buf_get_u8(&b)) {
	case M_S_ATTACH:
		ok = take_attach(s, &b, fds, nfds);
		nfds = ok ? 0 : nfds;
		break;
	case M_S_DISCARDED:
		ok = take_discarded(s, &b);
		break;
	case M_S_STOP:
		ok = s->stopping = true;
		break;
	default:
		ok = false;
	}
	for (size_t i = 0; i < nfds; i++)
		close(fds[i]);
	if (!ok) {
		log_error("a message of the supervisor makes no sense: stopping");
		s->gone = true;
	}
	buf_free(&b);
}

/* The supervisor, inotify, vsmd-tpm; then all that are attached. */
#define POLLED_FIRST 3

struct polled {
	struct pollfd *fds;
	size_t n, size;
};

static bool
add(struct polled *p, int fd, short events)
{
	if (p->n == p->size) {
		size_t size = p->size ? p->size * 2 : 64;
		struct pollfd *fds = realloc(p->fds, size * sizeof(*fds));

		if (fds == NULL)
			return false;
		p->fds = fds;
		p->size = size;
	}
	p->fds[p->n++] = (struct pollfd){.fd = fd, .events = events};
	return true;
}

/* Those that wait for an answer are only asked whether they are still there. */
static bool
gather(struct store *s, struct polled *p, bool busy, int *timeout)
{
	bool ok, sealing = s->sealer->event != NULL;
	int lazy = lazy_timeout(s), log = log_left_out();

	p->n = 0;
	*timeout = busy ? 0 : s->gate_busy ? GATE_RETRY : -1;
	ok = add(p, s->supervisor, POLLIN) && add(p, s->watch, POLLIN) &&
	     add(p, sealing ? s->sealer->fd : -1, POLLIN);
	if (sealing && *timeout < 0)
		*timeout = SEALER_LOOK;
	if (lazy >= 0 && (*timeout < 0 || lazy < *timeout))
		*timeout = lazy;
	if (log >= 0 && (*timeout < 0 || log < *timeout))
		*timeout = log;
	for (struct attach *a = s->attached; ok && a != NULL; a = a->next) {
		ok = add(p, a->hung ? -1 : a->fd, a->wait == WAIT_NOTHING ? POLLIN : 0);
		if (a->wait == WAIT_LOGIN && (*timeout < 0 || *timeout > LOGIN_RETRY))
			*timeout = LOGIN_RETRY;
	}
	return ok;
}

/* A worker that asks for a commit and ends before the answer must not have changed the
 * token without a record: its commit is made, its answer goes nowhere. */
static void
gone(struct attach *a)
{
	if (a->wait == WAIT_COMMIT || a->wait == WAIT_DURABLE)
		a->hung = true;
	else
		a->dead = true;
}

static void
serve(struct store *s, const struct polled *p)
{
	size_t i = POLLED_FIRST;

	/* Workers first: the list is still the one that was polled. */
	for (struct attach *a = s->attached; a != NULL && i < p->n; a = a->next, i++) {
		short got = p->fds[i].revents;

		if (got & POLLIN)
			attached_read(s, a);
		else if (got & (POLLHUP | POLLERR | POLLNVAL))
			gone(a);
	}
	if (p->fds[1].revents != 0 && dirwatch_read(s->watch, &s->slots) != 0)
		log_fatal("inotify: %s: restarting", strerror(errno));
	admin_tpm_tick(s, p->fds[2].revents != 0);
	if (p->fds[0].revents != 0)
		loop_supervisor(s);
}

int
loop_run(struct store *s)
{
	struct polled p = {0};
	bool verifying = false;
	int timeout;

	while (!s->stopping && !s->gone) {
		if (!gather(s, &p, verifying, &timeout))
			log_fatal("out of memory: restarting");
		if (poll(p.fds, p.n, timeout) < 0) {
			if (errno == EINTR)
				continue;
			log_fatal("poll: %s: restarting", strerror(errno));
		}
		serve(s, &p);
		attached_retry_logins(s);
		commit_run(s);
		lazy_run(s, false);
		attached_reap(s);
		verifying = admin_ask_verify(s);
	}
	/* What waited in this round is committed; a gate that is still taken now belongs
	 * to a call that will not be answered. */
	lazy_run(s, true);
	free(p.fds);
	return 0;
}
