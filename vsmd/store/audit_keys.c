/* audit_keys.c - see audit_keys.h */
#include "vsmd/store/audit_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/secmem.h"
#include "vsmd/store/file.h"

#define MAGIC "CAASAKEY" /* then u64 epoch, box of the secret; the rest is zero */
#define PREFIX 16
#define USED (PREFIX + CRYPT_KEY + BOX_OVERHEAD)
#define PAGE 4096
#define BOX_LABEL "caas audit epoch"

static bool
fill(struct audit_epoch *e)
{
	uint8_t sign[CRYPT_KEY];
	bool ok = crypt_derive(e->secret, NULL, 0, "caas audit mac", e->mac) &&
		  audit_epoch_sign(e, sign) && crypt_public(sign, e->public);

	sec_wipe(sign, sizeof(sign));
	return ok;
}

bool
audit_epoch_sign(const struct audit_epoch *e, uint8_t out[CRYPT_KEY])
{
	return crypt_derive(e->secret, NULL, 0, "caas audit sign", out);
}

/* What is not ours, or torn, counts as not there. */
static void
load(struct audit_keys *k, unsigned place)
{
	struct audit_epoch *e = &k->epochs[place];
	struct part aad[2];
	uint8_t page[USED];
	struct buf b, secret;

	if (file_read_at(k->fd, page, sizeof(page), (off_t)place * PAGE) !=
		(ssize_t)sizeof(page) ||
	    memcmp(page, MAGIC, 8) != 0)
		return;
	aad[0] = (struct part){page, PREFIX};
	aad[1] = (struct part){k->store, STORE_ID};
	buf_view(&b, page + 8, 8);
	buf_init(&secret, CRYPT_KEY);
	if (box_open(k->keys->audit, BOX_LABEL, aad, 2, page + PREFIX, USED - PREFIX,
		&secret) &&
	    secret.len == CRYPT_KEY) {
		memcpy(e->secret, secret.data, CRYPT_KEY);
		e->number = buf_get_u64(&b);
		if (e->number % 2 != place || !fill(e))
			sec_wipe(e, sizeof(*e));
	}
	buf_free(&secret);
}

int
audit_keys_open(struct audit_keys *k, int dir, const struct store_keys *keys,
    const uint8_t store[STORE_ID])
{
	struct stat st;

	*k = (struct audit_keys){.fd = -1, .keys = keys};
	memcpy(k->store, store, STORE_ID);
	if ((k->epochs = sec_alloc(2 * sizeof(*k->epochs))) == NULL)
		return -1;
	k->fd = openat(dir, AUDIT_KEYS_FILE,
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (k->fd < 0 || fstat(k->fd, &st) != 0)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	load(k, 0);
	load(k, 1);
	return 0;
}

void
audit_keys_close(struct audit_keys *k)
{
	/* One that is all zeroes was never opened. */
	if (k->keys != NULL && k->fd >= 0)
		close(k->fd);
	k->fd = -1;
	k->keys = NULL;
	sec_free(k->epochs);
	k->epochs = NULL;
}

const struct audit_epoch *
audit_keys_of(const struct audit_keys *k, uint64_t number)
{
	const struct audit_epoch *e = &k->epochs[number % 2];

	return number > 0 && e->number == number ? e : NULL;
}

int
audit_keys_renew(const struct audit_keys *k)
{
	uint8_t pages[2 * PAGE];
	ssize_t n = file_read_at(k->fd, pages, sizeof(pages), 0);

	if (n < 0 || file_write_at(k->fd, pages, (size_t)n, 0) != 0)
		return -1;
	return fdatasync(k->fd);
}

void
audit_keys_drop(struct audit_keys *k, uint64_t number)
{
	if (audit_keys_of(k, number) != NULL)
		sec_wipe(&k->epochs[number % 2], sizeof(k->epochs[0]));
}

static bool
seal(const struct audit_keys *k, const struct audit_epoch *e, uint8_t page[PAGE])
{
	struct part aad[2] = {{page, PREFIX}, {k->store, STORE_ID}};
	struct buf b;
	bool ok;

	memset(page, 0, PAGE);
	buf_init(&b, USED);
	buf_put_raw(&b, MAGIC, 8);
	buf_put_u64(&b, e->number);
	ok = buf_ok(&b);
	if (ok)
		memcpy(page, b.data, PREFIX);
	ok = ok &&
	     box_seal(k->keys->audit, BOX_LABEL, aad, 2, e->secret, CRYPT_KEY, &b) &&
	     buf_ok(&b) && b.len == USED;
	if (ok)
		memcpy(page, b.data, USED);
	buf_free(&b);
	return ok;
}

int
audit_keys_make(struct audit_keys *k, uint64_t number)
{
	struct audit_epoch *e = &k->epochs[number % 2];
	uint8_t page[PAGE];

	sec_wipe(e, sizeof(*e));
	e->number = number;
	if (!crypt_random(e->secret, CRYPT_KEY) || !fill(e) || !seal(k, e, page)) {
		sec_wipe(e, sizeof(*e));
		errno = EIO;
		return -1;
	}
	if (file_write_at(k->fd, page, PAGE, (off_t)(number % 2) * PAGE) != 0 ||
	    fdatasync(k->fd) != 0) {
		int saved = errno;

		sec_wipe(e, sizeof(*e));
		errno = saved;
		return -1;
	}
	return 0;
}
