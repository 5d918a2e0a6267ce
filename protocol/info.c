/* info.c - see info.h */
#include "protocol/info.h"

#include <string.h>

#define MECH_LEN (4 * sizeof(uint64_t))

void
info_ask_write(struct buf *b, CK_SLOT_ID slot)
{
	buf_put_u64(b, slot);
}

bool
info_ask_read(struct buf *b, CK_SLOT_ID *ret)
{
	*ret = buf_get_u64(b);
	return buf_end(b);
}

void
info_write(struct buf *b, const struct info *info)
{
	buf_put_u64(b, info->rv);
	buf_put_u64(b, info->epoch);
	if (info->rv != CKR_OK)
		return;
	buf_put_raw(b, &info->slot, answer_info_len(ARG_OUT_SLOT_INFO));
	buf_put_raw(b, &info->token, answer_info_len(ARG_OUT_TOKEN_INFO));
	buf_put_u32(b, info->count);
	for (uint32_t i = 0; i < info->count; i++) {
		buf_put_u64(b, info->mechs[i].type);
		buf_put_u64(b, info->mechs[i].info.ulMinKeySize);
		buf_put_u64(b, info->mechs[i].info.ulMaxKeySize);
		buf_put_u64(b, info->mechs[i].info.flags);
	}
}

static void
read_struct(struct buf *b, void *dst, enum arg_kind kind)
{
	const uint8_t *p = buf_get_raw(b, answer_info_len(kind));

	if (p != NULL)
		memcpy(dst, p, answer_info_len(kind));
}

bool
info_read(struct buf *b, struct info *ret, struct arena *arena)
{
	memset(ret, 0, sizeof(*ret));
	ret->rv = buf_get_u64(b);
	ret->epoch = buf_get_u64(b);
	if (ret->rv != CKR_OK)
		return buf_end(b);
	read_struct(b, &ret->slot, ARG_OUT_SLOT_INFO);
	read_struct(b, &ret->token, ARG_OUT_TOKEN_INFO);
	ret->count = buf_get_u32(b);
	if (!buf_ok(b) || ret->count > INFO_MECHS || !buf_fits(b, ret->count, MECH_LEN))
		return false;
	ret->mechs = arena_array(arena, ret->count, sizeof(*ret->mechs));
	for (uint32_t i = 0; ret->mechs != NULL && i < ret->count; i++) {
		ret->mechs[i].type = buf_get_u64(b);
		ret->mechs[i].info.ulMinKeySize = buf_get_u64(b);
		ret->mechs[i].info.ulMaxKeySize = buf_get_u64(b);
		ret->mechs[i].info.flags = buf_get_u64(b);
	}
	return ret->mechs != NULL && buf_end(b);
}
