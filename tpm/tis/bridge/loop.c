/* loop.c - see loop.h */
#include "tpm/tis/bridge/loop.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/secmem.h"

#define PATIENCE 60000 /* ms until other localities have given the TPM back */
#define PAUSE 100      /* ms without accepting, when that failed */

enum { AT_SIGNALS, AT_LISTENER, AT_CLIENTS };

struct client {
	int fd;
	size_t have;
	uint8_t command[TIS_MAX];
};

struct loop {
	struct tis *tis;
	int listener;
	struct client clients[LOOP_CLIENTS];
	size_t n;
	struct pollfd polls[AT_CLIENTS + LOOP_CLIENTS];
	bool pausing;
};

static void
let_go(struct loop *l, size_t i)
{
	struct client *last = &l->clients[--l->n];

	close(l->clients[i].fd);
	if (&l->clients[i] != last)
		l->clients[i] = *last;
	sec_wipe(last, sizeof(*last));
}

/* The command is whole: false when the client cannot be served any more. */
static bool
serve(struct loop *l, struct client *c)
{
	uint8_t response[TIS_MAX];
	size_t len;
	enum tis_result r = tis_exchange(
	    l->tis, c->command, c->have, PATIENCE, response, sizeof(response), &len);
	bool ok = r == TIS_OK;

	if (!ok && log_may("TPM"))
		log_error("a command was not answered: %s", tis_text(r));
	if (ok)
		ok = send(c->fd, response, len, MSG_NOSIGNAL) == (ssize_t)len;
	sec_wipe(c->command, c->have);
	sec_wipe(response, sizeof(response));
	c->have = 0;
	return ok;
}

/* Reads what is there of one command, and no more.  False: its end. */
static bool
take_bytes(struct loop *l, struct client *c)
{
	size_t want = c->have < TIS_HEADER ? TIS_HEADER : tis_size(c->command);
	ssize_t n = recv(c->fd, c->command + c->have, want - c->have, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	c->have += (size_t)n;
	if (c->have < TIS_HEADER)
		return true;
	want = tis_size(c->command);
	if (want < TIS_HEADER || want > sizeof(c->command)) {
		if (log_may("client"))
			log_warn("a client sends what is no command of a TPM: let go");
		return false;
	}
	return c->have < want || serve(l, c);
}

static void
take_connection(struct loop *l)
{
	int fd = accept4(l->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		l->pausing = errno != EAGAIN && errno != EINTR && errno != ECONNABORTED;
		return;
	}
	if (l->n == LOOP_CLIENTS) {
		if (log_may("client"))
			log_warn("refused: there are %d connections", LOOP_CLIENTS);
		close(fd);
		return;
	}
	l->clients[l->n++] = (struct client){.fd = fd};
}

static int
prepare(struct loop *l)
{
	l->polls[AT_LISTENER].fd = l->pausing ? -1 : l->listener;
	for (size_t i = 0; i < l->n; i++)
		l->polls[AT_CLIENTS + i] =
		    (struct pollfd){.fd = l->clients[i].fd, .events = POLLIN};
	return l->pausing ? PAUSE : log_left_out();
}

void
loop_run(struct tis *t, int listener, int signals)
{
	static struct loop l;

	l = (struct loop){.tis = t, .listener = listener};
	l.polls[AT_SIGNALS] = (struct pollfd){.fd = signals, .events = POLLIN};
	l.polls[AT_LISTENER].events = POLLIN;
	for (;;) {
		int wait = prepare(&l);
		size_t n = l.n;

		if (poll(l.polls, AT_CLIENTS + n, wait) < 0) {
			if (errno != EINTR)
				log_fatal("poll: %s", strerror(errno));
			continue;
		}
		l.pausing = false;
		if (l.polls[AT_SIGNALS].revents != 0)
			break;
		/* From the last: who is let go gives its place to one that was looked at. */
		while (n-- > 0)
			if (l.polls[AT_CLIENTS + n].revents != 0 &&
			    !take_bytes(&l, &l.clients[n]))
				let_go(&l, n);
		if (l.polls[AT_LISTENER].fd >= 0 && l.polls[AT_LISTENER].revents != 0)
			take_connection(&l);
	}
	while (l.n > 0)
		let_go(&l, l.n - 1);
}
