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
	uint64_t records; /* of the audit log: the last one's number */
	char text[MODEL_TEXT];
};

/* Start the store on the directory as it is, and look.  It runs afterwards, if it opened. */
void look(struct vsm *v, bool anchor, struct found *f);
/* NULL, or what is wrong with it.  What is right is all that is left in e. */
const char *look_judge(const struct found *f, struct expect *e, uint64_t records);
/* The number of the last whole record in a file of the audit log; 0: there is none. */
uint64_t look_last_record(const uint8_t *data, size_t len);
/* One more operation, and the store opened again (after kill -9, or in order): that is in f. */
const char *look_further(struct vsm *v, struct expect *e, bool kill, struct found *f);

/* Count it, and say it as long as few were said: where, what, what was found. */
void look_bad(struct tally *t, const struct vsm *v, const char *where, const char *what,
    const struct found *f, const struct expect *e);

#endif
