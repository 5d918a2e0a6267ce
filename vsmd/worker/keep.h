/*
 * keep.h - session objects outlive this worker: they are given to the guest, sealed.
 *
 * An object that is AGE old, or was changed so long ago, is taken out of SoftHSM2 as it is
 * (press.h), sealed, and sent to the guest (protocol/kept.h), by the watch: no request waits
 * for it.  Most session objects are destroyed before, and cost nothing.  The guest may be
 * doing nothing, and reads only while it waits for a reply: so little is sent until it asks
 * for something again.  With a resume they come back (plant.h).
 *
 * The key is the application's, in a pass that the store makes and opens.  What is sealed of
 * a private object is bound to the login too, by the ticket: after a logout the ticket does
 * not open, and with another login the object does not.
 *
 * What is not kept: an object that is younger, that is not copyable, that is larger than
 * KEPT_MAX_OBJECT, and private ones where there is no ticket.
 *
 * Threads: any.
 */
#ifndef CAAS_VSMD_WORKER_KEEP_H
#define CAAS_VSMD_WORKER_KEEP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "protocol/resume.h"
#include "vsmd/worker/gate.h"

#define KEEP_LOGIN 32

struct worker;
struct request;

/* What objects are sealed with. */
struct keep_key {
	uint8_t key[32];
	uint8_t login[KEEP_LOGIN];
	bool logged_in;
};

struct keep_due {
	CK_OBJECT_HANDLE object;
	int64_t at; /* ms */
};

struct keep {
	atomic_bool wanted;       /* the guest keeps them, and there is a key */
	pthread_mutex_t lock;     /* of what follows */
	struct keep_due *due;     /* in the order of time */
	size_t n, size;
	uint8_t *key;             /* in secmem; NULL before the first object */
	uint8_t login[KEEP_LOGIN];
	bool logged_in;
	uint8_t pass[KEPT_MAX_PASS];
	size_t pass_len;
	bool told;                /* the guest has the pass; of who pushes */

	size_t most;              /* bytes that may be sent before the guest asks again, */
	atomic_size_t room;       /* and what is left of them */
	bool drained;             /* none were, before it asked the last time; of the reader */
	pthread_rwlock_t finding; /* SoftHSM2 lists objects; or some are there that are none */
	pthread_mutex_t pushing;  /* of what follows */
	int64_t not_before;       /* ms */
	struct gate gate;
	bool has_gate;
	CK_SESSION_HANDLE session; /* of our own; with open_lock */
};

void keep_init(struct keep *k, bool wanted);
/* How the guest reads: from memory that is shared with it, or not; before the first request. */
void keep_room(struct keep *k, bool ring);
/* A session object was made, or changed; the gate is not held. */
void keep_note(struct request *r, CK_OBJECT_HANDLE object, bool made);
/* It was destroyed. */
void keep_forget(struct worker *w, CK_OBJECT_HANDLE object);
/* A user is logged in, by this ticket; or nobody is any more. */
void keep_login(struct worker *w, const uint8_t *ticket, size_t len);
void keep_logout(struct worker *w);
/* The application's last session is about to be closed; open_lock is held. */
void keep_last(struct worker *w);
/* A request came. */
void keep_asked(struct worker *w);

/* The watch's: ms until something is due, INT64_MAX for nothing; and: send what is due. */
int64_t keep_wait(struct worker *w);
void keep_push(struct worker *w);
/* Before this worker asks the guest to go to another one: send all. */
void keep_flush(struct worker *w);
/* By the reader, while nobody else serves: send each session object that there is, whether it
 * was sent before or not.  false: there are more than `most` or than there is room for, or one
 * of them cannot be kept. */
bool keep_all(struct worker *w, size_t most);
/* A user is logged in, by a ticket. */
bool keep_has_login(struct worker *w);

/* The key is this one, with this pass, which the guest has or not.  false: no memory. */
bool keep_take_key(struct keep *k, const uint8_t key[32], const uint8_t *pass, size_t len,
    bool told);
/* A copy, to be wiped.  false: there is none. */
bool keep_key(struct keep *k, struct keep_key *ret);
/* keep_restore.c: what the guest kept; handles into `ret`, 0 for what cannot be had. */
void keep_restore(struct request *r, CK_SESSION_HANDLE any, const struct resume *asked,
    const CK_SESSION_HANDLE *sessions, CK_OBJECT_HANDLE *ret);
/* Objects that are none of the token's; up to `room` of them.  The gate and `finding` are held. */
size_t keep_list(
    struct worker *w, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *ret, size_t room);

/* keep_box.c: an object's file, sealed; false for one that is not to be. */
bool keep_seal(const struct keep_key *k, const struct buf *file, struct buf *ret);
/* And opened; appended to `ret`.  false: not sealed with this, or no session object. */
bool keep_open(const struct keep_key *k, const uint8_t *sealed, size_t len, struct buf *ret);

#endif
