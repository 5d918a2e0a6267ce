/* answer.c - a reply as bytes: see message.h.  Its mirror image is ask.c. */
#include "protocol/message.h"

#include <string.h>

#include "protocol/attrs.h"

/* What a reply of this code carries, besides code and epoch. */
enum carries { NOTHING, LENGTHS, ATTRIBUTES, ALL };

static enum carries
carries(CK_RV rv)
{
	switch (rv) {
	case CKR_OK:
		return ALL;
	case CKR_BUFFER_TOO_SMALL:
		return LENGTHS;
	case CKR_ATTRIBUTE_SENSITIVE:
	case CKR_ATTRIBUTE_TYPE_INVALID:
		return ATTRIBUTES;
	default:
		return NOTHING;
	}
}

/* A structure goes over as it lies in memory, without the padding at its end. */
#define UPTO(type, last) (offsetof(type, last) + sizeof(((type *)NULL)->last))

_Static_assert(UPTO(CK_SLOT_INFO, firmwareVersion) == 108, "no padding inside");
_Static_assert(UPTO(CK_TOKEN_INFO, utcTime) == 204, "no padding inside");
_Static_assert(UPTO(CK_MECHANISM_INFO, flags) == 24, "no padding inside");
_Static_assert(UPTO(CK_SESSION_INFO, ulDeviceError) == 32, "no padding inside");

size_t
answer_info_len(enum arg_kind kind)
{
	switch (kind) {
	case ARG_OUT_SLOT_INFO:
		return UPTO(CK_SLOT_INFO, firmwareVersion);
	case ARG_OUT_TOKEN_INFO:
		return UPTO(CK_TOKEN_INFO, utcTime);
	case ARG_OUT_MECH_INFO:
		return UPTO(CK_MECHANISM_INFO, flags);
	case ARG_OUT_SESSION_INFO:
		return UPTO(CK_SESSION_INFO, ulDeviceError);
	default:
		return 0;
	}
}

/* The token library kept to the room that it was given. */
static bool
in_room(enum arg_kind kind, const struct arg *arg)
{
	switch (kind) {
	case ARG_OUT_BYTES:
	case ARG_OUT_MECHANISMS:
	case ARG_OUT_OBJECTS:
		return arg->ptr == NULL || (arg->plen != NULL && *arg->plen <= arg->len);
	default:
		return true;
	}
}

/* Takes handles and identities from the reply in order. */
struct refs {
	const struct reply *reply;
	size_t next;
};

static void
write_object(struct buf *b, CK_OBJECT_HANDLE handle, struct refs *refs)
{
	static const uint8_t unknown[MSG_ID_LEN];
	const uint8_t *id = unknown;

	if (refs->reply->refs != NULL && refs->next < refs->reply->nrefs)
		id = refs->reply->refs[refs->next].id;
	refs->next++;
	buf_put_u64(b, handle);
	buf_put_raw(b, id, MSG_ID_LEN);
}

static void
write_ulongs(struct buf *b, const CK_ULONG *v, CK_ULONG n)
{
	for (CK_ULONG i = 0; i < n; i++)
		buf_put_u64(b, v[i]);
}

static void
write_all(struct buf *b, enum arg_kind kind, const struct arg *arg, struct refs *refs)
{
	switch (kind) {
	case ARG_OUT_BYTES:
		if (arg->plen != NULL)
			buf_put_u64(b, *arg->plen);
		if (arg->ptr != NULL)
			buf_put_raw(b, arg->ptr, *arg->plen);
		break;
	case ARG_OUT_MECHANISMS:
		if (arg->plen != NULL)
			buf_put_u64(b, *arg->plen);
		if (arg->ptr != NULL)
			write_ulongs(b, arg->ptr, *arg->plen);
		break;
	case ARG_OUT_OBJECTS:
		if (arg->plen != NULL)
			buf_put_u64(b, *arg->plen);
		for (CK_ULONG i = 0; arg->ptr != NULL && i < *arg->plen; i++)
			write_object(b, ((CK_OBJECT_HANDLE *)arg->ptr)[i], refs);
		break;
	case ARG_OUT_FILL:
		if (arg->ptr != NULL)
			buf_put_raw(b, arg->ptr, arg->len);
		break;
	case ARG_OUT_ULONG:
	case ARG_OUT_SESSION:
		if (arg->ptr != NULL)
			write_ulongs(b, arg->ptr, 1);
		break;
	case ARG_OUT_OBJECT:
		if (arg->ptr != NULL)
			write_object(b, *(CK_OBJECT_HANDLE *)arg->ptr, refs);
		break;
	case ARG_ATTRS_QUERY:
		if (arg->ptr != NULL)
			attrs_answer_write(b, arg->ptr, arg->len);
		break;
	default:
		if (arg->ptr != NULL && answer_info_len(kind) > 0)
			buf_put_raw(b, arg->ptr, answer_info_len(kind));
		break;
	}
}

static void
write_arg(struct buf *b, enum arg_kind kind, const struct arg *arg, struct refs *refs)
{
	switch (carries(refs->reply->rv)) {
	case ALL:
		write_all(b, kind, arg, refs);
		break;
	case LENGTHS:
		if ((kind == ARG_OUT_BYTES || kind == ARG_OUT_MECHANISMS) &&
		    arg->plen != NULL)
			buf_put_u64(b, *arg->plen);
		/* FALLTHROUGH */
	case ATTRIBUTES:
		if (kind == ARG_ATTRS_QUERY)
			write_all(b, kind, arg, refs);
		break;
	case NOTHING:
		break;
	}
}

static void
write_failure(struct buf *b, size_t start, CK_RV rv, uint64_t epoch)
{
	/* Not even the failure may fail for what came before it. */
	b->failed = false;
	buf_truncate(b, start);
	buf_put_u64(b, rv);
	buf_put_u64(b, epoch);
}

void
answer_write(struct buf *b, const struct call *call, const struct arg *args,
    const struct reply *reply)
{
	struct refs refs = {reply, 0};
	size_t start = b->len;

	if (!buf_ok(b))
		return;
	buf_put_u64(b, reply->rv);
	buf_put_u64(b, reply->epoch);
	if (carries(reply->rv) == NOTHING)
		return;
	for (size_t i = 0; call->args[i] != ARG_END; i++) {
		if (reply->rv == CKR_OK && !in_room(call->args[i], &args[i])) {
			write_failure(b, start, CKR_GENERAL_ERROR, reply->epoch);
			return;
		}
		write_arg(b, call->args[i], &args[i], &refs);
	}
	if (reply->rv == CKR_OK && call->number == CALL_C_Login)
		buf_put_bytes(
		    b, reply->ticket, reply->ticket != NULL ? reply->ticket_len : 0);
	if (!buf_ok(b))
		write_failure(b, start, CKR_DEVICE_MEMORY, reply->epoch);
}

void
answer_used(
    const struct call *call, const struct arg *args, CK_RV rv, struct arena *arena)
{
	for (size_t i = 0; rv == CKR_OK && call->args[i] != ARG_END; i++)
		if (call->args[i] == ARG_OUT_BYTES && args[i].ptr != NULL &&
		    args[i].plen != NULL && *args[i].plen <= args[i].len)
			arena_used(arena, args[i].ptr, *args[i].plen);
}

/* Room for `more` refs behind those that are there. */
static bool
grow_refs(struct reply *reply, CK_ULONG more, struct arena *arena)
{
	struct object_ref *refs = arena_array(arena, reply->nrefs + more, sizeof(*refs));

	if (refs == NULL)
		return false;
	if (reply->nrefs > 0)
		memcpy(refs, reply->refs, reply->nrefs * sizeof(*refs));
	reply->refs = refs;
	return true;
}

static bool
read_objects(struct buf *b, CK_OBJECT_HANDLE *handles, CK_ULONG n, struct reply *reply,
    struct arena *arena)
{
	if (!buf_fits(b, n, sizeof(uint64_t) + MSG_ID_LEN) || !grow_refs(reply, n, arena))
		return false;
	for (CK_ULONG i = 0; i < n; i++) {
		struct object_ref *ref = &reply->refs[reply->nrefs++];

		ref->handle = handles[i] = buf_get_u64(b);
		memcpy(ref->id, buf_get_raw(b, MSG_ID_LEN), MSG_ID_LEN);
	}
	return true;
}

static bool
read_ulongs(struct buf *b, CK_ULONG *v, CK_ULONG n)
{
	if (!buf_fits(b, n, sizeof(uint64_t)))
		return false;
	for (CK_ULONG i = 0; i < n; i++)
		v[i] = buf_get_u64(b);
	return true;
}

static bool
read_raw(struct buf *b, void *dst, CK_ULONG len)
{
	const uint8_t *p = buf_get_raw(b, len);

	if (p == NULL)
		return false;
	if (len > 0)
		memcpy(dst, p, len);
	return true;
}

/* The length beside a buffer: with the buffer there, no more than `room`. */
static bool
read_length(struct buf *b, const struct arg *arg, CK_ULONG room)
{
	CK_ULONG len = buf_get_u64(b);

	if (!buf_ok(b) || (arg->ptr != NULL && len > room))
		return false;
	*arg->plen = len;
	return true;
}

static bool
read_all(struct buf *b, enum arg_kind kind, const struct arg *arg, struct reply *reply,
    struct arena *arena)
{
	bool sized = kind == ARG_OUT_BYTES || kind == ARG_OUT_MECHANISMS ||
		     kind == ARG_OUT_OBJECTS;

	if (sized) {
		/* A buffer without a length beside it is nothing the call can fill. */
		if (arg->plen == NULL)
			return arg->ptr == NULL;
		if (!read_length(b, arg, kind == ARG_OUT_OBJECTS ? arg->len : *arg->plen))
			return false;
	}
	if (arg->ptr == NULL)
		return true;
	switch (kind) {
	case ARG_OUT_BYTES:
		return read_raw(b, arg->ptr, *arg->plen);
	case ARG_OUT_MECHANISMS:
		return read_ulongs(b, arg->ptr, *arg->plen);
	case ARG_OUT_OBJECTS:
		return read_objects(b, arg->ptr, *arg->plen, reply, arena);
	case ARG_OUT_FILL:
		return read_raw(b, arg->ptr, arg->len);
	case ARG_OUT_ULONG:
	case ARG_OUT_SESSION:
		return read_ulongs(b, arg->ptr, 1);
	case ARG_OUT_OBJECT:
		return read_objects(b, arg->ptr, 1, reply, arena);
	case ARG_ATTRS_QUERY:
		return attrs_answer_read(b, arg->ptr, arg->len);
	default:
		return answer_info_len(kind) == 0 || read_raw(b, arg->ptr, answer_info_len(kind));
	}
}

static bool
read_arg(struct buf *b, enum arg_kind kind, const struct arg *arg, struct reply *reply,
    struct arena *arena)
{
	switch (carries(reply->rv)) {
	case ALL:
		return read_all(b, kind, arg, reply, arena);
	case LENGTHS:
		if ((kind == ARG_OUT_BYTES || kind == ARG_OUT_MECHANISMS) &&
		    arg->plen != NULL)
			*arg->plen = buf_get_u64(b);
		/* FALLTHROUGH */
	case ATTRIBUTES:
		return kind != ARG_ATTRS_QUERY || read_all(b, kind, arg, reply, arena);
	case NOTHING:
		break;
	}
	return true;
}

bool
answer_read(struct buf *b, const struct call *call, const struct arg *args,
    struct reply *reply, struct arena *arena)
{

	memset(reply, 0, sizeof(*reply));
	reply->rv = buf_get_u64(b);
	reply->epoch = buf_get_u64(b);
	if (!buf_ok(b))
		return false;
	for (size_t i = 0; call->args[i] != ARG_END; i++)
		if (!read_arg(b, call->args[i], &args[i], reply, arena))
			return false;
	if (reply->rv == CKR_OK && call->number == CALL_C_Login) {
		reply->ticket = buf_get_bytes(b, &reply->ticket_len);
		if (reply->ticket_len == 0)
			reply->ticket = NULL;
	}
	return buf_end(b);
}

bool
answer_read_fused(struct buf *b, const struct call *call, const struct arg *args,
    CK_RV *ret_begun, struct reply *reply, struct arena *arena)
{
	*ret_begun = buf_get_u64(b);
	return answer_read(b, call, args, reply, arena) &&
	       (*ret_begun == CKR_OK || reply->rv == *ret_begun);
}
