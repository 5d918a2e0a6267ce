/*
 * slots.h - the slots that the application uses, each with its channel.
 *
 * A slot is connected when it is first needed, and again when its channel was lost or
 * left behind by fork; what the application holds on it is then resumed (resume.h), so
 * that its handles stay good.  Threads that wait for one attempt to connect share what
 * comes of it, so that nobody waits for several of them.
 *
 * Threads: any.  A slot that was connected once lives until C_Finalize; another, whose
 * number may be nonsense, until the last slots_put().
 */
#ifndef CAAS_P11_SLOTS_H
#define CAAS_P11_SLOTS_H

#include <stdatomic.h>

#include "libcaas-p11/attach.h"
#include "libcaas-p11/blob.h"
#include "libcaas-p11/ticket.h"
#include "protocol/pkcs11.h"

struct module;

struct slot {
	CK_SLOT_ID id;
	struct module *module;
	struct slot *next; /* under the module's lock, as the next one */
	unsigned users;    /* slots_get() without a slots_put() */

	struct lock joining; /* held while the channel is made; taken before `lock` */
	atomic_uint joined;  /* how often that ended; written under `joining` */
	enum attach outcome; /* the last time; this and the next under `joining` */
	int64_t try_until;   /* deadline.h: until when a lost channel is retried */
	bool lost;           /* there was one, which stayed with the parent of a fork */

	struct lock lock; /* the next six */
	struct link *link;
	bool ready;          /* the link may be used for calls */
	uint64_t link_generation; /* of the last one that was ready; 0: there was none */
	uint64_t told_generation; /* of the last one that was told of the ticket, or of none */
	struct ticket ticket;
	struct ticket pass; /* for what is kept of session objects; its user is 0 */

	/* under the lock of the handles */
	uint64_t generation; /* of the channel that the worker's handles are good on */
	size_t nsessions;
	struct accepted *accepted; /* accepted.h; the next two are hold.c's */
	unsigned changing;   /* calls on their way that may change answers */
	uint64_t changes;    /* such calls, ever */
	struct known *known; /* known.h */
	struct told *told;   /* told.h */
	struct astray astray; /* blob.h */
	size_t kept;          /* bytes of blobs that lie with objects */
};

/* The slot of this id, to be given back.  ATTACH_NO_SLOT for a number that none can have,
 * ATTACH_NO_MEMORY. */
enum attach slots_get(struct module *m, CK_SLOT_ID id, struct slot **ret);
void slots_put(struct module *m, struct slot *slot);
/* Break every channel: calls in flight return `why`. */
void slots_stop(struct module *m, CK_RV why);
/* In the child of a fork: leave the parent's channels to the parent. */
CK_RV slots_renew(struct module *m);
void slots_free(struct module *m);

/* The slot's channel, made and resumed if need be, with a reference for the caller. */
enum attach slot_link(struct slot *slot, struct link **ret, uint64_t *ret_generation);
/* After C_Login on the channel `generation`; ticket may be NULL.  False: what the slot holds was
 * taken up on another meanwhile, where nobody is logged in by that. */
bool slot_logged_in(struct slot *slot, uint64_t generation, CK_USER_TYPE user,
    const uint8_t *ticket, size_t len);
void slot_logged_out(struct slot *slot);

/* resume.c: take up what is held on the slot, on a fresh link. */
bool resume_slot(struct slot *slot, struct link *link, uint64_t generation);

#endif
