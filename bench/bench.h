/*
 * bench.h - one measurement: how many operations per second, and how long each took.
 *
 * A contender gives each thread a signer; run.c drives them for a while and reports.
 */
#ifndef CAAS_BENCH_H
#define CAAS_BENCH_H

#include <stdbool.h>
#include <stddef.h>

enum bench_key {
	BENCH_RSA1024,
	BENCH_RSA2048,
	BENCH_RSA3072,
	BENCH_P256,
	BENCH_P384,
	BENCH_ED25519,
	BENCH_AES,    /* AES-256-GCM of 16 KiB */
	BENCH_FIND,   /* C_FindObjects by label */
	BENCH_NONE,   /* no key: C_GetSessionInfo; each a round trip with
			 CAAS_VSM_SHORTCUTS=off alone */
	BENCH_RANDOM, /* no key: C_GenerateRandom of one byte, which nobody can know
			 before */
	BENCH_SEED    /* no key: C_SeedRandom of one byte */
};

#define BENCH_MESSAGE 16384 /* bytes that BENCH_AES encrypts */

struct contender {
	/* A signer for one thread, or NULL after a message on standard error. */
	void *(*thread_start)(void *self);
	/* One operation; a signature is over 32 bytes.  false ends the run as failed. */
	bool (*sign)(void *signer);
	void (*thread_stop)(void *signer);
	void *self;
};

struct result {
	double seconds, per_second, p50_us, p99_us;
	double user_us, system_us; /* this process's processor time per operation */
	unsigned long ops;
	bool failed;
};

/* Run `threads` threads for about `seconds`. */
void bench_run(
    const struct contender *c, unsigned threads, double seconds, struct result *ret);

/* raw.c: OpenSSL itself; the key is made here. */
bool raw_open(enum bench_key key, struct contender *ret);
/* handoff.c: c becomes one whose threads sleep while `servers` others do what c did.  Once in
 * a process; it ends with it. */
bool handoff_open(unsigned servers, struct contender *c);
/* echo.c: no cryptography, no protocol: `ask` bytes over a unix socket to another
 * process, or through memory that it shares, `answer` bytes back. */
bool echo_open(size_t ask, size_t answer, bool shared, struct contender *ret);
/* op.c: a PKCS#11 module.  The key, of that label or by default of the bench's own, is
 * made on the token when it is not there. */
bool op_open(const char *module, const char *token, const char *pin, enum bench_key key,
    const char *label, struct contender *ret);
/* Microseconds that op_open() took, from loading to the end of a first operation. */
double op_first_us(void);
void op_close(struct contender *c);

/* "rsa2048" and so on; -1 when it is none. */
int bench_key_parse(const char *name);

#endif
