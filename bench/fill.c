/*
 * fill.c - caas-bench-fill: make key pairs on a token, and say how long each took.
 *
 *	caas-bench-fill --module FILE --token LABEL --first I --count N [--key KEY]
 *
 * Their labels are key-00000 and so on, from I.
 */
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/token.h"

static double
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int
fill(
    const char *module, const char *token, enum bench_key key, unsigned first, unsigned n)
{
	double *us = calloc(n, sizeof(*us)), t0 = now_us();
	struct token t;
	CK_OBJECT_HANDLE made;

	if (us == NULL || !token_open(&t, module, token, "123456"))
		return 1;
	/* The first one finds out what is there already, and is no creation alone. */
	(void)token_find(&t, CKO_PRIVATE_KEY, "none of that name", &made);
	for (unsigned i = 0; i < n; i++) {
		char label[32];
		double a = now_us();

		snprintf(label, sizeof(label), "key-%05u", first + i);
		if (!token_make(&t, key, label, &made))
			return 1;
		us[i] = now_us() - a;
	}
	token_close(&t);
	qsort(us, n, sizeof(*us), compare);
	printf("{\"made\": %u, \"seconds\": %.3f, \"p50_us\": %.0f, \"max_us\": %.0f}\n",
	    n, (now_us() - t0) / 1e6, us[n / 2], us[n - 1]);
	free(us);
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
	    {"module", required_argument, NULL, 'm'},
	    {"token", required_argument, NULL, 'l'},
	    {"first", required_argument, NULL, 'f'},
	    {"count", required_argument, NULL, 'n'},
	    {"key", required_argument, NULL, 'k'},
	    {NULL, 0, NULL, 0},
	};
	const char *module = NULL, *token = NULL;
	unsigned first = 0, n = 0;
	int c, key = BENCH_P256;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'm':
			module = optarg;
			break;
		case 'l':
			token = optarg;
			break;
		case 'f':
			first = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'n':
			n = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'k':
			key = bench_key_parse(optarg);
			break;
		default:
			return 2;
		}
	}
	if (module == NULL || token == NULL || n < 1 || n > 1000000 || key < 0 ||
	    token_key((enum bench_key)key)->gen == 0) {
		fprintf(stderr, "usage: caas-bench-fill --module FILE --token LABEL "
				"--first I --count N [--key KEY]\n");
		return 2;
	}
	return fill(module, token, (enum bench_key)key, first, n);
}
