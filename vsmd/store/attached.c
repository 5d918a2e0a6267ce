/* attached.c - see attached.h */
#include "vsmd/store/attached.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/log.h"
#include "vsmd/msg.h"
#include "vsmd/store/admin_ask.h"
#include "vsmd/store/clock.h"
#include "vsmd/store/state.h"
#include "vsmd/store/turns.h"
#include "vsmd/store/worker_ask.h"

bool
attached_add(struct store *s, int fd, uint32_t slot, bool admin, const struct grant *g)
{
	struct attach *a = calloc(1, sizeof(*a));
	int flags = fcntl(fd, F_GETFL);

	/* One that does not read its answers must not hold up the others. */
	if (a == NULL || flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
		log_error("a pipe was refused: %s", strerror(errno));
		free(a);
		close(fd);
		return false;
	}
	a->fd = fd;
	a->slot = slot;
	a->admin = admin;
	memcpy(a->principal, g->principal, sizeof(a->principal));
	memcpy(a->peer, g->peer, sizeof(a->peer));
	a->flags = g->flags;
	a->may_init = (g->classes & 1u << CLASS_INIT) != 0;
	buf_init(&a->request, IPC_MAX);
	buf_init(&a->answer, IPC_MAX);
	for (size_t i = 0; i < PIN_USERS; i++)
		buf_init(&a->pin[i], TICKET_PIN_MAX);
	a->next = s->attached;
	s->attached = a;
	return true;
}

/* No more room than for what is there: hundreds may wait. */
static void
shrink(struct buf *b)
{
	struct buf small;

	buf_init(&small, b->max);
	buf_put_raw(&small, b->data, b->len);
	small.pos = b->pos;
	if (!buf_ok(&small)) {
		buf_free(&small);
		return;
	}
	buf_free(b);
	*b = small;
}

void
attached_read(struct store *s, struct attach *a)
{
	bool ok;

	if (ipc_recv(a->fd, &a->request, NULL, NULL) != 0) {
		if (errno != EAGAIN)
			a->dead = true;
		return;
	}
	ok = a->admin ? admin_ask(s, a) : worker_ask(s, a);
	if (!ok) {
		if (log_may(a->principal))
			log_warn(
			    "%s of principal %s (%s) broke the protocol: its pipe is closed",
			    a->admin ? "an administrator's process" : "a worker",
			    a->principal, a->peer);
		a->dead = true;
	}
	/* A thousand idle ones would keep room for a thousand requests. */
	if (a->wait == WAIT_NOTHING)
		buf_free(&a->request);
	else if (!a->admin)
		shrink(&a->request);
}

void
attached_answer(struct attach *a, CK_RV rv, const struct buf *rest)
{
	struct buf b;

	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_W_ANSWER);
	buf_put_u64(&b, rv);
	if (rest != NULL)
		buf_put_raw(&b, rest->data, rest->len);
	if (ipc_send(a->fd, &b, NULL, 0) != 0)
		a->dead = true;
	buf_free(&b);
	buf_free(&a->request);
	buf_free(&a->answer);
	a->wait = WAIT_NOTHING;
	a->turn = 0;
}

void
attached_retry_logins(struct store *s)
{
	int64_t now = clock_ms();
	struct attach **all;
	size_t n;

	all = turns_all(s, &n);
	for (size_t i = 0; i < n; i++) {
		struct attach *a = all[i];

		if (a->look_at > now)
			continue;
		a->wait = WAIT_NOTHING;
		a->request.pos = 0;
		if (!worker_ask(s, a))
			a->dead = true;
	}
	free(all);
}

static void
attached_free(struct attach *a)
{
	close(a->fd);
	buf_free(&a->request);
	buf_free(&a->answer);
	for (size_t i = 0; i < PIN_USERS; i++)
		buf_free(&a->pin[i]);
	free(a);
}

void
attached_reap(struct store *s)
{
	struct attach **at = &s->attached, *a;

	while ((a = *at) != NULL) {
		if (!a->dead) {
			at = &a->next;
			continue;
		}
		*at = a->next;
		admin_ask_gone(s, a);
		attached_free(a);
	}
}

void
attached_end_slot(struct store *s, uint32_t slot)
{
	for (struct attach *a = s->attached; a != NULL; a = a->next)
		if (!a->admin && a->slot == slot)
			a->dead = true;
}
