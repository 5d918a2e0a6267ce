/*
 * swtpm.c - caas-crash-swtpm: kill -9 at each point of a step, over the embedded TPM.
 *
 * A TPM cannot be put back to where it was, so one store goes on and on: each step is done
 * until it was killed at every one of its points.  Commands to the TPM are points of their
 * own, before and behind them.  Only the store is killed; what becomes of an swtpm that is,
 * tests/e2e/disk.sh tries.
 *
 *	CAAS_TEST_LONG=1       all kinds of steps; without, a commit and one with a new log
 *
 * Ends with `N passed, N failed, N skipped`; 77: there is no swtpm, or no tmpfs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actions.h"
#include "common/log.h"
#include "look.h"
#include "tpm/embedded.h"

#define POINTS 200 /* no step has as many */

static const struct {
	const char *name;
	int what;
	unsigned arg;
	bool compact, always;
} steps[] = {
    {"change", DO_SET, 0, false, true},
    {"change with a new log", DO_SET, 0, true, true},
    {"start", DO_START, 1, false, false},
    {"new PIN", DO_PIN, 4, false, false},
    {"wrong PIN", DO_WRONG, 4, false, false},
    {"stop", DO_STOP, 1, false, false},
};

static struct tally tally;
static struct model now;

/* Do it, killed at its n-th point.  False: it has no such point. */
static bool
once(struct vsm *v, size_t i, unsigned n)
{
	struct step s = {.action = &actions[steps[i].what],
	    .arg = steps[i].arg,
	    .anchor = true,
	    .compact = steps[i].compact,
	    .before = now,
	    .after = now};
	const char *wrong = NULL;
	struct expect e;
	struct found f;
	char where[64];
	bool killed;
	CK_RV rv;

	now.tokens[0].wrong[1] = 0; /* by the login below: no step locks a PIN */
	s.before = s.after = now;
	if (s.action->change != NULL)
		s.action->change(&s.after, s.arg, 0);
	record_begin(v->state, v->nv);
	if (s.action->kind != STEP_START &&
	    (!vsm_start(v, true) || actions[DO_LOGIN].run(v, &now, 0) != CKR_OK))
		wrong = "it does not start";
	record->kill_at = record->points + n;
	rv = history_do(&s, v);
	history_settle(&s, v);
	killed = record->points >= record->kill_at;
	record->kill_at = 0;
	vsm_kill(v);
	history_expect(&s, &e);
	if (rv == CKR_OK) {
		e.models[0] = s.after;
		e.n = 1;
	}
	look(v, true, &f);
	vsm_kill(v);
	if (wrong == NULL)
		wrong = look_judge(&f, &e, 0);
	if (wrong == NULL && !killed && rv != CKR_OK)
		wrong = "it was refused";
	if (wrong == NULL) {
		now = e.models[0];
		return killed;
	}
	snprintf(where, sizeof(where), "%s, point %u", steps[i].name, n);
	look_bad(&tally, v, where, wrong, &f, &e);
	return false;
}

static bool
set_up(struct vsm *v)
{
	bool good;

	record_begin(v->state, v->nv);
	good = vsm_start(v, true) && actions[DO_INIT].run(v, &now, 0) == CKR_OK;
	if (good)
		actions[DO_INIT].change(&now, 0, 0);
	vsm_kill(v);
	return good;
}

static int
skip(const char *why)
{
	printf("skip swtpm: %s\n0 passed, 0 failed, 1 skipped\n", why);
	return 77;
}

int
main(void)
{
	const char *thorough = getenv("CAAS_TEST_LONG");
	unsigned passed = 0, failed = 0;
	struct embedded_tpm tpm;
	static struct vsm v;
	char dir[300];

	log_level(LOG_ERR_);
	record_make();
	if (access("/usr/bin/swtpm", X_OK) != 0)
		return skip("swtpm is not installed");
	if (!vsm_init(&v, ""))
		return skip("no tmpfs at /dev/shm");
	snprintf(dir, sizeof(dir), "%s/tpm", v.state); /* as vsmd has it */
	if (embedded_start(&tpm, dir, v.work) != 0)
		return 1;
	snprintf(v.tpm, sizeof(v.tpm), "%s", tpm.address);
	v.config.tpm_state = dir;
	actions_keep = false;
	if (!set_up(&v)) {
		vsm_show_log(&v);
		failed++;
	}
	for (size_t i = 0; failed == 0 && i < sizeof(steps) / sizeof(steps[0]); i++) {
		unsigned n = 1;

		if (!steps[i].always && (thorough == NULL || strcmp(thorough, "1") != 0))
			continue;
		while (n < POINTS && once(&v, i, n))
			n++;
		printf("%s swtpm: %s, killed at %u points\n", tally.bad == 0 ? "ok  " : "FAIL",
		    steps[i].name, n - 1);
		fflush(stdout);
		*(tally.bad == 0 ? &passed : &failed) += 1;
	}
	embedded_stop(&tpm);
	vsm_free(&v);
	printf("%u passed, %u failed, 0 skipped\n", passed, failed);
	return failed == 0 ? 0 : 1;
}
