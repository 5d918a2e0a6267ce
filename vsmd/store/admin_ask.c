/* admin_ask.c - see admin_ask.h */
#include "vsmd/store/admin_ask.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hex.h"
#include "common/ipc.h"
#include "common/secmem.h"
#include "vsmd/msg.h"
#include "vsmd/store/audit_verify.h"
#include "vsmd/store/clock.h"
#include "vsmd/store/commit.h"
#include "vsmd/store/lazy.h"
#include "vsmd/store/sealer.h"
#include "vsmd/store/text.h"

#define VERIFY_STEP 200 /* lines between two looks at the pipes */
#define STATUS_PAUSE 250 /* ms between two questions of vsmd-metrics */

static void
answer(struct attach *a, bool ok, const char *text, const void *blob, size_t len)
{
	struct buf b;

	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_A_ANSWER);
	buf_put_u8(&b, ok);
	buf_put_str(&b, text);
	buf_put_bytes(&b, blob, len);
	if (ipc_send(a->fd, &b, NULL, 0) != 0)
		a->dead = true;
	buf_free(&b);
	buf_reset(&a->request);
	a->wait = WAIT_NOTHING;
}

void
admin_good(struct attach *a, json_t *result, const void *blob, size_t len)
{
	char *text =
	    result != NULL ? json_dumps(result, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

	if (text == NULL)
		answer(a, false, "the store is out of memory", NULL, 0);
	else
		answer(a, true, text, blob, len);
	free(text);
	json_decref(result);
}

void
admin_bad(struct attach *a, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	answer(a, false, text, NULL, 0);
}

struct admin_secret
admin_secrets(const struct admin_request *r)
{
	struct admin_secret s = {0};
	struct buf b;

	buf_view(&b, r->secret, r->secret_len);
	if (r->secret_len > 0) {
		s.passphrase = buf_get_bytes(&b, &s.passphrase_len);
		s.so_pin = buf_get_bytes(&b, &s.so_pin_len);
	}
	return s;
}

struct slot *
admin_token(struct store *s, struct attach *a, const struct admin_request *r)
{
	const char *label = json_string_value(json_object_get(r->args, "label"));
	struct slot *found = NULL;
	unsigned n = 0;

	for (size_t i = 0; label != NULL && i < s->slots.n; i++) {
		struct slot *slot = s->slots.all[i];

		if (slot->initialized && (strcmp(slot->label, label) == 0 ||
					     strcmp(slot->serial, label) == 0)) {
			found = slot;
			n++;
		}
	}
	if (n == 1)
		return found;
	if (n == 0)
		admin_bad(
		    a, "there is no token with this label: caas token list shows them");
	else
		admin_bad(
		    a, "%u tokens have this label: give the serial in its place", n);
	return NULL;
}

static bool
count_object(void *arg, const char *key, const uint8_t *value, size_t len)
{
	const char *file = strstr(key, "/file/");
	size_t n = strlen(key);

	(void)value, (void)len;
	if (file != NULL && strcmp(file, "/file/token.object") != 0 && n > 7 &&
	    strcmp(key + n - 7, ".object") == 0)
		++*(json_int_t *)arg;
	return true;
}

static const char *
anchor_state(const struct store *s)
{
	if (!s->config->anchor)
		return "off";
	if (s->vault.rolled_back)
		return "rolled-back";
	return s->anchor.doubt ? "in-doubt" : "fresh";
}

/* What the TPM says of the state. */
static json_t *
anchor_status(const struct store *s)
{
	const struct anchor *n = &s->anchor;
	int64_t now = clock_ms();
	json_t *o = json_pack("{s:s}", "state", anchor_state(s));

	if (!s->config->anchor)
		return o;
	if (s->vault.rolled_back)
		(void)json_object_set_new(o, "why", json_string(s->vault.why));
	else
		(void)json_object_set_new(o, "sequence",
		    json_integer((json_int_t)s->vault.journal.at.sequence));
	(void)json_object_set_new(o, "type", json_string(s->anchor_tpm.name));
	(void)json_object_set_new(o, "writes", json_integer((json_int_t)n->writes));
	(void)json_object_set_new(o, "age",
	    n->last > 0 ? json_integer((json_int_t)((now - n->last) / 1000)) : json_null());
	(void)json_object_set_new(o, "budget",
	    s->wear.per_day > 0 ? json_integer((json_int_t)s->wear.per_day) : json_null());
	(void)json_object_set_new(o, "budget_left",
	    s->wear.per_day > 0 ? json_integer((json_int_t)wear_left(&s->wear, now))
				: json_null());
	return o;
}

static void
ask_status(struct store *s, struct attach *a, const struct admin_request *r)
{
	const struct tpm_policy *policy = &s->config->policy;
	const struct head *at = &s->vault.journal.at;
	char id[HEX_UUID];
	json_t *pcrs = json_array();
	json_int_t objects = 0;

	(void)r;
	hex_uuid(id, at->store);
	for (size_t i = 0; i < policy->npcrs; i++)
		(void)json_array_append_new(pcrs, json_integer(policy->pcrs[i]));
	(void)map_each(&s->vault.map, "slot/", count_object, &objects);
	admin_good(a,
	    json_pack(
		"{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, "
		"s:{s:s, s:s, s:s, s:o, s:i, s:b}, "
		"s:I, s:I, s:I, s:b, s:i, s:o}",
		"store", id, "sequence", (json_int_t)at->sequence, "generation",
		(json_int_t)at->generation, "log_bytes", (json_int_t)at->bytes,
		"live_bytes", (json_int_t)s->vault.map.bytes, "tokens",
		(json_int_t)slot_table_tokens(&s->slots), "tokens_limit",
		(json_int_t)s->slots.max, "objects", objects,
		"commits_possible", !s->vault.journal.broken && !s->vault.rolled_back, "tpm", "address",
		s->config->tpm, "is", s->master.tpm, "ref", s->master.ref, "pcrs", pcrs, "locality", policy->locality,
		"authorized_updates", policy->authority != NULL, "audit_records",
		(json_int_t)s->audit.at.seq, "commits", (json_int_t)s->commits, "commits_failed",
		(json_int_t)s->commits_failed, "memory_locked", s->locked && sec_locked(),
		"pin_tries", (int)s->config->pin_tries, "anchor", anchor_status(s)),
	    NULL, 0);
}

static void
ask_token_list(struct store *s, struct attach *a, const struct admin_request *r)
{
	json_t *list = json_array();

	(void)r;
	for (size_t i = 0; i < s->slots.n; i++) {
		const struct slot *slot = s->slots.all[i];

		if (slot->initialized)
			(void)json_array_append_new(list,
			    json_pack("{s:o, s:o, s:I, s:s}", "label",
				text_json(slot->label), "serial",
				text_json(slot->serial), "slot",
				(json_int_t)slot->number, "state",
				slot->rolled_back ? "rolled-back" : "served"));
	}
	admin_good(a, list, NULL, 0);
}

static void
ask_token_delete(struct store *s, struct attach *a, const struct admin_request *r)
{
	struct slot *slot = admin_token(s, a, r);

	if (slot == NULL)
		return;
	if (slot->deleting) {
		admin_bad(a, "this token is being deleted already");
		return;
	}
	if (store_note_slot(s, a, slot, "token-delete", slot->serial, 0) != 0) {
		admin_bad(a, "the audit log cannot be written: nothing was deleted");
		return;
	}
	slot->deleting = true;
	a->slot = slot->number;
	a->wait = WAIT_DISCARD;
	if (slot->rolled_back)
		store_discarded(s, slot); /* it has no processes */
	else
		store_discard(s, slot, "it is being deleted");
}

static bool
remove_key(void *arg, const char *key, const uint8_t *value, size_t len)
{
	(void)value, (void)len;
	txn_remove(arg, key);
	return true;
}

bool
admin_ask_delete(struct store *s, struct slot *slot)
{
	char prefix[MAP_KEY_MAX];
	enum vault_result v;
	struct txn t;

	txn_init(&t);
	slot_key(prefix, slot->number, "");
	(void)map_each(&s->vault.map, prefix, remove_key, &t);
	v = commit_now(s, &t);
	txn_clear(&t);
	for (struct attach *a = s->attached; a != NULL; a = a->next) {
		if (!a->admin || a->wait != WAIT_DISCARD || a->slot != slot->number)
			continue;
		if (v == VAULT_OK)
			admin_good(a,
			    json_pack("{s:I}", "slot", (json_int_t)slot->number), NULL,
			    0);
		else
			admin_bad(a, "the token stays: the change cannot be written (%s)",
			    v == VAULT_FULL ? "the disk is full" : "see vsmd's log");
	}
	if (v != VAULT_OK)
		(void)store_note_slot(
		    s, NULL, slot, "token-delete-failed", slot->serial, 1);
	return v == VAULT_OK;
}

static void
ask_audit_read(struct store *s, struct attach *a, const struct admin_request *r)
{
	json_int_t from = json_integer_value(json_object_get(r->args, "from"));
	json_int_t count = json_integer_value(json_object_get(r->args, "count"));
	struct buf out;

	buf_init(&out, TRANSFER_PART);
	audit_read(&s->audit, (uint64_t)from, (uint64_t)count, &out);
	buf_put_u8(&out, '\0');
	if (buf_ok(&out))
		answer(a, true, (const char *)out.data, NULL, 0);
	else
		admin_bad(a, "the audit log cannot be read: see vsmd's log");
	buf_free(&out);
}

static void
ask_audit_verify(struct store *s, struct attach *a, const struct admin_request *r)
{
	(void)r;
	if ((a->check = audit_check_begin(&s->audit)) == NULL) {
		admin_bad(a, "the store is out of memory");
		return;
	}
	a->wait = WAIT_VERIFY;
}

/* The end of the log, signed, and what later logs can be checked against. */
static void
ask_audit_seal(struct store *s, struct attach *a, const struct admin_request *r)
{
	char store[HEX_UUID], hash[2 * CRYPT_HASH + 1], key[2 * CRYPT_PUBLIC + 1];
	const struct audit_at *at = &s->audit.at;

	(void)r;
	if (lazy_seal(s) != 0) {
		admin_bad(a, "the audit log cannot be sealed: see vsmd's log");
		return;
	}
	hex_uuid(store, s->audit.store);
	admin_good(a,
	    json_pack("{s:s, s:I, s:s, s:I, s:s}", "store", store, "seq",
		(json_int_t)at->seq, "hash", hex_put(hash, at->hash, CRYPT_HASH), "epoch",
		(json_int_t)at->epoch, "key", hex_put(key, at->key, CRYPT_PUBLIC)),
	    NULL, 0);
}

static json_t *
findings(const struct audit_check *c, bool good)
{
	const struct audit_judge *j = &c->judge;

	if (good)
		return json_pack("{s:b, s:I, s:I, s:I}", "ok", 1, "records",
		    (json_int_t)j->at.seq, "first", (json_int_t)j->first, "sealed",
		    (json_int_t)j->sealed);
	return json_pack("{s:b, s:I, s:I, s:s, s:s, s:I, s:s}", "ok", 0, "records",
	    (json_int_t)j->at.seq, "first_bad", (json_int_t)j->record, "fault",
	    audit_fault_name(j->fault), "file", j->file, "line", (json_int_t)j->line,
	    "why", j->why);
}

bool
admin_ask_verify(struct store *s)
{
	bool more = false;

	for (struct attach *a = s->attached; a != NULL; a = a->next) {
		enum audit_verdict v;
		struct audit_check *c = a->check;

		if (a->wait != WAIT_VERIFY || a->dead)
			continue;
		v = audit_check_step(&s->audit, c, VERIFY_STEP);
		if (v == AUDIT_MORE) {
			more = true;
			continue;
		}
		admin_good(a, findings(c, v == AUDIT_GOOD), NULL, 0);
		audit_check_free(c);
		a->check = NULL;
	}
	return more;
}

static const struct {
	const char *name;
	void (*call)(struct store *s, struct attach *a, const struct admin_request *r);
} calls[] = {
    {"status", ask_status},
    {"token-list", ask_token_list},
    {"token-delete", ask_token_delete},
    {"backup-begin", admin_backup_begin},
    {"backup-read", admin_backup_read},
    {"backup-end", admin_backup_end},
    {"restore-begin", admin_restore_begin},
    {"restore-write", admin_restore_write},
    {"restore-finish", admin_restore_finish},
    {"audit-read", ask_audit_read},
    {"audit-verify", ask_audit_verify},
    {"audit-seal", ask_audit_seal},
    {"accept-rollback", admin_accept_rollback},
    {"tpm-reseal", admin_tpm_reseal},
    {"tpm-predict", admin_tpm_predict},
};

/* What a rolled-back store answers: nothing that would write. */
static bool
while_rolled_back(const char *call)
{
	static const char *const some[] = {"status", "token-list", "accept-rollback"};

	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++)
		if (strcmp(some[i], call) == 0)
			return true;
	return false;
}

static void
dispatch(struct store *s, struct attach *a, const struct admin_request *r)
{
	bool status = strcmp(r->call->name, "status") == 0;

	if (!(a->flags & (status ? GRANT_ADMIN | GRANT_STATUS : GRANT_ADMIN))) {
		(void)store_note(
		    s, a, "admin-refused", r->call->name, CKR_FUNCTION_REJECTED);
		admin_bad(a, "principal %s has no role admin", a->principal);
		return;
	}
	if (s->vault.rolled_back && !while_rolled_back(r->call->name)) {
		admin_bad(a, "the store is rolled back (%s): put the right state directory "
			     "back and restart, or caas token accept-rollback --label LABEL",
		    s->vault.why);
		return;
	}
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strcmp(calls[i].name, r->call->name) == 0) {
			calls[i].call(s, a, r);
			return;
		}
	admin_bad(a, "%s: the store has no such call", r->call->name);
}

/* A status counts all objects.  Who has nothing else to ask has no need to ask often. */
static bool
too_often(struct attach *a)
{
	int64_t now = clock_ms(), before = a->asked;

	if (a->flags & GRANT_ADMIN)
		return false;
	a->asked = now;
	return before != 0 && now - before < STATUS_PAUSE;
}

bool
admin_ask(struct store *s, struct attach *a)
{
	struct admin_request r;
	char why[256];
	bool ok = true;

	if (buf_get_u8(&a->request) != M_A_ASK || too_often(a))
		return false;
	switch (admin_check(&a->request, &r, why, sizeof(why))) {
	case ADMIN_GOOD:
		dispatch(s, a, &r);
		break;
	case ADMIN_REFUSED:
		admin_bad(a, "%s", why);
		break;
	case ADMIN_BREACH:
		ok = false;
		break;
	}
	admin_request_free(&r);
	return ok;
}

void
admin_ask_gone(struct store *s, const struct attach *a)
{
	transfers_end(&s->transfers, a);
	if (s->sealer->asker == a)
		s->sealer->asker = NULL; /* what was asked for is done all the same */
	audit_check_free(a->check);
}
