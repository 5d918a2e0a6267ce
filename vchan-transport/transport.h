/*
 * transport.h - how bytes reach vsmd: ordered, reliable, peer named by the channel.
 *
 *   unix:/run/caas/vsmd.sock   stream socket; the peer is uid, gid, pid (SO_PEERCRED)
 *   vsock:CID:PORT             the peer is its CID
 *   vchan:DOMID:PATH           Xen; the peer is its domid (and XSM label)
 *   vchan:coupled:PATH         Xen, the domain that this one is coupled with (couple.h)
 *
 * Errors: -1 or NULL and errno; transport_strerror() has the sentence for a person.
 * ETIMEDOUT: the deadline passed.  ECONNRESET: the peer is gone, also for a ring whose
 * indices are corrupt.  Deadlines are milliseconds from the call, -1 for none; nothing
 * here blocks beyond its deadline.  No SIGPIPE.
 * Threads: one reader and one writer at a time per channel.  Fork: the child may only
 * channel_drop() what it inherited.
 */
#ifndef CAAS_TRANSPORT_H
#define CAAS_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct channel;
struct listener;

enum peer_kind { PEER_UID, PEER_CID, PEER_DOMID };

struct peer {
	enum peer_kind kind;
	uint32_t id;       /* uid, CID or domid; UINT32_MAX: the domain that is coupled */
	uint32_t gid, pid; /* PEER_UID only; pid is for logs, never for a decision */
	char label[64];    /* XSM label, or "" */
};

/* The address is well formed, for a transport that is compiled in and whose libraries are
 * here; otherwise *ret_why says why. */
bool transport_address_ok(const char *address, const char **ret_why);

/* A channel by this address cannot be passed to another process: channel_take_fd() fails. */
bool transport_stays(const char *address);

/* unix: `mode` is that of the socket file; a stale socket is replaced, a live one is
 * EADDRINUSE. */
struct listener *transport_listen(const char *address, unsigned mode);
/* The same by a socket that listens there already, which it owns from then on, and leaves in
 * the file system at the end.  NULL: EINVAL when it is another; it is still the caller's. */
struct listener *transport_adopt(const char *address, int fd);
int listener_fd(const struct listener *l); /* readable: accept */
/* The next connection, or NULL with EAGAIN.  Never blocks. */
struct channel *listener_accept(struct listener *l, struct peer *ret_peer);
void listener_close(struct listener *l);

struct channel *transport_connect(const char *address, int deadline);

/*
 * What who built this Xen domain tells it: the domid at `key` of its own directory in XenStore,
 * where it can only read.  `key` is a constant.  -1 with errno: EHOSTDOWN, none is told;
 * EPROTONOSUPPORT, this build or machine has no Xen.
 */
int transport_told(const char *key, uint32_t *ret_domid, int deadline);

/* A domain that is destroyed, saved or restored tells nobody.  Who waits on descriptors of
 * channels alone watches; within channel_read() and channel_writev() it is seen without. */
struct couple_watch;
/* NULL with errno 0: channels of this address say by themselves when the other side is gone.
 * Otherwise NULL and errno.  One thread's. */
struct couple_watch *transport_watch(const char *address);
int transport_watch_fd(const struct couple_watch *w); /* readable: ask transport_changed() */
/* True: channels made by the address before are to be closed, and listening begins anew. */
bool transport_changed(struct couple_watch *w);
/* They are closed: who saves this domain may (couple_tell()).  -1 with errno. */
int transport_closed(struct couple_watch *w);
void transport_watch_close(struct couple_watch *w); /* may be NULL */
/* A channel over a connected stream socket, which it owns from then on.  NULL: the
 * descriptor is still the caller's. */
struct channel *channel_from_fd(int fd);
/* The stream descriptor that can be passed to another process instead of the channel,
 * which is released; -1 with EOPNOTSUPP (channel kept) where a relay is needed. */
int channel_take_fd(struct channel *c);

/* At least one byte, at most len; 0 when the peer closed in order. */
ssize_t channel_read(struct channel *c, void *p, size_t len, int deadline);
/* Exactly len bytes; ECONNRESET when the peer closed before. */
int channel_read_all(struct channel *c, void *p, size_t len, int deadline);
/* All of it; the deadline is for each wait without progress. */
int channel_writev(struct channel *c, const struct iovec *iov, int n, int deadline);
/* At least one byte, at most len: for relays. */
ssize_t channel_write(struct channel *c, const void *p, size_t len, int deadline);
/* No more bytes from this side: the peer reads 0 after the last.  EOPNOTSUPP where only
 * both directions can be closed (vchan). */
int channel_finish(struct channel *c);
int channel_poll_fd(const struct channel *c);
/* What to poll that descriptor for before reading or writing; 0 when one of them can be
 * done at once, and the descriptor might not say so. */
short channel_poll_events(struct channel *c, bool read, bool write);
/* Bytes can be read without waiting although the poll descriptor may be quiet. */
bool channel_pending(const struct channel *c);
/* Bytes have arrived, or, where the descriptor tells, their end.  Any thread. */
bool channel_arrived(const struct channel *c);
/* Where the bytes written so far end, and whether the peer read up to there before it
 * ended; where that is not known, it did.  Good until the channel is closed. */
uint64_t channel_position(const struct channel *c);
bool channel_taken(const struct channel *c, uint64_t position);
/* Wake every reader and writer of the channel with ECONNRESET; any thread may call. */
void channel_shutdown(struct channel *c);
void channel_close(struct channel *c);
/* Release memory and descriptors without a byte or a shutdown to the peer: for the
 * child of a fork. */
void channel_drop(struct channel *c);
/* Release memory alone: somebody has closed the descriptor, and its number may be another
 * file's. */
void channel_forget(struct channel *c);

/* Good until the thread's next call. */
const char *transport_strerror(const char *address, int err);

#endif
