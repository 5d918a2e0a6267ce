/* slots.c - see slots.h */
#include "vsmd/store/slots.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/log.h"

void
slot_table_init(struct slots *s)
{
	memset(s, 0, sizeof(*s));
	s->max = SLOTS_MAX;
}

bool
slot_table_limit(struct slots *s, size_t path)
{
	/* u8, u64, u32; for each slot u32, u8 and three strings (vsmd/msg.h) */
	const size_t head = 13, strings = (SLOT_LABEL - 1) + (SLOT_SERIAL - 1) + path;
	size_t room = (IPC_MAX - head) / (4 + 1 + 3 * 8 + strings);

	s->max = room < SLOTS_MAX ? room : SLOTS_MAX;
	if (s->n > s->max) {
		log_error("there are %zu slots, but directory names of %zu bytes leave room "
			  "for %zu: set a shorter `runtime' in vsmd.conf",
		    s->n, path, s->max);
		return false;
	}
	return true;
}

static void
slot_free(struct slot *slot)
{
	if (slot->gate >= 0)
		close(slot->gate);
	if (slot->dir >= 0)
		close(slot->dir);
	map_free(&slot->dirty);
	once_free(&slot->once);
	free(slot->guesses);
	free(slot);
}

void
slot_table_free(struct slots *s)
{
	for (size_t i = 0; i < s->n; i++)
		slot_free(s->all[i]);
	slot_table_init(s);
}

struct slot *
slot_table_find(const struct slots *s, uint32_t number)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->all[i]->number == number)
			return s->all[i];
	return NULL;
}

struct slot *
slot_table_add(struct slots *s, uint32_t number)
{
	struct slot *slot;
	size_t i;

	if (s->n >= s->max || slot_table_find(s, number) != NULL ||
	    (slot = calloc(1, sizeof(*slot))) == NULL)
		return NULL;
	slot->number = number;
	slot->gate = slot->dir = slot->watch = -1;
	map_init(&slot->dirty);
	for (i = s->n++; i > 0 && s->all[i - 1]->number > number; i--)
		s->all[i] = s->all[i - 1];
	s->all[i] = slot;
	return slot;
}

struct slot *
slot_table_add_blank(struct slots *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (!s->all[i]->initialized)
			return NULL;
	if (s->n >= s->max) {
		log_warn("no slot for a new token: %zu tokens are the most%s", s->max,
		    s->max < SLOTS_MAX ? ", because `runtime' in vsmd.conf is long"
				       : "; delete one that nobody needs");
		return NULL;
	}
	return slot_table_add(s, s->next++);
}

void
slot_table_drop(struct slots *s, struct slot *slot)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->all[i] == slot) {
			memmove(
			    &s->all[i], &s->all[i + 1], (s->n - i - 1) * sizeof(slot));
			s->n--;
			slot_free(slot);
			return;
		}
}

size_t
slot_table_tokens(const struct slots *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->all[i]->initialized;
	return n;
}

bool
slot_may_log(const struct slot *slot)
{
	char who[16];

	snprintf(who, sizeof(who), "slot %" PRIu32, slot->number);
	return log_may(who);
}

void
slot_trim(char *dst, size_t size, const char *src)
{
	size_t len = strnlen(src, size - 1);

	while (len > 0 && src[len - 1] == ' ')
		len--;
	memmove(dst, src, len);
	dst[len] = '\0';
}

void
slot_key(char key[MAP_KEY_MAX], uint32_t number, const char *what)
{
	snprintf(key, MAP_KEY_MAX, "slot/%" PRIu32 "/%s", number, what);
}

static void
put_buf(struct txn *t, const char *key, struct buf *b)
{
	if (buf_ok(b))
		txn_put(t, key, b->data, b->len);
	else
		t->failed = true;
	buf_free(b);
}

void
slot_put_meta(struct txn *t, uint32_t number, const char *label, const char *serial,
    const char *directory)
{
	char key[MAP_KEY_MAX];
	struct buf b;

	buf_init(&b, 256);
	buf_put_str(&b, label);
	buf_put_str(&b, serial);
	buf_put_str(&b, directory);
	slot_key(key, number, "meta");
	put_buf(t, key, &b);
}

bool
slot_get_meta(const uint8_t *value, size_t len, struct slot *slot)
{
	struct buf b;

	buf_view(&b, value, len);
	buf_get_str(&b, slot->label, sizeof(slot->label));
	buf_get_str(&b, slot->serial, sizeof(slot->serial));
	buf_get_str(&b, slot->directory, sizeof(slot->directory));
	return buf_end(&b) && slot->directory[0] != '\0';
}

void
slot_put_u32(struct txn *t, const char *key, uint32_t v)
{
	struct buf b;

	buf_init(&b, 4);
	buf_put_u32(&b, v);
	put_buf(t, key, &b);
}

void
slot_put_u64(struct txn *t, const char *key, uint64_t v)
{
	struct buf b;

	buf_init(&b, 8);
	buf_put_u64(&b, v);
	put_buf(t, key, &b);
}

uint64_t
slot_get_number(const struct txn *t, const struct map *m, const char *key)
{
	const uint8_t *p;
	struct buf b;
	size_t len;

	p = t != NULL ? txn_get(t, m, key, &len) : map_get(m, key, &len);
	if (p == NULL || (len != 4 && len != 8))
		return 0;
	buf_view(&b, p, len);
	return len == 4 ? buf_get_u32(&b) : buf_get_u64(&b);
}

static bool
load(void *arg, const char *key, const uint8_t *value, size_t len)
{
	struct slots *s = arg;
	char again[MAP_KEY_MAX];
	struct slot *slot;
	unsigned long number;
	char *end;

	number = strtoul(key + strlen("slot/"), &end, 10);
	if (strcmp(end, "/meta") != 0)
		return true;
	slot_key(again, (uint32_t)number, "meta");
	if (number > INT32_MAX || strcmp(again, key) != 0 ||
	    (slot = slot_table_add(s, (uint32_t)number)) == NULL ||
	    !slot_get_meta(value, len, slot)) {
		log_error("store: %s makes no sense", key);
		return false;
	}
	slot->initialized = true;
	return true;
}

bool
slot_table_load(struct slots *s, const struct map *m)
{
	slot_table_init(s);
	s->next = (uint32_t)slot_get_number(NULL, m, "slots/next");
	if (!map_each(m, "slot/", load, s))
		return false;
	for (size_t i = 0; i < s->n; i++) {
		char key[MAP_KEY_MAX];
		size_t len;

		slot_key(key, s->all[i]->number, SLOT_ROLLED_BACK);
		s->all[i]->rolled_back = map_get(m, key, &len) != NULL;
	}
	for (size_t i = 0; i < s->n; i++)
		if (s->all[i]->number >= s->next) {
			log_error("store: slot %" PRIu32 " is beyond slots/next",
			    s->all[i]->number);
			return false;
		}
	return true;
}

void
slot_table_put_next(struct txn *t, const struct map *m, uint32_t number)
{
	if (slot_get_number(t, m, "slots/next") <= number)
		slot_put_u32(t, "slots/next", number + 1);
}
