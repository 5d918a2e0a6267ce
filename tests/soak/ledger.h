/*
 * ledger.h - what the applications asked for and what was acknowledged.
 *
 * An object has an origin, which never changes (CKA_APPLICATION of data, CKA_ID of keys),
 * and a label.  A ledger is a file with two lines for each change of one:
 *
 *	begin ORIGIN LABEL      asked for; LABEL is "-" when it is to be destroyed
 *	done ORIGIN LABEL       acknowledged
 *
 * Where the second is missing (the application was killed), either may be true.
 */
#ifndef CAAS_SOAK_LEDGER_H
#define CAAS_SOAK_LEDGER_H

#include "tests/soak/soak.h"

#define LEDGER_GONE "-"

void ledger_begin(struct job *, const char *origin, const char *label);
void ledger_done(struct job *, const char *origin, const char *label);

struct entry {
	char origin[NAME_MOST], label[NAME_MOST];
	char pending[NAME_MOST]; /* empty: nothing was under way */
	bool seen;		 /* the reader's */
};

struct ledger {
	struct entry *entries;
	size_t count, room;
};

/* This application's, or that of every application of this token. */
void ledger_read_own(struct job *, struct ledger *);
void ledger_read_all(struct job *, struct ledger *);
struct entry *ledger_find(struct ledger *, const char *origin);
void ledger_free(struct ledger *);
/* All of this token but the one of that name. */
void ledger_forget(struct job *, const char *but);

#endif
