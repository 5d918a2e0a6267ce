/* attrs.c - see attrs.h */
#include "protocol/attrs.h"

#include <string.h>

#include "protocol/message.h"

#define HEAD_LEN 17	       /* u64 type, u8 presence, u64 length */
#define BORROW_FROM (64 << 10) /* values from this length on are not copied */

/* Element counts of a nested value of `len` bytes. */
#define INNER(len) ((len) / sizeof(CK_ATTRIBUTE))

bool
attr_nested(CK_ATTRIBUTE_TYPE type)
{
	return (type & CKF_ARRAY_ATTRIBUTE) != 0 && type != CKA_ALLOWED_MECHANISMS;
}

/* depth: of the template that t is, 1 for the outermost. */
static CK_RV
write_elements(
    struct buf *b, const CK_ATTRIBUTE *t, CK_ULONG n, unsigned depth, bool query)
{
	CK_RV rv;

	if (n > MSG_MAX_ATTRS)
		return CKR_DATA_LEN_RANGE;
	if (n > 0 && depth > MSG_MAX_DEPTH)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	for (CK_ULONG i = 0; i < n; i++) {
		buf_put_u64(b, t[i].type);
		buf_put_u8(b, t[i].pValue != NULL);
		buf_put_u64(b, t[i].ulValueLen);
		if (t[i].pValue == NULL)
			continue;
		if (attr_nested(t[i].type)) {
			rv = write_elements(
			    b, t[i].pValue, INNER(t[i].ulValueLen), depth + 1, query);
			if (rv != CKR_OK)
				return rv;
		} else if (!query) {
			buf_put_raw(b, t[i].pValue, t[i].ulValueLen);
		}
	}
	return CKR_OK;
}

CK_RV
attrs_write(struct buf *b, const CK_ATTRIBUTE *t, CK_ULONG n)
{
	buf_put_u64(b, n);
	return write_elements(b, t, n, 1, false);
}

CK_RV
attrs_query_write(struct buf *b, const CK_ATTRIBUTE *t, CK_ULONG n)
{
	buf_put_u64(b, n);
	return write_elements(b, t, n, 1, true);
}

static bool
read_head(struct buf *b, CK_ATTRIBUTE *t, bool *ret_present)
{
	uint8_t present;

	t->type = buf_get_u64(b);
	present = buf_get_u8(b);
	t->ulValueLen = buf_get_u64(b);
	*ret_present = present != 0;
	return buf_ok(b) && present <= 1;
}

/* Plain value: aligned, since token libraries read numbers through it. */
static bool
read_value(struct buf *b, CK_ATTRIBUTE *t, struct arena *arena)
{
	const uint8_t *p = buf_get_raw(b, t->ulValueLen);

	if (p == NULL)
		return false;
	if (t->ulValueLen >= BORROW_FROM) {
		t->pValue = (void *)(uintptr_t)p;
		return true;
	}
	if ((t->pValue = arena_alloc(arena, t->ulValueLen)) == NULL)
		return false;
	if (t->ulValueLen > 0)
		memcpy(t->pValue, p, t->ulValueLen);
	return true;
}

static bool
read_room(CK_ATTRIBUTE *t, struct arena *arena)
{
	if (t->ulValueLen > MSG_MAX_ROOM)
		t->ulValueLen = MSG_MAX_ROOM;
	if (t->ulValueLen > arena->max - arena->used)
		t->ulValueLen = arena->max - arena->used;
	t->pValue = arena_room(arena, t->ulValueLen);
	return t->pValue != NULL;
}

/*
 * An array of n elements in `bytes` bytes (n of them and what a guest claimed beyond);
 * for a query with the elements as asked right behind.
 */
static CK_ATTRIBUTE *
read_elements(struct buf *b, CK_ULONG n, CK_ULONG bytes, unsigned depth, bool query,
    struct arena *arena)
{
	CK_ATTRIBUTE *t;

	if (n > MSG_MAX_ATTRS || (n > 0 && depth > MSG_MAX_DEPTH) ||
	    !buf_fits(b, n, HEAD_LEN))
		return NULL;
	t = arena_alloc(arena, query ? bytes + n * sizeof(*t) : bytes);
	if (t == NULL)
		return NULL;
	for (CK_ULONG i = 0; i < n; i++) {
		CK_ATTRIBUTE one = {0};
		bool present, ok;

		if (!read_head(b, &one, &present))
			return NULL;
		if (!present) {
			ok = true;
		} else if (attr_nested(one.type)) {
			one.pValue = read_elements(b, INNER(one.ulValueLen),
			    one.ulValueLen, depth + 1, query, arena);
			ok = one.pValue != NULL;
		} else {
			ok = query ? read_room(&one, arena) : read_value(b, &one, arena);
		}
		if (!ok)
			return NULL;
		t[i] = one;
		if (query)
			t[n + i] = one;
	}
	return t;
}

static bool
read_template(
    struct buf *b, CK_ATTRIBUTE **ret, CK_ULONG *ret_n, bool query, struct arena *arena)
{
	CK_ULONG n = buf_get_u64(b);

	*ret = NULL;
	*ret_n = 0;
	if (!buf_ok(b) || n > MSG_MAX_ATTRS)
		return false;
	*ret = read_elements(b, n, n * sizeof(CK_ATTRIBUTE), 1, query, arena);
	*ret_n = n;
	return *ret != NULL;
}

bool
attrs_read(struct buf *b, CK_ATTRIBUTE **ret, CK_ULONG *ret_n, struct arena *arena)
{
	return read_template(b, ret, ret_n, false, arena);
}

bool
attrs_query_read(struct buf *b, CK_ATTRIBUTE **ret, CK_ULONG *ret_n, struct arena *arena)
{
	return read_template(b, ret, ret_n, true, arena);
}

/* `total` elements were asked, the first n of them are answered. */
static void
answer_elements(
    struct buf *b, const CK_ATTRIBUTE *t, CK_ULONG n, CK_ULONG total, bool inner)
{
	const CK_ATTRIBUTE *asked = t + total;

	for (CK_ULONG i = 0; i < n; i++) {
		CK_ULONG len = t[i].ulValueLen;

		/* A length beyond the buffer tells of a value that is not there. */
		if (asked[i].pValue != NULL && len > asked[i].ulValueLen)
			len = CK_UNAVAILABLE_INFORMATION;
		if (inner)
			buf_put_u64(b, t[i].type);
		buf_put_u64(b, len);
		if (asked[i].pValue == NULL || len == CK_UNAVAILABLE_INFORMATION)
			continue;
		if (attr_nested(asked[i].type))
			answer_elements(b, asked[i].pValue, INNER(len),
			    INNER(asked[i].ulValueLen), true);
		else
			buf_put_raw(b, asked[i].pValue, len);
	}
}

void
attrs_answer_write(struct buf *b, const CK_ATTRIBUTE *t, CK_ULONG n)
{
	answer_elements(b, t, n, n, false);
}

static bool
fill_elements(struct buf *b, CK_ATTRIBUTE *t, CK_ULONG n, unsigned depth)
{
	if (n > 0 && depth > MSG_MAX_DEPTH)
		return false;
	for (CK_ULONG i = 0; i < n; i++) {
		CK_ATTRIBUTE_TYPE asked = t[i].type;
		CK_ULONG room = t[i].ulValueLen, len;
		const uint8_t *p;

		/* A token library that is asked how an inner template looks says it. */
		if (depth > 1)
			t[i].type = buf_get_u64(b);
		len = buf_get_u64(b);
		if (!buf_ok(b))
			return false;
		t[i].ulValueLen = len;
		if (t[i].pValue == NULL || len == CK_UNAVAILABLE_INFORMATION)
			continue;
		if (len > room)
			return false;
		if (attr_nested(asked)) {
			if (!fill_elements(b, t[i].pValue, INNER(len), depth + 1))
				return false;
		} else {
			if ((p = buf_get_raw(b, len)) == NULL)
				return false;
			if (len > 0)
				memcpy(t[i].pValue, p, len);
		}
	}
	return true;
}

bool
attrs_answer_read(struct buf *b, CK_ATTRIBUTE *t, CK_ULONG n)
{
	return fill_elements(b, t, n, 1);
}
