/*
 * message.h - a call as bytes: asked by the guest, answered by the worker.
 *
 * The two directions are mirror images, one file each: ask.c (guest writes, worker
 * reads) and answer.c (worker writes, guest reads).  All four functions walk the
 * row's kinds in order, so a new call needs a row in calls.def and nothing else.
 *
 * Body of a request: per argument, see docs/protocol.md.  Body of a reply:
 * u64 CK_RV, u64 store epoch, then per OUT argument.  Frames, and what a fused one
 * holds: frame.h.
 *
 * Bounds, checked before anything is allocated: MSG_MAX_ATTRS attributes in a
 * template, MSG_MAX_DEPTH templates one in the other (the outermost counted), every
 * length by what the frame still holds, every room (a guest may claim any) by
 * MSG_MAX_ROOM and by what the arena still holds.
 */
#ifndef CAAS_PROTOCOL_MESSAGE_H
#define CAAS_PROTOCOL_MESSAGE_H

#include <stdbool.h>

#include "common/buf.h"
#include "protocol/arena.h"
#include "protocol/calls.h"

#define MSG_MAX_ATTRS 1024
#define MSG_MAX_DEPTH 2
#define MSG_MAX_ROOM ((CK_ULONG)80 << 20)
#define MSG_MAX_OBJECTS 65536 /* handles in one C_FindObjects reply */
#define MSG_ARENA_MAX ((size_t)192 << 20) /* a worker's arena: a request and its reply */
#define MSG_ID_LEN 16 /* bytes of an object's identity */
#define MSG_ID_FLAGS 15 /* the last of them says: */
#define MSG_ID_PRIVATE 0x1 /* CKA_PRIVATE: handles of it are void after a logout */
#define MSG_ID_SESSION 0x2 /* not CKA_TOKEN: it dies with its session */

/*
 * What a reply says of an object beside its handle: an identity that stays the same
 * across reconnects and worker restarts, whatever attributes are changed; all zero, but for
 * the flags, when there is none to tell.
 */
struct object_ref {
	CK_OBJECT_HANDLE handle;
	uint8_t id[MSG_ID_LEN];
};

/* What belongs to a reply beside its arguments. */
struct reply {
	CK_RV rv;
	uint64_t epoch;          /* of the token's store, when the call was served */
	struct object_ref *refs; /* one for each handle that the reply carries, in order */
	size_t nrefs;
	const uint8_t *ticket;   /* after C_Login: opaque resumption ticket, or NULL */
	size_t ticket_len;
};

/*
 * ask.c: guest side.  Append the body of `call` with `args` to b.  Handles in args must
 * be the worker's.  CKR_OK; CKR_ARGUMENTS_BAD for what the worker could not be told
 * (an array without a pointer); CKR_DATA_LEN_RANGE when it does not fit the buf or memory;
 * CKR_ATTRIBUTE_VALUE_INVALID for templates too deep; CKR_MECHANISM_PARAM_INVALID for a
 * length in a parameter that cannot be meant; CKR_FUNCTION_NOT_SUPPORTED for rows that are
 * never sent.
 */
CK_RV ask_write(struct buf *b, const struct call *call, const struct arg *args);
/*
 * ask.c: worker side.  Read the body of `call` from b into args (ARGS_MAX of them),
 * with everything that pointers need allocated in `arena`.  Input data may point
 * into b, so b must outlive args.  false: a breach of protocol, close the channel.
 */
bool ask_read(struct buf *b, const struct call *call, struct arg *args, struct arena *arena);
/* The same of a fused request: the beginning, then the call, on one session. */
bool ask_read_fused(struct buf *b, const struct call *begin, struct arg *begin_args,
    const struct call *call, struct arg *args, struct arena *arena);

/*
 * answer.c: worker side.  Append the body.  args are those that ask_read() made, filled by
 * the call; they are looked at only when reply->rv carries anything.  reply->refs holds
 * one ref per object handle that args carry.  When the content does not fit, the body says
 * CKR_DEVICE_MEMORY; when the call left its room, CKR_GENERAL_ERROR.
 */
void answer_write(struct buf *b, const struct call *call, const struct arg *args,
    const struct reply *reply);
/* answer.c: worker side.  After the call and before arena_free(): tell the arena how much of
 * each large buffer was written, so that no more is wiped. */
void answer_used(const struct call *call, const struct arg *args, CK_RV rv,
    struct arena *arena);
/* Bytes of an info structure (OUT_SLOT_INFO and so on) on the wire: as it lies in memory,
 * without the padding at its end.  0: the kind is none. */
size_t answer_info_len(enum arg_kind kind);
/*
 * answer.c: guest side.  Read the body into the caller's buffers through args (those of
 * the request).  Nothing is ever written beyond the room that args state.
 * reply->refs are allocated in arena, ticket points into b.  On success reply->rv is
 * what the application gets.  false: the worker broke the protocol, close the channel.
 */
bool answer_read(struct buf *b, const struct call *call, const struct arg *args,
    struct reply *reply, struct arena *arena);
/* The same of a fused request; *ret_begun is what came of the beginning. */
bool answer_read_fused(struct buf *b, const struct call *call, const struct arg *args,
    CK_RV *ret_begun, struct reply *reply, struct arena *arena);

#endif
