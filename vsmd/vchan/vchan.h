/*
 * vchan.h - vsmd-vchan: one address whose channels cannot be passed to a worker.
 *
 * A vchan is memory that two domains share, mapped in the process that offered it.  This
 * process offers it, and for each that a guest takes the supervisor gets one end of a socket
 * pair (M_V_CHANNEL), which it treats as any guest's connection.  In between bytes are passed
 * on, and not looked at.
 *
 * It reads memory that the guest writes, and opens Xen's devices: so it is a process of its
 * own, which has no key and no file, and whose word is only taken for its own domain.
 */
#ifndef CAAS_VSMD_VCHAN_H
#define CAAS_VSMD_VCHAN_H

#include <stddef.h>

#include "vchan-transport/transport.h"

struct vchan_config {
	const char *address;
	int supervisor; /* ipc pipe */
	size_t max;     /* channels at a time; who comes then is not greeted until one ends */
};

/* The process: listen, close the door, serve.  The exit status. */
int vchan_main(const struct vchan_config *config);
/* Until the supervisor is gone and all channels have ended, in the order of their own.  Takes
 * both; watch may be NULL (transport_watch()), listener too where it is not. */
int vchan_serve(const struct vchan_config *config, struct couple_watch *watch,
    struct listener *listener);

#endif
