/*
 * anchor.h - freshness: the TPM says which place in the log is the last state.
 *
 * The TPM keeps one value (tpm/tpm.h).  Each commit extends it by a digest of the place
 * that the log has reached: an HMAC, under a key of the store, of store id, generation,
 * sequence and chain.  Each record holds the value that the TPM had before it
 * (ANCHOR_KEY), so for each place in a log it can be told what the TPM holds when that
 * place is the last state.  A place before the first such record is the last state when
 * the TPM's value is a new one.  docs/store.md has the orders in which things are
 * written.
 *
 * Since the value goes forward by extensions alone, nothing brings an earlier one back:
 * not a command that was held back and is delivered later, nor another content for the
 * same sequence.
 *
 * Beside the value stands a count that only grows: of wrong SO PINs at a rolled-back
 * store.
 *
 * Threads: one.
 */
#ifndef CAAS_STORE_ANCHOR_H
#define CAAS_STORE_ANCHOR_H

#include "tpm/tpm.h"
#include "vsmd/store/head.h"
#include "vsmd/store/txn.h"

#define ANCHOR_KEY "anchor" /* value[32] before the record, u64 base of the count */
#define ANCHOR_WHY 256

/* What reaches the TPM: vsmd-tpm (anchor_tpm.h), or a test.  Not TPM_OK: `why` says what
 * happened; nobody knows then whether an extension was done. */
struct anchor_ops {
	enum tpm_result (*define)(
	    void *arg, const uint8_t origin[TPM_ANCHOR_LEN], char why[ANCHOR_WHY]);
	enum tpm_result (*read)(
	    void *arg, struct tpm_anchor_value *ret, char why[ANCHOR_WHY]);
	enum tpm_result (*extend)(
	    void *arg, const uint8_t digest[TPM_ANCHOR_LEN], char why[ANCHOR_WHY]);
	enum tpm_result (*count)(void *arg, char why[ANCHOR_WHY]);
	/* May be NULL.  False: an extension would find no space on the disk. */
	bool (*room)(void *arg);
};

struct anchor {
	const struct anchor_ops *ops;
	void *arg;
	unsigned patience; /* ms for which a TPM that fails is tried again */

	uint8_t value[TPM_ANCHOR_LEN]; /* what the TPM holds */
	bool doubt;		       /* or it holds `next`: an extension failed */
	bool strayed;		       /* or neither: somebody else has extended it */
	uint8_t next[TPM_ANCHOR_LEN];
	uint64_t count, base; /* the TPM's, and what it was when no PIN was wrong */
	bool gone; /* the TPM has none, or a new one in the place of a lost one */
	char why[ANCHOR_WHY]; /* the last failure */

	uint64_t writes; /* extensions since the start */
	int64_t last;	 /* ms, clock_ms(): when; 0: none yet */
};

/* Read it.  TPM_UNANCHORED: there is none. */
enum tpm_result anchor_read(struct anchor *a);
/* Make it for a store that never had one.  0, or -1 with `why`. */
int anchor_define(struct anchor *a);

/* Is this place, with what the map has at it, the last state? */
bool anchor_is_at(const struct anchor *a, const struct store_keys *keys,
    const struct map *m, const struct head *at);
/* What a record must hold beside its changes. */
void anchor_put(const struct anchor *a, struct txn *t);
/*
 * The log reaches to `at`, durably, with a record of what anchor_put() said: make that
 * the last state.  A TPM that fails is asked again, for the same, until patience ends. 0;
 * or -1 with `why`: the TPM is in doubt.
 */
int anchor_advance(
    struct anchor *a, const struct store_keys *keys, const struct head *at);
/* Find out what a TPM in doubt holds.  0, or -1 with `why`. */
int anchor_settle(struct anchor *a);

/*
 * A rolled-back store's wrong SO PINs.  anchor_tries_begin() makes the anchor anew where
 * it is gone, and says how many there were; anchor_tries_count() counts one more, durably
 * and before the PIN is looked at; anchor_tries_forget() starts at none with the next
 * record.  0, or -1 with `why`.
 */
int anchor_tries_begin(
    struct anchor *a, const struct map *m, unsigned limit, uint64_t *ret_tries);
int anchor_tries_count(struct anchor *a);
void anchor_tries_forget(struct anchor *a);
/* The base in a record, 0 when there is none: to be kept when the store is opened. */
uint64_t anchor_base(const struct map *m);

#endif
