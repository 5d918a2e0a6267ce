/*
 * fetch.h - a whole search in one frame: FRAME_FETCH.
 *
 * Request: the arguments of C_FindObjectsInit.  The worker searches, and when it has found
 * everything ends the search.  Reply: u64 CK_RV, u64 epoch, and with CKR_OK
 *
 *	u8 more       1: there may be more than follows, and the search is still active
 *	u32 count     at most FETCH_MAX
 *	per object    u64 handle, 16 bytes identity (message.h),
 *	              bytes: attributes, each u64 type and bytes, those that applications
 *	              ask for and that the session may read; empty when they grew too large
 *
 * An object's attributes are one string of bytes that the guest keeps as it is.
 *
 * Threads: a buf belongs to one thread.
 */
#ifndef CAAS_PROTOCOL_FETCH_H
#define CAAS_PROTOCOL_FETCH_H

#include "protocol/message.h"

#define FETCH_MAX 1024           /* objects */
#define FETCH_BYTES (512u << 10) /* of attributes, of all of them */

struct fetched_object {
	struct object_ref ref;
	const uint8_t *attrs; /* in the buf that was read */
	size_t len;
};

struct fetched {
	CK_RV rv;
	uint64_t epoch;
	bool more;
	uint32_t count;
	struct fetched_object *objects; /* in the arena */
};

/* Guest.  false: a breach of protocol. */
bool fetched_read(struct buf *b, struct fetched *ret, struct arena *arena);
/* One attribute in an object's string: *ret_value points into it.  false: it is not there,
 * or what is there is torn. */
bool fetched_attr(const uint8_t *attrs, size_t len, CK_ATTRIBUTE_TYPE type,
    const uint8_t **ret_value, size_t *ret_len);

#endif
