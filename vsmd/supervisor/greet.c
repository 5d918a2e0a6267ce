/*
 * greet.c - the first 64 bytes of a peer: who is it, and what may it have?
 *
 * Nothing here trusts the peer: the hello has a fixed size and a deadline, and peers
 * that have not said it yet are few in all and fewer for each identity.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/log.h"
#include "vchan-transport/address.h"
#include "vsmd/supervisor/super.h"

/* Who the transport says that it is. */
static void
describe_peer(char dst[GRANT_NAME], const struct peer *peer)
{
	char label[GRANT_NAME];

	switch (peer->kind) {
	case PEER_UID:
		snprintf(dst, GRANT_NAME, "uid %u pid %u", peer->id, peer->pid);
		return;
	case PEER_CID:
		snprintf(dst, GRANT_NAME, "cid %u", peer->id);
		return;
	case PEER_DOMID:
		log_quote(
		    label, 40, peer->label, strnlen(peer->label, sizeof(peer->label)));
		if (peer->id == ADDRESS_COUPLED)
			snprintf(dst, GRANT_NAME, "domid coupled");
		else
			snprintf(dst, GRANT_NAME, "domid %u%s%.39s", peer->id,
			    label[0] ? " " : "", label);
		return;
	}
	snprintf(dst, GRANT_NAME, "unknown");
}

/* And who an agent says that it speaks for. */
static void
describe(char dst[GRANT_NAME], const struct peer *peer, const struct hello_hint *hint)
{
	char by[32];
	size_t len;

	describe_peer(dst, peer);
	if (!hint->given)
		return;
	len = (size_t)snprintf(by, sizeof(by), " agent-uid %u", hint->uid);
	if (strlen(dst) + len < GRANT_NAME)
		memcpy(dst + strlen(dst), by, len + 1);
}

/* May a line be logged that the peer causes?  Its process changes, its identity does not. */
static bool
may_log(const struct peer *peer)
{
	char who[40];

	snprintf(who, sizeof(who), "peer %d %u", (int)peer->kind, peer->id);
	return log_may(who);
}

/* Send and close.  What does not fit into the transport's own buffer is not waited for:
 * the peer reads nothing. */
static void
answer(struct super *s, struct channel *channel, enum hello_status status,
    const uint8_t *slots, uint32_t count)
{
	struct hello_answer a = {.version = HELLO_VERSION,
	    .status = status,
	    .count = count,
	    .epoch = s->epoch};
	uint8_t bytes[HELLO_LEN];
	struct iovec iov[2] = {{.iov_base = bytes, .iov_len = sizeof(bytes)},
	    {.iov_base = (void *)(uintptr_t)slots,
		.iov_len = (size_t)count * HELLO_SLOT_LEN}};

	memcpy(a.instance, s->instance, sizeof(a.instance));
	hello_answer_write(bytes, &a);
	if (channel_writev(channel, iov, count > 0 ? 2 : 1, 0) < 0)
		log_debug("a peer left before it was answered");
	channel_close(channel);
}

void
greet_refuse(struct super *s, struct channel *channel, enum hello_status status)
{
	answer(s, channel, status, NULL, 0);
}

static void
greet_slots(struct super *s, struct channel *channel, const char *principal,
    const struct hello_hint *hint)
{
	uint8_t *records = calloc(HELLO_MAX_SLOTS, HELLO_SLOT_LEN);
	uint32_t n = 0;

	if (records == NULL) {
		greet_refuse(s, channel, HELLO_FAILED);
		return;
	}
	for (size_t i = 0; i < s->nslots && n < HELLO_MAX_SLOTS; i++) {
		const struct slot *slot = s->slots[i];
		struct hello_slot h = {.slot = slot->id,
		    .flags = slot->initialized ? HELLO_SLOT_INITIALIZED : 0};

		if (slot_visible(s, slot, principal, hint))
			hello_slot_write(records + n++ * HELLO_SLOT_LEN, &h);
	}
	answer(s, channel, HELLO_OK, records, n);
	free(records);
}

static void
greet_token(struct super *s, struct channel *channel, const uint8_t *hello,
    const struct hello_ask *ask, struct grant *grant, const char *principal)
{
	struct slot *slot = slot_find(s, ask->slot);
	char peer[GRANT_NAME];
	int fd;

	if (slot == NULL || !slot_visible(s, slot, principal, &ask->hint)) {
		greet_refuse(s, channel, HELLO_NO_SLOT);
		return;
	}
	memcpy(peer, grant->peer, sizeof(peer));
	(void)config_grant(s->config, principal, slot->initialized ? slot->label : NULL,
	    &ask->hint, grant);
	memcpy(grant->peer, peer, sizeof(peer));
	if (slot->state != SLOT_OPEN || !limits_take(s, principal)) {
		s->tally[NUMBER_SUPERVISOR_APPLICATIONS_REFUSED] += slot->state == SLOT_OPEN;
		if (slot->state == SLOT_OPEN && log_may(principal))
			log_warn("too many applications principal=%s", principal);
		greet_refuse(s, channel, HELLO_BUSY);
		return;
	}
	if ((fd = channel_take_fd(channel)) < 0) {
		if (log_may(principal))
			log_error("this transport's channels cannot be handed to a worker: %s",
			    strerror(errno));
		limits_drop(s, principal);
		greet_refuse(s, channel, HELLO_FAILED);
		return;
	}
	attach_add(s, slot, fd, hello, grant);
}

/* The hello is whole: do what it asks for.  The channel is gone afterwards. */
static void
greet_serve(struct super *s, struct channel *channel, const struct peer *peer,
    const uint8_t *hello)
{
	static struct grant grant; /* 80 KiB: not on the stack */
	const char *principal;
	struct hello_ask ask;
	bool ok = hello_ask_read(hello, &ask);

	memset(&grant, 0, sizeof(grant));
	describe(grant.peer, peer, &ask.hint);
	if (!ok) {
		if (may_log(peer))
			log_warn("refused: not a hello peer=\"%s\"", grant.peer);
		channel_close(channel);
		return;
	}
	if (ask.version != HELLO_VERSION) {
		if (may_log(peer))
			log_warn(
			    "refused: speaks protocol version %u, this is %d peer=\"%s\"",
			    ask.version, HELLO_VERSION, grant.peer);
		greet_refuse(s, channel, HELLO_BAD_VERSION);
		return;
	}
	principal = config_principal(s->config, peer, &ask.hint);
	if (principal == NULL || (ask.purpose == HELLO_ADMIN &&
				     !config_is_admin(s->config, principal, &ask.hint))) {
		if (may_log(peer))
			log_warn("refused: %s peer=\"%s\"",
			    principal == NULL ? "no principal of the configuration"
					      : "not an administrator",
			    grant.peer);
		greet_refuse(s, channel, HELLO_REFUSED);
		return;
	}
	if (s->phase != PHASE_SERVE || !s->store.ready)
		greet_refuse(s, channel, HELLO_BUSY);
	else if (ask.purpose == HELLO_SLOTS)
		greet_slots(s, channel, principal, &ask.hint);
	else if (ask.purpose == HELLO_TOKEN)
		greet_token(s, channel, hello, &ask, &grant, principal);
	else {
		snprintf(grant.principal, sizeof(grant.principal), "%s", principal);
		grant.flags = GRANT_ADMIN;
		admin_start(s, channel, hello, &grant);
	}
}

/* Out of the list; the channel is the caller's. */
static struct channel *
greet_free(struct super *s, struct greet *g)
{
	struct channel *channel = g->channel;
	struct greet **at = &s->greets;

	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	(void)watch_remove(s, &g->watch);
	free(g);
	return channel;
}

static void
on_channel(struct super *s, struct watch *w, uint32_t events)
{
	struct greet *g = (struct greet *)w;
	uint8_t hello[HELLO_LEN];
	struct channel *channel;
	struct peer peer;

	(void)events;
	do {
		ssize_t n =
		    channel_read(g->channel, g->bytes + g->got, HELLO_LEN - g->got, 0);

		if (n < 0 && (errno == ETIMEDOUT || errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			channel_close(greet_free(s, g));
			return;
		}
		g->got += (size_t)n;
	} while (g->got < HELLO_LEN && channel_pending(g->channel));
	if (g->got < HELLO_LEN)
		return;
	memcpy(hello, g->bytes, sizeof(hello));
	peer = g->peer;
	channel = greet_free(s, g);
	greet_serve(s, channel, &peer, hello);
}

unsigned
greet_count(const struct super *s)
{
	unsigned n = 0;

	for (const struct greet *g = s->greets; g != NULL; g = g->next)
		n++;
	return n;
}

unsigned
greet_most(const struct super *s)
{
	unsigned most = 0;

	for (const struct greet *g = s->greets; g != NULL; g = g->next) {
		unsigned n = 0;

		for (const struct greet *o = g; o != NULL; o = o->next)
			n += o->peer.kind == g->peer.kind && o->peer.id == g->peer.id;
		most = n > most ? n : most;
	}
	return most;
}

void
greet_begin(struct super *s, struct channel *channel, const struct peer *peer)
{
	struct greet *g = NULL, **at = &s->greets;

	if (!limits_greet(s, peer) || (g = calloc(1, sizeof(*g))) == NULL) {
		if (may_log(peer))
			log_warn("too many peers that have not said hello");
		s->tally[NUMBER_SUPERVISOR_WAITING_REFUSED]++;
		greet_refuse(s, channel, HELLO_BUSY);
		return;
	}
	g->channel = channel;
	g->peer = *peer;
	g->until = now_ms() + GREETS_DEADLINE;
	g->watch.ready = on_channel;
	/* At the end: the list is in the order of the deadlines. */
	while (*at != NULL)
		at = &(*at)->next;
	*at = g;
	if (watch_add(s, &g->watch, channel_poll_fd(channel), EPOLLIN) < 0) {
		g->watch.fd = -1;
		channel_close(greet_free(s, g));
		return;
	}
	if (channel_pending(channel))
		on_channel(s, &g->watch, EPOLLIN);
}

int64_t
greet_tick(struct super *s, int64_t now)
{
	while (s->greets != NULL && s->greets->until <= now) {
		if (may_log(&s->greets->peer))
			log_info("a peer connected and said no hello in time");
		channel_close(greet_free(s, s->greets));
	}
	return s->greets != NULL ? s->greets->until : NEVER;
}

void
greet_close_all(struct super *s, enum hello_status status)
{
	while (s->greets != NULL)
		greet_refuse(s, greet_free(s, s->greets), status);
}
