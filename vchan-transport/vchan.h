/* vchan.h - what vchan.c (channels) and vchan_listen.c (listening, connecting) share. */
#ifndef CAAS_TRANSPORT_VCHAN_H
#define CAAS_TRANSPORT_VCHAN_H

#include "vchan-transport/couple.h"
#include "vchan-transport/ops.h"
#include "vchan-transport/xen.h"

/* The first byte from the server, on each channel once: the client that reads it has the
 * ring for itself, and a server that lives.  Without it, a client that came late could
 * slip into a ring whose first client just left. */
#define VCHAN_GREETING 0xca

/* A channel that owns the ring, in non-blocking mode, or NULL and the ring still the
 * caller's.  It is at its end when a domid is not as in `with` any more. */
struct channel *vchan_wrap(struct libxenvchan *ring, const struct couple *with);
/* xen.close() without a word to the peer, which the child of a fork needs. */
void vchan_release(struct libxenvchan *ring);
/* Take a pending event off the ring's descriptor, without waiting. */
void vchan_consume(struct libxenvchan *ring);

#endif
