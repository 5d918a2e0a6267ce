/*
 * actions.h - what is asked of a store, and what it changes.
 *
 * Every argument is a token (0 to 3: a, b, again, after) plus four times what the action
 * says: the number of an object or a ticket, whose PIN (0: the SO's), a slot.
 */
#ifndef CRASH_ACTIONS_H
#define CRASH_ACTIONS_H

#include "history.h"

enum {
	DO_START, /* 1: with an anchor */
	DO_STOP,  /* the same */
	DO_KILL,
	DO_INIT, /* the slot that it gets */
	DO_INIT_AGAIN,
	DO_CREATE,
	DO_SET, /* its last object */
	DO_DESTROY,
	DO_BOTH, /* the object alone */
	DO_WRONG,
	DO_LOGIN, /* a ticket */
	DO_LOGOUT,
	DO_PIN,
	DO_AUDIT, /* how many records more than one */
	DO_BACKUP,
	DO_DELETE,
	DO_RESTORE, /* the slot alone: token b comes back */
	DO_RESEAL,
	DO_ACCEPT,
	DO_ACCEPT_WRONG
};

extern const struct action actions[];
/* Tickets and backups that are made are kept: set while a history is made. */
extern bool actions_keep;

/* One more operation, and what it changes: an object on a token, a token where there is
 * none, the token of a rolled-back store accepted. */
CK_RV actions_create(struct vsm *v, const struct model_token *t);
void actions_create_change(struct model *m, size_t token);
CK_RV actions_init_after(struct vsm *v, const struct model *m);
void actions_init_after_change(struct model *m, struct vsm *v);
CK_RV actions_accept(struct vsm *v, const struct model_token *t);
void actions_accept_change(struct model *m, size_t token);

#endif
