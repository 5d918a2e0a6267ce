/*
 * sample.h - made-up arguments for any row of calls.def, as an application would pass
 * them.  The same seed gives the same arguments.  Every buffer is an allocation of its
 * own, of exactly the size that is stated, so that a sanitizer sees each byte beyond.
 */
#ifndef CAAS_TESTS_SAMPLE_H
#define CAAS_TESTS_SAMPLE_H

#include "protocol/calls.h"

#define SAMPLE_MAX 512

struct sample {
	struct arg args[ARGS_MAX];
	CK_ULONG lens[ARGS_MAX]; /* where plen points */
	uint64_t seed;
	void *owned[SAMPLE_MAX];
	size_t nowned;
};

void sample_init(struct sample *s, uint64_t seed);
void sample_free(struct sample *s);
/* A number below n. */
uint64_t sample_below(struct sample *s, uint64_t n);
/* `len` random bytes. */
void *sample_bytes(struct sample *s, size_t len);
/* Fill args for the row; any pointer may be NULL. */
void sample_args(struct sample *s, const struct call *call);
/* The same with every pointer there. */
void sample_full_args(struct sample *s, const struct call *call);
/* Fill what ask_read() made of a request, as the call that succeeds would. */
void sample_serve(struct sample *s, const struct call *call, struct arg *args);

#endif
