/*
 * main.c - caas-crash: the sealed store, when processes and power end and disks fail.
 *
 *	caas-crash [PASS ...] [HISTORY ...]
 *
 * Passes are kill, fail, power and broken, histories are anchored, rolled-back and
 * unanchored; all of them, unless some are named.
 *
 *	CAAS_TEST_LONG=1           every point, and every variant where there are not too many
 *	CAAS_SEED=N                those that are chosen at random, as they were in another run
 *
 * Ends with `N passed, N failed, N skipped`, the figures of each pass before it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "actions.h"
#include "again.h"
#include "broken.h"
#include "power.h"
#include "vsmd/store/crypt.h"

/* Variants at a point, where there are more: without an anchor much is not synced at once. */
#define MOST 600
#define MOST_AFTER 24 /* of each of a thousand ways in which something went wrong before */

enum {
	PASS_KILL = 1,
	PASS_FAIL = 2,
	PASS_POWER = 4,
	PASS_BROKEN = 8,
	PASS_ALL = 15,
	ANCHORED = 16,
	ROLLED_BACK = 32,
	UNANCHORED = 64,
	HISTORY_ALL = 112
};

static struct {
	unsigned passes, shares;
	bool thorough;
	uint32_t seed;
	unsigned passed, failed;
	struct tally *tally;
	unsigned points, kills, failures, cuts, states, noticed; /* of all histories */
} run;

static void
begin(bool silent)
{
	memset(run.tally, 0, sizeof(*run.tally));
	run.tally->silent = silent;
}

static void
verdict(bool good, const char *history, const char *what, const char *figures)
{
	printf("%s %s: %s%s%s\n", good ? "ok  " : "FAIL", history, what,
	    figures[0] != '\0' ? ": " : "", figures);
	fflush(stdout);
	*(good ? &run.passed : &run.failed) += 1;
}

static void
killed(const struct history *h)
{
	struct again a = {.h = h, .tally = run.tally, .seed = run.seed, .thorough = run.thorough};
	char text[128];

	begin(false);
	again_killed(&a, run.shares);
	snprintf(text, sizeof(text), "%u points, %u kills", run.tally->points, run.tally->cases);
	verdict(run.tally->bad == 0, h->name, "killed", text);
	run.kills += run.tally->cases;
}

static void
failing(const struct history *h)
{
	struct again a = {.h = h, .tally = run.tally, .seed = run.seed, .thorough = run.thorough};
	char text[160];

	begin(false);
	again_failing(&a, run.shares);
	snprintf(text, sizeof(text), "%u points, %u runs, %u failed calls, %u steps refused",
	    run.tally->points, run.tally->cases, run.tally->failed_calls, run.tally->refused);
	verdict(run.tally->bad == 0, h->name, "calls that fail", text);
	run.failures += run.tally->cases;
}

static void
power_figures(char text[160])
{
	snprintf(text, 160, "%u points, %u variants, %u states", run.tally->points,
	    run.tally->cases, run.tally->states);
	if (run.tally->silent)
		return;
	run.points += run.tally->points;
	run.cuts += run.tally->cases;
	run.states += run.tally->states;
}

static struct power
power_of(const struct history *h, const char *name, const struct recording *r)
{
	return (struct power){.name = name,
	    .r = r,
	    .tally = run.tally,
	    .seed = run.seed,
	    .tries = h->tries,
	    .most = run.thorough ? MOST : 16,
	    .thorough = run.thorough,
	    .sample = run.thorough ? 0 : 8,
	    .nested = run.thorough ? 40 : 250};
}

static void
power_lost(const struct history *h)
{
	struct power p = power_of(h, h->name, &h->recording);
	char text[160];

	begin(false);
	power_run(&p, run.shares);
	power_figures(text);
	verdict(run.tally->bad == 0, h->name, "the power goes", text);
}

/* In the short run: an ordinary commit, one with a new log, one of a rolled-back store. */
static bool
is_chosen(const struct step *s)
{
	if (run.thorough)
		return s->action->kind != STEP_KILL && !s->quiet;
	return s->action == &actions[DO_DESTROY] ||
	       (s->action == &actions[DO_CREATE] && s->compact) ||
	       (s->action == &actions[DO_ACCEPT] && s->before.rolled_back);
}

typedef enum again_result (*make_record)(
    const struct step *s, struct vsm *v, unsigned n, struct recording *ret);

/* Something went wrong at a point of a step, the store goes on (itself, or another process of
 * it), and then the power goes.  How many such points there were. */
static unsigned
power_lost_after_step(
    const struct history *h, const struct step *s, struct vsm *v, make_record make)
{
	struct recording r = {0};
	enum again_result made;
	unsigned n = 1;

	for (; (made = make(s, v, n, &r)) == AGAIN_RECORDED; n++) {
		struct power p = power_of(h, h->name, &r);

		p.nested = 0;
		p.most = run.thorough ? MOST_AFTER : 6;
		power_run(&p, run.shares);
		recording_free(&r);
	}
	if (made == AGAIN_WRONG) {
		printf("# %s: %s %u, point %u: wrong without any power cut\n", h->name,
		    s->action->name, s->arg, n);
		vsm_show_log(v);
		run.tally->bad++;
	}
	recording_free(&r);
	vsm_kill(v);
	return n - 1;
}

static void
power_lost_after(
    const struct history *h, struct vsm *v, const char *what, make_record make)
{
	char text[200], figures[160];
	unsigned records = 0;

	begin(false);
	for (size_t i = 0; i < h->n; i++)
		if (is_chosen(&h->steps[i]))
			records += power_lost_after_step(h, &h->steps[i], v, make);
	power_figures(figures);
	snprintf(text, sizeof(text), "%u times, %s", records, figures);
	verdict(run.tally->bad == 0 && records > 0, h->name, what, text);
}

static void
broken(const struct history *h, const struct broken *b)
{
	struct recording r = {0};
	struct power p = power_of(h, b->name, &r);
	char text[200];

	begin(true);
	p.stop_at_first = true;
	p.nested = 0;
	p.sample = 0;
	if (!broken_record(b, &h->recording, &r)) {
		verdict(false, "broken", b->name, "nothing is changed by that");
	} else {
		power_run(&p, run.shares);
		power_figures(text);
		if (run.tally->bad == 0)
			snprintf(text, sizeof(text), "was NOT noticed");
		verdict(run.tally->bad > 0, "broken", b->name, text);
		run.noticed += run.tally->bad > 0;
	}
	free(r.entries);
}

/* Each sync left out, one at a time: which ones does it depend on? */
static void
each_sync(const struct history *h)
{
	unsigned all = 0, noticed = 0;
	char text[64];

	for (size_t i = 0; i < h->recording.n; i++) {
		const struct entry *e = &h->recording.entries[i];
		struct recording r = {0};
		struct power p = power_of(h, h->name, &r);

		if (e->call == CALL_MARK && h->recording.expects[e->off].quiet)
			while (i + 1 < h->recording.n &&
			       (h->recording.entries[i + 1].call != CALL_MARK ||
				   h->recording.expects[h->recording.entries[i + 1].off].quiet))
				i++;
		if (e->call != CALL_SYNC && e->call != CALL_SYNC_DIR)
			continue;
		begin(true);
		p.stop_at_first = true;
		p.nested = 0;
		p.sample = 0;
		p.thorough = false;
		p.most = 40;
		p.first = i;
		p.until = i + 60;
		broken_without(&h->recording, i, &r);
		power_run(&p, run.shares);
		free(r.entries);
		all++;
		if (run.tally->bad > 0)
			noticed++;
		else
			printf("# %s: entry %zu, sync of %s: nothing depends on it\n", h->name, i,
			    e->name[0] != '\0' ? e->name : "the state directory");
	}
	snprintf(text, sizeof(text), "%u of %u syncs are missed", noticed, all);
	verdict(noticed * 2 > all, h->name, "each sync left out alone", text);
}

static void
all_passes(const struct history *h, struct vsm *v, bool anchored)
{
	actions_keep = false;
	if (run.passes & PASS_KILL)
		killed(h);
	if (run.passes & PASS_FAIL)
		failing(h);
	if (run.passes & PASS_POWER) {
		power_lost(h);
		power_lost_after(h, v, "a sync fails, then the power goes", again_record_failure);
		power_lost_after(h, v, "killed, started, then the power goes", again_record_kill);
	}
	for (size_t i = 0; run.passes & PASS_BROKEN && i < brokens_count; i++)
		if (brokens[i].anchored == anchored && strcmp(h->name, "rolled back") != 0)
			broken(h, &brokens[i]);
	if (run.passes & PASS_BROKEN && run.thorough && strcmp(h->name, "rolled back") != 0)
		each_sync(h);
	actions_keep = true;
}

static unsigned
pass_of(const char *word)
{
	static const char *const words[] = {
	    "kill", "fail", "power", "broken", "anchored", "rolled-back", "unanchored"};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i], word) == 0)
			return 1u << i;
	fprintf(stderr, "usage: caas-crash [kill|fail|power|broken ...] "
			"[anchored|rolled-back|unanchored ...]\n");
	exit(2);
}

static void
histories(struct vsm *v)
{
	static struct history anchored, other;

	if (!history_anchored(&anchored, v)) {
		verdict(false, "anchored", "the history", "");
		return;
	}
	if (run.passes & ANCHORED)
		all_passes(&anchored, v, true);
	if (!history_rolled_back(&other, v, &anchored))
		verdict(false, "rolled back", "the history", "");
	else if (run.passes & ROLLED_BACK)
		all_passes(&other, v, true);
	vsm_kill(v);
	history_free(&other);
	history_free(&anchored);
	if (!history_unanchored(&other, v))
		verdict(false, "unanchored", "the history", "");
	else if (run.passes & UNANCHORED)
		all_passes(&other, v, false);
	history_free(&other);
}

/* What libcrypto does at first use, once for all processes that are forked. */
static void
warm_up(void)
{
	uint8_t key[CRYPT_KEY] = {0}, out[CRYPT_KEY];
	struct part none = {"", 0};
	struct buf box;

	buf_init(&box, 256);
	if (!crypt_derive(key, NULL, 0, "warm", out) || !crypt_mac(key, &none, 1, out) ||
	    !crypt_random(out, sizeof(out)) || !box_seal(key, "warm", &none, 1, "", 0, &box))
		exit(1);
	buf_free(&box);
}

int
main(int argc, char **argv)
{
	const char *seed = getenv("CAAS_SEED"), *thorough = getenv("CAAS_TEST_LONG");
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	static struct vsm v;

	for (int i = 1; i < argc; i++)
		run.passes |= pass_of(argv[i]);
	if ((run.passes & PASS_ALL) == 0)
		run.passes |= PASS_ALL;
	if ((run.passes & HISTORY_ALL) == 0)
		run.passes |= HISTORY_ALL;
	run.shares = cpus < 1 ? 1 : cpus > 8 ? 8 : (unsigned)cpus;
	run.thorough = thorough != NULL && strcmp(thorough, "1") == 0;
	run.seed = seed != NULL ? (uint32_t)strtoul(seed, NULL, 10) : (uint32_t)time(NULL);
	run.tally = mmap(NULL, sizeof(*run.tally), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (run.tally == MAP_FAILED)
		return 1;
	warm_up();
	record_make();
	if (!vsm_init(&v, NULL)) {
		printf("no tmpfs at /dev/shm\n0 passed, 0 failed, 1 skipped\n");
		return 77;
	}
	printf("# seed %u\n", run.seed);
	histories(&v);
	vsm_free(&v);
	printf("figures: %u kills, %u runs with calls that fail; power cuts at %u points: %u "
	       "variants, %u states of the disk; %u wrong stores noticed\n",
	    run.kills, run.failures, run.points, run.cuts, run.states, run.noticed);
	printf("%u passed, %u failed, 0 skipped\n", run.passed, run.failed);
	return run.failed == 0 ? 0 : 1;
}
