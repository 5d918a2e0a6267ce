/*
 * serve.h - a crypto domain's question becomes an answer.
 *
 * Questions come in rounds: serve_begin(), serve_one() for each that is there, serve_end().  What
 * a round changes is written and anchored once, by serve_end(), and what was answered may be told
 * only when that has succeeded.  A round that changed nothing but told what DomT keeps asks the
 * TPM whether it is still the last state: no second DomT on a copy of the disk answers.
 *
 * Who asks is a pair, and the image that its domain was built of; nothing in a question says so.
 *
 * Threads: one.
 */
#ifndef CAAS_TPMD_SERVE_H
#define CAAS_TPMD_SERVE_H

#include "tpm/domt/message.h"
#include "xen-hooks/tpmd/control.h"
#include "xen-hooks/tpmd/ledger.h"
#include "xen-hooks/tpmd/root.h"

struct service {
	struct ledger *ledger;
	const uint8_t *wrap;	 /* key of the blobs */
	const uint8_t *identity; /* the public half */
	/* 32 bytes of the TPM's generator. */
	enum tpm_result (*random)(void *arg, uint8_t ret[32], char why[LEDGER_WHY]);
	void *random_arg;

	/* of this round */
	bool told;		 /* of what is kept */
	bool drawn;		 /* seed is the TPM's */
	uint8_t seed[32];
};

/* -1: what became of an earlier round is not known, and the TPM does not say: ledger->why.  Then
 * nothing is asked. */
int serve_begin(struct service *s);
/* a->bytes borrows from `bytes`, which is the caller's to free. */
void serve_one(struct service *s, const struct control_pair *who, const struct domt_question *q,
    struct domt_answer *a, struct buf *bytes);
/* -1: no answer of this round holds (ledger->why). */
int serve_end(struct service *s);
/* What is kept for a pair is no more: a change of its own, outside of rounds.  *ret_removed: so
 * many rows were there.  -1: they are there as before, or nobody knows (ledger->why). */
int serve_forget(struct service *s, const char *pair, size_t *ret_removed);

#endif
