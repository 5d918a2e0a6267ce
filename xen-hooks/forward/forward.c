/* forward.c - see forward.h */
#include "xen-hooks/forward/forward.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/log.h"
#include "vchan-transport/deadline.h"

#define ASK_WITHIN 5000 /* ms */

enum { AT_SIGNALS, AT_LISTENER, AT_CLIENTS };

static void
drop(struct forward_client *c)
{
	close(c->fd);
	if (c->up >= 0)
		close(c->up);
	c->fd = c->up = -1;
}

/* The last that it hears. */
static void
refuse(struct forward_client *c, const char *why)
{
	struct buf b;

	buf_init(&b, MESSAGE_MAX);
	reply_write(&b, REPLY_ERROR, why);
	(void)ipc_send(c->fd, &b, NULL, 0);
	buf_free(&b);
	drop(c);
}

static void
take_client(struct forward *f)
{
	struct forward_client *c = NULL, late = {.up = -1};
	char who[24];

	late.fd = seq_accept(f->listener, f->admins, &late.peer);
	if (late.fd < 0)
		return;
	for (size_t i = 0; i < FORWARD_CLIENTS && c == NULL; i++)
		if (f->clients[i].fd < 0)
			c = &f->clients[i];
	snprintf(who, sizeof(who), "uid %u", (unsigned)late.peer.uid);
	if (late.peer.uid != 0 && !late.peer.member) {
		if (log_may(who))
			log_warn("refused uid=%u pid=%d: it is neither root nor in the group of "
				 "administrators",
			    (unsigned)late.peer.uid, (int)late.peer.pid);
		refuse(&late, "only root and the group caas-admin may ask");
	} else if (c == NULL) {
		refuse(&late, "there are too many requests: try again");
	} else {
		*c = late;
		c->until = deadline_at(ASK_WITHIN);
	}
}

/* b: the request as it came, which is replaced by what goes on. */
static int
pass_up(const struct forward *f, struct forward_client *c, struct buf *b, const int *fds,
    size_t nfds)
{
	struct request r;

	if (nfds > 1 || !request_read(b, &r) || request_has_file(r.kind) != (nfds == 1)) {
		refuse(c, "malformed request: upgrade caas or domt-forward");
		return -1;
	}
	snprintf(r.by, sizeof(r.by), "uid %u pid %d", (unsigned)c->peer.uid, (int)c->peer.pid);
	log_info("%s%s%s for %s", request_word(r.kind), r.pair[0] != '\0' ? " " : "", r.pair, r.by);
	request_write(b, &r);
	c->up = seq_connect(f->domtd);
	if (c->up < 0 || ipc_send(c->up, b, fds, nfds) < 0) {
		log_error("%s: %s", f->domtd, strerror(errno));
		refuse(c, "domtd cannot be reached: does it run?");
		return -1;
	}
	c->until = deadline_at(MESSAGE_SILENCE);
	return 0;
}

static void
from_client(const struct forward *f, struct forward_client *c)
{
	int fds[IPC_MAX_FDS];
	size_t n = 0;
	struct buf b;
	bool asked = c->up >= 0;

	buf_init(&b, IPC_MAX);
	if (ipc_recv(c->fd, &b, fds, &n) < 0) {
		if (errno != EAGAIN)
			drop(c);
	} else if (asked) {
		refuse(c, "one request is one connection");
	} else {
		(void)pass_up(f, c, &b, fds, n);
	}
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	buf_free(&b);
}

/* A client that does not take what is said to it is given up. */
static void
from_domtd(struct forward_client *c)
{
	struct buf b;

	buf_init(&b, IPC_MAX);
	if (ipc_recv(c->up, &b, NULL, NULL) < 0 || b.len > MESSAGE_MAX ||
	    ipc_send(c->fd, &b, NULL, 0) < 0)
		drop(c);
	else
		c->until = deadline_at(MESSAGE_SILENCE);
	buf_free(&b);
}

/* ms until the next has been silent for too long. */
static int
tick(struct forward *f)
{
	int64_t first = DEADLINE_NEVER;

	for (size_t i = 0; i < FORWARD_CLIENTS; i++) {
		struct forward_client *c = &f->clients[i];

		if (c->fd >= 0 && deadline_left(c->until) == 0) {
			/* What has become of a request that domtd has is not ours to say. */
			if (c->up >= 0) {
				log_error("domtd gives no sign of life");
				drop(c);
			} else {
				refuse(c, "no request came");
			}
		}
		if (c->fd >= 0 && c->until < first)
			first = c->until;
	}
	return deadline_left(first);
}

static bool
turn(struct forward *f)
{
	struct pollfd p[AT_CLIENTS + 2 * FORWARD_CLIENTS];
	int wait = tick(f), left_out = log_left_out();

	if (wait < 0 || (left_out >= 0 && left_out < wait))
		wait = left_out;
	p[AT_SIGNALS] = (struct pollfd){.fd = f->signals, .events = POLLIN};
	p[AT_LISTENER] = (struct pollfd){.fd = f->listener, .events = POLLIN};
	for (size_t i = 0; i < FORWARD_CLIENTS; i++) {
		const struct forward_client *c = &f->clients[i];

		p[AT_CLIENTS + 2 * i] = (struct pollfd){.fd = c->fd, .events = POLLIN};
		p[AT_CLIENTS + 2 * i + 1] = (struct pollfd){.fd = c->up, .events = POLLIN};
	}
	if (poll(p, sizeof(p) / sizeof(p[0]), wait) < 0) {
		if (errno != EINTR)
			log_fatal("poll: %s", strerror(errno));
		return true;
	}
	if (p[AT_SIGNALS].revents != 0)
		return false;
	for (size_t i = 0; i < FORWARD_CLIENTS; i++) {
		struct forward_client *c = &f->clients[i];

		/* The replies first: the last one is said before the end is looked at. */
		if (c->up >= 0 && p[AT_CLIENTS + 2 * i + 1].revents != 0)
			from_domtd(c);
		else if (c->fd >= 0 && p[AT_CLIENTS + 2 * i].revents != 0)
			from_client(f, c);
	}
	if (p[AT_LISTENER].revents != 0)
		take_client(f);
	return true;
}

void
forward_run(struct forward *f)
{
	for (size_t i = 0; i < FORWARD_CLIENTS; i++)
		f->clients[i].fd = f->clients[i].up = -1;
	while (turn(f))
		continue;
	for (size_t i = 0; i < FORWARD_CLIENTS; i++)
		if (f->clients[i].fd >= 0)
			drop(&f->clients[i]);
}
