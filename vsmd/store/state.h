/*
 * state.h - what the store process knows, in one place.
 *
 * One thread, one loop (loop.c).  A request of a worker is answered at once, or waits for
 * the next group commit (commit.h); requests of one pipe are served one at a time.
 */
#ifndef CAAS_STORE_STATE_H
#define CAAS_STORE_STATE_H

#include "vsmd/store/anchor_tpm.h"
#include "vsmd/store/attached.h"
#include "vsmd/store/audit.h"
#include "vsmd/store/master.h"
#include "vsmd/store/transfer.h"
#include "vsmd/store/restore.h"
#include "vsmd/store/revoked.h"
#include "vsmd/store/store.h"
#include "vsmd/store/vault.h"
#include "vsmd/store/wear.h"

struct sealer;

struct store {
	const struct store_config *config;
	int supervisor;
	struct vault vault;
	struct anchor anchor;	      /* with config->anchor */
	struct anchor_tpm anchor_tpm; /* what it reaches the TPM by */
	struct wear wear;
	struct audit audit;
	uint64_t audit_committed; /* its last record at the last commit */
	int64_t retire_after;	  /* ms: no file of it is retired before */
	int64_t lazy_since;	  /* ms: something waits for a commit (lazy.h); 0: nothing */
	struct memory memory;
	struct slots slots;
	int watch; /* inotify */
	struct attach *attached;
	uint64_t logins_came; /* logins that were asked for (turns.h) */
	struct txn group; /* changes for the next commit that come from requests */
	struct revoked revoked;
	struct transfers transfers; /* backups and restores under way */
	struct sealer *sealer;
	struct master master; /* for sealing again */
	bool locked;		    /* all memory of the process is */
	bool stopping;		    /* M_S_STOP came */
	bool gone;		    /* so did the supervisor */
	bool gate_busy;		    /* a commit waits for a gate: look again soon */
	bool refused;		    /* the disk or the TPM refused the last commit */
	uint64_t commits, commits_failed; /* since the start */
	unsigned accepts_right;	    /* rolled back: PINs that were counted, and were right */
	unsigned restores_wrong;    /* restores in a row with a wrong SO PIN */
	int64_t restores_after;	    /* ms: no restore before */
};

/* Tell the supervisor which slots there are. */
void store_say_slots(struct store *s);
/* Tell it, and the service manager, when commits begin or cease to fail. */
void store_say_commits(struct store *s, bool refused);
/* Ask the supervisor to end a slot's processes; its directory is rebuilt when they are
 * gone. */
void store_discard(struct store *s, struct slot *slot, const char *why);
/* They are gone: rebuild the slot, or remove it when it is being deleted. */
void store_discarded(struct store *s, struct slot *slot);
/* Make a slot's directory and watch it.  0, or -1 after a line on the log. */
int store_restore(struct store *s, struct slot *slot);
/* Tell them that the store is rolled back. */
void store_say_rolled_back(struct store *s);
/* Tell the supervisor that the embedded TPM is to be started anew. */
void store_say_tpm_failed(void *store);
/* What the TPM's generator gave for it, once. */
void store_say_seed(struct store *s);
/* Make the blank slot when there is none. */
int store_make_blank(struct store *s);
/* audit_open() of this store's. */
int store_open_audit(struct store *s);
/* One audit record of what the process of `a` (NULL: the store itself) did.  0, or -1
 * with errno: it is not written, so what it tells of must not be answered with success.
 */
int store_note(struct store *s, const struct attach *a, const char *event,
    const char *detail, uint64_t rv);
/* The same about another slot than that of `a`; slot may be NULL. */
int store_note_slot(struct store *s, const struct attach *a, const struct slot *slot,
    const char *event, const char *detail, uint64_t rv);

#endif
