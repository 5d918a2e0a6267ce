/*
 * attach.h - a fresh connection to vsmd, up to and including the hello.
 *
 * Threads: any.  Nothing here blocks longer than the configured times; C_Finalize in
 * another thread ends a wait early.
 */
#ifndef CAAS_P11_ATTACH_H
#define CAAS_P11_ATTACH_H

#include <stddef.h>

#include "libcaas-p11/config.h"
#include "libcaas-p11/link.h"
#include "protocol/hello.h"

enum attach {
	ATTACH_OK,
	ATTACH_ABSENT,  /* nobody listens there */
	ATTACH_REFUSED, /* not for us */
	ATTACH_NO_SLOT,
	ATTACH_FAILED,  /* silent, busy, broken, another version */
	ATTACH_NO_MEMORY,
	ATTACH_ENDED /* attach.c's own: it was there, and ended before it answered */
};

struct attach_as {
	const struct config *config;
	const uint8_t *app; /* HELLO_APP_LEN bytes */
	const struct lock_how *how;
	bool (*stop)(void); /* true: give up waiting */
};

/*
 * Both ask again a vsmd that is busy, or that ended while it was asked and so is probably
 * being restarted, for as long as a connection may take.
 */
/* A channel to a worker of the slot. */
enum attach attach_slot(const struct attach_as *as, uint32_t slot, struct link **ret);
/* The slots of this principal; *ret of malloc(). */
enum attach attach_list(
    const struct attach_as *as, struct hello_slot **ret, size_t *ret_n);

#endif
