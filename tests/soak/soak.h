/*
 * soak.h - caas-soak: one application of the soak test (soak.sh), that never ends by
 *itself.
 *
 *	caas-soak --module FILE --token LABEL --dir DIR [--name NAME] [--life N] [--seed
 *N]
 *	    [--threads N] ROLE
 *
 * It does what its role says until SIGTERM, judges every result by OpenSSL or by what it
 * knows, and ends with status 3 and a line on standard error at the first one that is
 *wrong. What it changes on the token it writes down before and after (ledger.h), so that
 *the role `check' can tell what must be there, and the next life what the one before had
 *made.
 */
#ifndef CAAS_SOAK_H
#define CAAS_SOAK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/pkcs11.h"

#define COUNT(t) (sizeof(t) / sizeof((t)[0]))
#define NAME_MOST 64 /* of a name, a label, an origin */

/* A thread of the application. */
struct job {
	uint64_t rng;
	unsigned number;
	unsigned long step;
	CK_SESSION_HANDLE session;
	void *own; /* the role's */
};

/* In a file that every application maps. */
struct shared {
	atomic_uint pin_begun, pin_done; /* pin.c */
	atomic_ulong steps[16];		 /* done, by role */
};

struct role {
	const char *name;
	void (*prepare)(struct job *); /* once, logged in */
	void (*step)(struct job *);    /* over and over, in each thread */
	void (*finish)(struct job *);  /* once, before C_Finalize */
	unsigned threads;
	bool once;
};

struct soak {
	CK_FUNCTION_LIST *p11;
	CK_SLOT_ID slot;
	const char *module, *token, *dir, *name;
	unsigned life, threads;
	unsigned long seed;
	const struct role *role;
	struct shared *shared;
	atomic_bool stop;
};
extern struct soak soak;

/* The roles. */
void make_step(struct job *), check_step(struct job *), count_step(struct job *),
    sweep_step(struct job *);
void sign_prepare(struct job *), sign_step(struct job *);
void objects_prepare(struct job *), objects_step(struct job *);
void keygen_step(struct job *);
void bulk_step(struct job *);
void login_step(struct job *);
void pin_step(struct job *);
void cycle_step(struct job *);
void fork_prepare(struct job *), fork_step(struct job *), fork_finish(struct job *);

/* app.c */
void app_initialize(struct job *); /* C_Initialize, the token's slot */
void app_open(struct job *);	   /* a session */
void app_login(struct job *);	   /* with the PIN of now */
void app_close(struct job *);
void app_threads(struct job *, void (*step)(struct job *), unsigned threads);

/* fail.c: says who, seed, thread and step, and ends the process. */
void fail(const struct job *, const char *format, ...)
    __attribute__((noreturn, format(printf, 2, 3)));
void expect(const struct job *, const char *call, CK_RV rv, CK_RV want);
#define MUST(j, f, ...) expect(j, #f, soak.p11->f(__VA_ARGS__), CKR_OK)
#define REFUSED(j, code, f, ...) expect(j, #f, soak.p11->f(__VA_ARGS__), code)

/* chance.c */
uint64_t chance_next(struct job *);
unsigned chance_below(struct job *, unsigned n);
bool chance_of(struct job *, unsigned percent);
void chance_fill(struct job *, CK_BYTE *dst, size_t len);
/* Bytes that a name stands for, always the same. */
void chance_named(const char *name, CK_BYTE *dst, size_t len);
void pause_ms(unsigned ms);

#endif
