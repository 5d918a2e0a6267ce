/* loop.c - see loop.h */
#include "vchan-transport/agent/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "common/log.h"
#include "protocol/hello.h"
#include "vchan-transport/relay.h"
#include "vchan-transport/deadline.h"

#define DRAIN_MS 1000 /* for bytes held when the agent is stopped */
#define PAUSE_MS 100  /* without accepting, when there are no descriptors left */
#define ACCEPT_BATCH 16

enum { AT_SIGNALS, AT_WATCH, AT_LISTENER, AT_CONNECTOR, AT_RELAYS };

struct loop {
	const struct options *o;
	struct listener *listener; /* NULL once stopping */
	struct connector *connector;
	struct couple_watch *watch; /* NULL: upstream says by itself that it is gone */
	struct relay **relays;
	struct pollfd *polls; /* AT_*, then two for each relay */
	size_t n;             /* relays */
	size_t connecting;
	size_t stale;         /* the first of these: begun before the domain changed */
	bool refusing;        /* said so already */
	int64_t accept_at;    /* no accepting before, 0 any time */
};

/* What the next poll is for; its timeout in milliseconds. */
static int
prepare(struct loop *l, bool stopping)
{
	bool now = false;

	l->polls[AT_LISTENER].fd = -1;
	if (!stopping && (l->accept_at == 0 || deadline_left(l->accept_at) == 0)) {
		l->polls[AT_LISTENER].fd = listener_fd(l->listener);
		l->accept_at = 0;
	}
	for (size_t i = 0; i < l->n; i++)
		now |= relay_poll(l->relays[i], &l->polls[AT_RELAYS + 2 * i], stopping);
	if (now)
		return 0;
	return l->accept_at != 0 ? PAUSE_MS : log_left_out();
}

/* While vsmd is away applications ask again and again. */
static bool
may_log(const struct peer *peer)
{
	char who[24];

	snprintf(who, sizeof(who), "uid %u", peer->id);
	return log_may(who);
}

static void
take_connections(struct loop *l)
{
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		struct peer peer;
		struct channel *c = listener_accept(l->listener, &peer);

		if (c == NULL && errno != EAGAIN) {
			log_warn("accept: %s", transport_strerror(l->o->listen, errno));
			l->accept_at = deadline_at(PAUSE_MS);
		}
		if (c == NULL)
			return;
		if (l->n + l->connecting < l->o->max_connections &&
		    connector_submit(l->connector, c, &peer)) {
			l->connecting++;
			continue;
		}
		/* One line for a flood of them. */
		if (!l->refusing)
			log_warn("refused uid=%u pid=%u: there are %zu connections, the limit "
				 "(--max-connections)",
			    peer.id, peer.pid, l->n + l->connecting);
		l->refusing = true;
		channel_close(c);
	}
}

static void
tell_closed(const struct loop *l)
{
	if (transport_closed(l->watch) < 0)
		log_warn("XenStore: %s: who saves this domain waits in vain", strerror(errno));
}

/* In the hello, whatever the application wrote there itself. */
static bool
tell_whose(uint8_t *hello, size_t len, const struct peer *whose)
{
	return hello_ask_hint(hello, len, whose->id, whose->gid);
}

static void
take_channels(struct loop *l)
{
	struct channel *local, *upstream;
	struct peer peer;
	int err;

	while (connector_result(l->connector, &local, &upstream, &peer, &err)) {
		l->connecting--;
		if (l->stale > 0) {
			if (upstream != NULL)
				channel_close(upstream);
			channel_close(local);
			if (--l->stale == 0)
				tell_closed(l);
			continue;
		}
		if (upstream == NULL) {
			if (err == ECANCELED)
				log_debug("uid=%u pid=%u left before its turn", peer.id, peer.pid);
			else if (may_log(&peer))
				log_warn("no channel for uid=%u pid=%u: %s", peer.id, peer.pid,
				    transport_strerror(l->o->upstream, err));
			channel_close(local);
			continue;
		}
		if ((l->relays[l->n] = relay_new(local, upstream)) == NULL) {
			log_warn("no memory for uid=%u pid=%u", peer.id, peer.pid);
			continue;
		}
		relay_hold(l->relays[l->n], tell_whose, &peer);
		log_debug("relaying for uid=%u pid=%u", peer.id, peer.pid);
		/* Not polled yet: the first look at it finds nothing at worst. */
		memset(&l->polls[AT_RELAYS + 2 * l->n], 0, 2 * sizeof(struct pollfd));
		l->n++;
	}
}

static void
move_bytes(struct loop *l, bool stopping)
{
	for (size_t i = 0; i < l->n;) {
		struct pollfd *p = &l->polls[AT_RELAYS + 2 * i];

		if ((p[0].events && !p[0].revents && p[1].events && !p[1].revents) ||
		    relay_move(l->relays[i], p, stopping)) {
			i++;
			continue;
		}
		relay_free(l->relays[i]);
		l->n--;
		l->refusing = false;
		l->relays[i] = l->relays[l->n];
		memcpy(p, &l->polls[AT_RELAYS + 2 * l->n], 2 * sizeof(*p));
	}
}

static bool
all_empty(const struct loop *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (!relay_empty(l->relays[i]))
			return false;
	return true;
}

/* One turn.  False when a signal asks to stop, or the time is up. */
static bool
turn(struct loop *l, bool stopping, int64_t until)
{
	int wait = prepare(l, stopping);
	struct pollfd *p = l->polls;

	if (stopping && wait != 0)
		wait = deadline_left(until);
	if (poll(p, AT_RELAYS + 2 * l->n, wait) < 0) {
		if (errno != EINTR)
			log_fatal("poll: %s", strerror(errno));
		return true;
	}
	if (p[AT_SIGNALS].revents != 0 && !stopping)
		return false;
	if (p[AT_WATCH].revents != 0 && transport_changed(l->watch)) {
		log_info("the domain of vsmd is another, or was restarted upstream=%s",
		    l->o->upstream);
		while (l->n > 0)
			relay_free(l->relays[--l->n]);
		l->stale = l->connecting;
		if (l->stale == 0)
			tell_closed(l);
		return true;
	}
	move_bytes(l, stopping);
	if (!stopping && p[AT_CONNECTOR].revents != 0)
		take_channels(l);
	if (!stopping && p[AT_LISTENER].fd >= 0 && p[AT_LISTENER].revents != 0)
		take_connections(l);
	return !stopping || (!all_empty(l) && deadline_left(until) != 0);
}

void
loop_run(const struct options *o, struct listener *listener, struct connector *c,
    struct couple_watch *watch, int signals)
{
	struct loop l = {.o = o, .listener = listener, .connector = c, .watch = watch};
	int64_t until;

	l.relays = calloc(o->max_connections, sizeof(*l.relays));
	l.polls = calloc(AT_RELAYS + 2 * o->max_connections, sizeof(*l.polls));
	if (l.relays == NULL || l.polls == NULL)
		log_fatal("no memory for %zu connections", o->max_connections);
	for (int i = 0; i < AT_RELAYS; i++)
		l.polls[i].events = POLLIN;
	l.polls[AT_SIGNALS].fd = signals;
	l.polls[AT_CONNECTOR].fd = connector_fd(c);
	l.polls[AT_WATCH].fd = watch != NULL ? transport_watch_fd(watch) : -1;
	if (watch != NULL)
		tell_closed(&l);
	while (turn(&l, false, 0))
		continue;

	log_info("stopping");
	(void)sd_notify(0, "STOPPING=1");
	listener_close(l.listener);
	l.polls[AT_SIGNALS].fd = l.polls[AT_CONNECTOR].fd = -1;
	until = deadline_at(DRAIN_MS);
	while (turn(&l, true, until))
		continue;
	while (l.n > 0)
		relay_free(l.relays[--l.n]);
	free(l.relays);
	free(l.polls);
}
