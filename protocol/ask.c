/* ask.c - a request as bytes: see message.h.  Its mirror image is answer.c. */
#include "protocol/message.h"

#include <string.h>

#include "protocol/attrs.h"
#include "protocol/mech.h"

#define LABEL_LEN 32
#define HAS_PTR 0x1
#define HAS_PLEN 0x2

/* Does this call cross the wire at all? */
static bool
served(const struct call *call)
{
	return call->where == WHERE_SLOT || call->where == WHERE_SESSION;
}

static CK_RV
write_bytes(struct buf *b, const struct arg *arg)
{
	buf_put_u8(b, arg->ptr != NULL);
	buf_put_u64(b, arg->len);
	if (arg->ptr != NULL)
		buf_put_raw(b, arg->ptr, arg->len);
	return CKR_OK;
}

static CK_RV
write_attrs(struct buf *b, const struct arg *arg, bool query)
{
	if (arg->ptr == NULL && arg->len > 0)
		return CKR_ARGUMENTS_BAD;
	buf_put_u8(b, arg->ptr != NULL);
	if (arg->ptr == NULL)
		return CKR_OK;
	return query ? attrs_query_write(b, arg->ptr, arg->len)
		     : attrs_write(b, arg->ptr, arg->len);
}

static CK_RV
write_mech(struct buf *b, const struct arg *arg)
{
	buf_put_u8(b, arg->ptr != NULL);
	return arg->ptr != NULL ? mech_write(b, arg->ptr) : CKR_OK;
}

static CK_RV
write_arg(struct buf *b, enum arg_kind kind, const struct arg *arg)
{
	switch (kind) {
	case ARG_SLOT:
	case ARG_SESSION:
	case ARG_OBJECT:
	case ARG_FLAGS:
	case ARG_USER_TYPE:
	case ARG_MECH_TYPE:
		buf_put_u64(b, arg->len);
		return CKR_OK;
	case ARG_BBOOL:
		buf_put_u8(b, (uint8_t)arg->len);
		return CKR_OK;
	case ARG_BYTES:
	case ARG_PIN:
	case ARG_PARAMETER:
		return write_bytes(b, arg);
	case ARG_LABEL:
		buf_put_u8(b, arg->ptr != NULL);
		if (arg->ptr != NULL)
			buf_put_raw(b, arg->ptr, LABEL_LEN);
		return CKR_OK;
	case ARG_MECH:
		return write_mech(b, arg);
	case ARG_ATTRS:
		return write_attrs(b, arg, false);
	case ARG_ATTRS_QUERY:
		return write_attrs(b, arg, true);
	case ARG_OUT_BYTES:
	case ARG_OUT_MECHANISMS:
		buf_put_u8(b, (arg->ptr != NULL ? HAS_PTR : 0) |
				  (arg->plen != NULL ? HAS_PLEN : 0));
		if (arg->plen != NULL)
			buf_put_u64(b, *arg->plen);
		return CKR_OK;
	case ARG_OUT_OBJECTS:
		buf_put_u8(b, (arg->ptr != NULL ? HAS_PTR : 0) |
				  (arg->plen != NULL ? HAS_PLEN : 0));
		buf_put_u64(b, arg->len);
		return CKR_OK;
	case ARG_OUT_FILL:
		/* All of it must come back in one reply. */
		if (arg->ptr != NULL && arg->len > MSG_MAX_ROOM)
			return CKR_DATA_LEN_RANGE;
		buf_put_u8(b, arg->ptr != NULL);
		buf_put_u64(b, arg->len);
		return CKR_OK;
	case ARG_OUT_ULONG:
	case ARG_OUT_SESSION:
	case ARG_OUT_OBJECT:
	case ARG_OUT_SLOT_INFO:
	case ARG_OUT_TOKEN_INFO:
	case ARG_OUT_MECH_INFO:
	case ARG_OUT_SESSION_INFO:
		buf_put_u8(b, arg->ptr != NULL);
		return CKR_OK;
	case ARG_POINTER:
	case ARG_NOTIFY:
		return CKR_OK;
	default:
		return CKR_FUNCTION_NOT_SUPPORTED;
	}
}

CK_RV
ask_write(struct buf *b, const struct call *call, const struct arg *args)
{
	CK_RV rv = served(call) ? CKR_OK : CKR_FUNCTION_NOT_SUPPORTED;

	for (size_t i = 0; rv == CKR_OK && call->args[i] != ARG_END; i++)
		rv = write_arg(b, call->args[i], &args[i]);
	if (rv == CKR_OK && !buf_ok(b))
		rv = CKR_DATA_LEN_RANGE;
	return rv;
}

/* The presence byte: only the bits of `known` may be set. */
static bool
read_has(struct buf *b, uint8_t known, uint8_t *ret)
{
	*ret = buf_get_u8(b);
	return buf_ok(b) && (*ret & ~known) == 0;
}

static bool
read_bytes(struct buf *b, struct arg *arg)
{
	uint8_t has;

	if (!read_has(b, HAS_PTR, &has))
		return false;
	arg->len = buf_get_u64(b);
	if (has)
		arg->ptr = (void *)(uintptr_t)buf_get_raw(b, arg->len);
	return buf_ok(b);
}

static bool
read_label(struct buf *b, struct arg *arg)
{
	uint8_t has;

	if (!read_has(b, HAS_PTR, &has))
		return false;
	if (has)
		arg->ptr = (void *)(uintptr_t)buf_get_raw(b, LABEL_LEN);
	return buf_ok(b);
}

static bool
read_mech(struct buf *b, struct arg *arg, struct arena *arena)
{
	CK_MECHANISM *m;
	uint8_t has;

	if (!read_has(b, HAS_PTR, &has))
		return false;
	if (!has)
		return true;
	if (!mech_read(b, &m, arena))
		return false;
	arg->ptr = m;
	return true;
}

static bool
read_attrs(struct buf *b, struct arg *arg, bool query, struct arena *arena)
{
	CK_ATTRIBUTE *t;
	uint8_t has;

	if (!read_has(b, HAS_PTR, &has))
		return false;
	if (!has)
		return true;
	if (!(query ? attrs_query_read : attrs_read)(b, &t, &arg->len, arena))
		return false;
	arg->ptr = t;
	return true;
}

/* Room for `count` items of `each` bytes, of which the arena must still hold all. */
static bool
make_room(struct arg *arg, CK_ULONG count, size_t each, struct arena *arena)
{
	CK_ULONG most = (arena->max - arena->used) / each;

	if (count > most)
		count = most;
	arg->len = count;
	arg->ptr = arena_room(arena, count * each);
	return arg->ptr != NULL;
}

/* A buffer with its length beside it.  arg->len remembers how large it was made. */
static bool
read_out(struct buf *b, struct arg *arg, CK_ULONG most, size_t each, struct arena *arena)
{
	uint8_t has;

	if (!read_has(b, HAS_PTR | HAS_PLEN, &has))
		return false;
	if (has & HAS_PLEN) {
		arg->room = buf_get_u64(b);
		arg->plen = &arg->room;
		if (arg->room > most)
			arg->room = most;
	}
	if (!buf_ok(b))
		return false;
	if ((has & HAS_PTR) && !make_room(arg, arg->room, each, arena))
		return false;
	if (arg->ptr != NULL)
		arg->room = arg->len;
	return true;
}

static bool
read_out_objects(struct buf *b, struct arg *arg, struct arena *arena)
{
	uint8_t has;

	if (!read_has(b, HAS_PTR | HAS_PLEN, &has))
		return false;
	arg->len = buf_get_u64(b);
	if (arg->len > MSG_MAX_OBJECTS)
		arg->len = MSG_MAX_OBJECTS;
	if (has & HAS_PLEN)
		arg->plen = &arg->room;
	if (!buf_ok(b))
		return false;
	return !(has & HAS_PTR) ||
	       make_room(arg, arg->len, sizeof(CK_OBJECT_HANDLE), arena);
}

static bool
read_out_fill(struct buf *b, struct arg *arg, struct arena *arena)
{
	uint8_t has;

	if (!read_has(b, HAS_PTR, &has))
		return false;
	arg->len = buf_get_u64(b);
	if (!buf_ok(b) || (has && arg->len > MSG_MAX_ROOM))
		return false;
	if (has && (arg->ptr = arena_room(arena, arg->len)) == NULL)
		return false;
	return true;
}

/* A structure or number that the call fills. */
static bool
read_out_fixed(struct buf *b, struct arg *arg, size_t size, struct arena *arena)
{
	uint8_t has;

	if (!read_has(b, HAS_PTR, &has))
		return false;
	if (has && (arg->ptr = arena_alloc(arena, size)) == NULL)
		return false;
	return true;
}

static bool
read_arg(struct buf *b, enum arg_kind kind, struct arg *arg, struct arena *arena)
{
	switch (kind) {
	case ARG_SLOT:
	case ARG_SESSION:
	case ARG_OBJECT:
	case ARG_FLAGS:
	case ARG_USER_TYPE:
	case ARG_MECH_TYPE:
		arg->len = buf_get_u64(b);
		return true;
	case ARG_BBOOL:
		arg->len = buf_get_u8(b);
		return true;
	case ARG_BYTES:
	case ARG_PIN:
	case ARG_PARAMETER:
		return read_bytes(b, arg);
	case ARG_LABEL:
		return read_label(b, arg);
	case ARG_MECH:
		return read_mech(b, arg, arena);
	case ARG_ATTRS:
		return read_attrs(b, arg, false, arena);
	case ARG_ATTRS_QUERY:
		return read_attrs(b, arg, true, arena);
	case ARG_OUT_BYTES:
		return read_out(b, arg, MSG_MAX_ROOM, 1, arena);
	case ARG_OUT_MECHANISMS:
		return read_out(
		    b, arg, MSG_MAX_OBJECTS, sizeof(CK_MECHANISM_TYPE), arena);
	case ARG_OUT_OBJECTS:
		return read_out_objects(b, arg, arena);
	case ARG_OUT_FILL:
		return read_out_fill(b, arg, arena);
	case ARG_OUT_ULONG:
	case ARG_OUT_SESSION:
	case ARG_OUT_OBJECT:
		return read_out_fixed(b, arg, sizeof(CK_ULONG), arena);
	case ARG_OUT_SLOT_INFO:
		return read_out_fixed(b, arg, sizeof(CK_SLOT_INFO), arena);
	case ARG_OUT_TOKEN_INFO:
		return read_out_fixed(b, arg, sizeof(CK_TOKEN_INFO), arena);
	case ARG_OUT_MECH_INFO:
		return read_out_fixed(b, arg, sizeof(CK_MECHANISM_INFO), arena);
	case ARG_OUT_SESSION_INFO:
		return read_out_fixed(b, arg, sizeof(CK_SESSION_INFO), arena);
	case ARG_POINTER:
	case ARG_NOTIFY:
		return true;
	default:
		return false;
	}
}

static bool
read_args(struct buf *b, const struct call *call, struct arg *args, struct arena *arena)
{
	memset(args, 0, ARGS_MAX * sizeof(*args));
	if (!served(call))
		return false;
	for (size_t i = 0; call->args[i] != ARG_END; i++)
		if (!read_arg(b, call->args[i], &args[i], arena))
			return false;
	return buf_ok(b);
}

bool
ask_read(struct buf *b, const struct call *call, struct arg *args, struct arena *arena)
{
	return read_args(b, call, args, arena) && buf_end(b);
}

bool
ask_read_fused(struct buf *b, const struct call *begin, struct arg *begin_args,
    const struct call *call, struct arg *args, struct arena *arena)
{
	return read_args(b, begin, begin_args, arena) && ask_read(b, call, args, arena) &&
	       begin_args[0].len == args[0].len;
}
