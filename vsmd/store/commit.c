/* commit.c - see commit.h */
#include "vsmd/store/commit.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/log.h"
#include "vsmd/store/clock.h"
#include "vsmd/store/collect.h"
#include "vsmd/store/dirwatch.h"
#include "vsmd/store/lazy.h"
#include "vsmd/store/worker_ask.h"

#define GATE_PATIENCE 60000 /* ms */

/* One slot's part in a commit. */
struct part_of {
	struct slot *slot;
	size_t mark; /* changes before its own */
	bool changed;
	bool adopting; /* a token was made on the blank slot */
	bool named;    /* has_token: */
	char label[SLOT_LABEL], serial[SLOT_SERIAL];
};

struct round {
	struct store *s;
	struct txn txn;
	struct part_of parts[SLOTS_MAX];
	size_t nparts;
};

static bool
waits(const struct attach *a, const struct slot *slot)
{
	return a->wait == WAIT_COMMIT && !a->dead && a->slot == slot->number;
}

static bool
any_waits(const struct store *s, const struct slot *slot)
{
	for (const struct attach *a = s->attached; a != NULL; a = a->next)
		if (waits(a, slot))
			return true;
	return false;
}

/* Tell those of a slot that wait that it went wrong. */
static void
refuse(struct store *s, const struct slot *slot, CK_RV rv)
{
	for (struct attach *a = s->attached; a != NULL; a = a->next)
		if (waits(a, slot)) {
			(void)store_note(s, a, "commit-failed",
			    "the token is taken back to its last commit", rv);
			for (size_t i = 0; i < PIN_USERS; i++) {
				buf_reset(&a->pin[i]);
				a->new_pin[i] = false;
			}
			a->in_group = false;
			attached_answer(a, rv, NULL);
		}
}

/* The PINs that came with a commit. */
static bool
take_pins(struct round *r, struct slot *slot, struct attach *a, bool initialized_token)
{
	struct store *s = r->s;
	struct pin_tries tries = pins_tries(&r->txn, &s->vault.map, a->slot);
	char key[MAP_KEY_MAX];
	bool ok = true;

	if (initialized_token) {
		memset(&tries, 0, sizeof(tries));
		memset(slot->failed, 0, sizeof(slot->failed));
		for (unsigned i = 0; i < PIN_USERS; i++)
			guess_forget(slot, &r->txn, &s->vault.map, (enum pin_user)i);
		slot_key(key, a->slot, "pin/user");
		txn_remove(&r->txn, key);
	}
	if (a->new_pin[PIN_USER]) {
		pins_put_user(
		    &r->txn, a->slot, a->pin[PIN_USER].data, a->pin[PIN_USER].len);
		tries.failed[PIN_USER] = slot->failed[PIN_USER] = 0;
		guess_forget(slot, &r->txn, &s->vault.map, PIN_USER);
	}
	if (a->new_pin[PIN_SO]) {
		ok = pins_put_so(
		    &r->txn, a->slot, a->pin[PIN_SO].data, a->pin[PIN_SO].len);
		tries.failed[PIN_SO] = slot->failed[PIN_SO] = 0;
		guess_forget(slot, &r->txn, &s->vault.map, PIN_SO);
	}
	if (initialized_token || a->new_pin[PIN_USER] || a->new_pin[PIN_SO]) {
		pins_put_tries(&r->txn, a->slot, &tries);
		login_epoch_next(&r->txn, &s->vault.map, a->slot);
	}
	return ok;
}

/* What the waiting requests of a slot bring beside files: names, PINs, audit records. */
static CK_RV
take_requests(struct round *r, struct part_of *p)
{
	struct store *s = r->s;

	for (struct attach *a = s->attached; a != NULL; a = a->next) {
		struct commit_ask ask;
		CK_RV written;

		if (!waits(a, p->slot))
			continue;
		if (!commit_ask_read(s, a, true, &ask, &written))
			return CKR_DEVICE_ERROR;
		if (written != CKR_OK)
			return written;
		if (ask.has_token) {
			p->named = true;
			memcpy(p->label, ask.label, sizeof(p->label));
			memcpy(p->serial, ask.serial, sizeof(p->serial));
		}
		if (!take_pins(r, p->slot, a, ask.has_token))
			return CKR_DEVICE_ERROR;
		a->in_group = true;
	}
	return CKR_OK;
}

/* A token on the blank slot: it keeps the number, the next blank one gets the next. */
static CK_RV
adopt(struct round *r, struct part_of *p)
{
	struct store *s = r->s;
	char path[PATH_MAX];
	CK_RV rv;

	if ((rv = collect_adopt(&s->memory, p->slot)) != CKR_OK)
		return rv;
	if (p->slot->directory[0] == '\0')
		return CKR_OK; /* C_InitToken did not come to that */
	if (!memory_token_path(&s->memory, p->slot, path) ||
	    dirwatch_add(s->watch, p->slot, path) != 0) {
		log_error("slot %" PRIu32 ": cannot watch its directory: %s",
		    p->slot->number, strerror(errno));
		return CKR_DEVICE_ERROR;
	}
	p->adopting = true;
	slot_table_put_next(&r->txn, &s->vault.map, p->slot->number);
	return CKR_OK;
}

static CK_RV
take_slot(struct round *r, struct part_of *p)
{
	struct store *s = r->s;
	struct slot *slot = p->slot;
	CK_RV rv;

	if (restore_broken(slot)) {
		if (slot_may_log(slot))
			log_error(
			    "slot %" PRIu32 ": a worker died while it wrote", slot->number);
		return CKR_DEVICE_ERROR;
	}
	if (dirwatch_read(s->watch, &s->slots) != 0) {
		log_error("inotify: %s", strerror(errno));
		return CKR_DEVICE_ERROR;
	}
	if ((rv = take_requests(r, p)) != CKR_OK)
		return rv;
	if (!slot->initialized && p->named && (rv = adopt(r, p)) != CKR_OK)
		return rv;
	if (slot->directory[0] == '\0')
		return CKR_OK;
	if (slot->watch < 0)
		slot->rescan =
		    true; /* its directory was replaced: will not compare equal */
	if (p->named) {
		if (!collect_alone(&s->memory, slot)) {
			if (slot_may_log(slot))
				log_error("slot %" PRIu32 ": a second token was made on it",
				    slot->number);
			return CKR_DEVICE_ERROR;
		}
		slot_put_meta(
		    &r->txn, slot->number, p->label, p->serial, slot->directory);
	}
	if (once_take(slot, &r->txn) != 0) {
		if (slot_may_log(slot))
			log_error("slot %" PRIu32 ": gate file: %s", slot->number,
			    strerror(errno));
		return CKR_DEVICE_ERROR;
	}
	return collect(slot, &s->vault.map, &r->txn);
}

/* No call of SoftHSM2 holds a gate for long, and who waits for a commit holds none. */
static void
gate_taken(struct store *s, struct slot *slot)
{
	unsigned patience =
	    s->config->gate_patience > 0 ? s->config->gate_patience : GATE_PATIENCE;
	int64_t now = clock_ms();

	if (slot->gate_since == 0)
		slot->gate_since = now;
	if (now - slot->gate_since < patience) {
		s->gate_busy = true;
		return;
	}
	slot->gate_since = 0;
	refuse(s, slot, CKR_DEVICE_ERROR);
	store_discard(s, slot, "a worker does not leave its gate");
}

static void
take_slots(struct round *r)
{
	struct store *s = r->s;

	for (size_t i = 0; i < s->slots.n; i++) {
		struct slot *slot = s->slots.all[i];
		struct part_of *p = &r->parts[r->nparts];
		CK_RV rv;

		if (slot->discarding || !any_waits(s, slot))
			continue;
		if (!restore_enter(slot)) {
			gate_taken(s, slot);
			continue;
		}
		slot->gate_since = 0;
		*p = (struct part_of){.slot = slot, .mark = r->txn.n};
		slot->growth = 0;
		rv = take_slot(r, p);
		restore_leave(slot);
		if (rv != CKR_OK) {
			txn_cut(&r->txn, p->mark);
			r->txn.failed = false;
			refuse(s, slot, rv);
			store_discard(s, slot, "its directory cannot be stored");
			continue;
		}
		p->changed = r->txn.n > p->mark;
		r->nparts++;
	}
}

static enum vault_result
commit(struct store *s, struct txn *t,
    enum vault_result (*make_durable)(struct vault *v, struct txn *t))
{
	uint64_t writes = s->anchor.writes;
	enum vault_result v;
	struct txn all;

	txn_init(&all);
	revoked_take(&s->revoked, &all);
	txn_take(&all, t);
	audit_put_head(&s->audit, &all);
	/* First the audit log, so that what the record seals of it is there. */
	if (audit_sync(&s->audit) != 0) {
		log_error("audit log: sync failed: %s", strerror(errno));
		v = errno == ENOSPC || errno == EDQUOT ? VAULT_FULL : VAULT_FAILED;
	} else {
		v = make_durable(&s->vault, &all);
	}
	store_say_commits(s, v != VAULT_OK);
	s->commits += v == VAULT_OK;
	s->commits_failed += v != VAULT_OK;
	if (v == VAULT_OK) {
		revoked_done(&s->revoked);
		audit_stored(&s->audit);
		lazy_done(s);
	}
	wear_spend(&s->wear, s->anchor.writes - writes, clock_ms());
	txn_clear(&all);
	return v;
}

enum vault_result
commit_now(struct store *s, struct txn *t)
{
	if (t->n == 0 && txn_ok(t))
		return VAULT_OK;
	return commit(s, t, vault_commit);
}

enum vault_result
commit_rest(struct store *s)
{
	struct txn none;
	enum vault_result v;

	txn_init(&none);
	v = commit(s, &none, vault_commit);
	txn_clear(&none);
	return v;
}

enum vault_result
commit_accept(struct store *s, struct txn *t)
{
	return commit(s, t, vault_accept);
}

static void
succeed_slot(struct round *r, struct part_of *p, bool *slots_changed)
{
	struct store *s = r->s;
	struct slot *slot = p->slot;
	char quoted[4 * SLOT_LABEL];

	if (p->changed) {
		slot->bytes += (uint64_t)slot->growth;
		slot->growth = 0;
		slot->epoch = s->vault.journal.at.sequence;
		restore_epoch(slot);
	}
	if (p->adopting) {
		slot->initialized = true;
		log_info("slot %" PRIu32 ": token \"%s\" made", slot->number,
		    log_quote(quoted, sizeof(quoted), p->label, strlen(p->label)));
		if (store_make_blank(s) != 0)
			log_fatal("store: no blank slot can be made: restarting");
	}
	if (p->named && slot->initialized) {
		*slots_changed |= p->adopting || strcmp(slot->label, p->label) != 0;
		memcpy(slot->label, p->label, sizeof(slot->label));
		memcpy(slot->serial, p->serial, sizeof(slot->serial));
	}
}

static void
answer_slot(struct store *s, const struct slot *slot)
{
	struct buf out;

	buf_init(&out, 8);
	buf_put_u64(&out, slot->epoch);
	for (struct attach *a = s->attached; a != NULL; a = a->next) {
		if (!waits(a, slot) || !a->in_group)
			continue;
		for (size_t i = 0; i < PIN_USERS; i++) {
			buf_reset(&a->pin[i]);
			a->new_pin[i] = false;
		}
		a->in_group = false;
		attached_answer(a, CKR_OK, &out);
	}
	buf_free(&out);
}

static void
answer_durable(struct store *s, CK_RV rv)
{
	for (struct attach *a = s->attached; a != NULL; a = a->next)
		if (a->wait == WAIT_DURABLE && !a->dead)
			attached_answer(a, rv, rv == CKR_OK ? &a->answer : NULL);
}

static bool
something_waits(const struct store *s)
{
	for (const struct attach *a = s->attached; a != NULL; a = a->next)
		if ((a->wait == WAIT_COMMIT || a->wait == WAIT_DURABLE) && !a->dead)
			return true;
	return s->group.n > 0;
}

void
commit_run(struct store *s)
{
	struct round r = {.s = s};
	bool slots_changed = false;
	enum vault_result v;
	CK_RV rv;

	s->gate_busy = false;
	if (!something_waits(s))
		return;
	txn_init(&r.txn);
	txn_take(&r.txn, &s->group);
	take_slots(&r);
	v = commit_now(s, &r.txn);
	txn_clear(&r.txn);
	rv = v == VAULT_OK     ? CKR_OK
	     : v == VAULT_FULL ? CKR_DEVICE_MEMORY
			       : CKR_DEVICE_ERROR;
	for (size_t i = 0; i < r.nparts; i++) {
		struct part_of *p = &r.parts[i];

		if (v == VAULT_OK) {
			succeed_slot(&r, p, &slots_changed);
			answer_slot(s, p->slot);
		} else if (p->changed) {
			refuse(s, p->slot, rv);
			store_discard(s, p->slot, "its last change is not durable");
		} else {
			answer_slot(s, p->slot);
		}
	}
	answer_durable(s, rv);
	if (slots_changed)
		store_say_slots(s);
}
