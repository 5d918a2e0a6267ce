/* head.c - see head.h */
#include "vsmd/store/head.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/secmem.h"
#include "vsmd/store/file.h"

#define VERSION 1
#define SIGNED (HEAD_SIZE - CRYPT_HASH)

static const char magic[8] = {'C', 'A', 'A', 'S', 'H', 'E', 'A', 'D'};

bool
head_same(const struct head *a, const struct head *b)
{
	return memcmp(a->store, b->store, STORE_ID) == 0 &&
	       a->generation == b->generation && a->bytes == b->bytes &&
	       a->records == b->records && a->sequence == b->sequence &&
	       memcmp(a->chain, b->chain, CRYPT_HASH) == 0 &&
	       a->anchor_type == b->anchor_type;
}

bool
head_encode(const struct store_keys *k, const struct head *h, uint8_t out[HEAD_SIZE])
{
	struct part all = {out, SIGNED};
	struct buf b;
	bool ok;

	buf_init(&b, SIGNED);
	buf_put_raw(&b, magic, sizeof(magic));
	buf_put_u32(&b, VERSION);
	buf_put_u32(&b, 0);
	buf_put_raw(&b, h->store, STORE_ID);
	buf_put_u64(&b, h->generation);
	buf_put_u64(&b, h->bytes);
	buf_put_u64(&b, h->records);
	buf_put_u64(&b, h->sequence);
	buf_put_raw(&b, h->chain, CRYPT_HASH);
	buf_put_u32(&b, h->anchor_type);
	buf_put_u32(&b, 0);
	buf_put_raw(&b, h->anchor, HEAD_ANCHOR);
	ok = buf_ok(&b) && b.len == SIGNED;
	if (ok)
		memcpy(out, b.data, SIGNED);
	buf_free(&b);
	return ok && crypt_mac(k->head, &all, 1, out + SIGNED);
}

bool
head_decode(const struct store_keys *k, const uint8_t *data, size_t len, struct head *h)
{
	struct part all = {data, SIGNED};
	uint8_t mac[CRYPT_HASH];
	const uint8_t *p;
	struct buf b;

	memset(h, 0, sizeof(*h));
	if (len != HEAD_SIZE || !crypt_mac(k->head, &all, 1, mac) ||
	    !sec_equal(mac, data + SIGNED, CRYPT_HASH))
		return false;
	buf_view(&b, data, SIGNED);
	p = buf_get_raw(&b, sizeof(magic));
	if (p == NULL || memcmp(p, magic, sizeof(magic)) != 0 ||
	    buf_get_u32(&b) != VERSION || buf_get_u32(&b) != 0)
		return false;
	if ((p = buf_get_raw(&b, STORE_ID)) != NULL)
		memcpy(h->store, p, STORE_ID);
	h->generation = buf_get_u64(&b);
	h->bytes = buf_get_u64(&b);
	h->records = buf_get_u64(&b);
	h->sequence = buf_get_u64(&b);
	if ((p = buf_get_raw(&b, CRYPT_HASH)) != NULL)
		memcpy(h->chain, p, CRYPT_HASH);
	h->anchor_type = buf_get_u32(&b);
	if (buf_get_u32(&b) != 0)
		buf_fail(&b);
	if ((p = buf_get_raw(&b, HEAD_ANCHOR)) != NULL)
		memcpy(h->anchor, p, HEAD_ANCHOR);
	return buf_end(&b) && h->anchor_type <= HEAD_ANCHORED &&
	       sec_equal(h->anchor, (const uint8_t[HEAD_ANCHOR]){0}, HEAD_ANCHOR);
}

enum head_result
head_read(int dir, const struct store_keys *k, struct head *h)
{
	uint8_t data[HEAD_SIZE + 1];
	ssize_t n;

	if ((n = file_load(dir, HEAD_FILE, data, sizeof(data))) < 0)
		return errno == ENOENT ? HEAD_ABSENT : HEAD_IO;
	return head_decode(k, data, (size_t)n, h) ? HEAD_OK : HEAD_BAD;
}

int
head_write(int dir, const struct store_keys *k, const struct head *h)
{
	uint8_t data[HEAD_SIZE];

	if (!head_encode(k, h, data)) {
		errno = EIO;
		return -1;
	}
	return file_replace(dir, HEAD_FILE, HEAD_NEXT, data, sizeof(data));
}
