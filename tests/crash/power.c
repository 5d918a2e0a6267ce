/* power.c - see power.h */
#include "power.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CACHE 65536 /* states that one process looks at, at most half of it */

struct seen {
	uint64_t hash;
	bool anchor;
	struct found *found; /* NULL: free */
};

struct turn {
	const struct power *p;
	struct vsm v;
	struct disk disk;
	unsigned share, shares, depth;
	uint64_t random;
	struct expect *expect; /* now */
	uint64_t records;      /* of the audit log that are sure now */
	size_t at;	       /* entry */
	struct seen *seen;
	size_t nseen;
};

static uint64_t
chance(struct turn *t)
{
	t->random ^= t->random << 13;
	t->random ^= t->random >> 7;
	t->random ^= t->random << 17;
	return t->random;
}

static const char *
call_name(enum disk_call c)
{
	static const char *const names[] = {[CALL_CREATE] = "create", [CALL_WRITE] = "write",
	    [CALL_TRUNCATE] = "truncate", [CALL_SYNC] = "sync", [CALL_SYNC_DIR] = "sync of",
	    [CALL_RENAME] = "rename", [CALL_UNLINK] = "unlink", [CALL_MKDIR] = "mkdir",
	    [CALL_TPM] = "TPM", [CALL_MARK] = "answer"};

	return names[c];
}

static void
say_where(const struct turn *t, const uint8_t *fates, char out[1024])
{
	static const char *const words[] = {"kept", "lost", "half", "tail", "zeros"};
	const struct recording *r = t->p->r;
	size_t n;

	n = (size_t)snprintf(out, 1024, "%s: %s, entry %zu%s%s %s: pending:", t->p->name,
	    t->expect->what, t->at, t->at < r->n ? ", before " : ", at the end",
	    t->at < r->n ? call_name(r->entries[t->at].call) : "",
	    t->at < r->n ? r->entries[t->at].name : "");
	for (size_t i = 0; i < t->disk.npending && n < 1000; i++) {
		const struct entry *e = t->disk.pending[i].e;

		n += (size_t)snprintf(out + n, 1024 - n, " %s %s%u+%llu:%s", call_name(e->call),
		    e->name, e->node, (unsigned long long)e->off, words[fates[i]]);
	}
}

static struct seen *
lookup(struct turn *t, uint64_t hash, bool anchor)
{
	size_t i = (size_t)(hash * 31 + anchor) % CACHE;

	while (t->seen[i].found != NULL &&
	       (t->seen[i].hash != hash || t->seen[i].anchor != anchor))
		i = (i + 1) % CACHE;
	return &t->seen[i];
}

static void record_start(struct turn *t, const struct disk_tree *tree);

static void
look_at(struct turn *t, const struct disk_tree *tree, const uint8_t *fates)
{
	uint64_t hash = disk_hash(tree);
	struct expect e = *t->expect;
	const struct found *found;
	struct found further;
	const char *wrong;
	char where[1024];
	struct seen *s;
	bool fresh;

	if ((hash >> 20) % t->shares != t->share)
		return;
	if (t->p->sample > 0 && (uint32_t)((hash >> 40) + t->p->seed) % t->p->sample != 0)
		return;
	t->p->tally->cases++;
	s = lookup(t, hash, e.anchor);
	fresh = s->found == NULL;
	if (fresh) {
		if (t->nseen >= CACHE / 2 || (s->found = malloc(sizeof(*s->found))) == NULL) {
			fprintf(stderr, "crash: too many states\n");
			exit(1);
		}
		t->nseen++;
		t->p->tally->states++;
		s->hash = hash;
		s->anchor = e.anchor;
		disk_write(tree, t->v.state, t->v.nv);
		look(&t->v, e.anchor, s->found);
	}
	wrong = look_judge(s->found, &e, t->records);
	found = s->found;
	if (fresh && wrong == NULL) {
		found = &further;
		wrong = look_further(&t->v, &e, hash % 2, &further);
	}
	if (fresh)
		vsm_kill(&t->v);
	if (wrong != NULL) {
		say_where(t, fates, where);
		look_bad(t->p->tally, &t->v, where, wrong, found, &e);
	} else if (fresh && t->depth == 0 && t->p->nested > 0 &&
		   (hash >> 32) % t->p->nested == 0) {
		record_start(t, tree);
	}
}

static void
one(struct turn *t, const uint8_t *fates)
{
	static struct disk_tree trees[2]; /* one for each depth */
	struct disk_tree *tree = &trees[t->depth];

	disk_find_after(&t->disk, fates, tree);
	look_at(t, tree, fates);
}

static void
every_one(struct turn *t)
{
	uint8_t fates[DISK_PENDING] = {0};
	size_t i;

	do {
		one(t, fates);
		for (i = 0; i < t->disk.npending; i++) {
			if (++fates[i] < disk_fates(&t->disk, i))
				break;
			fates[i] = 0;
		}
	} while (i < t->disk.npending);
}

static void
some(struct turn *t)
{
	size_t n = t->disk.npending;
	uint8_t fates[DISK_PENDING];
	unsigned done = 2;

	memset(fates, KEPT, n);
	one(t, fates);
	memset(fates, LOST, n);
	one(t, fates);
	if (t->expect->quiet && !t->p->thorough)
		return;
	/* The last is what is most likely under way; then each against all others. */
	for (size_t k = n; k-- > 0 && done < t->p->most;)
		for (uint8_t f = 1; f < disk_fates(&t->disk, k) && done < t->p->most; f++) {
			memset(fates, KEPT, n);
			fates[k] = f;
			one(t, fates);
			memset(fates, LOST, n);
			fates[k] = f == LOST ? KEPT : f;
			one(t, fates);
			done += 2;
		}
	for (; done < t->p->most; done++) {
		for (size_t i = 0; i < n; i++)
			fates[i] = (uint8_t)(chance(t) % disk_fates(&t->disk, i));
		one(t, fates);
	}
}

static void
power_goes(struct turn *t)
{
	uint64_t all = 1;

	for (size_t i = 0; i < t->disk.npending && all <= t->p->most; i++)
		all *= disk_fates(&t->disk, i);
	if (all <= t->p->most && (!t->expect->quiet || t->p->thorough))
		every_one(t);
	else
		some(t);
}

/* Before anything that makes something sure all is pending that can be. */
static bool
worth(const struct power *p, size_t i)
{
	if (i == p->r->n)
		return true;
	switch (p->r->entries[i].call) {
	case CALL_SYNC:
	case CALL_SYNC_DIR:
	case CALL_TPM:
	case CALL_MARK:
		return true;
	default:
		return p->thorough;
	}
}

static uint64_t
sure_records(const struct disk *d)
{
	uint64_t most = 0;

	for (size_t i = 0; i < d->nnames; i++) {
		const struct node *node = &d->nodes[d->names[i].node];
		uint64_t last;

		if (d->names[i].node == 0 || strncmp(d->names[i].name, "audit.log.", 10) != 0 ||
		    node->len == 0)
			continue;
		last = look_last_record(node->data, node->len);
		if (last > most)
			most = last;
	}
	return most;
}

static void
run(struct turn *t)
{
	const struct power *p = t->p;
	const struct recording *r = p->r;
	size_t until = p->until != 0 && p->until < r->n ? p->until : r->n;

	t->expect = NULL;
	t->records = 0;
	disk_begin(&t->disk, &r->from, r->data);
	for (t->at = 0; t->at <= until; t->at++) {
		const struct entry *e = &r->entries[t->at];

		if (t->expect != NULL && t->at >= p->first && worth(p, t->at))
			power_goes(t);
		if (p->stop_at_first && p->tally->bad > 0)
			break;
		if (t->at == r->n)
			break;
		if (e->call == CALL_MARK) {
			t->expect = &r->expects[e->off];
			if (t->expect->sure)
				t->records = sure_records(&t->disk);
		} else if (t->depth == 0 && t->share == 0 && t->at >= p->first) {
			p->tally->points++;
		}
		if (!disk_step(&t->disk, e)) {
			fprintf(stderr, "crash: too much is pending\n");
			exit(1);
		}
	}
	disk_end(&t->disk);
}

/* The power goes again during the start that follows. */
static void
record_start(struct turn *t, const struct disk_tree *tree)
{
	struct turn *u = calloc(1, sizeof(*u));
	struct recording r = {0};
	struct power p = *t->p;
	struct expect *e;
	char name[128];

	if (u == NULL)
		abort();
	disk_write(tree, t->v.state, t->v.nv);
	disk_read(&r.from, t->v.state, t->v.nv);
	record_begin(t->v.state, t->v.nv);
	e = recording_expect(&r);
	*e = *t->expect;
	if (vsm_start(&t->v, e->anchor)) {
		*recording_expect(&r) = *e;
		(void)vsm_stop(&t->v);
	}
	vsm_kill(&t->v);
	recording_take(&r);
	snprintf(name, sizeof(name), "%.60s, again in the start after %.40s", p.name, e->what);
	p.name = name;
	p.r = &r;
	p.first = p.until = 0;
	u->p = &p;
	u->v = t->v;
	u->shares = 1;
	u->depth = 1;
	u->random = t->random | 1;
	u->seen = t->seen;
	u->nseen = t->nseen;
	run(u);
	t->nseen = u->nseen;
	free(u);
	recording_free(&r);
}

void
power_run(const struct power *p, unsigned shares)
{
	for (unsigned share = 0; share < shares; share++) {
		struct turn *t;

		fflush(NULL);
		if (fork() != 0)
			continue;
		t = calloc(1, sizeof(*t));
		record_make();
		if (t == NULL || (t->seen = calloc(CACHE, sizeof(*t->seen))) == NULL ||
		    !vsm_init(&t->v, NULL))
			exit(1);
		t->p = p;
		t->v.config.pin_tries = p->tries;
		t->share = share;
		t->shares = shares;
		t->random = (uint64_t)p->seed * 2654435761u + 1;
		run(t);
		vsm_free(&t->v);
		exit(0);
	}
	for (unsigned share = 0; share < shares; share++) {
		int status;

		if (wait(&status) < 0 || status != 0) {
			printf("# %s: a process of the harness ended with %d\n", p->name, status);
			p->tally->bad++;
		}
	}
}
