/* ports.c - see ports.h */
#include "xen-hooks/tpmd/ports.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "vchan-transport/address.h"
#include "vchan-transport/deadline.h"
#include "xen-hooks/tpmd/loop.h"

#define NS_PER_S 1000000000

bool
port_address(char ret[PORT_ADDRESS], const char *sockets, uint32_t domid, const char *name)
{
	const char *why;
	int n;

	if (sockets != NULL)
		n = snprintf(ret, PORT_ADDRESS, "unix:%s/%s", sockets, name);
	else
		n = snprintf(ret, PORT_ADDRESS, "vchan:%u:data/caas-domt/%s", domid, name);
	errno = EINVAL;
	return n > 0 && n < PORT_ADDRESS && transport_address_ok(ret, &why);
}

static bool
same(const struct control_pair *a, const struct control_pair *b)
{
	return strcmp(a->pair, b->pair) == 0 && a->domid == b->domid &&
	       memcmp(a->uuid, b->uuid, CONTROL_UUID) == 0 &&
	       memcmp(a->digest, b->digest, CONTROL_DIGEST) == 0;
}

static bool
in_world(const struct control_world *w, const struct port *p)
{
	for (size_t i = 0; i < w->n; i++)
		if (same(&w->pairs[i], &p->who))
			return true;
	return false;
}

static bool
in_ports(const struct ports *p, const struct control_pair *who)
{
	for (size_t i = 0; i < p->n; i++)
		if (same(&p->port[i]->who, who))
			return true;
	return false;
}

static void
close_port(struct port *p)
{
	listener_close(p->listener);
	free(p);
}

static struct port *
open_port(const struct ports *p, const struct control_pair *who)
{
	struct port *port = calloc(1, sizeof(*port));
	char address[PORT_ADDRESS], name[16];
	int saved;

	if (port == NULL)
		return NULL;
	port->who = *who;
	snprintf(name, sizeof(name), "%u", who->domid);
	if (port_address(address, p->sockets, who->domid, name) &&
	    (port->listener = transport_listen(address, 0660)) != NULL)
		return port;
	saved = errno;
	log_error("pair=%s domid=%u cannot be served: %s", who->pair, who->domid,
	    transport_strerror(address, errno));
	free(port);
	errno = saved;
	return NULL;
}

bool
ports_become(struct ports *p, const struct control_world *w,
    void (*gone)(void *arg, struct port *port), void *arg, char *text, size_t size)
{
	bool all = true;

	for (size_t i = p->n; i-- > 0;) {
		struct port *port = p->port[i];

		if (in_world(w, port))
			continue;
		gone(arg, port);
		close_port(port);
		p->port[i] = p->port[--p->n];
	}
	/* What is left stands in the world, which has no more than there is room for. */
	for (size_t i = 0; i < w->n; i++) {
		struct port *port;

		if (in_ports(p, &w->pairs[i]))
			continue;
		if ((port = open_port(p, &w->pairs[i])) != NULL) {
			p->port[p->n++] = port;
		} else {
			if (all)
				snprintf(text, size, "DomT cannot listen for the domain of %s: %s",
				    w->pairs[i].pair, strerror(errno));
			all = false;
		}
	}
	return all;
}

void
ports_close(struct ports *p)
{
	while (p->n > 0)
		close_port(p->port[--p->n]);
}

int
port_wait(const struct port *p, unsigned rate)
{
	int64_t ahead = rate > 0 ? (int64_t)(LOOP_BURST - 1) * NS_PER_S / rate : 0;

	return rate == 0 ? 0 : deadline_left(p->paid - ahead);
}

void
port_take(struct port *p, unsigned rate)
{
	int64_t now = deadline_at(0);

	p->changes++;
	if (rate == 0)
		return;
	if (p->paid < now)
		p->paid = now;
	p->paid += NS_PER_S / rate;
}
