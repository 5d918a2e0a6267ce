/*
 * look.h - a store that something happened to, opened as vsmd opens it, and judged.
 *
 * It has to open; hold exactly what was acknowledged, or that and what was under way; have
 * an audit log that verifies, with every record that must be in it; take one more operation;
 * and hold that, and all the rest, when it is opened again.
 */
#ifndef CRASH_LOOK_H
#define CRASH_LOOK_H

#include "history.h"

/* Shared by the processes that look. */
struct tally {
	_Atomic uint32_t points, cases, states, failed_calls, refused, bad;
	_Atomic uint32_t shown;
	bool silent; /* failures are wanted */
};

/* What a store shows once it is open. */
struct found {
	bool opened, verified, damaged;
	size_t lines; /* of the audit log */
	char text[MODEL_TEXT];
};

/* Start the store on the directory as it is, and look.  It runs afterwards, if it opened. */
void look(struct vsm *v, bool anchor, struct found *f);
/* NULL, or what is wrong with it.  What is right is all that is left in e. */
const char *look_judge(const struct found *f, struct expect *e, size_t lines);
/* One more operation, and the store opened again (after kill -9, or in order): that is in f. */
const char *look_further(struct vsm *v, struct expect *e, bool kill, struct found *f);

/* Count it, and say it as long as few were said: where, what, what was found. */
void look_bad(struct tally *t, const struct vsm *v, const char *where, const char *what,
    const struct found *f, const struct expect *e);

#endif
