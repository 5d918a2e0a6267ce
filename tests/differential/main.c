/*
 * main.c - caas-differential: random PKCS#11 on two modules, compared call by call.
 *
 *	caas-differential --judge SOFTHSM2 --module OURS [--steps N] [--seed N] [--verbose]
 *	    [--until-term]                           as many steps as there are before SIGTERM
 *	    [--label LABEL]                          of the token that is made
 *	    [--judge-conf FILE --module-conf FILE]   SOFTHSM2_CONF of each side: to try
 *	                                             the driver on two copies of SoftHSM2
 *
 * Exits 0 when no step differed.  A failing run says its seed and step: the same seed
 * makes the same calls.
 */
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "protocol/invoke.h"
#include "protocol/names.h"
#include "tests/differential/diff.h"

static const char usage[] =
    "usage: caas-differential --judge FILE --module FILE [--steps N] [--seed N] [--verbose]\n"
    "       [--until-term] [--label LABEL] [--judge-conf FILE --module-conf FILE]\n";

static volatile sig_atomic_t term;

static void
on_term(int sig)
{
	(void)sig;
	term = 1;
}

static bool
one_step(struct world *w)
{
	struct step s;

	gen_step(w, &s);
	if (w->verbose) /* before the calls: a module may take the process with it */
		printf("%lu %s session %d object %d mechanism 0x%lx\n", w->steps, s.call->name,
		    s.session, s.object, s.mech);
	for (int side = 0; side < SIDES; side++)
		s.rv[side] = call_invoke(s.call, w->side[side].p11, s.args[side]);
	if (w->verbose)
		printf("\t%s, %s\n", ck_rv_name(s.rv[0]), ck_rv_name(s.rv[1]));
	if (!compare_step(w, &s))
		return false;
	model_step(w, &s);
	arena_free(&w->arena);
	return true;
}

static int
run(struct world *w, unsigned long steps)
{
	for (w->steps = 1; w->steps <= steps && !term; w->steps++) {
		bool fine = w->steps % 2000 == 0 ? model_cycle(w) : one_step(w);

		if (!fine)
			return 1;
	}
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
	    {"judge", required_argument, NULL, 'j'},
	    {"module", required_argument, NULL, 'm'},
	    {"judge-conf", required_argument, NULL, 'J'},
	    {"module-conf", required_argument, NULL, 'M'},
	    {"steps", required_argument, NULL, 'n'},
	    {"seed", required_argument, NULL, 's'},
	    {"label", required_argument, NULL, 'l'},
	    {"until-term", no_argument, NULL, 'u'},
	    {"verbose", no_argument, NULL, 'v'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	static struct world w = {.user_pin = "123456", .so_pin = "12345678", .label = "diff"};
	const char *module[SIDES] = {NULL, NULL};
	unsigned long steps = 20000, seed = (unsigned long)time(NULL);
	int c, rc;

	while ((c = getopt_long(argc, argv, "hv", longs, NULL)) != -1) {
		switch (c) {
		case 'j':
			module[0] = optarg;
			break;
		case 'm':
			module[1] = optarg;
			break;
		case 'J':
			w.side[0].conf = optarg;
			break;
		case 'M':
			w.side[1].conf = optarg;
			break;
		case 'n':
			steps = strtoul(optarg, NULL, 10);
			break;
		case 's':
			seed = strtoul(optarg, NULL, 10);
			break;
		case 'l':
			w.label = optarg;
			break;
		case 'u':
			steps = ULONG_MAX;
			signal(SIGTERM, on_term);
			break;
		case 'v':
			w.verbose = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (module[0] == NULL || module[1] == NULL) {
		fputs(usage, stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	w.rng = seed * 0x9e3779b97f4a7c15u + 1;
	arena_init(&w.arena, (size_t)64 << 20);
	keys_init();
	for (int side = 0; side < SIDES; side++)
		if (!side_load(&w.side[side], module[side]) || !side_token(&w, &w.side[side]))
			return 1;
	rc = run(&w, steps);
	for (int side = 0; side < SIDES; side++)
		side_unload(&w.side[side]);
	arena_free(&w.arena);
	printf("differential: seed %lu, %lu steps, %lu operations repeated: %s\n", seed,
	    w.steps - 1, w.repeated, rc == 0 ? "the same" : "different");
	return rc;
}
