/*
 * attached.h - a pipe to one worker or one administrator, and what it may ask.
 *
 * Ownership: the list belongs to the store; a pipe that is to go is marked `dead` and
 * removed by the loop.  Threads: one.
 */
#ifndef CAAS_STORE_ATTACHED_H
#define CAAS_STORE_ATTACHED_H

#include "common/buf.h"
#include "protocol/pkcs11.h"
#include "vsmd/policy/grant.h"
#include "vsmd/store/pins.h"
#include "vsmd/store/ticket.h"
#include "vsmd/store/txn.h"

struct audit_check;
struct store;

enum attach_wait {
	WAIT_NOTHING, /* its next request may be read */
	WAIT_LOGIN,   /* M_W_LOGIN_MAY: as many logins are under way as tries are left */
	WAIT_COMMIT,  /* M_W_COMMIT: for the gate and the next commit */
	WAIT_DURABLE, /* its answer is ready and goes out with the next commit */
	WAIT_DISCARD, /* admin: the processes of `slot` must end first */
	WAIT_VERIFY,  /* admin: the audit log is being read */
	WAIT_TPM      /* admin: the TPM is sealing */
};

#define ATTACH_LOGINS 8

struct attach {
	struct attach *next;
	int fd;
	bool admin, dead;
	bool hung; /* it is gone, but what it has asked for is still done, and recorded */
	uint32_t slot;
	char principal[GRANT_NAME], peer[GRANT_NAME];
	uint32_t flags; /* GRANT_* */
	bool may_init;	/* its grant allows to make the token */

	enum attach_wait wait;
	struct buf request; /* the one being served */
	size_t body;	    /* where its body starts (after what has been read) */
	struct buf answer;  /* WAIT_DURABLE: if all goes well */
	bool in_group;	    /* WAIT_COMMIT: its changes are in the commit being made */

	bool new_pin[PIN_USERS]; /* M_W_PIN_CHANGED, for the next commit */
	struct buf pin[PIN_USERS];
	bool trying; /* between LOGIN_MAY and LOGIN_DONE */
	enum pin_user trying_as;
	int64_t trying_since;			    /* milliseconds */
	int64_t slowed_since; /* WAIT_LOGIN for its own guesses: ms, and 0 if not */
	int64_t look_at;      /* WAIT_LOGIN: not before, ms */
	enum pin_user waits_as;
	uint64_t turn, came;  /* of a login that is not yet answered (turns.h); 0: none */
	int64_t asked;				    /* GRANT_STATUS: ms, when it last did */
	struct audit_check *check;		    /* WAIT_VERIFY */
	uint8_t login[ATTACH_LOGINS][TICKET_LOGIN]; /* logins this worker took part in */
	uint8_t login_type[ATTACH_LOGINS];
	size_t nlogins;
};

/* M_S_ATTACH: take over fd.  False (and fd closed) when out of memory. */
bool attached_add(
    struct store *s, int fd, uint32_t slot, bool admin, const struct grant *g);
/* Read and serve what came on the pipe; marks it dead when it ended or breached. */
void attached_read(struct store *s, struct attach *a);
/* Send an answer { type, rv } and what `rest` holds (may be NULL). */
void attached_answer(struct attach *a, CK_RV rv, const struct buf *rest);
/* Serve again, in their order, those that wait for a login to end. */
void attached_retry_logins(struct store *s);
/* Free those that are dead. */
void attached_reap(struct store *s);
/* Mark all workers of a slot dead. */
void attached_end_slot(struct store *s, uint32_t slot);

#endif
