/*
 * bench.h - one measurement: how many signatures per second, and how long each took.
 *
 * A contender gives each thread a signer; run.c drives them for a while and reports.
 */
#ifndef CAAS_BENCH_H
#define CAAS_BENCH_H

#include <stdbool.h>
#include <stddef.h>

enum bench_key {
	BENCH_RSA1024, BENCH_RSA2048, BENCH_RSA3072, BENCH_P256, BENCH_P384, BENCH_ED25519,
	BENCH_NONE /* no crypto at all: the smallest remote call */
};

struct contender {
	/* A signer for one thread, or NULL after a message on standard error. */
	void *(*thread_start)(void *self);
	/* One signature over 32 bytes.  false ends the run as failed. */
	bool (*sign)(void *signer);
	void (*thread_stop)(void *signer);
	void *self;
};

struct result {
	double seconds, per_second, p50_us, p99_us;
	unsigned long ops;
	bool failed;
};

/* Run `threads` threads for about `seconds`. */
void bench_run(const struct contender *c, unsigned threads, double seconds, struct result *ret);

/* raw.c: OpenSSL itself; the key is made here. */
bool raw_open(enum bench_key key, struct contender *ret);
/* token.c: a PKCS#11 module; the key pair is made on the token when it is not there. */
bool token_open(const char *module, const char *label, const char *pin, enum bench_key key,
    struct contender *ret);
/* Microseconds that the last token_open() took, from loading to a first signature. */
double token_first_us(void);
void token_close(struct contender *c);

/* "rsa2048" and so on; -1 when it is none. */
int bench_key_parse(const char *name);

#endif
