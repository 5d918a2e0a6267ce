/*
 * locks.h - the module's locks, native or the application's.
 *
 * C_Initialize may forbid the use of the system's locks and bring four functions
 * instead.  Then every lock here is one of the application's; there is no condition to
 * wait on, so link.c lets one call at a time through.
 *
 * Fork: a lock that another thread held is never released in the child; lock_renew()
 * makes it new.  Threads: the usual.
 */
#ifndef CAAS_P11_LOCKS_H
#define CAAS_P11_LOCKS_H

#include <pthread.h>
#include <stdbool.h>

#include "protocol/pkcs11.h"

struct lock_how {
	bool callbacks; /* use the four below, nothing of the system's */
	CK_CREATEMUTEX create;
	CK_DESTROYMUTEX destroy;
	CK_LOCKMUTEX take;
	CK_UNLOCKMUTEX give;
};

struct lock {
	const struct lock_how *how;
	CK_VOID_PTR app;
	pthread_mutex_t native;
};

/* CKR_OK, or what the application's function said.  `how` must outlive the lock. */
CK_RV lock_init(struct lock *l, const struct lock_how *how);
/* In the child of a fork: unlocked, whoever held it.  The old one is forgotten. */
CK_RV lock_renew(struct lock *l);
void lock_free(struct lock *l);
void lock_take(struct lock *l);
void lock_give(struct lock *l);

#endif
