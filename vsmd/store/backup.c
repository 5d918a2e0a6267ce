/* backup.c - see backup.h */
#include "vsmd/store/backup.h"

#include <string.h>

#include "common/secmem.h"
#include "vsmd/store/dirwatch.h"

#define LABEL "caas token backup"
#define SALT 16
#define COST 15
#define KEY_MIN 16 /* bytes that a key with its value takes at least */

enum { BY_PASSPHRASE = 1, BY_STORE = 2 };

static const char magic[8] = {'C', 'A', 'A', 'S', 'B', 'A', 'K', '1'};

/* Keys that stay behind. */
static bool
stays(const char *what)
{
	return strcmp(what, "meta") == 0 || strcmp(what, "epoch") == 0 ||
	       strcmp(what, "revoked") == 0 || strcmp(what, "tries") == 0 ||
	       strncmp(what, "once/", 5) == 0 || strncmp(what, "guess/", 6) == 0 ||
	       strcmp(what, SLOT_ROLLED_BACK) == 0;
}

struct packing {
	struct buf *to;
	size_t prefix;
	uint32_t n;
};

static bool
count_key(void *arg, const char *key, const uint8_t *value, size_t len)
{
	struct packing *p = arg;

	(void)value, (void)len;
	p->n += !stays(key + p->prefix);
	return true;
}

static bool
pack_key(void *arg, const char *key, const uint8_t *value, size_t len)
{
	struct packing *p = arg;

	if (!stays(key + p->prefix)) {
		buf_put_str(p->to, key + p->prefix);
		buf_put_bytes(p->to, value, len);
	}
	return buf_ok(p->to);
}

static void
pack(const struct vault *v, const struct slot *slot, struct buf *plain)
{
	struct packing p = {.to = plain};
	char prefix[MAP_KEY_MAX];

	slot_key(prefix, slot->number, "");
	p.prefix = strlen(prefix);
	(void)map_each(&v->map, prefix, count_key, &p);
	buf_put_raw(plain, v->journal.at.store, STORE_ID);
	buf_put_u64(plain, v->journal.at.sequence);
	buf_put_str(plain, slot->label);
	buf_put_str(plain, slot->serial);
	buf_put_str(plain, slot->directory);
	buf_put_u32(plain, p.n);
	(void)map_each(&v->map, prefix, pack_key, &p);
}

static bool
box_key(const struct vault *v, const uint8_t header[BACKUP_HEADER],
    const uint8_t *passphrase, size_t len, uint8_t key[CRYPT_KEY])
{
	if (header[8] == BY_PASSPHRASE)
		return crypt_scrypt(passphrase, len, header + 10, SALT, header[9], key);
	memcpy(key, v->keys->backup, CRYPT_KEY);
	return true;
}

bool
backup_make(const struct vault *v, const struct slot *slot, const uint8_t *passphrase,
    size_t len, struct buf *out)
{
	uint8_t header[BACKUP_HEADER], key[CRYPT_KEY];
	struct part aad = {header, sizeof(header)};
	struct buf plain;
	bool ok;

	memcpy(header, magic, sizeof(magic));
	header[8] = len > 0 ? BY_PASSPHRASE : BY_STORE;
	header[9] = COST;
	if (!crypt_random(header + 10, SALT) || !box_key(v, header, passphrase, len, key))
		return false;
	buf_init(&plain, BACKUP_MAX - BACKUP_HEADER - BOX_OVERHEAD);
	pack(v, slot, &plain);
	buf_put_raw(out, header, sizeof(header));
	ok = buf_ok(&plain) && buf_ok(out) &&
	     box_seal(key, LABEL, &aad, 1, plain.data, plain.len, out);
	buf_free(&plain);
	sec_wipe(key, sizeof(key));
	return ok;
}

/* Walk over the keys to see that all is well formed, and find the SO PIN's verifier. */
static bool
check_keys(struct backup *b)
{
	struct buf walk;

	buf_view(&walk, b->plain.data + b->plain.pos, b->plain.len - b->plain.pos);
	if (!buf_fits(&walk, b->n, KEY_MIN))
		return false;
	for (uint32_t i = 0; i < b->n; i++) {
		char what[MAP_KEY_MAX - 24];
		const uint8_t *value;
		size_t len;

		buf_get_str(&walk, what, sizeof(what));
		if ((value = buf_get_bytes(&walk, &len)) == NULL || stays(what))
			return false;
		if (strncmp(what, "file/", 5) == 0 ? !dirwatch_name_ok(what + 5)
						   : strncmp(what, "pin/", 4) != 0)
			return false;
		if (strcmp(what, "pin/so") == 0) {
			b->so = value;
			b->so_len = len;
		}
	}
	return buf_end(&walk);
}

static bool
unpack(struct backup *b)
{
	struct buf *p = &b->plain;

	(void)buf_get_raw(p, STORE_ID);
	b->sequence = buf_get_u64(p);
	buf_get_str(p, b->token.label, sizeof(b->token.label));
	buf_get_str(p, b->token.serial, sizeof(b->token.serial));
	buf_get_str(p, b->token.directory, sizeof(b->token.directory));
	b->n = buf_get_u32(p);
	return buf_ok(p) && dirwatch_name_ok(b->token.directory) && check_keys(b);
}

const char *
backup_open(const struct vault *v, const uint8_t *data, size_t len,
    const uint8_t *passphrase, size_t passphrase_len, struct backup *ret)
{
	struct part aad = {data, BACKUP_HEADER};
	uint8_t key[CRYPT_KEY];
	bool ok;

	memset(ret, 0, sizeof(*ret));
	buf_init(&ret->plain, BACKUP_MAX);
	if (len < BACKUP_HEADER + BOX_OVERHEAD ||
	    memcmp(data, magic, sizeof(magic)) != 0 || data[8] < BY_PASSPHRASE ||
	    data[8] > BY_STORE || data[9] != COST)
		return "this is not a backup of a token";
	if (data[8] == BY_PASSPHRASE && passphrase_len == 0)
		return "this backup needs its passphrase";
	if (!box_key(v, data, passphrase, passphrase_len, key))
		return "out of memory";
	ok = box_open(
	    key, LABEL, &aad, 1, data + BACKUP_HEADER, len - BACKUP_HEADER, &ret->plain);
	sec_wipe(key, sizeof(key));
	if (!ok)
		return data[8] == BY_PASSPHRASE
			   ? "the passphrase is wrong, or the backup was altered or cut"
			   : "the backup was altered or cut, or is sealed under another "
			     "store's key";
	return unpack(ret) ? NULL : "the backup makes no sense";
}

void
backup_put(struct backup *b, uint32_t number, struct txn *t)
{
	for (uint32_t i = 0; i < b->n; i++) {
		char what[MAP_KEY_MAX - 24], key[MAP_KEY_MAX];
		const uint8_t *value;
		size_t len = 0;

		buf_get_str(&b->plain, what, sizeof(what));
		value = buf_get_bytes(&b->plain, &len);
		if (value == NULL) {
			t->failed = true;
			return;
		}
		slot_key(key, number, what);
		txn_put(t, key, value, len);
	}
	slot_put_meta(t, number, b->token.label, b->token.serial, b->token.directory);
}

void
backup_free(struct backup *b)
{
	buf_free(&b->plain);
	b->so = NULL;
}
