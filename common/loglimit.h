/*
 * loglimit.h - what somebody can cause as often as he likes does not fill the log.
 *
 * Who causes lines has LOG_BURST of them at once, and then one in LOG_EVERY.  The rest is left
 * out and counted; one line in LOG_EVERY at most tells how many.  Each who has a bucket of his
 * own, as far as there are some (two names may share one): who is loud hides nobody else.
 *
 * The numbers may lie in memory that processes share, and a hostile one of them may write into
 * it.  It can silence the others' limited lines, and nothing else: what cannot be is taken
 * for nothing.
 *
 * Threads and processes: any, without locks.
 */
#ifndef CAAS_COMMON_LOGLIMIT_H
#define CAAS_COMMON_LOGLIMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define LOG_BURST 20
#define LOG_EVERY 5000 /* ms */
#define LOG_BUCKETS 32

/* All zeros is a new one. */
struct log_limit {
	_Atomic int64_t full[LOG_BUCKETS]; /* ms of CLOCK_MONOTONIC: all lines are there again */
	_Atomic int64_t told;	   /* the same: how many were left out was told, or none was */
	_Atomic uint32_t left_out; /* since then */
};

/* May a line that `who` causes be written at `now`?  If not, it is counted. */
bool loglimit_take(struct log_limit *l, const char *who, int64_t now);
/* How many to tell of now, which then are told; 0: none, or not yet. */
uint32_t loglimit_tell(struct log_limit *l, int64_t now);
/* ms until there is something to tell; 0: now; -1: nothing was left out. */
int loglimit_wait(const struct log_limit *l, int64_t now);
/* ms of CLOCK_MONOTONIC. */
int64_t loglimit_now(void);

#endif
