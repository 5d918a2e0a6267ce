/*
 * rig.h - a nursery with real SoftHSM2 in a directory of its own, a fake store, and
 * guests that speak frames: for the tests of vsmd/worker and vsmd/nursery.
 *
 * Every failure of the rig itself is a failed assertion of cmocka.
 */
#ifndef CAAS_TEST_RIG_H
#define CAAS_TEST_RIG_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "protocol/calls.h"
#include "protocol/frame.h"
#include "protocol/hello.h"
#include "protocol/message.h"
#include "vsmd/nursery/nursery.h"

#define RIG_OBJECTS 1000 /* most of the token */
#include "vsmd/policy/grant.h"
#include "vsmd/worker/gate.h"

#define RIG_SLOT 7
#define SO_PIN "12345678"
#define USER_PIN "87654321"

/* What the fake store was told, and how it answers. Shared by all guests of a rig. */
struct fake_store {
	pthread_mutex_t lock;
	atomic_int commits, audits, logins, failures, logouts, pins, onces, passes;
	atomic_int refuse_pass;
	atomic_int may_not;      /* answer CKR_PIN_LOCKED */
	atomic_ulong commit_rv;  /* answer this to a commit */
	atomic_int hold_commit;  /* do not answer commits while set */
	char events[65536];      /* "name detail rv\n" of each event */
	char token_label[33];
	char user_pin[64], so_pin[64];
	CK_FLAGS flags;
};

struct guest;

struct rig {
	char dir[64], slots[96], gate_path[96];
	struct nursery_config config;
	struct gate_file gate;
	pid_t nursery;
	int supervisor;
	struct fake_store store;
	uint32_t hello_flags; /* of the guests that attach */
	void (*on_kept)(struct guest *g); /* FRAME_KEPT came before a reply; body in g->in */
};

struct guest {
	struct rig *rig;
	int fd;
	int store;       /* our end of the worker's store pipe */
	pthread_t thread;
	pid_t worker;
	struct hello_answer hello;
	uint32_t next_id;
	unsigned beats;
	unsigned again; /* FRAME_AGAIN seen */
	uint64_t epoch;
	struct buf in;   /* the body of the last reply */
	struct arena arena;
	struct reply reply; /* of the last call */
	CK_SESSION_HANDLE session;
};

/* A fresh directory; the nursery is started.  with_token: initialised, with both PINs. */
void rig_start(struct rig *r, bool with_token);
void rig_stop(struct rig *r);
/* The parts of it: change r->config in between. */
void rig_prepare(struct rig *r);
void rig_launch(struct rig *r);
void rig_make_token(struct rig *r);
/* Everything allowed, no rules. */
struct grant rig_grant(void);

/* A guest with this grant; silence in ms. */
void guest_attach(struct guest *g, struct rig *r, const struct grant *grant, uint32_t silence);
/* Close the channel; returns the worker's wait status. */
int guest_leave(struct guest *g);
/* The wait status of a worker that ends by itself. */
int guest_wait_end(struct guest *g);

/* Frames by hand. */
void guest_send(struct guest *g, uint32_t id, uint32_t number, const struct arg *args);
void guest_send_raw(struct guest *g, const void *p, size_t len);
/* The next frame that is no beat, body in g->in; false when the channel is closed. */
bool guest_receive(struct guest *g, struct frame *ret);
/* Read the body of a reply to `number` into args. */
CK_RV guest_read_reply(struct guest *g, uint32_t number, const struct arg *args);

/* One call and its reply. CKR_DEVICE_REMOVED when the channel was closed instead. */
CK_RV guest_call(struct guest *g, uint32_t number, const struct arg *args);
#define CALLX(g, name, ...)                                                              \
	guest_call(g, CALL_##name, (const struct arg[ARGS_MAX]){__VA_ARGS__})
/* An argument: number; pointer; pointer and length; pointer and *length. */
#define N(v) {.len = (CK_ULONG)(v)}
#define P(p) {.ptr = (void *)(uintptr_t)(p)}
#define PL(p, n) {.ptr = (void *)(uintptr_t)(p), .len = (CK_ULONG)(n)}
#define PLP(p, n) {.ptr = (void *)(uintptr_t)(p), .plen = (n)}

/* Open a read/write session (kept in g->session) and log the user in. */
void guest_open(struct guest *g);
void guest_login(struct guest *g);
CK_RV guest_try_login(struct guest *g, CK_USER_TYPE user, const char *pin);
/* An RSA key pair of `bits` with this label on the token (or in the session). */
CK_RV guest_make_rsa(struct guest *g, CK_ULONG bits, const char *label, bool token,
    CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private);
/* An AES key. */
CK_RV guest_make_aes(struct guest *g, const char *label, bool token, bool extractable,
    CK_OBJECT_HANDLE *ret);
CK_RV guest_sign(struct guest *g, CK_OBJECT_HANDLE key);
/* Find all objects; returns how many, up to room. */
CK_ULONG guest_find(struct guest *g, CK_OBJECT_HANDLE *ret, CK_ULONG room);

#endif
