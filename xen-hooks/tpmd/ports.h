/*
 * ports.h - where the crypto domains of the builder's world come in: a listener for each.
 *
 * Threads: one.
 */
#ifndef CAAS_TPMD_PORTS_H
#define CAAS_TPMD_PORTS_H

#include "vchan-transport/transport.h"
#include "xen-hooks/tpmd/control.h"

#define PORT_ADDRESS 160

struct port {
	struct control_pair who;
	struct listener *listener;
	int64_t paid;	  /* ns of the monotonic clock up to which changes are paid for */
	uint64_t changes; /* it was given its turn for so many */
};

struct ports {
	const char *sockets; /* directory, or NULL: vchan */
	struct port *port[CONTROL_PAIRS];
	size_t n;
};

/* `unix:SOCKETS/NAME`, or the vchan of NAME for that domain.  False: it is too long. */
bool port_address(char ret[PORT_ADDRESS], const char *sockets, uint32_t domid, const char *name);

/*
 * Whoever stands in the world as before keeps his port; the others' are closed, after `gone` was
 * called for each; and who is new is listened for.  False: not for all, and `text` says for whom
 * and why.
 */
bool ports_become(struct ports *p, const struct control_world *w,
    void (*gone)(void *arg, struct port *port), void *arg, char *text, size_t size);
void ports_close(struct ports *p);

/* ms until the pair may change something again; 0: now.  With `rate` changes a second, 0 for as
 * many as it likes. */
int port_wait(const struct port *p, unsigned rate);
/* It does. */
void port_take(struct port *p, unsigned rate);

#endif
