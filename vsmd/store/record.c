/* record.c - see record.h */
#include "vsmd/store/record.h"

#include <string.h>

#define MAGIC 0x52536143u /* "CaSR" */
#define LABEL "caas store record"
#define PLACE_MAX (STORE_ID + 8 + CRYPT_HASH)

static size_t
place_bytes(const struct record_place *at, uint8_t out[PLACE_MAX])
{
	struct buf b;
	size_t len;

	buf_init(&b, PLACE_MAX);
	buf_put_raw(&b, at->store, STORE_ID);
	buf_put_u64(&b, at->generation);
	buf_put_raw(&b, at->chain, CRYPT_HASH);
	len = buf_ok(&b) ? b.len : 0;
	if (len > 0)
		memcpy(out, b.data, len);
	buf_free(&b);
	return len;
}

bool
record_seal(const struct store_keys *k, const struct record_place *at, const void *body,
    size_t len, struct buf *out)
{
	uint8_t place[PLACE_MAX], header[RECORD_HEADER];
	struct part aad[2] = {{header, sizeof(header)}, {place, sizeof(place)}};
	size_t start = out->len;

	if (len > RECORD_BODY_MAX || place_bytes(at, place) != sizeof(place))
		return false;
	buf_put_u32(out, MAGIC);
	buf_put_u32(out, (uint32_t)(len + RECORD_OVERHEAD));
	buf_put_u64(out, at->sequence);
	if (!buf_ok(out))
		return false;
	/* A copy: growing moves what out holds. */
	memcpy(header, out->data + start, sizeof(header));
	if (!box_seal(k->log, LABEL, aad, 2, body, len, out)) {
		if (buf_ok(out))
			buf_truncate(out, start);
		return false;
	}
	return true;
}

size_t
record_length(const uint8_t header[RECORD_HEADER])
{
	struct buf b;
	uint32_t len;

	buf_view(&b, header, RECORD_HEADER);
	if (buf_get_u32(&b) != MAGIC)
		return 0;
	len = buf_get_u32(&b);
	return len < RECORD_OVERHEAD || len > RECORD_MAX ? 0 : len;
}

bool
record_open(const struct store_keys *k, const struct record_place *at,
    const uint8_t *record, size_t len, struct buf *out)
{
	uint8_t place[PLACE_MAX];
	struct part aad[2] = {{record, RECORD_HEADER}, {place, sizeof(place)}};
	struct buf b;

	if (len < RECORD_OVERHEAD || record_length(record) != len ||
	    place_bytes(at, place) != sizeof(place))
		return false;
	buf_view(&b, record + 8, 8);
	if (buf_get_u64(&b) != at->sequence)
		return false;
	return box_open(
	    k->log, LABEL, aad, 2, record + RECORD_HEADER, len - RECORD_HEADER, out);
}

bool
record_chain(uint8_t chain[CRYPT_HASH], const uint8_t *record, size_t len)
{
	struct part parts[2] = {{chain, CRYPT_HASH}, {record, len}};

	return crypt_hash(parts, 2, chain);
}
