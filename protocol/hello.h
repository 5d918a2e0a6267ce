/*
 * hello.h - the first bytes on a channel, before anybody trusts anybody.
 *
 * The guest sends HELLO_LEN bytes, always, and gets HELLO_LEN bytes back, followed by
 * `count` slot records when it asked for the slots.  Fixed sizes, so that the
 * supervisor, which answers while it knows nothing of the peer but its identity, parses
 * nothing that has a length in it.
 *
 *   guest                              vsmd
 *   "CaaS"     magic                   "CaaS"
 *   u32 version  1                     u32 version  1
 *   u32 purpose  HELLO_*               u32 status   HELLO_OK or a refusal
 *   u32 slot     for HELLO_TOKEN       u32 count    slot records that follow
 *   u32 max_frame offered              u32 max_frame the smaller of both
 *   u32 silence  ms the guest waits    u32 silence  accepted (ms)
 *   u32 flags    what the guest can    8 bytes epoch of the slot list
 *   4 bytes zero
 *   16 bytes application, random       16 bytes instance of vsmd, random per start
 *   u32 uid      an agent's hint       u32 flags    what will be done of it
 *   u32 gid                            8 bytes zero
 *   u32 1 with a hint, 0 without
 *
 * One channel per application and token: HELLO_TOKEN hands the channel to a worker.
 * HELLO_SLOTS is answered and closed.  HELLO_ADMIN is for principals with role admin
 * (vsmd/admin/admin.def).
 *
 * The hint: an agent relays for the applications of a guest, and all of them are that guest to
 * vsmd.  It writes there whose process it speaks for (SO_PEERCRED).  Who has a channel of his
 * own could write there what he likes: so a hint may take away of what the guest may do, and
 * never adds to it.
 */
#ifndef CAAS_PROTOCOL_HELLO_H
#define CAAS_PROTOCOL_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HELLO_LEN 64
#define HELLO_VERSION 1
#define HELLO_APP_LEN 16
#define HELLO_MAX_SLOTS 4096
/* What a guest can; a bit that this vsmd does not know counts as not set. */
#define HELLO_SHARED_MEMORY 0x2 /* an offer of it follows the answer (shm.h); 0x1: an older layout */
#define HELLO_ONCE 0x4          /* FRAME_ONCE */
#define HELLO_KEEP 0x8          /* FRAME_KEPT */
#define HELLO_FLAGS (HELLO_SHARED_MEMORY | HELLO_ONCE | HELLO_KEEP)

enum hello_purpose { HELLO_SLOTS = 1, HELLO_TOKEN = 2, HELLO_ADMIN = 3 };

enum hello_status {
	HELLO_OK = 0,
	HELLO_BAD_VERSION = 1, /* speaks another version: upgrade one side */
	HELLO_REFUSED = 2,     /* no principal, or none that may do this */
	HELLO_NO_SLOT = 3,     /* no such slot for this principal */
	HELLO_BUSY = 4,        /* limits reached, or the token is being rebuilt: retry */
	HELLO_FAILED = 5       /* vsmd could not start a worker */
};

struct hello_hint {
	bool given; /* otherwise the rest is 0 */
	uint32_t uid, gid;
};

struct hello_ask {
	uint32_t version, purpose, slot, max_frame, silence, flags;
	uint8_t app[HELLO_APP_LEN];
	struct hello_hint hint;
};

struct hello_answer {
	uint32_t version, status, count, max_frame, silence, flags;
	uint64_t epoch;
	uint8_t instance[HELLO_APP_LEN];
};

#define HELLO_SLOT_LEN 8
#define HELLO_SLOT_INITIALIZED 0x1 /* there is a token; otherwise C_InitToken makes one */

struct hello_slot {
	uint32_t slot, flags;
};

void hello_ask_write(uint8_t out[HELLO_LEN], const struct hello_ask *ask);
/* Put a hint into a hello on its way, of which there are `len` bytes.  False: there may be one
 * when there are more.  What is no hello of this version stays as it is. */
bool hello_ask_hint(uint8_t *hello, size_t len, uint32_t uid, uint32_t gid);
/* false: wrong magic, non-zero padding, unknown purpose; the version is the caller's. */
bool hello_ask_read(const uint8_t in[HELLO_LEN], struct hello_ask *ret);
void hello_answer_write(uint8_t out[HELLO_LEN], const struct hello_answer *answer);
bool hello_answer_read(const uint8_t in[HELLO_LEN], struct hello_answer *ret);
void hello_slot_write(uint8_t out[HELLO_SLOT_LEN], const struct hello_slot *slot);
bool hello_slot_read(const uint8_t in[HELLO_SLOT_LEN], struct hello_slot *ret);

#endif
