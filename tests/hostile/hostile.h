/*
 * hostile.h - caas-hostile: many guests that break the protocol on purpose.
 *
 * A guest keeps some channels to vsmd's workers, in shared memory or not.  On one after the
 * other it sends a batch of frames, to each of which an answer must come, or the end of the
 * channel: anything else is a failure.  Frames are made from the table of calls (forge.c) with
 * what there is on the token, and then mutated (mutate.c): most in ways that are no breach and
 * reach the token library, some in ways that end the channel, which is then opened anew,
 * sometimes by a mutated hello.  attack.c writes into the shared memory, behind the ring's back.
 *
 * One seed makes one guest's choices again; what the processors make of them differs.
 *
 * Threads: a guest is one; what they share is in struct target and struct count.
 * Errors: what must not be ends the program, by fail().
 */
#ifndef CAAS_TEST_HOSTILE_H
#define CAAS_TEST_HOSTILE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "protocol/calls.h"
#include "protocol/frame.h"
#include "vchan-transport/shm_channel.h"

#define MOST_SPOTS 512
#define MOST_KNOWN 64
#define MOST_TARGETS 8
#define MAX_FRAME (1u << 20) /* agreed on */
#define PATIENCE 60000       /* ms without an answer: it hangs */

/* A token, and how to log in. */
struct target {
	uint32_t slot;
	const char *pin, *so_pin, *label; /* so_pin NULL: this principal may not initialise it */
	pthread_mutex_t lock;
	uint8_t ticket[1024];
	size_t ticket_len;
};

struct count {
	atomic_ulong frames, mutated, channels, ended, unasked, hellos, attacks, refused;
	atomic_ulong sent[CALL_COUNT_], answered[CALL_COUNT_], ok[CALL_COUNT_];
};
extern struct count count;
extern const char *address; /* of vsmd's socket */

void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Choices. */
struct chance {
	uint64_t x;
};
uint64_t chance_next(struct chance *c);
uint32_t below(struct chance *c, uint32_t n);
bool one_in(struct chance *c, uint32_t n);
void fill(struct chance *c, void *p, size_t len);

/* What this channel's worker has given handles of. */
struct known {
	const struct target *target;
	uint64_t sessions[MOST_KNOWN], objects[MOST_KNOWN];
	uint32_t nsessions, nobjects;
};

/* A frame, and where what lies in it. */
enum spot_kind {
	SPOT_HANDLE, SPOT_NUMBER, SPOT_ROOM, SPOT_CONTENT, /* whatever it is, no breach */
	SPOT_LENGTH, SPOT_COUNT, SPOT_PRESENT
};
struct spot {
	enum spot_kind kind;
	size_t at, len;
};
struct forged {
	struct chance *chance;
	const struct known *known;
	struct buf b; /* header and body */
	uint32_t call, id;
	bool delicate; /* a PIN is in it, which must stay what it is */
	bool fused, mutated, breach; /* it may be one */
	bool torn; /* what follows on the channel is read as part of it, or never */
	struct spot spots[MOST_SPOTS];
	size_t nspots;
};

/* forge.c: a sound frame of some call. */
void forge(struct forged *f, uint32_t id);
void forge_number(struct forged *f, uint64_t v, enum spot_kind kind);
void forge_flag(struct forged *f, uint8_t v);
void forge_content(struct forged *f, const void *p, size_t len);
size_t forge_length(struct chance *c);
/* mechs.c: a mechanism, for a call of that name perhaps. */
void forge_mech(struct forged *f, const struct call *call);
/* mutate.c: another frame than it was, or none. */
void mutate(struct forged *f);

/* channel.c: bytes to and from a worker. */
struct channel_ends {
	int fd;
	struct shm_memory *m; /* NULL: by the socket */
	struct ring_end in, out;
	bool ended;
	/* the frame that is being read */
	uint8_t header[FRAME_HEADER];
	size_t got;
	struct frame frame;
	struct buf body;
	unsigned long outstanding; /* requests without a reply */
	bool again; /* the worker has said that it ends */
	bool scribbled; /* by attack.c: nothing that comes is believed */
	uint32_t calls[4096]; /* by id */
};
enum opening { OPEN_SOUND, OPEN_MUTATED };
/* Connect, greet, share memory.  false: it was refused or lost, which only a sound hello may
 * not be but for HELLO_BUSY. */
bool ends_open(struct channel_ends *e, const struct target *t, struct chance *c, enum opening how);
void ends_close(struct channel_ends *e);
/* false: it has ended. */
bool ends_write(struct channel_ends *e, const void *p, size_t len);
/* Until every request has its reply; the last is in e->body.  false: it has ended. */
bool ends_await(struct channel_ends *e);
/* A request of that call is about to be written. */
void ends_note(struct channel_ends *e, uint32_t id, uint32_t call);
int64_t now_ms(void);

/* attack.c: what a guest can do with the memory and the socket beside their use. */
void attack(struct channel_ends *e, struct chance *c);

/* guest.c */
struct guest {
	pthread_t thread;
	struct chance chance;
	struct target *targets;
	size_t ntargets;
	unsigned long goal; /* mutated frames, of all guests */
};
void *guest_main(void *guest);

#endif
