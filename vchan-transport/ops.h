/*
 * ops.h - what a transport is, for the files in this directory.
 *
 * A transport is a row of functions in address.c's table.  To add one: write its
 * parser in address.c and its functions in a file of its own, run tests/contract on it.
 */
#ifndef CAAS_TRANSPORT_OPS_H
#define CAAS_TRANSPORT_OPS_H

#include <stdatomic.h>

#include "vchan-transport/address.h"
#include "vchan-transport/transport.h"

/* Each transport's channel begins with one of these. */
struct channel {
	const struct channel_ops *ops;
	int fd;           /* what channel_poll_fd() answers */
	atomic_bool down; /* channel_shutdown() was called */
};

struct channel_ops {
	/* As channel_read(), len > 0, nobody called shutdown yet. */
	ssize_t (*read)(struct channel *c, void *p, size_t len, int deadline);
	/* At least one byte of iov, which holds at least one. */
	ssize_t (*write)(struct channel *c, const struct iovec *iov, int n, int deadline);
	int (*finish)(struct channel *c);
	bool (*pending)(const struct channel *c);
	bool pending_is_all; /* what does not pend has not arrived, whatever fd says */
	short (*poll_events)(struct channel *c, bool read, bool write);
	void (*shutdown)(struct channel *c);
	/* Frees the channel too.  polite: tell the peer. */
	void (*close)(struct channel *c, bool polite);
	int (*take_fd)(struct channel *c);
	/* NULL: nothing is known of what the peer has taken. */
	uint64_t (*position)(const struct channel *c);
	bool (*taken)(const struct channel *c, uint64_t position);
	void (*forget)(struct channel *c); /* frees the channel, and leaves fd alone */
	/* berth.h; all NULL: it has none. */
	_Atomic uint32_t *(*berth)(struct channel *c, unsigned n);
	void (*address)(struct channel *c, uint64_t berths);
	void (*notice)(struct channel *c);
	bool (*tarry)(struct channel *c, bool (*there)(void *arg), void *arg);
};

struct listener {
	const struct transport_ops *ops;
	int fd;
};

struct transport_ops {
	/* What it needs is on this machine, or *ret_why; NULL: it needs nothing. */
	bool (*usable)(const char **ret_why);
	struct listener *(*listen)(const struct address *a, unsigned mode);
	/* NULL: no other process can have made one. */
	struct listener *(*adopt)(const struct address *a, int fd);
	struct channel *(*accept)(struct listener *l, struct peer *ret_peer);
	void (*close)(struct listener *l); /* frees it */
	struct channel *(*connect)(const struct address *a, int deadline);
};

extern const struct transport_ops transport_unix;
extern const struct transport_ops transport_vsock;
#ifdef CAAS_VCHAN
extern const struct transport_ops transport_vchan;
#endif

#endif
