/* admin_backup.c - backup and restore of a token; see admin_ask.h */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vsmd/store/admin_ask.h"
#include "vsmd/store/backup.h"
#include "vsmd/store/clock.h"
#include "vsmd/store/commit.h"
#include "vsmd/store/text.h"

#define FREE_GUESSES 3	 /* SO PINs */
#define WAIT_DOUBLINGS 8 /* of a second: about four minutes */

static uint64_t
number(const struct admin_request *r, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(r->args, name));
}

static struct transfer *
begin(struct store *s, struct attach *a, bool restore)
{
	struct transfer *t = transfer_begin(&s->transfers, a, restore);

	if (t == NULL)
		admin_bad(a,
		    "%d backups or restores are under way, which is the most: try later",
		    TRANSFERS_MAX);
	return t;
}

static struct transfer *
find(struct store *s, struct attach *a, const struct admin_request *r, bool restore)
{
	struct transfer *t =
	    transfer_find(&s->transfers, a, restore, number(r, "handle"));

	if (t == NULL)
		admin_bad(a, "no such backup or restore is under way on this connection");
	return t;
}

void
admin_backup_begin(struct store *s, struct attach *a, const struct admin_request *r)
{
	struct admin_secret secret = admin_secrets(r);
	struct slot *slot = admin_token(s, a, r);
	struct transfer *t;

	if (slot != NULL && slot->rolled_back) {
		admin_bad(a, "this token is rolled back: accept it first (caas token "
			     "accept-rollback)");
		return;
	}
	if (slot == NULL || (t = begin(s, a, false)) == NULL)
		return;
	if (!backup_make(
		&s->vault, slot, secret.passphrase, secret.passphrase_len, &t->data)) {
		transfer_end(t);
		admin_bad(a, "the token cannot be backed up: larger than 64 MiB, or out "
			     "of memory");
		return;
	}
	if (store_note_slot(s, a, slot, "token-backup",
		secret.passphrase_len > 0 ? "under a passphrase"
					  : "under the store's key",
		0) != 0) {
		transfer_end(t);
		admin_bad(a, "the audit log cannot be written: no backup was made");
		return;
	}
	admin_good(a,
	    json_pack("{s:I, s:I}", "handle", (json_int_t)t->handle, "size",
		(json_int_t)t->data.len),
	    NULL, 0);
}

void
admin_backup_read(struct store *s, struct attach *a, const struct admin_request *r)
{
	struct transfer *t = find(s, a, r, false);
	uint64_t offset = number(r, "offset");
	size_t n;

	if (t == NULL)
		return;
	if (offset > t->data.len) {
		admin_bad(a, "offset: the backup has %zu bytes", t->data.len);
		return;
	}
	n = t->data.len - (size_t)offset;
	if (n > TRANSFER_PART)
		n = TRANSFER_PART;
	admin_good(
	    a, json_pack("{s:I}", "size", (json_int_t)n), t->data.data + offset, n);
}

void
admin_backup_end(struct store *s, struct attach *a, const struct admin_request *r)
{
	struct transfer *t = find(s, a, r, false);

	if (t == NULL)
		return;
	transfer_end(t);
	admin_good(a, json_object(), NULL, 0);
}

void
admin_restore_begin(struct store *s, struct attach *a, const struct admin_request *r)
{
	uint64_t size = number(r, "size");
	struct transfer *t;

	if (size > BACKUP_MAX || size < BACKUP_HEADER) {
		admin_bad(a, "size: a backup has %d bytes to 64 MiB", BACKUP_HEADER);
		return;
	}
	if ((t = begin(s, a, true)) == NULL)
		return;
	t->size = (size_t)size;
	admin_good(a, json_pack("{s:I}", "handle", (json_int_t)t->handle), NULL, 0);
}

void
admin_restore_write(struct store *s, struct attach *a, const struct admin_request *r)
{
	struct transfer *t = find(s, a, r, true);

	if (t == NULL)
		return;
	if (number(r, "offset") != t->data.len || r->blob_len > t->size - t->data.len) {
		admin_bad(
		    a, "offset: parts come in order, up to the size that was announced");
		return;
	}
	buf_put_raw(&t->data, r->blob, r->blob_len);
	if (!buf_ok(&t->data))
		admin_bad(a, "the store is out of memory");
	else
		admin_good(a, json_object(), NULL, 0);
}

/* Whoever guesses SO PINs by restoring has to wait longer each time. */
static bool
so_pin_fits(struct store *s, const struct backup *b, const struct admin_secret *secret)
{
	unsigned more;

	if (pins_check_so(b->so, b->so_len, secret->so_pin, secret->so_pin_len)) {
		s->restores_wrong = 0;
		return true;
	}
	if (++s->restores_wrong > FREE_GUESSES) {
		more = s->restores_wrong - FREE_GUESSES;
		s->restores_after =
		    clock_ms() + ((int64_t)1000 << (more < WAIT_DOUBLINGS ? more
									  : WAIT_DOUBLINGS));
	}
	return false;
}

/* NULL, or why this token cannot come in. */
static const char *
judge(struct store *s, const struct backup *b, const struct admin_secret *secret)
{
	if (!so_pin_fits(s, b, secret))
		return "the SO PIN is not the one of this token";
	for (size_t i = 0; i < s->slots.n; i++)
		if (s->slots.all[i]->initialized &&
		    strcmp(s->slots.all[i]->serial, b->token.serial) == 0)
			return "a token with this serial is there: delete it first";
	if (s->slots.n >= s->slots.max)
		return "there is no room for one more token";
	return NULL;
}

/* Store and show the token on a slot of its own.  NULL, or why not. */
static const char *
bring_in(struct store *s, struct backup *b, struct slot **ret_slot)
{
	struct slot *slot = slot_table_add(&s->slots, s->slots.next);
	enum vault_result v;
	struct txn t;

	if (slot == NULL)
		return "the store is out of memory";
	s->slots.next++;
	txn_init(&t);
	backup_put(b, slot->number, &t);
	slot_table_put_next(&t, &s->vault.map, slot->number);
	v = commit_now(s, &t);
	txn_clear(&t);
	if (v != VAULT_OK) {
		slot_table_drop(&s->slots, slot);
		return v == VAULT_FULL ? "the disk is full"
				       : "it cannot be written: see vsmd's log";
	}
	memcpy(slot->label, b->token.label, sizeof(slot->label));
	memcpy(slot->serial, b->token.serial, sizeof(slot->serial));
	memcpy(slot->directory, b->token.directory, sizeof(slot->directory));
	slot->initialized = true;
	slot->epoch = s->vault.journal.at.sequence;
	*ret_slot = slot;
	/* It is in the store: should memory be full, the next start shows it. */
	return store_restore(s, slot) == 0
		   ? NULL
		   : "it is in the store, but memory is full: give vsmd's "
		     "tmpfs more space and restart it";
}

/* Before it is done: the slot is the one that it will get. */
static int
note_restore(
    struct store *s, const struct attach *a, struct backup *b, const char *refused)
{
	if (refused != NULL)
		return store_note(
		    s, a, "token-restore-refused", refused, CKR_FUNCTION_REJECTED);
	b->token.number = s->slots.next;
	return store_note_slot(s, a, &b->token, "token-restore", b->token.serial, 0);
}

void
admin_restore_finish(struct store *s, struct attach *a, const struct admin_request *r)
{
	struct admin_secret secret = admin_secrets(r);
	struct transfer *t = find(s, a, r, true);
	struct slot *slot = NULL;
	const char *wrong;
	struct backup b;

	if (t == NULL)
		return;
	if (clock_ms() < s->restores_after) {
		admin_bad(a, "too many wrong SO PINs: try again in %d s",
		    (int)((s->restores_after - clock_ms()) / 1000) + 1);
		return;
	}
	wrong = backup_open(&s->vault, t->data.data, t->data.len, secret.passphrase,
	    secret.passphrase_len, &b);
	if (wrong == NULL)
		wrong = judge(s, &b, &secret);
	transfer_end(t);
	if (note_restore(s, a, &b, wrong) != 0)
		wrong = "the audit log cannot be written";
	if (wrong == NULL && (wrong = bring_in(s, &b, &slot)) != NULL && slot == NULL)
		(void)store_note(s, a, "token-restore-failed", wrong, 1);
	backup_free(&b);
	if (slot != NULL)
		store_say_slots(s);
	if (wrong != NULL)
		admin_bad(a, "restore: %s", wrong);
	else
		admin_good(a,
		    json_pack("{s:o, s:o, s:I}", "label", text_json(slot->label),
			"serial", text_json(slot->serial), "slot",
			(json_int_t)slot->number),
		    NULL, 0);
}
