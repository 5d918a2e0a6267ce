/* look.c - see server.h: the world, for a client and for domtd itself. */
#include "xen-hooks/domtd/server.h"

#include <string.h>

#include "common/log.h"
#include "vchan-transport/deadline.h"
#include "xen-hooks/domtd/show.h"

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

bool
look(struct server *s, char ret_make[PAIR_NAME])
{
	struct xen *xen = xen_open();
	struct world w;
	bool todo = false;

	ret_make[0] = '\0';
	s->look_at = deadline_at(LOOK_AGAIN);
	if (xen == NULL)
		return false;
	if (world_look(xen, &w) < 0) {
		log_error("domains and pairs cannot be listed: %s", XEN(why, xen));
	} else {
		s->look_at = deadline_at(LOOK_EVERY);
		if (!s->told && show_unprotected(&w) != NULL)
			log_warn("%s", show_unprotected(&w));
		s->told = true;
		for (size_t i = 0; i < w.n; i++) {
			struct verdict v;

			world_judge(&w.pairs[i], &v);
			todo |= v.why != NULL;
			if (v.make)
				memcpy(ret_make, w.pairs[i].record.pair, PAIR_NAME);
		}
	}
	world_free(&w);
	xen_close(xen);
	return todo;
}
