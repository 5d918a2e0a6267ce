/*
 * revoked.h - logins that were logged out: their tickets are void; and login epochs.
 *
 *	slot/N/revoked   TICKET_LOGIN bytes for each, the latest last
 *	slot/N/epoch     u64
 *
 * A revocation is written with the next commit, not at once: a logout that no commit
 * followed before the power went leaves a ticket that opens until the PIN changes.  Of a
 * slot the REVOKED_MAX latest are kept; an older one opens again until the PIN changes.
 * (Voiding all tickets of the slot instead would take their logins from applications that
 * never logged out, because others did.)
 *
 * Threads: one.
 */
#ifndef CAAS_STORE_REVOKED_H
#define CAAS_STORE_REVOKED_H

#include "vsmd/store/ticket.h"
#include "vsmd/store/txn.h"

#define REVOKED_MAX 1024

struct revoked {
	struct map later; /* keys and values for whichever commit comes next */
};

void revoked_init(struct revoked *r);
void revoked_free(struct revoked *r);
bool revoked_has(const struct revoked *r, const struct map *m, uint32_t slot,
    const uint8_t login[TICKET_LOGIN]);
/* False when out of memory. */
bool revoked_add(struct revoked *r, const struct map *m, uint32_t slot,
    const uint8_t login[TICKET_LOGIN]);
/* Put what waits into a commit; revoked_done() once that is durable. */
void revoked_take(const struct revoked *r, struct txn *t);
void revoked_done(struct revoked *r);

/* The login epoch of a slot: as t says, else the map. */
uint64_t login_epoch(const struct txn *t, const struct map *m, uint32_t slot);
/* Move it on: all tickets of the slot are void once t is committed. */
void login_epoch_next(struct txn *t, const struct map *m, uint32_t slot);

#endif
