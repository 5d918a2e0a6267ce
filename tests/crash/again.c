/* again.c - see again.h */
#include "again.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct turn {
	const struct again *a;
	struct vsm v;
	size_t number; /* of the step */
	uint32_t counter;
};

/* A step on its own: the store is started before it, and knows of no logout that was not
 * written. */
static struct step
alone(const struct step *s)
{
	struct step r = *s;

	r.before.loose = 0;
	r.after = r.before;
	if (r.action->change != NULL)
		r.action->change(&r.after, r.arg, 0);
	return r;
}

/* The store as it was before the step; nothing is wrong yet.  False: it did not start. */
static bool
set_up(const struct step *s, struct vsm *v)
{
	vsm_kill(v);
	disk_write(&s->disk, v->state, v->nv);
	record_begin(v->state, v->nv);
	return s->off || vsm_start(v, s->anchor);
}

static bool
is_again(const struct again *a, const struct step *s)
{
	return s->action->kind != STEP_KILL && (a->thorough || !s->quiet);
}

static void
say_where(const struct turn *t, const struct step *s, uint32_t n, const char *how, char out[256])
{
	snprintf(out, 256, "%s: %s %u (step %zu), point %u, %s", t->a->h->name, s->action->name,
	    s->arg, t->number, n, how);
}

/* What may be there, by what was answered. */
static void
expect_after(const struct step *s, CK_RV rv, bool strict, struct expect *e)
{
	history_expect(s, e);
	if (rv == CKR_OK) {
		e->models[0] = s->after;
		e->n = 1;
	} else if (strict && s->action->change != NULL) {
		e->n--; /* not all of it */
	}
}

/*
 * The calls of a step: how many points, and what the n-th is.  Another time it may be the one
 * before or behind it: a signature has not always the same length, so a file of the audit log
 * does not always end at the same record.
 */
#define CALLS_MAX 256
struct calls {
	uint32_t n;
	enum disk_call call[CALLS_MAX];
};

static bool
find_calls(const struct step *s, struct vsm *v, struct calls *c)
{
	uint32_t entry;

	memset(c, 0, sizeof(*c));
	if (!set_up(s, v))
		return false;
	entry = record->nentries;
	if (history_do(s, v) != CKR_OK)
		return false;
	history_settle(s, v);
	vsm_kill(v);
	for (; entry + c->n < record->nentries; c->n++) {
		if (c->n == CALLS_MAX)
			return false;
		c->call[c->n] = record->entries[entry + c->n].call;
	}
	return true;
}

static void
judge(struct turn *t, struct expect *e, const char *where, bool kill)
{
	struct found f;
	const char *wrong;

	t->a->tally->cases++;
	look(&t->v, e->anchor, &f);
	wrong = look_judge(&f, e, 0);
	if (wrong == NULL)
		wrong = look_further(&t->v, e, kill, &f);
	if (wrong != NULL)
		look_bad(t->a->tally, &t->v, where, wrong, &f, e);
	vsm_kill(&t->v);
}

static void
bad_step(struct turn *t, const struct step *s, const char *what)
{
	struct expect e;
	char where[256];

	history_expect(s, &e);
	say_where(t, s, 0, what, where);
	look_bad(t->a->tally, &t->v, where, "it cannot be done again", NULL, &e);
}

/* False: it was not killed, there is no such point. */
static bool
killed_at(struct turn *t, const struct step *s, uint32_t n, bool torn)
{
	struct expect e;
	char where[256];
	CK_RV rv;

	if (!set_up(s, &t->v)) {
		bad_step(t, s, "kill");
		return false;
	}
	record->kill_torn = torn;
	record->kill_at = record->points + n;
	rv = history_do(s, &t->v);
	history_settle(s, &t->v);
	if (record->points < record->kill_at)
		return false;
	record->kill_at = 0;
	vsm_kill(&t->v);
	say_where(t, s, n, torn ? "killed within" : "killed before", where);
	expect_after(s, rv, false, &e);
	judge(t, &e, where, n % 2);
	return true;
}

static void
killed(struct turn *t, const struct step *s)
{
	struct calls c;
	uint32_t n;

	if (!find_calls(s, &t->v, &c)) {
		bad_step(t, s, "calls");
		return;
	}
	for (n = 1; n <= c.n; n++) {
		if (!t->a->thorough && (n + t->number + t->a->seed) % 3 != 0)
			continue;
		(void)killed_at(t, s, n, false);
		if (c.call[n - 1] == CALL_WRITE)
			(void)killed_at(t, s, n, true);
	}
	t->a->tally->points += n - 1;
}

/* One way to fail. */
struct failure {
	int error;
	bool late; /* half of a write is done; a TPM's command is done */
	bool lasting;
	bool go_on; /* the store goes on; else it ends, and is opened */
};

static void
failing_at(struct turn *t, const struct step *s, uint32_t n, const struct failure *f)
{
	struct tally *tally = t->a->tally;
	struct expect e;
	char where[256], how[64];
	bool strict, alive;
	CK_RV rv;

	if (!set_up(s, &t->v)) {
		bad_step(t, s, "fail");
		return;
	}
	record->fail_errno = f->error;
	record->fail_late = f->late;
	record->fail_count = f->lasting ? UINT32_MAX : 1;
	record->fail_at = record->points + n;
	rv = history_do(s, &t->v);
	history_settle(s, &t->v);
	record->fail_at = 0;
	tally->failed_calls += record->failed;
	alive = t->v.pid > 0;
	snprintf(how, sizeof(how), "%s%s%s%s", strerror(f->error), f->late ? ", late" : "",
	    f->lasting ? ", lasting" : "", f->go_on ? ", going on" : "");
	say_where(t, s, n, how, where);
	/* With an anchor a change that the disk refused is never there; nor, whoever refused
	 * it, once another one was acknowledged. */
	strict = s->action->kind == STEP_ASK && rv != VSM_GONE &&
		 ((s->anchor && !record->tpm_failed) || (alive && f->go_on));
	expect_after(s, rv, strict, &e);
	if (rv != CKR_OK)
		tally->refused++;
	if (alive && f->go_on && s->action->kind == STEP_ASK &&
	    history_one_more(&t->v, &e) != CKR_OK) {
		look_bad(tally, &t->v, where, "the next operation was refused", NULL, &e);
		vsm_kill(&t->v);
		return;
	}
	if (n % 2 == 0 || !vsm_stop(&t->v))
		vsm_kill(&t->v);
	judge(t, &e, where, n % 2);
}

static void
failing(struct turn *t, const struct step *s)
{
	static const int errors[] = {ENOSPC, EIO, EROFS};
	struct calls c;

	if (!find_calls(s, &t->v, &c)) {
		bad_step(t, s, "calls");
		return;
	}
	t->a->tally->points += c.n;
	for (uint32_t n = 1; n <= c.n; n++)
		for (unsigned way = 0; way < 24; way++) {
			enum disk_call call = c.call[n - 1];
			struct failure f = {.error = errors[way % 3],
			    .go_on = way / 3 % 2,
			    .lasting = way / 6 % 2,
			    .late = way / 12};

			if (f.late && call != CALL_WRITE && call != CALL_TPM)
				continue;
			if (call == CALL_TPM && way % 3 != 0) /* its errors are alike */
				continue;
			if (!t->a->thorough && (t->counter++ * 7 + t->a->seed) % 48 != 0)
				continue;
			failing_at(t, s, n, &f);
		}
}

static void
each(const struct again *a, unsigned shares, void (*what)(struct turn *t, const struct step *s))
{
	for (unsigned share = 0; share < shares; share++) {
		struct turn *t;

		fflush(NULL);
		if (fork() != 0)
			continue;
		t = calloc(1, sizeof(*t));
		record_make();
		if (t == NULL || !vsm_init(&t->v, NULL))
			exit(1);
		t->a = a;
		t->v.config.pin_tries = a->h->tries;
		for (t->number = 0; t->number < a->h->n; t->number++) {
			struct step s = alone(&a->h->steps[t->number]);

			if (t->number % shares == share && is_again(a, &s))
				what(t, &s);
		}
		vsm_free(&t->v);
		exit(0);
	}
	for (unsigned share = 0; share < shares; share++) {
		int status;

		if (wait(&status) < 0 || status != 0) {
			printf("# %s: a process of the harness ended: %d\n", a->h->name, status);
			a->tally->bad++;
		}
	}
}

void
again_killed(const struct again *a, unsigned shares)
{
	each(a, shares, killed);
}

void
again_failing(const struct again *a, unsigned shares)
{
	each(a, shares, failing);
}

/* Begin a record: the store is started before the step. */
static bool
record_step(const struct step *s, struct vsm *v, struct recording *ret)
{
	struct expect *e;

	memset(ret, 0, sizeof(*ret));
	vsm_kill(v);
	disk_write(&s->disk, v->state, v->nv);
	disk_read(&ret->from, v->state, v->nv);
	record_begin(v->state, v->nv);
	e = recording_expect(ret);
	e->models[e->n++] = s->before;
	e->anchor = s->anchor;
	snprintf(e->what, sizeof(e->what), "start");
	return s->off || vsm_start(v, s->anchor);
}

/* One more operation, recorded; `now` is what is there, and what is there while it is under
 * way as well as what it makes. */
static bool
record_one_more(struct vsm *v, struct recording *r, const struct expect *now)
{
	struct expect more = *now, *e;

	e = recording_expect(r);
	*e = *now;
	e->sure = false;
	if (history_one_more(v, &more) != CKR_OK)
		return false;
	for (size_t i = 0; i < more.n && e->n < EXPECT_MODELS; i++)
		e->models[e->n++] = more.models[i];
	more.sure = true;
	snprintf(more.what, sizeof(more.what), "one more after %.40s", now->what);
	*recording_expect(r) = more;
	return true;
}

enum again_result
again_record_failure(
    const struct step *in, struct vsm *v, unsigned n, struct recording *ret)
{
	const struct step here = alone(in), *s = &here;
	struct expect *e, refused, now;
	uint32_t at = 0;
	struct calls c;
	CK_RV rv;

	if (!find_calls(s, v, &c))
		return AGAIN_WRONG;
	for (unsigned k = 0; at < c.n; at++)
		if ((c.call[at] == CALL_SYNC || c.call[at] == CALL_SYNC_DIR) && ++k == n)
			break;
	if (at == c.n)
		return AGAIN_NONE;
	if (!record_step(s, v, ret))
		return AGAIN_WRONG;
	e = recording_expect(ret);
	history_expect(s, e);
	record->fail_errno = EIO;
	record->fail_count = 1;
	record->fail_at = record->points + at + 1;
	rv = history_do(s, v);
	history_settle(s, v);
	record->fail_at = 0;
	expect_after(s, rv, s->anchor && !record->tpm_failed, &refused);
	snprintf(refused.what, sizeof(refused.what), "%.30s, a sync of which failed",
	    s->action->name);
	*recording_expect(ret) = refused;
	/* Once another one is acknowledged, what was refused is not there. */
	expect_after(s, rv, true, &now);
	memcpy(now.what, refused.what, sizeof(now.what));
	if (v->pid > 0 && s->action->kind == STEP_ASK) {
		size_t next = ret->nexpects;

		if (!record_one_more(v, ret, &now))
			return AGAIN_WRONG;
		e = &ret->expects[next];
		for (size_t i = now.n; i < refused.n && e->n < EXPECT_MODELS; i++)
			e->models[e->n++] = refused.models[i];
	}
	vsm_kill(v);
	recording_take(ret);
	return AGAIN_RECORDED;
}

enum again_result
again_record_kill(const struct step *in, struct vsm *v, unsigned n, struct recording *ret)
{
	const struct step here = alone(in), *s = &here;
	struct expect e;
	struct found f;
	CK_RV rv;

	if (!record_step(s, v, ret))
		return AGAIN_WRONG;
	history_expect(s, &e);
	*recording_expect(ret) = e;
	record->kill_at = record->points + n;
	rv = history_do(s, v);
	history_settle(s, v);
	if (record->points < record->kill_at)
		return AGAIN_NONE;
	record->kill_at = 0;
	vsm_kill(v);
	expect_after(s, rv, false, &e);
	snprintf(e.what, sizeof(e.what), "%.30s, killed at point %u", s->action->name, n);
	*recording_expect(ret) = e;
	/* Which of them it is, it is for good. */
	look(v, e.anchor, &f);
	if (look_judge(&f, &e, 0) != NULL || !record_one_more(v, ret, &e))
		return AGAIN_WRONG;
	vsm_kill(v);
	recording_take(ret);
	return AGAIN_RECORDED;
}
