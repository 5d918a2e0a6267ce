/* run.c - drive a contender with some threads for some time; see bench.h */
#include "bench/bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define BUCKETS 4096 /* latency histogram: 64 per power of two of nanoseconds */

struct worker {
	pthread_t thread;
	const struct contender *contender;
	pthread_barrier_t *ready;
	const atomic_bool *stop;
	unsigned long ops, hist[BUCKETS];
	bool failed;
};

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* 64 steps in each power of two: under 2 % error. */
static unsigned
bucket_of(uint64_t ns)
{
	unsigned log;

	if (ns < 64)
		return (unsigned)ns;
	log = 63 - (unsigned)__builtin_clzll(ns);
	return (log - 5) * 64 + (unsigned)((ns >> (log - 6)) & 63);
}

static double
bucket_ns(unsigned b)
{
	unsigned log = b / 64 + 5;

	return b < 64 ? b : (double)((64ull + b % 64) << (log - 6));
}

static void *
work(void *arg)
{
	struct worker *w = arg;
	void *signer = w->contender->thread_start(w->contender->self);

	/* The first one warms caches and is not counted. */
	w->failed = signer == NULL || !w->contender->sign(signer);
	pthread_barrier_wait(w->ready);
	while (!w->failed && !atomic_load_explicit(w->stop, memory_order_relaxed)) {
		uint64_t t0 = now_ns();

		if (!w->contender->sign(signer))
			w->failed = true;
		w->hist[bucket_of(now_ns() - t0)]++;
		w->ops++;
	}
	if (signer != NULL)
		w->contender->thread_stop(signer);
	return NULL;
}

static double
us_between(const struct timeval *a, const struct timeval *b)
{
	return (double)(b->tv_sec - a->tv_sec) * 1e6 + (double)(b->tv_usec - a->tv_usec);
}

static double
percentile(const unsigned long *hist, unsigned long total, double p)
{
	unsigned long want = (unsigned long)((double)total * p), seen = 0;

	for (unsigned b = 0; b < BUCKETS; b++) {
		seen += hist[b];
		if (seen > want)
			return bucket_ns(b) / 1000.0;
	}
	return 0;
}

void
bench_run(const struct contender *c, unsigned threads, double seconds, struct result *ret)
{
	struct worker *workers = calloc(threads, sizeof(*workers));
	struct timespec ts = {
	    (time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
	unsigned long *hist = calloc(BUCKETS, sizeof(*hist));
	atomic_bool stop = false;
	pthread_barrier_t ready;
	struct rusage before, after;
	uint64_t t0;

	memset(ret, 0, sizeof(*ret));
	if (workers == NULL || hist == NULL)
		abort();
	pthread_barrier_init(&ready, NULL, threads + 1);
	for (unsigned i = 0; i < threads; i++) {
		workers[i].contender = c;
		workers[i].ready = &ready;
		workers[i].stop = &stop;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
			abort();
	}
	pthread_barrier_wait(&ready);
	getrusage(RUSAGE_SELF, &before);
	t0 = now_ns();
	nanosleep(&ts, NULL);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
	ret->seconds = (double)(now_ns() - t0) / 1e9;
	getrusage(RUSAGE_SELF, &after);
	for (unsigned i = 0; i < threads; i++) {
		ret->ops += workers[i].ops;
		ret->failed |= workers[i].failed;
		for (unsigned b = 0; b < BUCKETS; b++)
			hist[b] += workers[i].hist[b];
	}
	ret->per_second = (double)ret->ops / ret->seconds;
	if (ret->ops > 0) {
		ret->user_us =
		    us_between(&before.ru_utime, &after.ru_utime) / (double)ret->ops;
		ret->system_us =
		    us_between(&before.ru_stime, &after.ru_stime) / (double)ret->ops;
	}
	ret->p50_us = percentile(hist, ret->ops, 0.50);
	ret->p99_us = percentile(hist, ret->ops, 0.99);
	pthread_barrier_destroy(&ready);
	free(workers);
	free(hist);
}
