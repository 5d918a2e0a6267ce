/*
 * mech.h - CK_MECHANISM as bytes.
 *
 * A parameter is a string of bytes, unless the mechanism's parameter is a structure
 * with pointers in it: then its layout stands in mech.def, and it is taken apart on one
 * side and put together on the other.  No address ever crosses, and the token library
 * never gets a pointer that a guest chose.
 *
 *	u64 mechanism, u8 has parameter, u64 ulParameterLen, then when there is one:
 *	  no layout      ulParameterLen bytes
 *	  layout         its fields in order: raw bytes as they lie; for a pointer
 *	                 u8 present, u64 length, the bytes when present
 *	  other length   nothing: the worker hands on zeroes, for the token
 *	                 library to refuse the length
 *
 * No mechanism is refused here, known or not.
 */
#ifndef CAAS_PROTOCOL_MECH_H
#define CAAS_PROTOCOL_MECH_H

#include <stdbool.h>

#include "common/buf.h"
#include "protocol/arena.h"
#include "protocol/pkcs11.h"

/* Guest.  m is not NULL.  CKR_OK, or CKR_MECHANISM_PARAM_INVALID for a length in the
 * parameter that cannot be meant (beyond MSG_MAX_ROOM). */
CK_RV mech_write(struct buf *b, const CK_MECHANISM *m);
/* Worker. */
bool mech_read(struct buf *b, CK_MECHANISM **ret, struct arena *arena);

/*
 * Guest: a number that is the same for two parameters of a mechanism when they differ only
 * in what no token looks at before it computes: initialisation vectors, counters, data.
 */
uint64_t mech_shape(const CK_MECHANISM *m);

/* How handles of objects in a parameter become others. */
typedef CK_OBJECT_HANDLE mech_map_fn(void *ctx, CK_OBJECT_HANDLE handle);
/* Guest: a copy of m in the arena with the handles in its parameter mapped; m itself when
 * there are none; NULL: out of memory.  Pointers in the copy stay the caller's. */
const CK_MECHANISM *mech_map(const CK_MECHANISM *m, mech_map_fn *map, void *ctx,
    struct arena *arena);

/* Worker: false when a pointer is NULL, with a length, where SoftHSM2 does not look
 * before it reads. */
bool mech_sound(const CK_MECHANISM *m);

#endif
