/* revoked.c - see revoked.h */
#include "vsmd/store/revoked.h"

#include <string.h>

#include "vsmd/store/slots.h"

void
revoked_init(struct revoked *r)
{
	map_init(&r->later);
}

void
revoked_free(struct revoked *r)
{
	map_free(&r->later);
}

static const uint8_t *
get(const struct revoked *r, const struct map *m, const char *key, size_t *len)
{
	const uint8_t *p = map_get(&r->later, key, len);

	return p != NULL ? p : map_get(m, key, len);
}

bool
revoked_has(const struct revoked *r, const struct map *m, uint32_t slot,
    const uint8_t login[TICKET_LOGIN])
{
	char key[MAP_KEY_MAX];
	const uint8_t *p;
	size_t len = 0;

	slot_key(key, slot, "revoked");
	p = get(r, m, key, &len);
	for (size_t i = 0; p != NULL && i + TICKET_LOGIN <= len; i += TICKET_LOGIN)
		if (memcmp(p + i, login, TICKET_LOGIN) == 0)
			return true;
	return false;
}

bool
revoked_add(struct revoked *r, const struct map *m, uint32_t slot,
    const uint8_t login[TICKET_LOGIN])
{
	const size_t most = (REVOKED_MAX - 1) * TICKET_LOGIN;
	char key[MAP_KEY_MAX];
	const uint8_t *p;
	struct buf b;
	size_t len = 0;
	bool ok;

	slot_key(key, slot, "revoked");
	p = get(r, m, key, &len);
	buf_init(&b, REVOKED_MAX * TICKET_LOGIN);
	if (p != NULL && len > most) {
		p += len - most;
		len = most;
	}
	if (p != NULL)
		buf_put_raw(&b, p, len);
	buf_put_raw(&b, login, TICKET_LOGIN);
	ok = buf_ok(&b) && map_put(&r->later, key, b.data, b.len);
	buf_free(&b);
	return ok;
}

static bool
take(void *arg, const char *key, const uint8_t *value, size_t len)
{
	txn_put(arg, key, value, len);
	return true;
}

void
revoked_take(const struct revoked *r, struct txn *t)
{
	(void)map_each(&r->later, "", take, t);
}

void
revoked_done(struct revoked *r)
{
	map_free(&r->later);
}

uint64_t
login_epoch(const struct txn *t, const struct map *m, uint32_t slot)
{
	char key[MAP_KEY_MAX];

	slot_key(key, slot, "epoch");
	return slot_get_number(t, m, key);
}

void
login_epoch_next(struct txn *t, const struct map *m, uint32_t slot)
{
	char key[MAP_KEY_MAX];

	slot_key(key, slot, "epoch");
	slot_put_u64(t, key, login_epoch(t, m, slot) + 1);
}
