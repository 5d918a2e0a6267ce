/* history.c - see history.h */
#include "history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions.h"

#define EXPECTS (2 * HISTORY_MAX + 16)

struct maker {
	struct history *h;
	struct vsm *v;
	struct model m;
	bool anchor, running, quiet, compact, good;
};

void
history_expect(const struct step *s, struct expect *e)
{
	const struct action *a = s->action;

	memset(e, 0, sizeof(*e));
	e->anchor = a->kind == STEP_START ? s->arg != 0 : s->anchor;
	e->quiet = s->quiet;
	e->models[e->n++] = s->before;
	for (unsigned half = 1; half <= a->halves; half++) {
		e->models[e->n] = s->before;
		a->change(&e->models[e->n++], s->arg, half);
	}
	if (a->change != NULL)
		e->models[e->n++] = s->after;
	snprintf(e->what, sizeof(e->what), "%s %u", a->name, s->arg);
}

CK_RV
history_do(const struct step *s, struct vsm *v)
{
	CK_RV rv;

	vsm_compact(s->compact);
	rv = s->action->run(v, &s->before, s->arg);
	vsm_compact(false);
	return rv;
}

void
history_settle(const struct step *s, struct vsm *v)
{
	vsm_compact(s->compact);
	if (s->action->kind == STEP_ASK)
		vsm_settle(v);
	vsm_compact(false);
}

struct expect *
recording_expect(struct recording *r)
{
	if (r->expects == NULL)
		r->expects = calloc(EXPECTS, sizeof(*r->expects));
	if (r->expects == NULL || r->nexpects == EXPECTS) {
		fprintf(stderr, "crash: a history is too long\n");
		exit(1);
	}
	record_mark((uint32_t)r->nexpects);
	return &r->expects[r->nexpects++];
}

void
recording_take(struct recording *r)
{
	if (record->full) {
		fprintf(stderr, "crash: the record is full\n");
		exit(1);
	}
	r->n = record->nentries;
	r->entries = malloc((r->n + 1) * sizeof(r->entries[0]));
	r->data = malloc(record->ndata + 1);
	if (r->entries == NULL || r->data == NULL)
		abort();
	memcpy(r->entries, record->entries, r->n * sizeof(r->entries[0]));
	memcpy(r->data, record->data, record->ndata);
}

void
recording_free(struct recording *r)
{
	disk_free(&r->from);
	free(r->entries);
	free(r->data);
	free(r->expects);
	memset(r, 0, sizeof(*r));
}

static void
begin(struct maker *k, struct history *h, struct vsm *v, const char *name, unsigned tries)
{
	memset(h, 0, sizeof(*h));
	memset(k, 0, sizeof(*k));
	h->name = name;
	h->tries = v->config.pin_tries = tries;
	k->h = h;
	k->v = v;
	k->good = true;
	disk_read(&h->recording.from, v->state, v->nv);
	record_begin(v->state, v->nv);
}

static void
add(struct maker *k, int what, unsigned arg)
{
	struct step *s = &k->h->steps[k->h->n];
	struct expect *e;

	if (!k->good)
		return;
	if (k->h->n == HISTORY_MAX) {
		fprintf(stderr, "crash: a history is too long\n");
		exit(1);
	}
	k->h->n++;
	s->action = &actions[what];
	s->arg = arg;
	if (what == DO_START)
		k->anchor = arg != 0;
	s->anchor = k->anchor;
	s->off = !k->running;
	s->quiet = k->quiet;
	s->compact = k->compact;
	s->before = s->after = k->m;
	s->entry = record->nentries;
	if (s->action->change != NULL)
		s->action->change(&s->after, arg, 0);
	history_expect(s, recording_expect(&k->h->recording));
	if (history_do(s, k->v) != CKR_OK) {
		printf("# %s: step %zu, %s %u, did not succeed\n", k->h->name, k->h->n,
		    s->action->name, arg);
		vsm_show_log(k->v);
		k->good = false;
		return;
	}
	k->m = s->after;
	if (s->action->kind != STEP_ASK)
		k->running = what == DO_START;
	e = recording_expect(&k->h->recording);
	e->models[e->n++] = s->after;
	e->anchor = k->anchor;
	e->quiet = k->quiet;
	e->sure = true;
	snprintf(e->what, sizeof(e->what), "after %s %u", s->action->name, arg);
	history_settle(s, k->v);
}

/* The disk before each step, as it was; and at the end as it is: the replay is faithful. */
static bool
end(struct maker *k)
{
	static const uint8_t kept[DISK_PENDING];
	struct recording *r = &k->h->recording;
	struct disk *d = calloc(1, sizeof(*d));
	struct disk_tree now = {0}, replayed = {0};
	size_t next = 0;

	if (!k->good || d == NULL)
		return false;
	recording_take(r);
	disk_begin(d, &r->from, r->data);
	for (size_t i = 0; i < r->n; i++) {
		for (; next < k->h->n && k->h->steps[next].entry == i; next++)
			disk_find_after(d, kept, &k->h->steps[next].disk);
		if (!disk_step(d, &r->entries[i]))
			k->good = false;
	}
	disk_find_after(d, kept, &replayed);
	disk_read(&now, k->v->state, k->v->nv);
	if (!k->good || !disk_equal(&now, &replayed)) {
		printf("# %s: the record does not give the files that are there\n", k->h->name);
		k->good = false;
	}
	disk_end(d);
	free(d);
	disk_free(&now);
	disk_free(&replayed);
	return k->good;
}

void
history_free(struct history *h)
{
	for (size_t i = 0; i < h->n; i++)
		disk_free(&h->steps[i].disk);
	recording_free(&h->recording);
	h->n = 0;
}

/* What tokens, objects and PINs go through; with an anchor and without. */
static void
live(struct maker *k)
{
	add(k, DO_INIT, 0);
	add(k, DO_CREATE, 0 + 4 * 1);
	add(k, DO_CREATE, 0 + 4 * 2); /* of several sectors */
	add(k, DO_SET, 0 + 4 * 1);
	add(k, DO_DESTROY, 0 + 4 * 1);
	add(k, DO_LOGIN, 0 + 4 * 0);
	add(k, DO_WRONG, 0 + 4 * 1);
	add(k, DO_WRONG, 0 + 4 * 1);
	add(k, DO_LOGIN, 0 + 4 * 1); /* sets the count back */
	add(k, DO_WRONG, 0 + 4 * 0);
	add(k, DO_PIN, 0 + 4 * 1);
	add(k, DO_PIN, 0 + 4 * 0);
	add(k, DO_LOGIN, 0 + 4 * 2);
	add(k, DO_AUDIT, 0 + 4 * 2);
	add(k, DO_LOGOUT, 0 + 4 * 2);
	add(k, DO_CREATE, 0 + 4 * 5);
	add(k, DO_INIT, 1 + 4 * 1);
	add(k, DO_BOTH, 3);
	add(k, DO_BACKUP, 1);
	add(k, DO_DELETE, 1);
	add(k, DO_RESTORE, 3);
	add(k, DO_INIT_AGAIN, 0);
	k->compact = true;
	add(k, DO_CREATE, 2 + 4 * 6);
	k->compact = false;
	add(k, DO_CREATE, 1 + 4 * 7);
}

/* So many commits that the head follows. */
static void
many(struct maker *k, unsigned n)
{
	k->quiet = true;
	for (unsigned i = 0; i < n; i++)
		add(k, DO_SET, 1);
	k->quiet = false;
}

bool
history_anchored(struct history *h, struct vsm *v)
{
	struct maker k;

	begin(&k, h, v, "anchored", VSM_TRIES);
	add(&k, DO_START, 1);
	live(&k);
	add(&k, DO_RESEAL, 0);
	add(&k, DO_STOP, 1);
	add(&k, DO_START, 1);
	many(&k, 62);
	add(&k, DO_CREATE, 1 + 4 * 8); /* the head follows with one of these */
	add(&k, DO_CREATE, 1 + 4 * 9);
	add(&k, DO_CREATE, 1 + 4 * 10);
	add(&k, DO_KILL, 0);
	add(&k, DO_START, 1);
	add(&k, DO_SET, 1);
	k.compact = true;
	add(&k, DO_AUDIT, 1);
	add(&k, DO_STOP, 1); /* the last record makes a new log */
	return end(&k);
}

bool
history_rolled_back(struct history *h, struct vsm *v, const struct history *anchored)
{
	const struct step *old = anchored->steps;
	struct disk_tree was = {0};
	struct maker k;

	while (old->action != &actions[DO_BACKUP])
		old++;
	disk_copy(&was, &old->disk);
	memcpy(was.nv, anchored->steps[anchored->n - 1].disk.nv, sizeof(was.nv));
	disk_write(&was, v->state, v->nv);
	disk_free(&was);
	/* An acceptance that was interrupted counts as a wrong PIN, and many are. */
	begin(&k, h, v, "rolled back", 10);
	k.m = old->before;
	k.m.rolled_back = true;
	add(&k, DO_START, 1);
	add(&k, DO_ACCEPT_WRONG, 0);
	add(&k, DO_ACCEPT, 0);
	add(&k, DO_CREATE, 0 + 4 * 8);
	add(&k, DO_ACCEPT_WRONG, 1);
	add(&k, DO_ACCEPT, 1);
	add(&k, DO_CREATE, 1 + 4 * 8);
	add(&k, DO_KILL, 0);
	add(&k, DO_START, 1);
	add(&k, DO_SET, 1);
	add(&k, DO_STOP, 1);
	return end(&k);
}

bool
history_unanchored(struct history *h, struct vsm *v)
{
	struct disk_tree empty = {0};
	struct maker k;

	disk_write(&empty, v->state, v->nv);
	begin(&k, h, v, "unanchored", VSM_TRIES);
	add(&k, DO_START, 0);
	live(&k);
	add(&k, DO_STOP, 0);
	/* An anchor is made, given up, and taken up again. */
	add(&k, DO_START, 1);
	add(&k, DO_SET, 1);
	add(&k, DO_STOP, 1);
	add(&k, DO_START, 0);
	add(&k, DO_SET, 1);
	add(&k, DO_SET, 1);
	add(&k, DO_KILL, 0);
	add(&k, DO_START, 1);
	add(&k, DO_SET, 1);
	add(&k, DO_STOP, 1);
	return end(&k);
}

/* The token to work on: one that is served; else one that can be accepted. */
static bool
choose(const struct model *m, size_t *ret)
{
	for (*ret = 0; *ret < MODEL_TOKENS; ++*ret)
		if (m->tokens[*ret].there && !m->tokens[*ret].rolled_back)
			return true;
	return false;
}

CK_RV
history_one_more(struct vsm *v, struct expect *e)
{
	const struct model *m = &e->models[0];
	size_t token, kept = 0;
	CK_RV rv;

	vsm_settle(v);
	if (!choose(m, &token))
		token = MODEL_TOKENS;
	if (token == MODEL_TOKENS)
		rv = actions_init_after(v, m);
	else if (m->rolled_back)
		rv = actions_accept(v, &m->tokens[token]);
	else
		rv = actions_create(v, &m->tokens[token]);
	if (rv != CKR_OK)
		return rv;
	for (size_t i = 0; i < e->n; i++) {
		struct model *to = &e->models[kept];

		*to = e->models[i];
		if (token == MODEL_TOKENS)
			actions_init_after_change(to, v);
		else if (!to->tokens[token].there)
			continue;
		else if (to->rolled_back)
			actions_accept_change(to, token);
		else
			actions_create_change(to, token);
		kept++;
	}
	e->n = kept;
	return CKR_OK;
}
