/*
 * module.h - the state of the module, between C_Initialize and C_Finalize.
 *
 * There is one, static, and empty until C_Initialize.  Every call is bracketed by
 * module_enter() and module_leave(), so that C_Finalize can wait for those in flight.
 *
 * Fork: module_enter() notices that it runs in a child, leaves the parent's channels
 * alone, makes all locks new, and goes on with a state that is `inherited`: sessions and
 * objects are resumed on channels of the child's own when they are needed.  A child that
 * calls C_Initialize gets a fresh state instead.
 */
#ifndef CAAS_P11_MODULE_H
#define CAAS_P11_MODULE_H

#include "libcaas-p11/attach.h"
#include "libcaas-p11/handles.h"
#include "libcaas-p11/slots.h"

struct module {
	struct config config;
	struct lock_how how;
	struct attach_as as;
	uint8_t app[HELLO_APP_LEN];
	bool inherited;
	struct handles handles;

	struct lock lock;   /* what follows */
	struct slot *slots; /* grows at the front */
	struct hello_slot *list; /* the last list of slots, in the order shown */
	size_t nlist;
	bool listed;
};

/* The state, or NULL when the module is not initialised. */
struct module *module_enter(void);
void module_leave(void);
/* C_Finalize has begun. */
bool module_stopping(void);

/* C_Initialize and C_Finalize once their arguments are judged. */
CK_RV module_start(const struct lock_how *how);
CK_RV module_stop(void);
/* C_Initialize or C_Finalize would be answered CKR_CRYPTOKI_ALREADY_INITIALIZED or
 * CKR_CRYPTOKI_NOT_INITIALIZED. */
bool module_started(void);

#endif
