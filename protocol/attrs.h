/*
 * attrs.h - templates and attribute queries as bytes.
 *
 * A template gives values; a query (C_GetAttributeValue) gives room and gets values
 * back.  The value of an attribute with CKF_ARRAY_ATTRIBUTE is a template itself, but
 * for CKA_ALLOWED_MECHANISMS, which is an array of numbers: it is sent element by
 * element, so that no address of one side ever reaches the other.
 *
 *	template  u64 n, n * { u64 type, u8 has value, u64 ulValueLen, value }
 *	query     u64 n, n * { u64 type, u8 has buffer, u64 ulValueLen, [inner query] }
 *	answer    n * { [u64 type, inner only], u64 ulValueLen, value when there is a
 *	          buffer and ulValueLen is not CK_UNAVAILABLE_INFORMATION }
 *
 * An inner template has no n: it holds ulValueLen / sizeof(CK_ATTRIBUTE) elements, and
 * a remainder is for the token library to judge.  Bounds: MSG_MAX_ATTRS elements in
 * a template, MSG_MAX_DEPTH templates one in the other, the outermost counted.
 */
#ifndef CAAS_PROTOCOL_ATTRS_H
#define CAAS_PROTOCOL_ATTRS_H

#include <stdbool.h>

#include "common/buf.h"
#include "protocol/arena.h"
#include "protocol/pkcs11.h"

/* The value of an attribute of this type is an array of CK_ATTRIBUTE. */
bool attr_nested(CK_ATTRIBUTE_TYPE type);

/* Guest.  CKR_DATA_LEN_RANGE: more than MSG_MAX_ATTRS; CKR_ATTRIBUTE_VALUE_INVALID: too
 * deep.  t may be NULL when n is 0. */
CK_RV attrs_write(struct buf *b, const CK_ATTRIBUTE *t, CK_ULONG n);
CK_RV attrs_query_write(struct buf *b, const CK_ATTRIBUTE *t, CK_ULONG n);
/* Worker.  Values are copied into the arena, aligned, large ones point into b.  Buffers
 * of a query are zeroed, and no larger than MSG_MAX_ROOM. */
bool attrs_read(struct buf *b, CK_ATTRIBUTE **ret, CK_ULONG *ret_n, struct arena *arena);
/* Behind the n elements that the token library gets lie n more, as they were asked:
 * attrs_answer_write() looks there how large a buffer is. */
bool attrs_query_read(struct buf *b, CK_ATTRIBUTE **ret, CK_ULONG *ret_n,
    struct arena *arena);

/* Worker: t as attrs_query_read() made it, filled by the token library. */
void attrs_answer_write(struct buf *b, const CK_ATTRIBUTE *t, CK_ULONG n);
/* Guest: fill the caller's template, never beyond the room that it states. */
bool attrs_answer_read(struct buf *b, CK_ATTRIBUTE *t, CK_ULONG n);

#endif
