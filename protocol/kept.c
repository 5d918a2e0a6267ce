/* kept.c - see kept.h */
#include "protocol/kept.h"

void
kept_write(struct buf *b, const struct kept *k)
{
	buf_put_u64(b, k->handle);
	buf_put_bytes(b, k->pass, k->pass_len);
	buf_put_bytes(b, k->object, k->object_len);
}

bool
kept_read(struct buf *b, struct kept *ret)
{
	ret->handle = buf_get_u64(b);
	ret->pass = buf_get_bytes(b, &ret->pass_len);
	ret->object = buf_get_bytes(b, &ret->object_len);
	return buf_end(b) && ret->pass_len <= KEPT_MAX_PASS && ret->object_len > 0 &&
	    ret->object_len <= KEPT_MAX_OBJECT;
}
