/*
 * pins.h - wrong PINs counted, the user PIN kept, the SO PIN's verifier.
 *
 *	slot/N/tries     u32 failures of the SO, u32 failures of the user
 *	slot/N/pin/user  the user PIN as it is: for channel login (the log is sealed)
 *	slot/N/pin/so    u8 cost, salt[16], scrypt of the SO PIN: a restore asks for it
 *
 * Threads: one.
 */
#ifndef CAAS_STORE_PINS_H
#define CAAS_STORE_PINS_H

#include "protocol/pkcs11.h"
#include "vsmd/store/txn.h"

enum pin_user { PIN_SO = 0, PIN_USER = 1, PIN_USERS };

struct pin_tries {
	uint32_t failed[PIN_USERS];
};

/* CKU_SO, CKU_USER, CKU_CONTEXT_SPECIFIC (which asks for the user's PIN) to whose PIN it
 * is; false for others. */
bool pin_user_of(uint8_t user_type, enum pin_user *ret);

/* As the changes say, else the map; zeros when absent. */
struct pin_tries pins_tries(const struct txn *t, const struct map *m, uint32_t slot);
void pins_put_tries(struct txn *t, uint32_t slot, const struct pin_tries *tries);
/* CKF_*_PIN_COUNT_LOW, FINAL_TRY and LOCKED for a limit (0: none). */
CK_FLAGS pins_flags(const struct pin_tries *tries, unsigned limit);

void pins_put_user(struct txn *t, uint32_t slot, const uint8_t *pin, size_t len);
/* Takes some hundredths of a second.  False when out of memory. */
bool pins_put_so(struct txn *t, uint32_t slot, const uint8_t *pin, size_t len);
/* Does the PIN fit a value of slot/N/pin/so? */
bool pins_check_so(
    const uint8_t *verifier, size_t verifier_len, const uint8_t *pin, size_t len);

#endif
