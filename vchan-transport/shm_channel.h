/* shm_channel.h - between shm.c and shm_offer.c */
#ifndef CAAS_TRANSPORT_SHM_CHANNEL_H
#define CAAS_TRANSPORT_SHM_CHANNEL_H

#include "vchan-transport/ring.h"
#include "vchan-transport/shm.h"

struct shm_memory {
	struct ring ring[2]; /* to who offered it, from there */
};

/* A channel of memory that is mapped, and of the socket; both its own from then on.  NULL:
 * out of memory, and they are the caller's. */
struct channel *shm_channel(int fd, struct shm_memory *m, bool offered);

#endif
