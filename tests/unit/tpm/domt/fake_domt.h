/*
 * fake_domt.h - a DomT that answers at an address, in a thread, and can misbehave.
 *
 * It keeps what it seals in its memory; "image" and "pair" are one each.  What goes wrong is
 * set for the next questions and happens as often as it says.
 *
 * Threads: fake_domt_stop() waits for the thread; the fields may be set while nobody asks.
 */
#ifndef CAAS_TEST_FAKE_DOMT_H
#define CAAS_TEST_FAKE_DOMT_H

#include <pthread.h>
#include <stdatomic.h>

#include "tpm/domt/session.h"

enum fault {
	FAKE_FINE,
	FAKE_HANGS,    /* answers nothing */
	FAKE_CLOSES,   /* ends the connection, before it does what it was asked */
	FAKE_DOES_AND_CLOSES,
	FAKE_GARBLES,  /* a bit of its answer */
	FAKE_CUTS,     /* half of its answer, then the end */
	FAKE_LONG,     /* a frame longer than there are */
	FAKE_NUMBER,   /* answers another question */
	FAKE_SHORT,    /* fewer random bytes */
	FAKE_NAMES,    /* a blob that names another DomT */
	FAKE_REF       /* a blob for something else */
};

#define FAKE_KEPT 8

struct fake_kept {
	char ref[TPM_REF_MAX + 1];
	uint8_t secret[TPM_KEY_MAX];
	size_t len;
	uint8_t image;
	char authority[64]; /* how it began */
};

struct fake_domt {
	uint8_t identity_secret[DOMT_IDENTITY];
	uint8_t image; /* its digest is 32 of these */
	enum fault fault;
	unsigned times; /* that the fault happens */
	enum tpm_result refuse; /* every question, but for the image's digest */
	const char *why;
	bool dead_at_begin; /* hangs before its first frame */

	/* What was seen. */
	atomic_uint sessions, questions[DOMT_WHATS];
	size_t napprovals;
	char approval[1024]; /* the first of the last question */

	struct fake_kept kept[FAKE_KEPT];
	size_t nkept;
	struct tpm_anchor_value anchor;
	uint8_t anchor_secret[TPM_ANCHOR_LEN];
	bool anchored;

	pthread_t thread;
	int stop[2];
	struct listener *listener;
};

/* Start it at that address. */
void fake_domt_start(struct fake_domt *f, const char *address);
void fake_domt_stop(struct fake_domt *f);

#endif
