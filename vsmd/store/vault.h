/*
 * vault.h - the sealed store as a whole: directory, journal, map.
 *
 * vault_open() reads it back and judges it; vault_commit() makes a transaction durable
 * and then, only then, changes the map.  So after a failure the map is what the disk has.
 *
 * Files: master.sealed (master.h), head, log.<generation>, audit/, and `new`, which
 * stands while a store is made for the first time.  Others are left alone.
 *
 * Threads: one.  A second vault on the directory is refused by a lock on it.
 */
#ifndef CAAS_STORE_VAULT_H
#define CAAS_STORE_VAULT_H

#include "vsmd/store/anchor.h"
#include "vsmd/store/journal.h"
#include "vsmd/store/txn.h"

#define VAULT_MASTER "master.sealed"
#define VAULT_MASTER_NEXT "master.sealed.tmp"
#define VAULT_NEW "new"
#define VAULT_AUDIT "audit"

struct vault {
	int dir;
	struct store_keys *keys;
	struct journal journal;
	struct map map;
	struct anchor *anchor; /* the caller's; NULL: freshness is not looked at */
	bool leftovers;	       /* there may be logs of other generations */
	bool rolled_back;      /* it is not the last state: nothing is committed */
	char why[ANCHOR_WHY];  /* rolled_back: what was found */
};

enum vault_state {
	VAULT_EMPTY,   /* first start, or a first start that was interrupted */
	VAULT_PRESENT, /* all files are there; not yet looked into */
	VAULT_DAMAGED  /* logged */
};

enum vault_result {
	VAULT_OK = 0,
	VAULT_FULL,  /* no space on disk */
	VAULT_FAILED /* logged */
};

/* Open and lock the state directory, which must be a directory of ours with mode 0700.
 * The descriptor, or -1 after a line on the log. */
int vault_lock(const char *state);
/* Which files are there. */
enum vault_state vault_look(int dir);
/*
 * VAULT_EMPTY: mark that a store is being made and remove what an interrupted first start
 * left.  The caller then writes master.sealed and calls vault_create().
 */
int vault_prepare(int dir);
/* A new, empty store of that id.  0, or -1 after a line on the log. */
int vault_create(struct vault *v, int dir, const uint8_t master[CRYPT_KEY],
    const uint8_t store[STORE_ID], struct anchor *anchor);
/*
 * An existing store.  0, or -1 after a line that names the file and what to do.  With an
 * anchor, 0 may also mean that it is rolled back: it can be read, and nothing has been
 * written, so that the right files can be put back.
 */
int vault_open(
    struct vault *v, int dir, const uint8_t master[CRYPT_KEY], struct anchor *anchor);
/*
 * Make the changes durable and apply them; the record's own (anchor_put()) are added to
 * t. An empty txn is VAULT_OK.  When the log holds more than half garbage, or a sync
 * failed before, a new generation is written first.
 */
enum vault_result vault_commit(struct vault *v, struct txn *t);
/* Of a rolled-back store: make these changes the last state, in a new log; the anchor's
 * value has been read.  When it fails it is rolled back as before. */
enum vault_result vault_accept(struct vault *v, struct txn *t);
/* Is there room on the disk for a commit?  0, or -1 with errno. */
int vault_room(const struct vault *v);
void vault_close(struct vault *v);

/* judge.c: the part of vault_open() that asks the anchor. */
int vault_judge(struct vault *v, const struct head *head);
/* Remove the logs of other generations than the journal's. */
void vault_sweep(struct vault *v);
/* Call visit for each log file; stops on false. */
bool vault_each_log(
    int dir, bool (*visit)(void *, int, const char *, uint64_t), void *arg);

#endif
