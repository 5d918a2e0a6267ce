/*
 * overload.h - caas-overload: too many applications at once (overload.sh).
 *
 *	caas-overload MODULE TOKEN PIN LABEL APPS SESSIONS RATE SECONDS
 *
 * All sign with LABEL's P-256 key, each signature is verified, and each application is a
 * process that calls C_Initialize itself.  APPS sign once a second, one has SESSIONS sessions
 * open and uses any of them, RATE come anew each second, sign, and leave.
 *
 * Says "ready ..." when all are there; goes on at a line from standard input; says "done"
 * after SECONDS, when the last reply has come or is overdue; goes on at a second line; and
 * ends with what it has measured, with status 0 when each reply came and was right.
 */
#ifndef CAAS_TEST_OVERLOAD_H
#define CAAS_TEST_OVERLOAD_H

#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdint.h>

#include "tests/e2e/p256.h"
#include "tests/soak/times.h"

enum overload_kind {
	OVERLOAD_SIGN,    /* C_SignInit and C_Sign */
	OVERLOAD_DUE,     /* from the moment when that was due */
	OVERLOAD_SESSION, /* the same in any of many sessions, or to open one anew */
	OVERLOAD_NEW,     /* C_Initialize to C_Finalize */
	OVERLOAD_KINDS,
};

/* In memory that all share. */
struct overload_shared {
	CK_BYTE point[P256_POINT];
	atomic_uint ready;           /* applications that have signed once */
	atomic_uint done;            /* that have signed for the whole time */
	atomic_ulong asked, right;   /* signatures, and those that came and were right */
	_Atomic uint64_t begin, end; /* ns */
	struct times times[OVERLOAD_KINDS];
};

struct overload {
	const char *token, *pin, *label;
	unsigned apps, sessions, rate, seconds;
	EVP_PKEY *public;
	struct overload_shared *shared;
	int go[2], stop[2]; /* pipes: at an end, the time begins; all leave */
};

uint64_t overload_now(void); /* ns */
void overload_sleep(uint64_t until);

/* Each is a process, and returns; what fails ends it with a status that is not 0. */
void overload_look(struct overload *o); /* for the public key */
void overload_steady(struct overload *o, unsigned number);
void overload_sessions(struct overload *o);
void overload_newcomer(struct overload *o);

#endif
