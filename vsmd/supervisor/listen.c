/* listen.c - the addresses where guests come in. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "common/log.h"
#include "vsmd/supervisor/super.h"

#define BURST 16  /* connections taken at one event: others have their turn */
#define PAUSE 500 /* ms without accepting after descriptors ran out */

static void
on_listener(struct super *s, struct watch *w, uint32_t events)
{
	struct listener *l = s->listening[w - s->listeners];
	struct channel *channel;
	struct peer peer;
	int error = EAGAIN;

	(void)events;
	for (int i = 0; i < BURST; i++) {
		memset(&peer, 0, sizeof(peer));
		if ((channel = listener_accept(l, &peer)) == NULL) {
			error = errno;
			break;
		}
		greet_begin(s, channel, &peer);
	}
	if (error != EMFILE && error != ENFILE && error != ENOMEM && error != ENOBUFS)
		return;
	if (log_may("listen"))
		log_error("cannot accept: %s", strerror(error));
	for (size_t i = 0; i < s->nlisteners; i++)
		watch_events(s, &s->listeners[i], 0);
	s->accept_again = now_ms() + PAUSE;
}

/* Sockets of the service manager (sd_listen_fds(3)), of which some are taken. */
struct passed {
	int fd[CONFIG_MAX_LISTEN];
	size_t n;
};

static void
passed_get(struct passed *p)
{
	int n = sd_listen_fds(1);

	p->n = 0;
	for (int i = 0; i < n; i++) {
		if (p->n < CONFIG_MAX_LISTEN)
			p->fd[p->n++] = SD_LISTEN_FDS_START + i;
		else
			(void)close(SD_LISTEN_FDS_START + i);
	}
}

/* One that listens at the address, or NULL. */
static struct listener *
passed_take(struct passed *p, const char *address)
{
	struct listener *l;

	for (size_t i = 0; i < p->n; i++)
		if (p->fd[i] >= 0 && (l = transport_adopt(address, p->fd[i])) != NULL) {
			p->fd[i] = -1;
			return l;
		}
	return NULL;
}

static void
passed_close(struct passed *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->fd[i] >= 0) {
			log_warn("a socket of the service manager listens at none of the "
				 "addresses of `listen`, and is closed");
			(void)close(p->fd[i]);
		}
}

/*
 * The mode of a socket that somebody else holds is his: it was there before us, and stays.
 * Who has said another one in vsmd.conf relies on it in vain.
 */
static void
compare_mode(const struct config_settings *c, const struct listener *l, const char *address)
{
	struct sockaddr_un sa;
	socklen_t len = sizeof(sa) - 1;
	struct stat st;

	memset(&sa, 0, sizeof(sa));
	if (!c->socket_mode_set || getsockname(listener_fd(l), (struct sockaddr *)&sa, &len) < 0 ||
	    sa.sun_family != AF_UNIX || sa.sun_path[0] == '\0' || stat(sa.sun_path, &st) < 0 ||
	    (st.st_mode & 0777) == c->socket_mode)
		return;
	log_warn("the socket was passed by the service manager with mode %04o, and keeps it: "
		 "socket-mode=%04o has no effect, set SocketMode= in vsmd.socket address=%s",
	    (unsigned)st.st_mode & 0777, c->socket_mode, address);
}

int
listen_open(struct super *s)
{
	const struct config_settings *c = config_settings(s->boot);
	struct passed passed;

	passed_get(&passed);
	for (size_t i = 0; i < c->nlisten; i++) {
		struct listener *l = passed_take(&passed, c->listen[i]);
		bool adopted = l != NULL;
		struct watch *w = &s->listeners[s->nlisteners];

		if (transport_stays(c->listen[i])) {
			if (vchan_open(s, c->listen[i]) < 0)
				return -1;
			continue;
		}
		if (l == NULL &&
		    (l = transport_listen(c->listen[i], c->socket_mode)) == NULL) {
			log_error(
			    "cannot listen: %s", transport_strerror(c->listen[i], errno));
			return -1;
		}
		s->listening[s->nlisteners++] = l;
		w->ready = on_listener;
		if (watch_add(s, w, listener_fd(l), EPOLLIN) < 0) {
			log_error("cannot listen: %s", strerror(errno));
			return -1;
		}
		log_info("listening address=%s%s", c->listen[i],
		    adopted ? " socket=passed" : "");
		if (adopted)
			compare_mode(c, l, c->listen[i]);
	}
	passed_close(&passed);
	s->accept_again = NEVER;
	return 0;
}

void
listen_close(struct super *s)
{
	for (size_t i = 0; i < s->nlisteners; i++) {
		(void)watch_remove(s, &s->listeners[i]);
		listener_close(s->listening[i]);
	}
	s->nlisteners = 0;
	vchan_close_all(s);
	s->accept_again = NEVER;
}

int64_t
listen_tick(struct super *s, int64_t now)
{
	if (s->nlisteners == 0)
		return NEVER;
	if (now >= s->accept_again) {
		for (size_t i = 0; i < s->nlisteners; i++)
			watch_events(s, &s->listeners[i], EPOLLIN);
		s->accept_again = NEVER;
	}
	return s->accept_again;
}
