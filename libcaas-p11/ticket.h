/*
 * ticket.h - what C_Login left for a later resume.
 *
 * An opaque string from vsmd that stands for the login, so that no PIN is kept here.  It
 * lies in a locked page that no core dump has.  A forked child needs it, so it is not
 * memory of common/secmem.h, which is empty there.
 *
 * Threads: the owner's lock.  Fork: the child has the ticket, or none if it was being
 * set.
 */
#ifndef CAAS_P11_TICKET_H
#define CAAS_P11_TICKET_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct ticket {
	uint8_t *page;
	size_t mapped;
	atomic_size_t len; /* 0: none */
	uint8_t user;      /* 1 + CK_USER_TYPE */
};

/* Keep a copy.  Longer than RESUME_MAX_TICKET or out of memory: keep none. */
void ticket_set(struct ticket *t, uint8_t user, const uint8_t *bytes, size_t len);
/* Wipe and forget. */
void ticket_drop(struct ticket *t);

#endif
