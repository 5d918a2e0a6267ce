/*
 * ticket.h - a login that can be taken up again without asking for the PIN.
 *
 * Made when a login succeeded, kept by the guest, opened for a worker of the same
 * principal on the same slot: after a fork, or after vsmd was started anew.  Sealed under
 * the store's ticket key: opaque to the guest.  It is void once the slot's login epoch
 * moved on (PIN changed, token initialised) or its login was logged out (revoked.h).
 */
#ifndef CAAS_STORE_TICKET_H
#define CAAS_STORE_TICKET_H

#include "vsmd/policy/grant.h"
#include "vsmd/store/keys.h"
#include "vsmd/store/record.h"

#define TICKET_LOGIN 16
#define TICKET_PIN_MAX 1024
#define TICKET_MAX (TICKET_PIN_MAX + 256)

struct ticket {
	char principal[GRANT_NAME];
	uint32_t slot;
	uint64_t epoch;		     /* login epoch of the slot when it was made */
	uint8_t user_type;	     /* CKU_* */
	uint8_t login[TICKET_LOGIN]; /* random; names this login */
};

/* The bound of out must be at least TICKET_MAX. */
bool ticket_seal(const struct store_keys *k, const uint8_t store[STORE_ID],
    const struct ticket *t, const uint8_t *pin, size_t pin_len, struct buf *out);
/* The PIN is appended to `pin`.  False for anything that was not sealed by this store. */
bool ticket_open(const struct store_keys *k, const uint8_t store[STORE_ID],
    const uint8_t *data, size_t len, struct ticket *t, struct buf *pin);

#endif
