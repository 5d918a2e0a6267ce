/*
 * admin_rollback.c - a token of a rolled-back store, accepted by its SO; see admin_ask.h
 *
 * The first token of a rolled-back store is accepted with the store: one commit makes it
 * the last state and marks every other token, whose SO must accept it too.  Each wrong SO
 * PIN is counted before it is looked at, durably: of a rolled-back store, on which
 * nothing is written, in the TPM; of a token that is marked, where logins count.
 *
 * A right one that is not written after all is none of them.  So the disk has to have room
 * before one is counted; and where it fails later, it is known as long as this process lives
 * how many of those that were counted were right.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "vsmd/store/admin_ask.h"
#include "vsmd/store/commit.h"
#include "vsmd/store/text.h"

static bool
pin_fits(
    const struct store *s, const struct slot *slot, const struct admin_secret *secret)
{
	char key[MAP_KEY_MAX];
	const uint8_t *verifier;
	size_t len = 0;

	slot_key(key, slot->number, "pin/so");
	verifier = map_get(&s->vault.map, key, &len);
	return pins_check_so(verifier, len, secret->so_pin, secret->so_pin_len);
}

static void
mark(struct txn *t, const struct slot *slot, bool rolled_back)
{
	char key[MAP_KEY_MAX];

	slot_key(key, slot->number, SLOT_ROLLED_BACK);
	if (rolled_back)
		txn_put(t, key, NULL, 0);
	else
		txn_remove(t, key);
}

/* After the commit: the token is served. */
static void
show(struct store *s, struct attach *a, struct slot *slot)
{
	json_int_t others = 0;

	slot->rolled_back = false;
	slot->epoch = s->vault.journal.at.sequence;
	if (store_restore(s, slot) != 0 || store_make_blank(s) != 0)
		log_fatal("store: a token cannot be made in memory: restarting");
	for (size_t i = 0; i < s->slots.n; i++)
		others += s->slots.all[i]->rolled_back;
	store_say_slots(s);
	admin_good(a,
	    json_pack("{s:o, s:o, s:I, s:I}", "label", text_json(slot->label), "serial",
		text_json(slot->serial), "slot", (json_int_t)slot->number,
		"rolled_back_tokens", others),
	    NULL, 0);
}

static void
wrong_pin(struct attach *a, uint64_t failed, unsigned limit)
{
	if (log_may(a->principal))
		log_warn("accept-rollback by principal %s (%s): a wrong SO PIN", a->principal,
		    a->peer);
	if (limit == 0)
		admin_bad(a, "the SO PIN is not the one of this token");
	else if (failed >= limit)
		admin_bad(a,
		    "the SO PIN is not the one of this token, and was the last try: "
		    "it is locked");
	else
		admin_bad(a, "the SO PIN is not the one of this token: %u tries left",
		    limit - (unsigned)failed);
}

static void
locked(struct attach *a)
{
	admin_bad(a,
	    "the SO PIN is locked, after too many wrong ones: put the right state "
	    "directory back, or start anew and restore a backup");
}

#define NOTHING "nothing was accepted, and no wrong SO PIN was counted: "

/* Before a PIN is counted. */
static bool
has_room(const struct store *s, struct attach *a)
{
	if (vault_room(&s->vault) == 0)
		return true;
	admin_bad(a, NOTHING "the disk: %s", strerror(errno));
	return false;
}

static void
not_written(struct attach *a, enum vault_result v)
{
	admin_bad(a, NOTHING "%s: see vsmd's log",
	    v == VAULT_FULL ? "the disk is full" : "the disk, or the TPM, refuses it");
}

static void
not_audited(struct attach *a)
{
	admin_bad(a, NOTHING "the disk: the audit log cannot be written: see vsmd's log");
}

/* Of those that were counted, how many were wrong. */
static uint64_t
wrong_of(uint64_t counted, unsigned right)
{
	return counted > right ? counted - right : 0;
}

/* The whole store with this token in it. */
static void
accept_store(struct store *s, struct attach *a, struct slot *slot,
    const struct admin_secret *secret)
{
	unsigned limit = s->config->pin_tries;
	char detail[ANCHOR_WHY + 64];
	uint64_t failed = 0;
	enum vault_result v;
	struct txn t;

	if (anchor_tries_begin(&s->anchor, &s->vault.map, limit, &failed) != 0) {
		admin_bad(a, "nothing was accepted: the TPM: %s", s->anchor.why);
		return;
	}
	failed = wrong_of(failed, s->accepts_right);
	if (limit > 0 && failed >= limit) {
		locked(a);
		return;
	}
	if (!has_room(s, a))
		return;
	if (anchor_tries_count(&s->anchor) != 0) {
		admin_bad(a, "nothing was accepted: the TPM: %s", s->anchor.why);
		return;
	}
	if (!pin_fits(s, slot, secret)) {
		wrong_pin(a, failed + 1, limit);
		return;
	}
	s->accepts_right++;
	anchor_tries_forget(&s->anchor);
	if (s->audit.fd < 0 && store_open_audit(s) != 0) {
		not_audited(a);
		return;
	}
	snprintf(
	    detail, sizeof(detail), "wrong-pins=%" PRIu64 " %s", failed, s->vault.why);
	if (store_note_slot(s, a, slot, "rollback-accepted", detail, 0) != 0) {
		not_audited(a);
		return;
	}
	txn_init(&t);
	for (size_t i = 0; i < s->slots.n; i++)
		mark(&t, s->slots.all[i], s->slots.all[i] != slot);
	v = commit_accept(s, &t);
	txn_clear(&t);
	if (v != VAULT_OK) {
		not_written(a, v);
		return;
	}
	s->accepts_right = 0;
	log_warn("the rolled-back store was accepted, with slot %" PRIu32
		 ", by principal %s (%s)",
	    slot->number, a->principal, a->peer);
	store_say_rolled_back(s);
	show(s, a, slot);
}

/* A token that was marked when another was accepted with the store. */
static void
accept_token(struct store *s, struct attach *a, struct slot *slot,
    const struct admin_secret *secret)
{
	struct pin_tries tries = pins_tries(&s->group, &s->vault.map, slot->number);
	unsigned limit = s->config->pin_tries;
	uint32_t *failed = &tries.failed[PIN_SO];
	enum vault_result v;
	struct txn t;

	*failed = (uint32_t)wrong_of(*failed, slot->accepts_right);
	if (limit > 0 && *failed >= limit) {
		locked(a);
		return;
	}
	if (!has_room(s, a))
		return;
	++*failed;
	txn_init(&t);
	pins_put_tries(&t, slot->number, &tries);
	v = commit_now(s, &t);
	txn_clear(&t);
	if (v != VAULT_OK) {
		not_written(a, v);
		return;
	}
	slot->accepts_right = 0;
	if (!pin_fits(s, slot, secret)) {
		(void)store_note_slot(
		    s, a, slot, "rollback-refused", "wrong SO PIN", CKR_PIN_INCORRECT);
		wrong_pin(a, *failed, limit);
		return;
	}
	slot->accepts_right = 1;
	if (store_note_slot(s, a, slot, "rollback-accepted", "", 0) != 0) {
		not_audited(a);
		return;
	}
	*failed = 0;
	pins_put_tries(&t, slot->number, &tries);
	mark(&t, slot, false);
	v = commit_now(s, &t);
	txn_clear(&t);
	if (v != VAULT_OK) {
		not_written(a, v);
		return;
	}
	slot->accepts_right = 0;
	show(s, a, slot);
}

void
admin_accept_rollback(struct store *s, struct attach *a, const struct admin_request *r)
{
	struct admin_secret secret = admin_secrets(r);
	struct slot *slot = admin_token(s, a, r);

	if (slot == NULL)
		return;
	if (!slot->rolled_back)
		admin_bad(a, "this token is not rolled back");
	else if (s->vault.rolled_back)
		accept_store(s, a, slot, &secret);
	else
		accept_token(s, a, slot, &secret);
}
