/* pins.c - see pins.h */
#include "vsmd/store/pins.h"

#include <string.h>

#include "common/secmem.h"
#include "vsmd/store/crypt.h"
#include "vsmd/store/slots.h"

#define SALT 16
#define COST 14

bool
pin_user_of(uint8_t user_type, enum pin_user *ret)
{
	if (user_type > CKU_CONTEXT_SPECIFIC)
		return false;
	*ret = user_type == CKU_SO ? PIN_SO : PIN_USER;
	return true;
}

struct pin_tries
pins_tries(const struct txn *t, const struct map *m, uint32_t slot)
{
	struct pin_tries tries = {{0}};
	char key[MAP_KEY_MAX];
	const uint8_t *p;
	struct buf b;
	size_t len;

	slot_key(key, slot, "tries");
	if ((p = txn_get(t, m, key, &len)) == NULL)
		return tries;
	buf_view(&b, p, len);
	tries.failed[PIN_SO] = buf_get_u32(&b);
	tries.failed[PIN_USER] = buf_get_u32(&b);
	return tries;
}

void
pins_put_tries(struct txn *t, uint32_t slot, const struct pin_tries *tries)
{
	char key[MAP_KEY_MAX];
	struct buf b;

	slot_key(key, slot, "tries");
	buf_init(&b, 8);
	buf_put_u32(&b, tries->failed[PIN_SO]);
	buf_put_u32(&b, tries->failed[PIN_USER]);
	if (buf_ok(&b))
		txn_put(t, key, b.data, b.len);
	else
		t->failed = true;
	buf_free(&b);
}

CK_FLAGS
pins_flags(const struct pin_tries *tries, unsigned limit)
{
	static const CK_FLAGS low[] = {CKF_SO_PIN_COUNT_LOW, CKF_USER_PIN_COUNT_LOW};
	static const CK_FLAGS final[] = {CKF_SO_PIN_FINAL_TRY, CKF_USER_PIN_FINAL_TRY};
	static const CK_FLAGS locked[] = {CKF_SO_PIN_LOCKED, CKF_USER_PIN_LOCKED};
	CK_FLAGS flags = 0;

	for (unsigned i = 0; limit > 0 && i < PIN_USERS; i++) {
		uint32_t failed = tries->failed[i];

		if (failed > 0)
			flags |= low[i];
		if (failed + 1 == limit)
			flags |= final[i];
		if (failed >= limit)
			flags |= locked[i];
	}
	return flags;
}

void
pins_put_user(struct txn *t, uint32_t slot, const uint8_t *pin, size_t len)
{
	char key[MAP_KEY_MAX];

	slot_key(key, slot, "pin/user");
	txn_put(t, key, pin, len);
}

bool
pins_put_so(struct txn *t, uint32_t slot, const uint8_t *pin, size_t len)
{
	uint8_t value[1 + SALT + CRYPT_KEY] = {COST};
	char key[MAP_KEY_MAX];

	if (!crypt_random(value + 1, SALT) ||
	    !crypt_scrypt(pin, len, value + 1, SALT, COST, value + 1 + SALT))
		return false;
	slot_key(key, slot, "pin/so");
	txn_put(t, key, value, sizeof(value));
	sec_wipe(value, sizeof(value));
	return true;
}

bool
pins_check_so(
    const uint8_t *verifier, size_t verifier_len, const uint8_t *pin, size_t len)
{
	uint8_t found[CRYPT_KEY];
	bool ok;

	if (verifier == NULL || verifier_len != 1 + SALT + CRYPT_KEY)
		return false;
	ok = crypt_scrypt(pin, len, verifier + 1, SALT, verifier[0], found) &&
	     sec_equal(found, verifier + 1 + SALT, CRYPT_KEY);
	sec_wipe(found, sizeof(found));
	return ok;
}
