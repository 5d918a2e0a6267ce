/*
 * anchor_tpm.h - the anchor in the TPM that vsmd-tpm (sealer.h) reaches: asking,
 * answering.
 *
 * The store waits for the answer: without it there is nothing to tell those who wait for
 * a commit.  Not longer than ANCHOR_ANSWER: a TPM that has not answered by then is not
 * asked anything else before it has.  When vsmd-tpm is gone the process ends, and the
 * supervisor starts store and vsmd-tpm anew.
 *
 * Of an embedded TPM the state file is synced, before an answer counts: swtpm does not,
 * and after a power cut the TPM would be older than the log.  One that could not write it
 * is in failure mode until it is started anew: so there must be room before it is asked,
 * and the supervisor is told when it fails all the same.
 *
 * Threads: one.
 */
#ifndef CAAS_STORE_ANCHOR_TPM_H
#define CAAS_STORE_ANCHOR_TPM_H

#include "vsmd/store/anchor.h"
#include "vsmd/store/master.h"
#include "vsmd/store/sealer.h"

#define ANCHOR_ANSWER 20000 /* ms */
#define ANCHOR_AGAIN 1000   /* ms for the answer to a question of before */

struct anchor_tpm {
	int fd; /* the sealer's */
	const struct master *master;
	struct tpm_anchor *where;  /* in secmem */
	uint64_t asked;		   /* number of the last question */
	bool waiting;		   /* that one was not answered in time */
	int state;		   /* directory of an embedded TPM, or -1 */
	void (*failed)(void *arg); /* it is in failure mode; may be NULL */
	void *failed_arg;
	char name[TPM_MSG_NAME]; /* as the TPM names it */
};

/* Make `a` the anchor of the store that m is the key of, with `embedded` the directory of
 * the embedded TPM's state or NULL.  Before the store confines itself.  0, or -1 after a
 * line on the log. */
int anchor_tpm_init(struct anchor_tpm *t, struct anchor *a, const struct sealer *s,
    const struct master *m, const char *embedded);
void anchor_tpm_free(struct anchor_tpm *t);

/* In vsmd-tpm: serve one question.  *ret_tpm is kept from one to the next, NULL when
 * there is no connection.  False when it makes no sense. */
bool anchor_tpm_serve(
    const char *address, struct tpm **ret_tpm, struct buf *in, struct buf *out);

#endif
