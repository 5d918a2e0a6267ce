/*
 * resume.h - an application takes up its sessions on a fresh channel.
 *
 * After fork (the child must not speak on the parent's channel) or after a lost
 * channel, the guest module opens a channel of its own and sends FRAME_RESUME first: the
 * sessions it holds on this token, its login (a ticket from C_Login, so that no PIN is
 * kept in the guest), and the identities of the objects it holds handles of.  The worker
 * answers with its handles for them.  A session that could not be opened, or an object
 * that is gone, has handle 0: never a guess.
 *
 * Request body:  u8 user (0 none, 1 + CK_USER_TYPE otherwise), bytes ticket,
 *                u32 n, n * u64 session flags, u32 m, m * 16 bytes identity
 * Reply body:    u64 CK_RV (of the login; sessions and objects follow all the same),
 *                u64 epoch, u32 n, n * u64 handle, u32 m, m * u64 handle
 *
 * Where both said HELLO_KEEP the request may end with session objects (kept.h), and the
 * reply then with their handles: 0 for one that could not be opened, or not any more.
 *
 * Request:       bytes pass, u32 k, k * { u32 number of its session in the list, bytes object }
 * Reply:         u32 k, k * u64 handle
 */
#ifndef CAAS_PROTOCOL_RESUME_H
#define CAAS_PROTOCOL_RESUME_H

#include "protocol/kept.h"
#include "protocol/message.h"

#define RESUME_MAX_SESSIONS 65536
#define RESUME_MAX_OBJECTS 1048576
#define RESUME_MAX_TICKET 1024

struct resume_kept {
	const uint8_t *object; /* borrowed */
	size_t len;
	uint32_t session;
};

struct resume {
	uint8_t user;
	const uint8_t *ticket; /* borrowed */
	size_t ticket_len;
	CK_FLAGS *session_flags;
	uint32_t nsessions;
	uint8_t (*ids)[MSG_ID_LEN];
	uint32_t nids;
	struct resume_kept *kept; /* with none nothing is said of them */
	uint32_t nkept;
	const uint8_t *pass; /* borrowed */
	size_t pass_len;
};

struct resumed {
	CK_RV rv;
	uint64_t epoch;
	CK_SESSION_HANDLE *sessions; /* as many as asked */
	CK_OBJECT_HANDLE *objects, *kept;
	uint32_t nsessions, nobjects, nkept;
};

void resume_ask_write(struct buf *b, const struct resume *r);
bool resume_ask_read(struct buf *b, struct resume *ret, struct arena *arena);
void resume_answer_write(struct buf *b, const struct resumed *r);
/* false also when the counts are not those that were asked. */
bool resume_answer_read(struct buf *b, const struct resume *asked, struct resumed *ret,
    struct arena *arena);

#endif
