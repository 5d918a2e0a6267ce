/* look.c - see server.h: the world, for a client and for domtd itself. */
#include "xen-hooks/domtd/server.h"

#include <string.h>

#include "common/log.h"
#include "vchan-transport/deadline.h"
#include "xen-hooks/domtd/show.h"
#include "xen-hooks/domtd/store.h"

#define LOOK_EVERY 60000 /* ms; @releaseDomain says when there is something to see */
#define LOOK_AGAIN 10000 /* after a failure */
#define A_MESSAGE 16	 /* pairs */

static void
send_some(struct server *s, struct client *c, json_t *pairs)
{
	struct buf b;

	buf_init(&b, MESSAGE_MAX);
	reply_pairs(&b, pairs);
	client_pass(s, c, &b);
	buf_free(&b);
	json_array_clear(pairs);
}

static const char *
service_text(const struct server *s)
{
	if (s->o->service.name == NULL)
		return "none: crypto domains have a TPM of their own, or none";
	return s->service_text[0] != '\0' ? s->service_text : "not spoken with yet";
}

static void
send_world(struct server *s, struct client *c, const struct world *w)
{
	json_t *pairs = json_array();

	for (size_t i = 0; c->state != CLIENT_NONE && i < w->n; i++) {
		json_array_append_new(pairs, show_pair(&w->pairs[i]));
		if (json_array_size(pairs) == A_MESSAGE)
			send_some(s, c, pairs);
	}
	if (c->state != CLIENT_NONE && json_array_size(pairs) > 0)
		send_some(s, c, pairs);
	json_decref(pairs);
	if (c->state != CLIENT_NONE)
		client_say(s, c, REPLY_SERVICE, service_text(s));
	if (c->state != CLIENT_NONE && show_unprotected(w) != NULL)
		client_say(s, c, REPLY_NOTE, show_unprotected(w));
	if (c->state != CLIENT_NONE)
		client_say(s, c, REPLY_DONE, "list");
}

void
look_list(struct server *s, struct client *c)
{
	struct xen *xen = xen_open();
	struct world w;

	if (xen == NULL) {
		client_say(s, c, REPLY_ERROR, "Xen cannot be reached: see domtd's log");
		return;
	}
	if (world_look(xen, &w) < 0)
		client_say(s, c, REPLY_ERROR, XEN(why, xen));
	else
		send_world(s, c, &w);
	world_free(&w);
	xen_close(xen);
}

/* DomT's service has not heard of this world, or a minute ago. */
static bool
untold(struct server *s, const struct world *w)
{
	const struct service *service = &s->o->service;
	const struct xen_domain *domt;

	if (service->name == NULL)
		return false;
	domt = service_domain(service, w);
	if (!store_follow(s->xs, &s->follows, domt != NULL ? (int64_t)domt->domid : -1))
		log_warn("XenStore does not tell when DomT's service begins anew");
	if (!service_mark(service, w, s->mark)) {
		log_error("out of memory");
		return false;
	}
	return s->tell_at == 0 || deadline_left(s->tell_at) == 0 ||
	       memcmp(s->mark, s->heard, sizeof(s->mark)) != 0;
}

static void
judge(const struct world *w, struct todo *ret)
{
	for (size_t i = 0; i < w->n; i++) {
		struct verdict v;

		world_judge(&w->pairs[i], &v);
		ret->settle |= v.why != NULL;
		if (v.make)
			memcpy(ret->make, w->pairs[i].record.pair, PAIR_NAME);
	}
}

void
look(struct server *s, struct todo *ret)
{
	struct xen *xen = xen_open();
	struct world w;

	memset(ret, 0, sizeof(*ret));
	s->look_at = deadline_at(LOOK_AGAIN);
	if (xen == NULL)
		return;
	if (world_look(xen, &w) < 0) {
		log_error("domains and pairs cannot be listed: %s", XEN(why, xen));
	} else {
		s->look_at = deadline_at(LOOK_EVERY);
		if (!s->told && show_unprotected(&w) != NULL)
			log_warn("%s", show_unprotected(&w));
		s->told = true;
		judge(&w, ret);
		ret->tell = untold(s, &w);
	}
	world_free(&w);
	xen_close(xen);
}
