/* blob.c - see blob.h */
#include "tpm/domt/blob.h"

#include <string.h>

#define MAGIC 0x424d4f44u /* "DOMB" as it lies there */

void
domt_blob_head(struct buf *b, const uint8_t identity[DOMT_IDENTITY], const char *ref)
{
	buf_put_u32(b, MAGIC);
	buf_put_u16(b, DOMT_BLOB_VERSION);
	buf_put_raw(b, identity, DOMT_IDENTITY);
	buf_put_str(b, ref);
}

bool
domt_blob_read(const void *blob, size_t len, struct domt_blob *ret)
{
	const uint8_t *identity;
	uint32_t magic;
	uint16_t version;
	struct buf b;

	memset(ret, 0, sizeof(*ret));
	if (len > TPM_BLOB_MAX)
		return false;
	buf_view(&b, blob, len);
	magic = buf_get_u32(&b);
	version = buf_get_u16(&b);
	identity = buf_get_raw(&b, DOMT_IDENTITY);
	buf_get_str(&b, ret->ref, sizeof(ret->ref));
	if (!buf_ok(&b) || magic != MAGIC || version != DOMT_BLOB_VERSION || buf_left(&b) == 0)
		return false;
	memcpy(ret->identity, identity, DOMT_IDENTITY);
	ret->head = (struct domt_bytes){.data = b.data, .len = b.pos};
	ret->body = (struct domt_bytes){.data = b.data + b.pos, .len = b.len - b.pos};
	return true;
}
