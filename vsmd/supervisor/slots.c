/* slots.c - the slots as the store told them last, and their discards. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "vsmd/msg.h"
#include "vsmd/supervisor/super.h"

#define DIRECTORY_MAX 1024
#define LAST_WORDS 1000 /* ms in which a worker tells its guest that a commit failed */

struct slot *
slot_find(const struct super *s, uint32_t id)
{
	for (size_t i = 0; i < s->nslots; i++)
		if (s->slots[i]->id == id)
			return s->slots[i];
	return NULL;
}

bool
slot_visible(const struct super *s, const struct slot *slot, const char *principal,
    const struct hello_hint *hint)
{
	return slot->listed && config_grant(s->config, principal,
				   slot->initialized ? slot->label : NULL, hint, NULL);
}

static struct slot *
slot_add(struct super *s, uint32_t id)
{
	struct slot **bigger, *slot = calloc(1, sizeof(*slot));

	if (slot == NULL ||
	    (bigger = reallocarray(s->slots, s->nslots + 1, sizeof(*bigger))) == NULL) {
		free(slot);
		return NULL;
	}
	s->slots = bigger;
	slot->id = id;
	slot->retry_at = NEVER;
	slot->counters = -1;
	return s->slots[s->nslots++] = slot;
}

static void
slot_free(struct slot *slot)
{
	if (slot->counters >= 0)
		close(slot->counters);
	free(slot->directory);
	free(slot);
}

/* One record of M_T_SLOTS. */
static bool
slot_read(struct super *s, struct buf *b)
{
	char label[GRANT_NAME], serial[GRANT_NAME], directory[DIRECTORY_MAX];
	uint32_t id = buf_get_u32(b);
	uint8_t flags = buf_get_u8(b);
	bool initialized = flags & M_SLOT_INITIALIZED;
	struct slot *slot;
	bool changed;

	buf_get_str(b, label, sizeof(label));
	buf_get_str(b, serial, sizeof(serial));
	buf_get_str(b, directory, sizeof(directory));
	if (!buf_ok(b) || flags & ~M_SLOT_ALL || directory[0] != '/')
		return false;
	if ((slot = slot_find(s, id)) == NULL && (slot = slot_add(s, id)) == NULL)
		return false;
	if (slot->listed)
		return false; /* twice in one message */
	slot->listed = true;
	changed = slot->directory == NULL || slot->initialized != initialized ||
		  strcmp(slot->label, label) != 0 || strcmp(slot->serial, serial) != 0 ||
		  strcmp(slot->directory, directory) != 0;
	if (changed) {
		free(slot->directory);
		if ((slot->directory = strdup(directory)) == NULL)
			return false;
		slot->initialized = initialized;
		memcpy(slot->label, label, sizeof(label));
		memcpy(slot->serial, serial, sizeof(serial));
		/* A running SoftHSM2 never sees a token that another process made: new
		 * applications need a new nursery. */
		nursery_retire(s, slot);
	}
	/* A list that the store sent before it heard M_S_DISCARDED still has the flag. */
	if (slot->state == SLOT_REBUILDING && !(flags & M_SLOT_DISCARDING))
		slot->state = SLOT_OPEN;
	return true;
}

/* Slots that the store no longer lists, once nothing runs on them. */
static void
forget_unlisted(struct super *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->nslots; i++) {
		struct slot *slot = s->slots[i];

		if (slot->listed || slot->state == SLOT_KILLING) {
			s->slots[kept++] = slot;
			continue;
		}
		attach_refuse_all(s, slot, HELLO_NO_SLOT);
		nurseries_kill_slot(s, slot->id);
		slot_free(slot);
	}
	s->nslots = kept;
}

bool
slots_update(struct super *s, struct buf *b)
{
	uint64_t epoch = buf_get_u64(b);
	uint32_t n = buf_get_u32(b);

	/* u32, u8, three lengths */
	if (!buf_fits(b, n, 29) || n > HELLO_MAX_SLOTS)
		return false;
	for (size_t i = 0; i < s->nslots; i++)
		s->slots[i]->listed = false;
	for (uint32_t i = 0; i < n; i++)
		if (!slot_read(s, b))
			return false;
	if (!buf_end(b))
		return false;
	s->epoch = epoch;
	forget_unlisted(s);
	log_debug("slots changed epoch=%llu slots=%u", (unsigned long long)epoch, n);
	return true;
}

void
slots_nursery_gone(struct super *s, uint32_t id)
{
	struct slot *slot = slot_find(s, id);
	struct buf b;

	if (slot == NULL || slot->state != SLOT_KILLING || nurseries_of_slot(s, id))
		return;
	slot->state = SLOT_REBUILDING;
	buf_init(&b, 16);
	buf_put_u8(&b, M_S_DISCARDED);
	buf_put_u32(&b, id);
	if (store_send(s, &b, NULL, 0) < 0) {
		/* It cannot go on without this answer. */
		log_error("the store does not read: restarting it");
		store_kill(s);
	}
	buf_free(&b);
	if (!slot->listed)
		forget_unlisted(s);
}

bool
slots_discard(struct super *s, struct buf *b)
{
	uint32_t id = buf_get_u32(b);
	char why[512], who[16];
	struct slot *slot;

	buf_get_str(b, why, sizeof(why));
	if (!buf_end(b) || (slot = slot_find(s, id)) == NULL)
		return false;
	snprintf(who, sizeof(who), "slot %u", id);
	if (log_may(who))
		log_warn("ending the applications of a token: %s slot=%u", why, id);
	slot->state = SLOT_KILLING;
	slot->kill_by = now_ms() + LAST_WORDS;
	attach_refuse_all(s, slot, HELLO_BUSY);
	return true;
}

int64_t
slots_tick(struct super *s, int64_t now)
{
	int64_t next = NEVER;

	for (size_t i = 0; i < s->nslots; i++) {
		struct slot *slot = s->slots[i];

		if (slot->state != SLOT_KILLING || slot->kill_by == NEVER)
			continue;
		if (now < slot->kill_by && workers_of_slot(s, slot->id)) {
			if (slot->kill_by < next)
				next = slot->kill_by;
			continue;
		}
		slot->kill_by = NEVER;
		nurseries_kill_slot(s, slot->id);
		slots_nursery_gone(s, slot->id);
		return now; /* which may have changed the list */
	}
	return next;
}

void
slots_store_gone(struct super *s)
{
	for (size_t i = 0; i < s->nslots; i++) {
		attach_refuse_all(s, s->slots[i], HELLO_BUSY);
		s->slots[i]->state = SLOT_OPEN;
	}
}

void
slots_free(struct super *s)
{
	for (size_t i = 0; i < s->nslots; i++) {
		attach_refuse_all(s, s->slots[i], HELLO_BUSY);
		slot_free(s->slots[i]);
	}
	free(s->slots);
	s->slots = NULL;
	s->nslots = 0;
}
