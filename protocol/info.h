/*
 * info.h - all that a worker says of its slot, in one frame: FRAME_INFO.
 *
 * Request: u64 slot.  Reply: u64 CK_RV, u64 epoch, and with CKR_OK
 *
 *	CK_SLOT_INFO    as C_GetSlotInfo gives it, CK_TOKEN_INFO as C_GetTokenInfo does: as
 *	CK_TOKEN_INFO   they lie in memory, without the padding at the end
 *	u32 count       at most INFO_MECHS
 *	per mechanism   u64 type, u64 ulMinKeySize, u64 ulMaxKeySize, u64 flags: what
 *	                C_GetMechanismList and C_GetMechanismInfo give, in its order
 *
 * One of these calls that fails is the code of the reply; the guest then asks the one that
 * the application asked, which has an answer of its own.
 *
 * Threads: a buf belongs to one thread.
 */
#ifndef CAAS_PROTOCOL_INFO_H
#define CAAS_PROTOCOL_INFO_H

#include "protocol/message.h"

#define INFO_MECHS 1024

struct info_mech {
	CK_MECHANISM_TYPE type;
	CK_MECHANISM_INFO info;
};

struct info {
	CK_RV rv;
	uint64_t epoch;
	CK_SLOT_INFO slot;
	CK_TOKEN_INFO token;
	uint32_t count;
	struct info_mech *mechs;
};

/* The body of the request.  Reading, false: a breach of protocol. */
void info_ask_write(struct buf *b, CK_SLOT_ID slot);
bool info_ask_read(struct buf *b, CK_SLOT_ID *ret);
/* That of the reply.  What is read has its mechanisms in the arena. */
void info_write(struct buf *b, const struct info *info);
bool info_read(struct buf *b, struct info *ret, struct arena *arena);

#endif
