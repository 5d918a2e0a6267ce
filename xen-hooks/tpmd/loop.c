/* loop.c - see loop.h */
#include "xen-hooks/tpmd/loop.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "vchan-transport/deadline.h"
#include "vsmd/store/wear.h"
#include "xen-hooks/tpmd/client.h"
#include "xen-hooks/tpmd/ports.h"

#define REST_MS	   5000 /* without a question after which the TPM is left alone */
#define PAUSE_MS   100	/* without accepting, when that failed */
#define BUILDER_MS 60000 /* of a builder that says nothing */
#define NOTE_MS	   3600000 /* between two lines about a spent budget */

enum { AT_SIGNALS, AT_LISTENER, AT_BUILDER, AT_PORTS };

struct entry {
	struct client *client;
	struct port *port;
	bool now; /* it can go on without waiting */
};

struct loop {
	struct loop_config config;
	struct service *service;
	struct root *root;

	struct listener *listener; /* for the builder */
	struct pipe builder;	   /* channel NULL: it is not there */

	struct ports ports;
	struct entry clients[LOOP_CLIENTS];
	size_t nclients;
	struct pollfd polls[AT_PORTS + CONTROL_PAIRS + LOOP_CLIENTS];
	size_t polled_ports, polled_clients; /* how many are in polls */
	bool pausing, resting, builder_now;
	bool over; /* the state, or the TPM, is somebody else's */
	struct wear wear;
	uint64_t paid;	 /* commits that wear has heard of */
	int64_t note_at; /* moment from which a spent budget is worth another line */
};

static void
close_client(struct loop *l, size_t i)
{
	client_free(l->clients[i].client);
	l->clients[i] = l->clients[--l->nclients];
}

static void
failed(struct loop *l, const char *what)
{
	const struct ledger *ledger = l->service->ledger;

	if (log_may("TPM"))
		log_error("%s: %s", what, ledger->why);
	if (ledger->strayed)
		l->over = true;
	if (root_lost(l->root)) {
		log_error("the TPM's page cannot be mapped again by this process: restarting");
		l->over = true;
	}
}

/* --- the budget of extensions */

static int64_t
now_ms(void)
{
	return deadline_at(0) / 1000000;
}

static void
note_spent(struct loop *l)
{
	const struct port *most = NULL;

	for (size_t i = 0; i < l->ports.n; i++)
		if (most == NULL || l->ports.port[i]->changes > most->changes)
			most = l->ports.port[i];
	if (most == NULL || deadline_left(l->note_at) > 0)
		return;
	l->note_at = deadline_at(NOTE_MS);
	log_warn("the budget of the TPM's NV memory is spent: changes wait, and share what is left, "
		 "extensions=%u a day; most were asked for by pair=%s, %llu", l->config.extensions,
	    most->who.pair, (unsigned long long)most->changes);
}

static void
pay(struct loop *l)
{
	uint64_t commits = l->service->ledger->commits;

	wear_spend(&l->wear, commits - l->paid, now_ms());
	l->paid = commits;
	if (wear_wait(&l->wear, now_ms()) > 0)
		note_spent(l);
}

/* ms until the pair may change something; 0: now. */
static int
change_wait(const struct loop *l, const struct port *port)
{
	int64_t wear = wear_wait(&l->wear, now_ms());
	int own = port_wait(port, l->config.writes);

	return wear > own ? (int)wear : own;
}

/* --- the builder */

static void
close_builder(struct loop *l)
{
	if (l->builder.channel != NULL)
		pipe_close(&l->builder);
}

/* Channels of domains that are not in the world any more end. */
static void
close_port(void *arg, struct port *port)
{
	struct loop *l = arg;

	for (size_t i = l->nclients; i-- > 0;)
		if (l->clients[i].port == port)
			close_client(l, i);
}

static void
tell_builder(struct loop *l, const struct control_answer *a)
{
	size_t at = l->builder.out.len;

	buf_put_u32(&l->builder.out, 0);
	control_answer_write(&l->builder.out, a);
	if (buf_ok(&l->builder.out))
		buf_set_u32(&l->builder.out, at, (uint32_t)(l->builder.out.len - at - 4));
}

static void
forget(struct loop *l, const char *pair, struct control_answer *a)
{
	size_t removed;

	l->resting = false;
	if (serve_forget(l->service, pair, &removed) < 0) {
		failed(l, "a pair is not forgotten");
		a->ok = false;
		snprintf(a->text, sizeof(a->text), "%.40s %s: %.150s", pair,
		    l->service->ledger->doubt ? "may be forgotten or not" : "is not forgotten",
		    l->service->ledger->why);
		return;
	}
	log_info("forgot pair=%s rows=%zu", pair, removed);
	a->forgotten = (uint32_t)removed;
}

/* False: it is over. */
static bool
take_world(struct loop *l)
{
	struct control_answer a = {.ok = true};
	struct control_world w;

	if (!control_world_read(&l->builder.in, &w)) {
		if (log_may("builder"))
			log_warn("the builder's message is malformed: is it of another version?");
		return false;
	}
	snprintf(a.text, sizeof(a.text), "%s", l->config.note);
	a.ok = ports_become(&l->ports, &w, close_port, l, a.text, sizeof(a.text));
	log_info("the builder tells of pairs=%zu serving=%zu", w.n, l->ports.n);
	if (a.ok && w.forget[0] != '\0')
		forget(l, w.forget, &a);
	pay(l);
	a.rows = (uint32_t)ledger_rows(l->service->ledger)->n;
	control_world_free(&w);
	tell_builder(l, &a);
	return true;
}

static bool
move_builder(struct loop *l)
{
	int r;

	if (pipe_sending(&l->builder))
		return pipe_write(&l->builder) == 0;
	if ((r = pipe_read(&l->builder)) <= 0)
		return r == 0;
	if (!take_world(l))
		return false;
	pipe_next(&l->builder);
	return pipe_write(&l->builder) == 0;
}

static void
accept_builder(struct loop *l)
{
	struct channel *c;
	struct peer peer;

	while ((c = listener_accept(l->listener, &peer)) != NULL) {
		close_builder(l);
		pipe_init(&l->builder, c, CONTROL_MAX);
		l->builder.until = deadline_at(BUILDER_MS);
	}
	l->pausing |= errno != EAGAIN;
}

/* --- crypto domains */

/* The one of a pair that was silent for longest, when the pair has all it may have. */
static void
make_place(struct loop *l, const struct port *port)
{
	size_t n = 0, oldest = 0;

	for (size_t i = 0; i < l->nclients; i++) {
		if (l->clients[i].port != port)
			continue;
		if (n++ == 0 ||
		    l->clients[i].client->since < l->clients[oldest].client->since)
			oldest = i;
	}
	if (n >= LOOP_PER_PAIR)
		close_client(l, oldest);
}

static void
accept_clients(struct loop *l, struct port *port)
{
	struct channel *c;
	struct peer peer;

	for (int i = 0; i < LOOP_PER_PAIR; i++) {
		struct entry e = {.port = port};

		if ((c = listener_accept(port->listener, &peer)) == NULL) {
			l->pausing |= errno != EAGAIN;
			return;
		}
		make_place(l, port);
		if (l->nclients == LOOP_CLIENTS) {
			if (log_may(port->who.pair))
				log_warn("refused pair=%s: there are %d channels", port->who.pair,
				    LOOP_CLIENTS);
			channel_close(c);
		} else if ((e.client = client_new(&port->who, c)) != NULL) {
			l->clients[l->nclients++] = e;
		}
	}
}

/* It changes the state, or may. */
static bool
costs(enum domt_what what)
{
	return what != DOMT_RANDOM && what != DOMT_DIGEST_OF_IMAGE && what != DOMT_READ;
}

static bool
has_turn(const struct loop *l, const struct entry *e)
{
	return e->client->asked && (!costs(e->client->question.what) ||
				       change_wait(l, e->port) == 0);
}

/* What an administrator wants to have seen: keys that were given out, or were not. */
static void
note_answer(const struct port *port, const struct domt_answer *a)
{
	static const char *const did[DOMT_WHATS] = {[DOMT_SEAL] = "sealed a key",
	    [DOMT_UNSEAL] = "was given a key", [DOMT_DEFINE] = "made an anchor"};
	const struct control_pair *who = &port->who;

	if (a->result == TPM_OK && did[a->what] != NULL && log_may(who->pair))
		log_info("pair=%s domid=%u %s%s", who->pair, who->domid, did[a->what],
		    a->updated ? ", its image was approved" : "");
	else if (a->result != TPM_OK && a->result != TPM_UNANCHORED && log_may(who->pair))
		log_warn("refused pair=%s domid=%u: %s", who->pair, who->domid, a->why);
}

static void
answer(struct loop *l, size_t i, const struct domt_answer *a)
{
	if (!client_answer(l->clients[i].client, a))
		close_client(l, i);
}

/* Who has asked hears that it was not done, or that nobody knows. */
static void
answer_failure(struct loop *l, size_t i, enum tpm_result r, const char *why)
{
	const struct domt_question *q = &l->clients[i].client->question;
	struct domt_answer a = {.number = q->number, .what = q->what, .result = r};

	snprintf(a.why, sizeof(a.why), "DomT: %.200s", why);
	answer(l, i, &a);
}

struct round {
	size_t n;
	size_t who[LOOP_CLIENTS];
	struct domt_answer answer[LOOP_CLIENTS];
	struct buf bytes[LOOP_CLIENTS];
};

static void
serve_round(struct loop *l, struct round *r)
{
	enum tpm_result failure = TPM_BUSY;
	const char *what = "what became of the last change is not known";
	bool ok = serve_begin(l->service) == 0;

	for (size_t i = 0; ok && i < r->n; i++) {
		const struct entry *e = &l->clients[r->who[i]];

		if (costs(e->client->question.what))
			port_take(e->port, l->config.writes);
		serve_one(l->service, &e->port->who, &e->client->question, &r->answer[i],
		    &r->bytes[i]);
	}
	if (ok && serve_end(l->service) < 0) {
		ok = false;
		failure = TPM_FAILED;
		what = "a round of questions was refused";
	}
	if (!ok)
		failed(l, what);
	/* From the last: who is closed gives its place to one that was answered. */
	for (size_t i = r->n; i-- > 0;) {
		if (ok) {
			note_answer(l->clients[r->who[i]].port, &r->answer[i]);
			answer(l, r->who[i], &r->answer[i]);
		} else {
			answer_failure(l, r->who[i], failure, l->service->ledger->why);
		}
	}
}

/* All questions that are there. */
static void
serve_all(struct loop *l)
{
	static struct round r;

	r.n = 0;
	for (size_t i = 0; i < l->nclients; i++)
		if (has_turn(l, &l->clients[i])) {
			buf_init(&r.bytes[r.n], DOMT_MESSAGE_MAX);
			r.who[r.n++] = i;
		}
	if (r.n == 0)
		return;
	l->resting = false;
	serve_round(l, &r);
	pay(l);
	for (size_t i = 0; i < r.n; i++)
		buf_free(&r.bytes[i]);
}

/* --- one turn */

static void
sooner(int *wait, int ms)
{
	if (ms >= 0 && (*wait < 0 || ms < *wait))
		*wait = ms;
}

static void
poll_client(struct loop *l, size_t i, struct pollfd *p, int *wait)
{
	struct entry *e = &l->clients[i];

	e->now = false;
	*p = (struct pollfd){.fd = -1};
	if (e->client->asked) { /* it waits for its turn */
		sooner(wait, change_wait(l, e->port));
		return;
	}
	e->now = pipe_poll(&e->client->pipe, p);
	sooner(wait, e->now ? 0 : deadline_left(e->client->pipe.until));
}

/* What the next poll is for; its timeout. */
static int
prepare(struct loop *l)
{
	int wait = log_left_out();

	l->polls[AT_SIGNALS] = (struct pollfd){.fd = l->config.signals, .events = POLLIN};
	l->polls[AT_LISTENER] = (struct pollfd){
	    .fd = l->pausing ? -1 : listener_fd(l->listener), .events = POLLIN};
	l->polls[AT_BUILDER] = (struct pollfd){.fd = -1};
	l->builder_now = false;
	if (l->builder.channel != NULL) {
		l->builder_now = pipe_poll(&l->builder, &l->polls[AT_BUILDER]);
		sooner(&wait, l->builder_now ? 0 : deadline_left(l->builder.until));
	}
	l->polled_ports = l->ports.n;
	for (size_t i = 0; i < l->ports.n; i++)
		l->polls[AT_PORTS + i] = (struct pollfd){
		    .fd = l->pausing ? -1 : listener_fd(l->ports.port[i]->listener),
		    .events = POLLIN};
	l->polled_clients = l->nclients;
	for (size_t i = 0; i < l->nclients; i++)
		poll_client(l, i, &l->polls[AT_PORTS + l->ports.n + i], &wait);
	if (l->pausing)
		sooner(&wait, PAUSE_MS);
	if (!l->resting)
		sooner(&wait, REST_MS);
	return wait;
}

static void
move_clients(struct loop *l)
{
	const struct pollfd *p = &l->polls[AT_PORTS + l->polled_ports];

	for (size_t i = l->polled_clients; i-- > 0;) {
		struct client *c = l->clients[i].client;

		if ((p[i].revents != 0 || l->clients[i].now)
			? !client_move(c, l->root->keys->identity)
			: (!c->asked && client_late(c)))
			close_client(l, i);
	}
}

/* In the order of what poll(2) has said: the world is changed last. */
static void
turn(struct loop *l)
{
	move_clients(l);
	serve_all(l);
	for (size_t i = 0; i < l->polled_ports; i++)
		if (l->polls[AT_PORTS + i].revents != 0)
			accept_clients(l, l->ports.port[i]);
	if (l->builder.channel != NULL &&
	    ((l->polls[AT_BUILDER].revents != 0 || l->builder_now) ? !move_builder(l)
								   : pipe_late(&l->builder)))
		close_builder(l);
	if (l->polls[AT_LISTENER].revents != 0)
		accept_builder(l);
}

bool
loop_run(struct loop *l)
{
	while (!l->over) {
		int wait = prepare(l);
		size_t n = AT_PORTS + l->polled_ports + l->polled_clients;
		int ready = poll(l->polls, n, wait);

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready < 0) {
			log_error("poll: %s", strerror(errno));
			return false;
		}
		l->pausing = false;
		if (l->polls[AT_SIGNALS].revents != 0)
			return true;
		if (ready == 0 && wait >= REST_MS && !l->resting) {
			root_rest(l->root);
			l->resting = true;
		}
		turn(l);
	}
	return false;
}

struct loop *
loop_new(const struct loop_config *c, struct service *s, struct root *r)
{
	struct loop *l = calloc(1, sizeof(*l));
	char address[PORT_ADDRESS];

	if (l == NULL) {
		log_error("no memory");
		return NULL;
	}
	l->config = *c;
	l->service = s;
	l->root = r;
	l->ports.sockets = c->sockets;
	wear_init(&l->wear, c->extensions, now_ms());
	l->paid = s->ledger->commits;
	if (!port_address(address, c->sockets, c->builder, "builder") ||
	    (l->listener = transport_listen(address, 0660)) == NULL) {
		log_error("cannot listen for the builder: %s", transport_strerror(address, errno));
		free(l);
		return NULL;
	}
	return l;
}

void
loop_free(struct loop *l)
{
	while (l->nclients > 0)
		close_client(l, l->nclients - 1);
	close_builder(l);
	ports_close(&l->ports);
	listener_close(l->listener);
	free(l);
}
