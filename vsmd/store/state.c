/* state.c - see state.h */
#include "vsmd/store/state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/ipc.h"
#include "common/log.h"
#include "common/secmem.h"
#include "vsmd/msg.h"
#include "vsmd/store/admin_ask.h"
#include "vsmd/store/dirwatch.h"

static void
say(struct store *s, const struct buf *b)
{
	if (!s->gone && ipc_send(s->supervisor, b, NULL, 0) != 0) {
		log_error("the supervisor cannot be told: %s", strerror(errno));
		s->gone = true;
	}
}

void
store_say_slots(struct store *s)
{
	char path[PATH_MAX];
	uint32_t n = 0;
	struct buf b;

	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_T_SLOTS);
	buf_put_u64(&b, ++s->slots.epoch);
	for (size_t i = 0; i < s->slots.n; i++)
		n += !s->slots.all[i]->rolled_back;
	buf_put_u32(&b, n);
	for (size_t i = 0; i < s->slots.n; i++) {
		const struct slot *slot = s->slots.all[i];

		if (slot->rolled_back)
			continue;
		if (!memory_slot_path(&s->memory, slot, path))
			buf_fail(&b);
		buf_put_u32(&b, slot->number);
		buf_put_u8(&b,
		    (slot->initialized ? M_SLOT_INITIALIZED : 0) |
			(slot->discarding ? M_SLOT_DISCARDING : 0));
		buf_put_str(&b, slot->label);
		buf_put_str(&b, slot->serial);
		buf_put_str(&b, path);
	}
	say(s, &b);
	buf_free(&b);
}

static void
say_status(struct store *s, const char *line)
{
	struct buf b;

	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_T_STATUS);
	buf_put_str(&b, line);
	say(s, &b);
	buf_free(&b);
}

void
store_say_commits(struct store *s, bool refused)
{
	if (s->refused == refused)
		return;
	s->refused = refused;
	say_status(s, refused ? "Changes to tokens are refused, by the disk or the TPM: see "
				"the log"
			      : "Serving; changes to tokens are taken again");
}

void
store_say_tpm_failed(void *store)
{
	struct store *s = store;
	struct buf b;

	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_T_TPM_FAILED);
	say(s, &b);
	buf_free(&b);
}

void
store_say_seed(struct store *s)
{
	struct buf b;

	if (!s->master.seeded)
		return;
	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_T_SEED);
	buf_put_raw(&b, s->master.seed, SEED_LEN);
	say(s, &b);
	buf_free(&b);
	sec_wipe(s->master.seed, SEED_LEN);
	s->master.seeded = false;
}

void
store_say_rolled_back(struct store *s)
{
	say_status(s, s->vault.rolled_back
			  ? "The store is not the last state: no token is served; see the log"
			  : "Serving");
}

void
store_discard(struct store *s, struct slot *slot, const char *why)
{
	struct buf b;

	if (slot->discarding)
		return;
	slot->discarding = true;
	if (slot_may_log(slot))
		log_warn("slot %" PRIu32 ": %s: ending its processes", slot->number, why);
	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_T_DISCARD);
	buf_put_u32(&b, slot->number);
	buf_put_str(&b, why);
	say(s, &b);
	buf_free(&b);
}

int
store_restore(struct store *s, struct slot *slot)
{
	char path[PATH_MAX];

	dirwatch_remove(s->watch, slot);
	if (!slot->initialized)
		slot->directory[0] = '\0';
	if (restore_slot(&s->memory, slot, &s->vault.map) != 0)
		return -1;
	if (!slot->initialized)
		return 0;
	if (!memory_token_path(&s->memory, slot, path) ||
	    dirwatch_add(s->watch, slot, path) != 0) {
		log_error("slot %" PRIu32 ": cannot watch its directory: %s",
		    slot->number, strerror(errno));
		return -1;
	}
	return 0;
}

int
store_make_blank(struct store *s)
{
	struct slot *slot;

	if (s->vault.rolled_back || (slot = slot_table_add_blank(&s->slots)) == NULL)
		return 0;
	slot->epoch = s->vault.journal.at.sequence;
	return store_restore(s, slot);
}

void
store_discarded(struct store *s, struct slot *slot)
{
	attached_end_slot(s, slot->number);
	slot->discarding = false;
	if (slot->deleting && admin_ask_delete(s, slot)) {
		dirwatch_remove(s->watch, slot);
		if (!slot->rolled_back)
			restore_remove(&s->memory, slot);
		slot_table_drop(&s->slots, slot);
		(void)store_make_blank(s); /* when there was no room for one before */
	} else {
		slot->deleting = false;
		if (slot->rolled_back)
			return;
		slot->epoch = s->vault.journal.at.sequence;
		if (store_restore(s, slot) != 0)
			log_fatal(
			    "store: a token cannot be rebuilt in memory: restarting");
		if (slot_may_log(slot))
			log_info(
			    "slot %" PRIu32 ": rebuilt from the last commit", slot->number);
	}
	store_say_slots(s);
}

int
store_open_audit(struct store *s)
{
	const struct audit_limits limits = {
	    .rotate = s->config->audit_rotate, .keep = s->config->audit_keep};
	const struct vault *v = &s->vault;

	return audit_open(
	    &s->audit, v->dir, v->keys, v->journal.at.store, &v->map, &limits);
}

int
store_note_slot(struct store *s, const struct attach *a, const struct slot *slot,
    const char *event, const char *detail, uint64_t rv)
{
	struct audit_event e = {.principal = a != NULL ? a->principal : "",
	    .peer = a != NULL ? a->peer : "",
	    .slot = slot != NULL ? (int64_t)slot->number : -1,
	    .token = slot != NULL ? slot->label : "",
	    .event = event,
	    .detail = detail,
	    .rv = rv};
	char quoted[4 * AUDIT_NAME];
	int saved;

	if (s->vault.rolled_back && s->audit.fd < 0) {
		errno = EROFS;
		return -1;
	}
	if (audit_append(&s->audit, &e) == 0)
		return 0;
	saved = errno;
	log_error("audit log: cannot be written: %s: %s is refused", strerror(saved),
	    log_quote(quoted, sizeof(quoted), event, strlen(event)));
	errno = saved;
	return -1;
}

int
store_note(struct store *s, const struct attach *a, const char *event, const char *detail,
    uint64_t rv)
{
	const struct slot *slot =
	    a != NULL && !a->admin ? slot_table_find(&s->slots, a->slot) : NULL;

	return store_note_slot(s, a, slot, event, detail, rv);
}
