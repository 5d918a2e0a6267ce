/*
 * ledger.h - the rows (rows.h) on disk, and one value in the TPM that says which they are.
 *
 * Two files, state.0 and state.1, take turns.  Each holds all rows, encrypted and authenticated
 * under a key that only this DomT's TPM opens, and the value that the TPM had before it.  When a
 * file is the state, the TPM holds
 *
 *	SHA-256(the value before it | SHA-256 of the file)
 *
 * and nothing else makes a file the state.  A commit writes the file of the other turn (a new
 * file, synced, and its directory), then extends the TPM, and only then is it done.  So at every
 * moment one file is the state, whatever was cut short, and an older pair of files is none.
 *
 * A value that was extended cannot be set back, so no earlier state becomes the last one again,
 * also when a command to the TPM is held back and delivered later.
 *
 * What the caller does: change the rows of ledger_change(), ledger_commit(), and then tell who
 * asked.  Until it has returned 0 nobody may hear of what was changed.
 *
 * Errors: -1 with a sentence in `why`.  Threads: one.  Blocks on the disk, and on the TPM for
 * `patience` at most, beside what one command takes.
 */
#ifndef CAAS_TPMD_LEDGER_H
#define CAAS_TPMD_LEDGER_H

#include "tpm/backend.h"
#include "xen-hooks/tpmd/rows.h"

#define LEDGER_KEY  32
#define LEDGER_FILE (ROWS_BYTES + 256) /* bytes of a file, at most */
#define LEDGER_WHY  TPM_ERROR_MAX

/* The anchor in DomT's own TPM.  Not TPM_OK: `why` says what happened; whether an extension was
 * done is not known then. */
struct ledger_tpm {
	enum tpm_result (*define)(
	    void *arg, const uint8_t origin[TPM_ANCHOR_LEN], char why[LEDGER_WHY]);
	enum tpm_result (*read)(void *arg, struct tpm_anchor_value *ret, char why[LEDGER_WHY]);
	enum tpm_result (*extend)(
	    void *arg, const uint8_t digest[TPM_ANCHOR_LEN], char why[LEDGER_WHY]);
};

struct ledger {
	/* Set before ledger_open(); borrowed. */
	int dir;
	const struct ledger_tpm *tpm;
	void *tpm_arg;
	const uint8_t *key; /* LEDGER_KEY bytes */
	int patience;	    /* ms for which a TPM that fails is asked again */

	struct rows now; /* as the TPM says */
	struct rows next;
	bool changed; /* next is what is to be; else it is nothing */

	uint8_t value[TPM_ANCHOR_LEN]; /* the TPM's */
	uint8_t after[TPM_ANCHOR_LEN]; /* the one to come */
	uint64_t sequence;	       /* of the state: how many there were */
	unsigned turn;		       /* whose file is the state */
	bool doubt;   /* an extension failed: it is `now` or `next` */
	bool strayed; /* it is neither: somebody else has the same secret */
	uint64_t commits; /* since the start */
	char why[LEDGER_WHY];
};

/* A new one: the TPM's anchor is made, and there are no rows.  What is there is none of ours. */
int ledger_make(struct ledger *l);
/* Find the state. */
int ledger_open(struct ledger *l);
void ledger_close(struct ledger *l);

/* The rows as they will be when all that was changed is committed. */
const struct rows *ledger_rows(const struct ledger *l);
/* The same, to be changed.  NULL: no memory. */
struct rows *ledger_change(struct ledger *l);
/* Make it the state.  -1: it is not, and the change is undone; or, with `doubt`, nobody knows:
 * ledger_settle() has to succeed before anything else. */
int ledger_commit(struct ledger *l);
/* Undo what was changed since the last commit. */
void ledger_discard(struct ledger *l);
/* Nobody else has gone on from here: the TPM still says that this is the state. */
int ledger_check(struct ledger *l);
/* Find out what became of a commit in doubt.  0 also when there is no doubt. */
int ledger_settle(struct ledger *l);

/* A file's bytes.  ledger_parse() is false when they are not ours; then *ret is empty. */
bool ledger_format(const uint8_t key[LEDGER_KEY], const uint8_t before[TPM_ANCHOR_LEN],
    uint64_t sequence, const struct rows *r, struct buf *out);
bool ledger_parse(const uint8_t key[LEDGER_KEY], const void *file, size_t len,
    uint8_t ret_before[TPM_ANCHOR_LEN], uint64_t *ret_sequence, struct rows *ret);

#endif
