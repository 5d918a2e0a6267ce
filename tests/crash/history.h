/*
 * history.h - what is done to a store, and what it should hold after each step.
 *
 * A history is run once, recorded, and every step of it must succeed.  From then on there
 * is, for each step, the disk and the TPM as they were before it, so that any step can be
 * done again, on its own, with something going wrong.
 */
#ifndef CRASH_HISTORY_H
#define CRASH_HISTORY_H

#include "disk.h"
#include "model.h"

#define HISTORY_MAX 160
#define EXPECT_MODELS 8

enum kind { STEP_ASK, STEP_START, STEP_STOP, STEP_KILL };

/* One thing that is asked of a store. */
struct action {
	const char *name;
	enum kind kind;
	/* CKR_OK: acknowledged. */
	CK_RV (*run)(struct vsm *v, const struct model *m, unsigned arg);
	/* What it changes; NULL: nothing.  `half` is what may be there of one that makes two
	 * commits, when it was not acknowledged: 1 or 2; 0: all of it. */
	void (*change)(struct model *m, unsigned arg, unsigned half);
	unsigned halves;
};

struct step {
	const struct action *action;
	unsigned arg;
	bool anchor;	/* as the store runs, or as the next start is */
	bool off;	/* no store runs */
	bool quiet;	/* one of many that are alike: looked at less closely */
	bool compact;	/* a new log is written first */
	struct model before, after;
	struct disk_tree disk; /* before it, as the processes saw it */
	uint32_t entry;	/* of the record: its first */
};

/* What may be found. */
struct expect {
	struct model models[EXPECT_MODELS];
	size_t n;
	bool anchor; /* how the store is started to look */
	bool quiet;
	bool sure; /* what was asked so far was answered */
	char what[64];
};

/* A record of its own: what was done, from which disk on, and what is expected meanwhile. */
struct recording {
	struct disk_tree from;
	struct entry *entries;
	size_t n;
	uint8_t *data;
	struct expect *expects;
	size_t nexpects;
};

struct history {
	const char *name;
	unsigned tries; /* wrong PINs until one is locked */
	struct step steps[HISTORY_MAX];
	size_t n;
	struct recording recording;
};

/* The histories.  Each is made in `v`, which must not run; the later ones go on from what the
 * earlier ones left.  False: something did not succeed, and was said. */
bool history_anchored(struct history *h, struct vsm *v);
bool history_rolled_back(struct history *h, struct vsm *v, const struct history *anchored);
bool history_unanchored(struct history *h, struct vsm *v);
void history_free(struct history *h);

/* What may be found while a step is under way, and when it was refused. */
void history_expect(const struct step *s, struct expect *e);
/* Do a step.  CKR_OK: it was acknowledged.  What the store does behind its answer is done
 * when history_settle() returns. */
CK_RV history_do(const struct step *s, struct vsm *v);
void history_settle(const struct step *s, struct vsm *v);
/* One more operation on whatever there is: in each model that may be the right one it is
 * done; those are dropped in which it could not have been.  CKR_OK: acknowledged. */
CK_RV history_one_more(struct vsm *v, struct expect *e);

/* Marks in the record: what is expected from here on. */
struct expect *recording_expect(struct recording *r);
/* Take what the record has; the memory of the record can then be used anew. */
void recording_take(struct recording *r);
void recording_free(struct recording *r);

#endif
