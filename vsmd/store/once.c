/* once.c - see once.h */
#include "vsmd/store/once.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "vsmd/store/file.h"
#include "vsmd/store/slots.h"
#include "vsmd/worker/gate.h"

#define VALUE_MAX (8 + ONCE_LEN + 1 + 2 * 16)

struct once_entry {
	uint8_t name[ONCE_LEN];
	uint8_t id[2][16];
	uint8_t n; /* 0: no entry */
};

static void
key_of(char key[MAP_KEY_MAX], const struct slot *slot, uint64_t number)
{
	char what[32];

	snprintf(what, sizeof(what), "once/%" PRIu64, number % ONCE_MAX);
	slot_key(key, slot->number, what);
}

void
once_free(struct once *o)
{
	free(o->entries);
	memset(o, 0, sizeof(*o));
}

static struct once_entry *
entry_of(struct once *o, uint64_t number)
{
	if (o->entries == NULL)
		o->entries = calloc(ONCE_MAX, sizeof(*o->entries));
	return o->entries != NULL ? &o->entries[number % ONCE_MAX] : NULL;
}

/* An entry from the map; false: it makes no sense. */
static bool
read_entry(struct buf *b, uint64_t *ret_number, struct once_entry *e)
{
	const uint8_t *name, *ids = NULL;

	*ret_number = buf_get_u64(b);
	name = buf_get_raw(b, ONCE_LEN);
	e->n = buf_get_u8(b);
	if (e->n >= 1 && e->n <= 2)
		ids = buf_get_raw(b, (size_t)e->n * 16);
	if (!buf_end(b) || name == NULL || ids == NULL)
		return false;
	memcpy(e->name, name, ONCE_LEN);
	memcpy(e->id, ids, (size_t)e->n * 16);
	return true;
}

/* Numbers begin with 0 and leave no place out, so the first one that is empty is the end. */
bool
once_load(struct slot *slot, const struct map *map)
{
	struct once *o = &slot->once;

	once_free(o);
	for (uint64_t k = 0; k < ONCE_MAX; k++) {
		struct once_entry read = {.n = 0}, *e;
		char key[MAP_KEY_MAX];
		const uint8_t *value;
		uint64_t number;
		struct buf b;
		size_t len;

		key_of(key, slot, k);
		if ((value = map_get(map, key, &len)) == NULL)
			break;
		buf_view(&b, value, len);
		if (!read_entry(&b, &number, &read) || number % ONCE_MAX != k) {
			log_warn("slot %" PRIu32 ": a record of what was made is malformed",
			    slot->number);
			continue;
		}
		if ((e = entry_of(o, k)) == NULL)
			return false;
		*e = read;
		if (number >= o->next)
			o->next = number + 1;
	}
	return true;
}

static void
put(const struct slot *slot, struct txn *t, uint64_t number, const struct once_entry *e)
{
	char key[MAP_KEY_MAX];
	struct buf b;

	buf_init(&b, VALUE_MAX);
	buf_put_u64(&b, number);
	buf_put_raw(&b, e->name, ONCE_LEN);
	buf_put_u8(&b, e->n);
	buf_put_raw(&b, e->id, (size_t)e->n * 16);
	key_of(key, slot, number);
	txn_put(t, key, b.data, b.len);
	buf_free(&b);
}

static bool
take_one(struct slot *slot, struct txn *t, const struct gate_made *made)
{
	struct once_entry *e = entry_of(&slot->once, slot->once.next);

	if (e == NULL)
		return false;
	memcpy(e->name, made->once, ONCE_LEN);
	memcpy(e->id, made->id, sizeof(e->id));
	e->n = (uint8_t)made->n;
	put(slot, t, slot->once.next++, e);
	return true;
}

int
once_take(struct slot *slot, struct txn *t)
{
	struct gate_made made;
	uint32_t n = 0, none = 0;

	if (file_read_at(slot->gate, &n, sizeof(n), GATE_MADE) != sizeof(n))
		return -1;
	if (n == 0)
		return 0;
	/* Written by workers, which may be taken over: whatever it says is of this slot. */
	if (n > GATE_MADE_MAX)
		n = GATE_MADE_MAX;
	for (uint32_t i = 0; i < n; i++) {
		if (file_read_at(slot->gate, &made, sizeof(made),
			GATE_MADE_FIRST + (off_t)i * (off_t)sizeof(made)) != sizeof(made))
			return -1;
		if (made.n >= 1 && made.n <= 2 && !take_one(slot, t, &made))
			return -1;
	}
	return file_write_at(slot->gate, &none, sizeof(none), GATE_MADE);
}

void
once_tell(const struct slot *slot, const uint8_t name[ONCE_LEN], struct buf *out)
{
	const struct once_entry *e = slot->once.entries;

	for (size_t i = 0; e != NULL && i < ONCE_MAX; i++)
		if (e[i].n > 0 && memcmp(e[i].name, name, ONCE_LEN) == 0) {
			buf_put_u8(out, e[i].n);
			buf_put_raw(out, e[i].id, (size_t)e[i].n * 16);
			return;
		}
	buf_put_u8(out, 0);
}
