/*
 * forward.h - domt-forward's loop: a request goes to domtd, its replies come back.
 *
 * Each client has one connection to domtd, made when its request was read and found to be one.
 * Who it is goes with the request, in the place of what it says of itself.
 */
#ifndef CAAS_FORWARD_FORWARD_H
#define CAAS_FORWARD_FORWARD_H

#include <stdint.h>
#include <sys/types.h>

#include "xen-hooks/message/message.h"
#include "xen-hooks/message/socket.h"

#define FORWARD_CLIENTS 16

struct forward_client {
	int fd, up; /* -1: none */
	struct seq_peer peer;
	int64_t until; /* moment at which it has said nothing, or domtd has not, for too long */
};

struct forward {
	const char *domtd; /* its socket */
	gid_t admins;	   /* who may ask, beside root */
	int listener, signals;
	struct forward_client clients[FORWARD_CLIENTS];
};

/* Until `signals` is readable. */
void forward_run(struct forward *f);

#endif
