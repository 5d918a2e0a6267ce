/*
 * fuzz_store.c - the store's files: the head, the log, a transaction, an audit line, an
 * audit log, what a start finds behind one, and its secrets.
 *
 * The first byte chooses.  What is authenticated is also tried behind its authentication:
 * the input is sealed with the right key, as an attacker never could, so that the parsers
 * inside are reached.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/log.h"
#include "vsmd/store/audit_verify.h"
#include "vsmd/store/backup.h"
#include "vsmd/store/file.h"
#include "vsmd/store/revoked.h"
#include "vsmd/store/slots.h"
#include "vsmd/store/ticket.h"
#include "vsmd/store/vault.h"

static struct store_keys *keys;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
apply(void *arg, struct buf *body)
{
	return txn_apply(body, arg);
}

static void
as_head(const uint8_t *data, size_t size)
{
	uint8_t signed_[HEAD_SIZE];
	struct part all = {signed_, HEAD_SIZE - CRYPT_HASH};
	struct head h;

	if (head_decode(keys, data, size, &h))
		abort(); /* nobody guesses a MAC */
	if (size < all.len)
		return;
	memcpy(signed_, data, all.len);
	if (!crypt_mac(keys->head, &all, 1, signed_ + all.len))
		return;
	if (head_decode(keys, signed_, sizeof(signed_), &h)) {
		uint8_t again[HEAD_SIZE];

		if (!head_encode(keys, &h, again) ||
		    memcmp(again, signed_, HEAD_SIZE) != 0)
			abort();
	}
}

/* A log of which the input is all behind the head: nothing of it may be taken, nothing
 * that the head vouches for be lost. */
static void
as_log(const uint8_t *data, size_t size)
{
	static char dir_path[] = "/tmp/caas-fuzz-store-XXXXXX";
	static int dir = -1;
	struct journal j;
	struct head h = {.generation = 1}, end;
	struct map m;
	int fd;

	if (dir < 0) {
		if (mkdtemp(dir_path) == NULL)
			abort();
		dir = vault_lock(dir_path);
	}
	if (journal_create(&j, dir, keys, &h) != 0 ||
	    journal_put(&j, "\0\0\0\0", 4) != JOURNAL_OK)
		return;
	end = j.at;
	fd = j.fd;
	(void)file_write_at(fd, data, size, (off_t)end.bytes);
	journal_close(&j);
	map_init(&m);
	if (journal_open(&j, dir, keys, &end, apply, &m) != JOURNAL_OK ||
	    j.at.bytes != end.bytes || m.count != 0)
		abort();
	journal_close(&j);
	map_free(&m);
}

/* What the map says of a slot, as it is read later. */
static void
read_slot(const struct map *m, uint32_t number)
{
	static const uint8_t login[TICKET_LOGIN];
	struct revoked revoked;
	struct pin_tries tries;
	struct slots slots;
	struct slot *slot;
	struct txn t;

	slot_table_init(&slots);
	slots.max = 1;
	txn_init(&t);
	revoked_init(&revoked);
	if ((slot = slot_table_add(&slots, number)) == NULL)
		abort();
	tries = pins_tries(&t, m, number);
	(void)pins_flags(&tries, 3);
	(void)guess_of(slot, &t, m, "p", 0);
	(void)login_epoch(&t, m, number);
	(void)revoked_has(&revoked, m, number, login);
	if (!revoked_add(&revoked, m, number, login) ||
	    !revoked_has(&revoked, m, number, login))
		abort();
	(void)once_load(slot, m);
	slot_table_free(&slots);
	revoked_free(&revoked);
	txn_clear(&t);
}

static void
as_body(const uint8_t *data, size_t size)
{
	struct map m;
	struct buf b;

	map_init(&m);
	buf_view(&b, data, size);
	if (txn_apply(&b, &m))
		read_slot(&m, 0);
	map_free(&m);
}

static void
as_ticket(const uint8_t *data, size_t size)
{
	static const uint8_t id[STORE_ID];
	struct part aad = {id, STORE_ID};
	struct buf pin, sealed;
	struct ticket t;

	buf_init(&pin, TICKET_PIN_MAX);
	buf_init(&sealed, 65536);
	if (ticket_open(keys, id, data, size, &t, &pin))
		abort();
	if (box_seal(keys->ticket, "caas login ticket", &aad, 1, data, size, &sealed))
		(void)ticket_open(keys, id, sealed.data, sealed.len, &t, &pin);
	buf_free(&pin);
	buf_free(&sealed);
}

static void
as_backup(const uint8_t *data, size_t size)
{
	struct vault v = {.keys = keys};
	uint8_t header[BACKUP_HEADER] = "CAASBAK1\2\17";
	struct part aad = {header, sizeof(header)};
	struct backup b;
	struct buf sealed, body;
	struct map m;
	struct txn t;

	map_init(&m);
	buf_init(&body, 1 << 20);
	buf_init(&sealed, 1 << 20);
	buf_put_raw(&sealed, header, sizeof(header));
	txn_init(&t);
	if (box_seal(keys->backup, "caas token backup", &aad, 1, data, size, &sealed)) {
		if (backup_open(&v, sealed.data, sealed.len, NULL, 0, &b) == NULL)
			backup_put(&b, 7, &t);
		backup_free(&b);
		txn_write(&t, &body);
		if (!txn_apply(&body, &m))
			abort(); /* what is written can be read */
		read_slot(&m, 7);
	}
	txn_clear(&t);
	map_free(&m);
	buf_free(&body);
	buf_free(&sealed);
}

static void
as_slot(const uint8_t *data, size_t size)
{
	struct slot slot;

	memset(&slot, 0, sizeof(slot));
	(void)slot_get_meta(data, size, &slot);
}

static void
as_audit_line(const char *text, size_t len)
{
	struct audit_line line;

	(void)audit_line_seq(text, len);
	/* Also of what would not have been taken. */
	if (audit_line_mac_fits(keys->audit, text, len) ||
	    audit_line_sig_fits(keys->audit, text, len))
		abort();
	if (audit_line_parse(text, len, &line) == NULL &&
	    audit_line_seq(text, len) != line.seq)
		abort();
}

static enum audit_verdict
judge_lines(struct audit_judge *j, const char *text, size_t len)
{
	enum audit_verdict v = AUDIT_MORE;
	uint64_t n = 0;

	while (v == AUDIT_MORE && len > 0) {
		const char *nl = memchr(text, '\n', len);
		size_t line = nl != NULL ? (size_t)(nl - text) : len;

		v = audit_judge_line(j, "f", ++n, text, line, nl != NULL);
		text += line + (nl != NULL);
		len -= line + (nl != NULL);
	}
	return v == AUDIT_MORE ? audit_judge_end(j) : v;
}

/* What nobody has signed is never anchored to a key that is known, and an end is only the
 * one that is wanted. */
static void
as_audit_log(const char *text, size_t len)
{
	const struct audit_at known = {.seq = 2, .epoch = 1};
	struct audit_at start = {0}, end = {.seq = 3};
	struct audit_judge j;

	audit_judge_begin(&j, NULL);
	j.known = &known;
	j.nknown = 1;
	if (judge_lines(&j, text, len) == AUDIT_GOOD && j.anchored)
		abort(); /* nobody finds what has the hash of zeroes */
	audit_judge_begin(&j, &start);
	j.want = &end;
	j.mac = keys->audit;
	j.mac_epoch = 1;
	if (judge_lines(&j, text, len) == AUDIT_GOOD)
		abort();
	if (j.why[0] == '\0')
		abort();
}

/* A log as a store left it: its directory, its two files, and what the map says. */
struct left {
	char path[64];
	int state, dir;
	struct map map;
	uint64_t seq;
	uint8_t log[8192], keys[8192];
	size_t log_len, keys_len;
};

static const struct audit_limits no_limits;
static const uint8_t store_id[STORE_ID] = {1};

static size_t
load(int dir, const char *name, uint8_t *out, size_t size)
{
	ssize_t n = file_load(dir, name, out, size);

	if (n < 0)
		abort();
	return (size_t)n;
}

static void
save(int dir, const char *name, const uint8_t *data, size_t len)
{
	int fd = file_create(dir, name);

	if (fd < 0 || file_write_at(fd, data, len, 0) != 0)
		abort();
	close(fd);
}

static struct left left;

static void
remove_log(void)
{
	(void)unlinkat(left.dir, "audit.log.1", 0);
	(void)unlinkat(left.dir, AUDIT_KEYS_FILE, 0);
	(void)unlinkat(left.state, VAULT_AUDIT, AT_REMOVEDIR);
	(void)rmdir(left.path);
}

static void
make_log(void)
{
	struct left *l = &left;
	struct audit_event e = {.principal = "p",
	    .peer = "",
	    .slot = 1,
	    .token = "t",
	    .event = "C_Login",
	    .detail = ""};
	struct audit a;
	struct buf body;
	struct txn t;

	map_init(&l->map);
	snprintf(l->path, sizeof(l->path), "%s/caas-fuzz-audit-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(l->path) == NULL || (l->state = vault_lock(l->path)) < 0 ||
	    audit_open(&a, l->state, keys, store_id, &l->map, &no_limits) != 0)
		abort();
	audit_stored(&a);
	if (audit_append(&a, &e) != 0 || audit_seal(&a) != 0 ||
	    audit_append(&a, &e) != 0 || audit_sync(&a) != 0)
		abort();
	txn_init(&t);
	buf_init(&body, 65536);
	a.stored = 0;
	audit_put_head(&a, &t);
	txn_write(&t, &body);
	if (!txn_apply(&body, &l->map))
		abort();
	buf_free(&body);
	txn_clear(&t);
	l->seq = a.at.seq;
	l->dir = openat(l->state, VAULT_AUDIT, O_RDONLY | O_DIRECTORY);
	audit_close(&a);
	l->log_len = load(l->dir, "audit.log.1", l->log, sizeof(l->log));
	l->keys_len = load(l->dir, AUDIT_KEYS_FILE, l->keys, sizeof(l->keys));
	(void)atexit(remove_log);
}

static enum audit_verdict
check_all(const struct audit *a)
{
	struct audit_check *c = audit_check_begin(a);
	enum audit_verdict v;

	if (c == NULL)
		abort();
	while ((v = audit_check_step(a, c, 100)) == AUDIT_MORE)
		;
	audit_check_free(c);
	return v;
}

/* Whatever lies behind the end, or in the place of the secrets: the store starts, what a
 * commit knows of is there, and nothing else is taken. */
static void
as_left(const uint8_t *data, size_t size, bool secrets)
{
	const struct left *l = &left;
	uint8_t log[16384];
	struct audit a;

	if (l->seq == 0)
		make_log();
	memcpy(log, l->log, l->log_len);
	if (!secrets)
		memcpy(log + l->log_len, data, size);
	save(l->dir, "audit.log.1", log, l->log_len + (secrets ? 0 : size));
	save(l->dir, AUDIT_KEYS_FILE, secrets ? data : l->keys,
	    secrets ? size : l->keys_len);
	if (audit_open(&a, l->state, keys, store_id, &l->map, &no_limits) != 0)
		abort();
	if (load(l->dir, "audit.log.1", log, sizeof(log)) < l->log_len ||
	    memcmp(log, l->log, l->log_len) != 0)
		abort();
	/* Where it is good, a note tells of what was cut off; lost secrets are told of. */
	if (check_all(&a) == AUDIT_GOOD &&
	    (secrets || a.file != 1 || a.at.seq != l->seq + (size > 0)))
		abort();
	audit_close(&a);
	(void)unlinkat(l->dir, "audit.log.2", 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t master[CRYPT_KEY] = {1};
	if (keys == NULL) {
		log_level(LOG_ERR_);
		if ((keys = keys_derive(master)) == NULL)
			abort();
	}
	if (size < 1 || size > 4096)
		return 0;
	switch (data[0] % 10) {
	case 0:
		as_head(data + 1, size - 1);
		break;
	case 1:
		as_log(data + 1, size - 1);
		break;
	case 2:
		as_body(data + 1, size - 1);
		break;
	case 3:
		as_audit_line((const char *)data + 1, size - 1);
		break;
	case 4:
		as_ticket(data + 1, size - 1);
		break;
	case 5:
		as_backup(data + 1, size - 1);
		break;
	case 6:
		as_slot(data + 1, size - 1);
		break;
	case 7:
		as_audit_log((const char *)data + 1, size - 1);
		break;
	case 8:
		as_left(data + 1, size - 1, false);
		break;
	default:
		as_left(data + 1, size - 1, true);
		break;
	}
	return 0;
}
