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
    const uint8_t store[STORE_ID]);
/* An existing store.  0, or -1 after a line that names the file and what to do. */
int vault_open(struct vault *v, int dir, const uint8_t master[CRYPT_KEY]);
/*
 * Make the changes durable and apply them.  An empty txn is VAULT_OK.  When the log holds
 * more than half garbage, or a sync failed before, a new generation is written first.
 */
enum vault_result vault_commit(struct vault *v, const struct txn *t);
void vault_close(struct vault *v);

#endif
