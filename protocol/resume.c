/* resume.c - see resume.h */
#include "protocol/resume.h"

#include <string.h>

#define USER_MAX (1 + CKU_USER) /* 0 none, 1 + CKU_SO, 1 + CKU_USER */

void
resume_ask_write(struct buf *b, const struct resume *r)
{
	buf_put_u8(b, r->user);
	buf_put_bytes(b, r->ticket, r->ticket_len);
	buf_put_u32(b, r->nsessions);
	for (uint32_t i = 0; i < r->nsessions; i++)
		buf_put_u64(b, r->session_flags[i]);
	buf_put_u32(b, r->nids);
	buf_put_raw(b, r->ids, (size_t)r->nids * MSG_ID_LEN);
	if (r->nkept == 0)
		return;
	buf_put_bytes(b, r->pass, r->pass_len);
	buf_put_u32(b, r->nkept);
	for (uint32_t i = 0; i < r->nkept; i++) {
		buf_put_u32(b, r->kept[i].session);
		buf_put_bytes(b, r->kept[i].object, r->kept[i].len);
	}
}

/* A u32 count of items of `each` bytes, at most `most`; then room for `size` apiece. */
static void *
get_array(struct buf *b, uint32_t most, size_t each, size_t size, uint32_t *ret_n,
    struct arena *arena)
{
	uint32_t n = buf_get_u32(b);
	void *p;

	*ret_n = 0;
	if (n > most) {
		buf_fail(b);
		return NULL;
	}
	if (!buf_fits(b, n, each) || (p = arena_array(arena, n, size)) == NULL) {
		buf_fail(b);
		return NULL;
	}
	*ret_n = n;
	return p;
}

static void
read_kept(struct buf *b, struct resume *ret, struct arena *arena)
{
	ret->pass = buf_get_bytes(b, &ret->pass_len);
	if (ret->pass_len > KEPT_MAX_PASS)
		buf_fail(b);
	ret->kept = get_array(b, RESUME_MAX_OBJECTS, sizeof(uint32_t) + sizeof(uint64_t),
	    sizeof(*ret->kept), &ret->nkept, arena);
	/* Who has none says nothing of them. */
	if (ret->nkept == 0)
		buf_fail(b);
	for (uint32_t i = 0; i < ret->nkept; i++) {
		ret->kept[i].session = buf_get_u32(b);
		ret->kept[i].object = buf_get_bytes(b, &ret->kept[i].len);
		if (ret->kept[i].session >= ret->nsessions ||
		    ret->kept[i].len > KEPT_MAX_OBJECT)
			buf_fail(b);
	}
}

bool
resume_ask_read(struct buf *b, struct resume *ret, struct arena *arena)
{
	const uint8_t *ids;

	memset(ret, 0, sizeof(*ret));
	ret->user = buf_get_u8(b);
	ret->ticket = buf_get_bytes(b, &ret->ticket_len);
	if (ret->user > USER_MAX || ret->ticket_len > RESUME_MAX_TICKET)
		return false;
	ret->session_flags = get_array(b, RESUME_MAX_SESSIONS, sizeof(uint64_t),
	    sizeof(CK_FLAGS), &ret->nsessions, arena);
	for (uint32_t i = 0; i < ret->nsessions; i++)
		ret->session_flags[i] = buf_get_u64(b);
	ret->ids =
	    get_array(b, RESUME_MAX_OBJECTS, MSG_ID_LEN, MSG_ID_LEN, &ret->nids, arena);
	ids = buf_get_raw(b, (size_t)ret->nids * MSG_ID_LEN);
	if (ids != NULL && ret->nids > 0)
		memcpy(ret->ids, ids, (size_t)ret->nids * MSG_ID_LEN);
	if (buf_ok(b) && buf_left(b) > 0)
		read_kept(b, ret, arena);
	return buf_end(b);
}

void
resume_answer_write(struct buf *b, const struct resumed *r)
{
	buf_put_u64(b, r->rv);
	buf_put_u64(b, r->epoch);
	buf_put_u32(b, r->nsessions);
	for (uint32_t i = 0; i < r->nsessions; i++)
		buf_put_u64(b, r->sessions[i]);
	buf_put_u32(b, r->nobjects);
	for (uint32_t i = 0; i < r->nobjects; i++)
		buf_put_u64(b, r->objects[i]);
	if (r->nkept == 0)
		return;
	buf_put_u32(b, r->nkept);
	for (uint32_t i = 0; i < r->nkept; i++)
		buf_put_u64(b, r->kept[i]);
}

bool
resume_answer_read(
    struct buf *b, const struct resume *asked, struct resumed *ret, struct arena *arena)
{
	memset(ret, 0, sizeof(*ret));
	ret->rv = buf_get_u64(b);
	ret->epoch = buf_get_u64(b);
	ret->sessions = get_array(b, asked->nsessions, sizeof(uint64_t),
	    sizeof(CK_SESSION_HANDLE), &ret->nsessions, arena);
	for (uint32_t i = 0; i < ret->nsessions; i++)
		ret->sessions[i] = buf_get_u64(b);
	ret->objects = get_array(b, asked->nids, sizeof(uint64_t),
	    sizeof(CK_OBJECT_HANDLE), &ret->nobjects, arena);
	for (uint32_t i = 0; i < ret->nobjects; i++)
		ret->objects[i] = buf_get_u64(b);
	if (asked->nkept > 0)
		ret->kept = get_array(b, asked->nkept, sizeof(uint64_t),
		    sizeof(CK_OBJECT_HANDLE), &ret->nkept, arena);
	for (uint32_t i = 0; i < ret->nkept; i++)
		ret->kept[i] = buf_get_u64(b);
	return buf_end(b) && ret->nsessions == asked->nsessions &&
	       ret->nobjects == asked->nids && ret->nkept == asked->nkept;
}
