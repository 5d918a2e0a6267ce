/* fetch.c - see fetch.h; the worker's half is vsmd/worker/fetch.c */
#include "protocol/fetch.h"

#include <string.h>

/* Least bytes of an object in a reply. */
#define OBJECT_LEAST (sizeof(uint64_t) + MSG_ID_LEN + sizeof(uint64_t))

static void
read_object(struct buf *b, struct fetched_object *o, size_t *all)
{
	const uint8_t *id;

	o->ref.handle = buf_get_u64(b);
	if ((id = buf_get_raw(b, MSG_ID_LEN)) != NULL)
		memcpy(o->ref.id, id, MSG_ID_LEN);
	o->attrs = buf_get_bytes(b, &o->len);
	*all += buf_ok(b) ? o->len : 0;
	if (*all > FETCH_BYTES)
		buf_fail(b);
}

bool
fetched_read(struct buf *b, struct fetched *ret, struct arena *arena)
{
	size_t all = 0;
	uint8_t more;

	memset(ret, 0, sizeof(*ret));
	ret->rv = buf_get_u64(b);
	ret->epoch = buf_get_u64(b);
	if (ret->rv != CKR_OK)
		return buf_end(b);
	more = buf_get_u8(b);
	ret->more = more == 1;
	ret->count = buf_get_u32(b);
	if (!buf_ok(b) || more > 1 || ret->count > FETCH_MAX ||
	    !buf_fits(b, ret->count, OBJECT_LEAST))
		return false;
	ret->objects = arena_array(arena, ret->count, sizeof(*ret->objects));
	for (uint32_t i = 0; ret->objects != NULL && i < ret->count; i++)
		read_object(b, &ret->objects[i], &all);
	return ret->objects != NULL && buf_end(b);
}

bool
fetched_attr(const uint8_t *attrs, size_t len, CK_ATTRIBUTE_TYPE type,
    const uint8_t **ret_value, size_t *ret_len)
{
	struct buf b;

	buf_view(&b, attrs, len);
	while (buf_ok(&b) && buf_left(&b) > 0) {
		CK_ATTRIBUTE_TYPE t = buf_get_u64(&b);

		*ret_value = buf_get_bytes(&b, ret_len);
		if (buf_ok(&b) && t == type)
			return true;
	}
	return false;
}
