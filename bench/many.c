/*
 * many.c - caas-bench-many: many applications at once, each a process with its own
 *module.
 *
 *	caas-bench-many --module FILE --token LABEL --apps N --seconds S [--key KEY]
 *
 * Starts N, each of which logs in and signs once; prints a line when all are ready; has
 * each sign once a second for S seconds, evenly spread; prints a second line with the
 * times; and holds them idle until its standard input ends.
 */
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/token.h"

#define STARTING 8 /* at one time: that many start, not all at once */

struct options {
	const char *module, *token, *pin;
	int key;
	unsigned apps, seconds;
};

struct sample {
	float call_us; /* of C_SignInit and C_Sign */
	float late_us; /* from the moment it was due to its end */
};

struct shared {
	atomic_uint ready, failed, done;
	_Atomic uint64_t begin; /* ns; 0: not yet */
	struct sample samples[];
};

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void
sleep_until(uint64_t ns)
{
	struct timespec ts = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) != 0)
		;
}

static bool
sign(struct token *t, CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE key)
{
	static CK_BYTE data[32] = {1, 2, 3};
	CK_MECHANISM mech = {type, NULL, 0};
	CK_BYTE out[512];
	CK_ULONG len = sizeof(out);

	return token_fine("C_SignInit", t->p11->C_SignInit(t->session, &mech, key)) &&
	       token_fine(
		   "C_Sign", t->p11->C_Sign(t->session, data, sizeof(data), out, &len));
}

static bool
application(const struct options *o, unsigned number, struct shared *s)
{
	const struct token_key *k = token_key((enum bench_key)o->key);
	struct token t;
	CK_OBJECT_HANDLE key;
	char label[32];
	uint64_t due;

	snprintf(label, sizeof(label), "bench-%s", k->name);
	if (!token_open(&t, o->module, o->token, o->pin) ||
	    (!token_find(&t, CKO_PRIVATE_KEY, label, &key) &&
		!token_make(&t, (enum bench_key)o->key, label, &key)) ||
	    !sign(&t, k->sign, key))
		return false;
	atomic_fetch_add(&s->ready, 1);
	while (atomic_load(&s->begin) == 0)
		sleep_until(now_ns() + 20000000);
	due = atomic_load(&s->begin) + 1000000000ull * number / o->apps;
	for (unsigned i = 0; i < o->seconds; i++, due += 1000000000u) {
		struct sample *to = &s->samples[(size_t)number * o->seconds + i];
		uint64_t t0, t1;

		sleep_until(due);
		t0 = now_ns();
		if (!sign(&t, k->sign, key))
			return false;
		t1 = now_ns();
		to->call_us = (float)(t1 - t0) / 1000;
		to->late_us = (float)(t1 - due) / 1000;
	}
	atomic_fetch_add(&s->done, 1);
	for (;;)
		pause();
}

static int
compare(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

/* One field of all samples, sorted, and what 50, 99 and 100 percent of them are below. */
static void
print_times(const char *name, const struct shared *s, size_t n, size_t offset)
{
	float *v = calloc(n > 0 ? n : 1, sizeof(*v));

	for (size_t i = 0; v != NULL && i < n; i++)
		memcpy(&v[i], (const char *)&s->samples[i] + offset, sizeof(*v));
	if (v != NULL && n > 0) {
		qsort(v, n, sizeof(*v), compare);
		printf(", \"%s_p50_us\": %.0f, \"%s_p99_us\": %.0f, \"%s_max_us\": %.0f",
		    name, (double)v[n / 2], name, (double)v[n - 1 - n / 100], name,
		    (double)v[n - 1]);
	}
	free(v);
}

/* Start them all; stop at the first that failed. */
static unsigned
start(const struct options *o, struct shared *s)
{
	unsigned started = 0;

	while (started < o->apps && atomic_load(&s->failed) == 0) {
		pid_t pid;

		if (started - atomic_load(&s->ready) >= STARTING) {
			sleep_until(now_ns() + 1000000);
			continue;
		}
		fflush(stdout);
		pid = fork();
		if (pid == 0) {
			(void)signal(SIGTERM, SIG_DFL);
			if (!application(o, started, s))
				atomic_fetch_add(&s->failed, 1);
			_exit(1);
		}
		if (pid < 0) {
			perror("caas-bench-many: fork");
			break;
		}
		started++;
	}
	while (atomic_load(&s->ready) < started && atomic_load(&s->failed) == 0)
		sleep_until(now_ns() + 1000000);
	return started;
}

static int
run(const struct options *o)
{
	size_t n = (size_t)o->apps * o->seconds,
	       size = sizeof(struct shared) + n * sizeof(struct sample);
	struct shared *s =
	    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t t0 = now_ns();
	unsigned started;
	char c;

	if (s == MAP_FAILED)
		return 1;
	started = start(o, s);
	printf("{\"started\": %u, \"ready\": %u, \"failed\": %u, \"seconds\": %.2f}\n",
	    started, atomic_load(&s->ready), atomic_load(&s->failed),
	    (double)(now_ns() - t0) / 1e9);
	fflush(stdout);
	if (atomic_load(&s->failed) == 0 && started == o->apps) {
		atomic_store(&s->begin, now_ns() + 100000000);
		while (atomic_load(&s->done) < o->apps && atomic_load(&s->failed) == 0)
			sleep_until(now_ns() + 50000000);
		printf(
		    "{\"signatures\": %zu, \"failed\": %u", n, atomic_load(&s->failed));
		print_times("call", s, n, offsetof(struct sample, call_us));
		print_times("late", s, n, offsetof(struct sample, late_us));
		printf("}\n");
		fflush(stdout);
	}
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	(void)signal(SIGTERM, SIG_IGN);
	(void)kill(0, SIGTERM);
	while (wait(NULL) > 0)
		;
	return atomic_load(&s->failed) != 0 || started != o->apps;
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
	    {"module", required_argument, NULL, 'm'},
	    {"token", required_argument, NULL, 'l'},
	    {"apps", required_argument, NULL, 'a'},
	    {"seconds", required_argument, NULL, 's'},
	    {"key", required_argument, NULL, 'k'},
	    {NULL, 0, NULL, 0},
	};
	struct options o = {
	    .token = "bench", .pin = "123456", .key = BENCH_P256, .apps = 1};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'm':
			o.module = optarg;
			break;
		case 'l':
			o.token = optarg;
			break;
		case 'a':
			o.apps = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 's':
			o.seconds = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'k':
			o.key = bench_key_parse(optarg);
			break;
		default:
			return 2;
		}
	}
	if (o.module == NULL || o.apps < 1 || o.apps > 10000 || o.seconds > 3600 ||
	    o.key < 0 || token_key((enum bench_key)o.key)->sign == 0) {
		fprintf(stderr,
		    "usage: caas-bench-many --module FILE --token LABEL --apps N "
		    "--seconds S [--key KEY]\n");
		return 2;
	}
	/* The applications are ended as a group. */
	(void)setpgid(0, 0);
	return run(&o);
}
