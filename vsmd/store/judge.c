/*
 * judge.c - vault_judge(): which place in which log is the last state, as the TPM's
 * anchor says; see anchor.h.
 *
 * A commit writes the record, then the anchor, and the next one begins when both are
 * done. So behind the place that the anchor names stands at most one record, which nobody
 * was told of.  The head follows now and then, and its directory is not synced: it names
 * that place, the one behind it, or any before.  A new generation is made by a commit
 * too: the head then names the new log, the anchor perhaps still a place in the old one.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "vsmd/store/vault.h"

#define ALL UINT64_MAX

struct judge {
	struct vault *v;
	const struct head *head; /* as it was found */
	struct map *map;	 /* what is read */
	uint64_t most;		 /* records that are read */
	bool found;
	struct head place;
	unsigned behind; /* records */
	bool done;	 /* each_other(): one of them it is */
};

static bool
apply(void *arg, struct buf *body)
{
	struct judge *g = arg;

	return txn_apply(body, g->map);
}

static bool
reached(void *arg, const struct head *at)
{
	struct judge *g = arg;

	/* Of the places before the first anchored record it is the last. */
	if (anchor_is_at(g->v->anchor, g->v->keys, g->map, at)) {
		g->found = true;
		g->place = *at;
		g->behind = 0;
	} else if (g->found) {
		g->behind++;
	}
	return at->records < g->most;
}

static enum journal_result
read_log(struct judge *g, uint64_t generation, bool vouched, uint64_t most)
{
	struct journal_reader reader = {
	    .vouched = vouched, .apply = apply, .reached = reached, .arg = g};
	struct head head = *g->head;

	head.generation = generation;
	journal_close(&g->v->journal);
	map_free(g->map);
	g->found = false;
	g->most = most;
	g->behind = 0;
	return journal_read(&g->v->journal, g->v->dir, g->v->keys, &head, &reader);
}

/* The place that was found is the store's end.  0, or -1 after a line on the log. */
static int
take(struct judge *g, bool vouched)
{
	struct vault *v = g->v;

	if (g->behind > 0 &&
	    read_log(g, g->place.generation, vouched, g->place.records) != JOURNAL_OK)
		return -1;
	v->journal.at.anchor_type = HEAD_ANCHORED;
	v->journal.lazy_head = true;
	v->anchor->base = anchor_base(&v->map);
	return journal_settle(&v->journal, g->head, true) == JOURNAL_OK ? 0 : -1;
}

static bool
each_other(void *arg, int dir, const char *name, uint64_t generation)
{
	struct judge *g = arg;

	(void)dir, (void)name;
	if (generation == g->head->generation ||
	    read_log(g, generation, false, ALL) != JOURNAL_OK)
		return true;
	g->done = g->found && g->behind <= 1;
	return !g->done;
}

static void
refuse(struct vault *v, const char *what)
{
	v->rolled_back = true;
	snprintf(v->why, sizeof(v->why), "%s", what);
}

/* Nothing that is here is the last state: show what the head says, and write nothing. */
static int
rolled_back(struct judge *g, const char *what)
{
	if (read_log(g, g->head->generation, true, ALL) != JOURNAL_OK)
		return -1;
	g->v->journal.at.anchor_type = HEAD_ANCHORED;
	g->v->journal.lazy_head = true;
	refuse(g->v, what);
	return 0;
}

static int
find_place(struct judge *g)
{
	bool older_tpm;

	if (read_log(g, g->head->generation, true, ALL) != JOURNAL_OK)
		return -1;
	if (g->found && g->behind <= 1)
		return take(g, true);
	older_tpm = g->found;
	if (!older_tpm) {
		(void)vault_each_log(g->v->dir, each_other, g);
		if (g->done)
			return take(g, false);
	}
	return rolled_back(
	    g, older_tpm ? "the TPM's anchor is older than the store: was the "
			   "TPM's own state put back?"
			 : "the store is not the state that the TPM's anchor "
			   "names: it is an older copy, a mixture of copies, or damaged "
			   "at its end");
}

/* A store that has no anchor yet gets one. */
static int
begin_anchor(struct judge *g, enum tpm_result r)
{
	struct vault *v = g->v;
	struct txn none;
	enum vault_result done;

	if (r == TPM_UNANCHORED && anchor_define(v->anchor) != 0) {
		log_error("the TPM takes no anchor for this store: %s", v->anchor->why);
		return -1;
	}
	if (read_log(g, g->head->generation, true, ALL) != JOURNAL_OK)
		return -1;
	if (!g->found)
		return rolled_back(g,
		    "the store is from before its anchor was made, or from "
		    "a time with anchor = off");
	/* Until now all that is complete counts, and the head says so until the first
	 * record is anchored: a crash before begins again. */
	v->anchor->base = v->anchor->count;
	if (journal_settle(&v->journal, g->head, true) != JOURNAL_OK)
		return -1;
	v->journal.lazy_head = true;
	txn_init(&none);
	anchor_put(v->anchor, &none);
	done = vault_commit(v, &none);
	txn_clear(&none);
	if (done != VAULT_OK)
		return -1;
	v->journal.at.anchor_type = HEAD_ANCHORED;
	journal_name_end(&v->journal);
	log_info("from now on the TPM says which state of the store is the last");
	return fsync(v->dir) == 0 ? 0 : -1;
}

int
vault_judge(struct vault *v, const struct head *head)
{
	struct judge g = {.v = v, .head = head, .map = &v->map};
	enum tpm_result r = anchor_read(v->anchor);

	if (r != TPM_OK && r != TPM_UNANCHORED) {
		log_error(
		    "the TPM does not say which state is the last: %s", v->anchor->why);
		return -1;
	}
	if (r == TPM_OK && v->anchor->gone)
		return rolled_back(&g, "the TPM's anchor was lost, and made again");
	if (head->anchor_type == HEAD_UNANCHORED)
		return begin_anchor(&g, r);
	if (r == TPM_UNANCHORED)
		return rolled_back(&g, "the TPM's anchor was removed or replaced");
	return find_place(&g);
}
