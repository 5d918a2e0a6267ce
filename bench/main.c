/*
 * main.c - caas-bench: one measurement, one line of JSON.
 *
 *	caas-bench --key rsa2048 --threads 8 --seconds 1 [--processes N]
 *	           (--raw [--signers N] | --module FILE --token LABEL [--label LABEL] [--pin-env NAME])
 *	caas-bench --echo ASK,ANSWER [--shared-memory] --seconds 1
 */
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench.h"

#define MAX_PROCESSES 64
#define MAX_SIGNERS 64

struct options {
	const char *module, *token, *pin, *label;
	int key;
	unsigned threads, processes;
	unsigned signers; /* that the threads hand their work to; 0: they do it */
	unsigned long ask, answer; /* of --echo */
	double seconds;
	bool raw, shared_memory;
};

static const char usage[] =
    "usage: caas-bench --key KEY --threads N --seconds S [--processes N]\n"
    "                  (--raw [--signers N] |\n"
    "                  --module FILE --token LABEL [--label LABEL] [--pin-env NAME])\n"
    "       caas-bench --echo ASK,ANSWER [--shared-memory] --seconds S [--threads N]\n"
    "KEY: rsa1024 rsa2048 rsa3072 p256 p384 ed25519 aes (16 KiB of AES-256-GCM)\n"
    "     find (C_FindObjects by --label) none (C_GetSessionInfo)\n"
    "     random (C_GenerateRandom, 1 byte) seed (C_SeedRandom, 1 byte)\n";

static bool
contend(const struct options *o, struct contender *c)
{
	if (o->ask > 0)
		return echo_open(o->ask, o->answer, o->shared_memory, c);
	if (o->raw)
		return raw_open((enum bench_key)o->key, c) &&
		    (o->signers == 0 || handoff_open(o->signers, c));
	return op_open(o->module, o->token, o->pin, (enum bench_key)o->key, o->label, c);
}

static int
measure(const struct options *o, struct result *ret)
{
	struct contender c;

	if (!contend(o, &c))
		return 1;
	bench_run(&c, o->threads, o->seconds, ret);
	if (o->module != NULL)
		op_close(&c);
	return ret->failed ? 1 : 0;
}

/* Several processes at once: the rates are added, the worst latency is shown. */
static int
measure_all(const struct options *o, struct result *sum)
{
	struct result *shared = mmap(NULL, sizeof(*shared) * MAX_PROCESSES,
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int failed = 0, status;

	if (shared == MAP_FAILED)
		return 1;
	for (unsigned i = 0; i < o->processes; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(measure(o, &shared[i]));
		if (pid < 0)
			failed = 1;
	}
	while (wait(&status) > 0)
		failed |= !WIFEXITED(status) || WEXITSTATUS(status) != 0;
	memset(sum, 0, sizeof(*sum));
	for (unsigned i = 0; i < o->processes; i++) {
		sum->ops += shared[i].ops;
		sum->per_second += shared[i].per_second;
		sum->user_us += shared[i].user_us / o->processes;
		sum->system_us += shared[i].system_us / o->processes;
		if (shared[i].p50_us > sum->p50_us)
			sum->p50_us = shared[i].p50_us;
		if (shared[i].p99_us > sum->p99_us)
			sum->p99_us = shared[i].p99_us;
	}
	return failed;
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
	    {"key", required_argument, NULL, 'k'},
	    {"threads", required_argument, NULL, 't'},
	    {"processes", required_argument, NULL, 'p'},
	    {"seconds", required_argument, NULL, 's'},
	    {"module", required_argument, NULL, 'm'},
	    {"token", required_argument, NULL, 'l'},
	    {"label", required_argument, NULL, 'o'},
	    {"echo", required_argument, NULL, 'E'},
	    {"pin-env", required_argument, NULL, 'e'},
	    {"signers", required_argument, NULL, 'g'},
	    {"raw", no_argument, NULL, 'r'},
	    {"shared-memory", no_argument, NULL, 'S'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	struct options o = {.key = -1,
	    .threads = 1,
	    .processes = 1,
	    .seconds = 1,
	    .token = "bench",
	    .pin = "123456"};
	struct result r;
	int c, failed;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (c) {
		case 'k':
			o.key = bench_key_parse(optarg);
			break;
		case 't':
			o.threads = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'p':
			o.processes = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 's':
			o.seconds = strtod(optarg, NULL);
			break;
		case 'm':
			o.module = optarg;
			break;
		case 'l':
			o.token = optarg;
			break;
		case 'o':
			o.label = optarg;
			break;
		case 'E':
			if (sscanf(optarg, "%lu,%lu", &o.ask, &o.answer) != 2)
				o.ask = 0;
			break;
		case 'e':
			o.pin = getenv(optarg);
			break;
		case 'g':
			o.signers = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'r':
			o.raw = true;
			break;
		case 'S':
			o.shared_memory = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if ((o.key < 0) == (o.ask == 0) || o.pin == NULL || o.threads < 1 ||
	    o.threads > 4096 || o.processes < 1 || o.processes > MAX_PROCESSES ||
	    o.signers > MAX_SIGNERS || (o.signers > 0 && !o.raw) || o.ask > 1 << 20 || o.answer > 1 << 20 ||
	    (o.raw ? 1 : 0) + (o.module != NULL) + (o.ask > 0) != 1) {
		fputs(usage, stderr);
		return 2;
	}
	failed = o.processes == 1 ? measure(&o, &r) : measure_all(&o, &r);
	if (failed)
		return 1;
	printf("{\"ops\": %lu, \"per_second\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, "
	       "\"user_us\": %.2f, \"system_us\": %.2f, \"first_us\": %.0f}\n",
	    r.ops, r.per_second, r.p50_us, r.p99_us, r.user_us, r.system_us,
	    o.module == NULL ? 0 : op_first_us());
	return 0;
}
