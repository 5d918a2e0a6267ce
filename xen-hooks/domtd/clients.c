/* clients.c - see server.h: who asks, from the connection to the last reply. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/log.h"
#include "vchan-transport/deadline.h"
#include "xen-hooks/domtd/server.h"
#include "xen-hooks/message/socket.h"

#define ASK_WITHIN 5000 /* ms */

void
clients_accept(struct server *s)
{
	struct seq_peer peer;
	int fd = seq_accept(s->listener, (gid_t)-1, &peer);
	struct client *c = NULL;

	if (fd < 0)
		return;
	for (size_t i = 0; i < CLIENTS && c == NULL; i++)
		if (s->clients[i].state == CLIENT_NONE)
			c = &s->clients[i];
	if (c == NULL || (peer.uid != 0 && peer.uid != s->forward)) {
		if (log_may("clients"))
			log_warn("refused uid=%u pid=%d: %s", (unsigned)peer.uid, (int)peer.pid,
			    c == NULL ? "there are too many"
				      : "it is neither root nor domt-forward's user");
		close(fd);
		return;
	}
	*c = (struct client){.state = CLIENT_ASKING, .fd = fd, .file = -1, .uid = peer.uid,
	    .heard_by = deadline_at(ASK_WITHIN)};
}

void
client_close(struct server *s, struct client *c)
{
	if (s->running.client == c) {
		s->running.client = NULL;
		/* Nobody waits for that file, and its reader may never read; the guest goes on. */
		if (c->r.kind == REQUEST_SAVE && s->running.pid > 0 && !s->running.ended)
			(void)kill(s->running.pid, SIGKILL);
	}
	close(c->fd);
	if (c->file >= 0)
		close(c->file);
	memset(c, 0, sizeof(*c));
	c->fd = c->file = -1;
}

void
client_pass(struct server *s, struct client *c, const struct buf *b)
{
	c->heard_by = deadline_at(MESSAGE_BEAT);
	if (ipc_send(c->fd, b, NULL, 0) < 0)
		client_close(s, c);
}

void
client_say(struct server *s, struct client *c, enum reply_kind kind, const char *text)
{
	struct buf b;

	buf_init(&b, MESSAGE_MAX);
	reply_write(&b, kind, text);
	client_pass(s, c, &b);
	buf_free(&b);
	if (c->state != CLIENT_NONE && reply_last(kind))
		client_close(s, c);
}

void
client_lost(struct server *s, struct client *c, const char *text)
{
	client_say(s, c, c->r.kind == REQUEST_SAVE ? REPLY_NOTE : REPLY_ERROR, text);
	if (c->state != CLIENT_NONE)
		client_close(s, c);
}

static void
asked(struct server *s, struct client *c)
{
	bool file = request_has_file(c->r.kind);

	/* root may ask without domt-forward, and is who it says. */
	log_info("%s%s%s for %s, uid %u", request_word(c->r.kind), c->r.pair[0] != '\0' ? " " : "",
	    c->r.pair, c->r.by[0] != '\0' ? c->r.by : "itself", (unsigned)c->uid);
	if (file != (c->file >= 0)) {
		client_say(s, c, REPLY_ERROR,
		    file ? "the request came without its file" : "a file came with the request");
		return;
	}
	if (c->r.kind == REQUEST_LIST) {
		c->state = CLIENT_SERVED;
		look_list(s, c);
		return;
	}
	c->state = CLIENT_WAITING;
	c->turn = s->turn++;
	c->heard_by = deadline_at(MESSAGE_BEAT);
}

void
client_read(struct server *s, struct client *c)
{
	int fds[IPC_MAX_FDS];
	size_t n = 0;
	struct buf b;
	bool ok;

	buf_init(&b, IPC_MAX);
	if (ipc_recv(c->fd, &b, fds, &n) < 0) {
		if (errno != EAGAIN)
			client_close(s, c);
		buf_free(&b);
		return;
	}
	ok = c->state == CLIENT_ASKING && n <= 1 && request_read(&b, &c->r);
	buf_free(&b);
	/* Who asked already has nothing more to say, and is refused like who cannot. */
	for (size_t i = ok ? 1 : 0; i < n; i++)
		close(fds[i]);
	if (ok && n == 1)
		c->file = fds[0];
	if (ok)
		asked(s, c);
	else
		client_say(s, c, REPLY_ERROR, "malformed request: upgrade caas or domtd");
}

int
clients_tick(struct server *s)
{
	int64_t first = DEADLINE_NEVER;
	char text[WORD_MAX + 32];

	for (size_t i = 0; i < CLIENTS; i++) {
		struct client *c = &s->clients[i];

		if (c->state == CLIENT_NONE)
			continue;
		if (deadline_left(c->heard_by) == 0) {
			if (c->state == CLIENT_ASKING) {
				client_close(s, c);
				continue;
			}
			snprintf(text, sizeof(text), "%s: %s",
			    s->running.client == c ? "at it" : "waiting for",
			    s->running.what);
			client_say(s, c, REPLY_PROGRESS, text);
		}
		if (c->state != CLIENT_NONE && c->heard_by < first)
			first = c->heard_by;
	}
	return deadline_left(first);
}

struct client *
clients_next(struct server *s)
{
	struct client *next = NULL;

	for (size_t i = 0; i < CLIENTS; i++) {
		struct client *c = &s->clients[i];

		if (c->state == CLIENT_WAITING && (next == NULL || c->turn < next->turn))
			next = c;
	}
	return next;
}
