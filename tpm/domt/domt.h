/*
 * domt.h - a connection to DomT's TPM service, for the files of the back end.
 *
 * One question at a time, each answered or given up after DOMT_PATIENCE.  A connection that
 * broke while nothing was asked is made anew unnoticed, and so is one to a DomT that has come again
 * with another domid: a domain that is gone ends no channel.  One that breaks under a question is,
 * once, if the question may be asked twice.  Whoever was pinned, by a blob that was opened or by
 * tpm_pin(), is the only one that is spoken to from then on.
 *
 * Threads: one.
 */
#ifndef CAAS_TPM_DOMT_DOMT_H
#define CAAS_TPM_DOMT_DOMT_H

#include "tpm/backend.h"
#include "tpm/domt/blob.h"
#include "vchan-transport/transport.h"

/* Milliseconds for a question, connecting included: two of them, opening and asking, are less
 * than what the store waits for its anchor (vsmd/store/anchor_tpm.h). */
#define DOMT_PATIENCE 9000

struct domt {
	char *where; /* of the address, without the prefix */
	struct channel *channel;
	uint32_t domid; /* of DomT, whose channel it is; 0 where an address was given */
	struct domt_session *session;
	uint8_t identity[DOMT_IDENTITY]; /* whose session it is */
	uint8_t pinned[DOMT_IDENTITY];
	bool is_pinned;
	uint64_t number;  /* of the last question */
	struct buf plain; /* the last answer */
	struct buf own;	  /* a blob that was pinned to, and not opened since */
};

/* link.c */

/* Connected, in a session with the DomT that is pinned.  `deadline` as deadline_at() has it. */
enum tpm_result domt_connect(struct tpm *t, int64_t deadline);
void domt_disconnect(struct domt *d);
/*
 * Ask; q->number is set here.  TPM_OK: *ret borrows until the next question.  Otherwise
 * tpm_fail() was called, with what DomT says where it answered.
 */
enum tpm_result domt_ask(struct tpm *t, struct domt_question *q, struct domt_answer *ret);
/* No other than this one from now on.  TPM_FOREIGN: the one that is connected is another. */
enum tpm_result domt_pin_to(struct tpm *t, const uint8_t identity[DOMT_IDENTITY]);

/* seal.c: of struct tpm_backend */
enum tpm_result domt_seal(struct tpm *t, const struct tpm_policy *p, const void *secret,
    size_t len, struct buf *b);
enum tpm_result domt_unseal(struct tpm *t, const void *blob, size_t blob_len,
    const char *approvals, void *secret, size_t size, size_t *ret_len, int *ret_updated);
enum tpm_result domt_pin(struct tpm *t, const void *blob, size_t blob_len);
/* The digest of the image that this domain was built from. */
enum tpm_result domt_image(struct tpm *t, uint8_t ret[DOMT_DIGEST]);

#endif
