/*
 * tis.h - a TPM behind a page of registers: the FIFO interface of the TCG's PC Client
 * specifications (TIS 1.3 for TPM 1.2, the Platform TPM Profile for TPM 2.0).
 *
 * Each locality has a page of its own, so whoever maps a page speaks at its locality and
 * at no other.  The localities take turns: one is active, the others ask.  A locality is
 * held here from tis_send() until the response was read, or tis_end(), and for no longer;
 * no other's is ever seized.
 *
 * Registers are reached by `ops`, which is the page of a real TPM (page.h), or a test's.
 * What is read from them may be anything: every wait ends, and no length is believed.
 *
 * Errors: enum tis_result; after any but TIS_LATER the locality was given back.
 * Threads: one for each struct tis.  Commands and responses are the caller's to wipe.
 */
#ifndef CAAS_TPM_TIS_H
#define CAAS_TPM_TIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIS_HEADER 10	/* bytes: tag, size, code */
#define TIS_MAX	   4096 /* bytes of a command or a response */

/* Registers, from the beginning of the page. */
enum {
	TIS_ACCESS = 0x00,
	TIS_STS = 0x18, /* status in the first byte, burst count in the next two */
	TIS_FIFO = 0x24,
	TIS_DID_VID = 0xf00
};
/* TIS_ACCESS */
enum {
	TIS_VALID = 0x80,
	TIS_NEVER_ACCESS = 0x40, /* reserved: 0 */
	TIS_ACTIVE = 0x20,	 /* written: give it back, or no longer ask for it */
	TIS_SEIZED = 0x10,
	TIS_REQUEST = 0x02
};
/* TIS_STS */
enum {
	TIS_STS_VALID = 0x80,
	TIS_READY = 0x40,
	TIS_GO = 0x20,
	TIS_DATA = 0x10,
	TIS_EXPECT = 0x08,
	TIS_RETRY = 0x02,
	TIS_NEVER_STS = 0x01, /* reserved: 0 */
	TIS_CANCEL = 0x01,    /* in the fourth byte, TPM 2.0 */
	TIS_FAMILY = 0x0c,    /* in the fourth byte */
	TIS_FAMILY_2 = 0x04
};

enum tis_result {
	TIS_OK = 0,
	TIS_LATER,    /* no response yet */
	TIS_ABSENT,   /* there is no TPM behind this page */
	TIS_BUSY,     /* another locality, or process, did not give it back in time */
	TIS_TAKEN,    /* another locality seized the TPM meanwhile */
	TIS_TIMEOUT,  /* the TPM did not do in time what it has to */
	TIS_CANCELED, /* the command was given up */
	TIS_BROKEN,   /* registers that contradict the protocol or themselves */
	TIS_TOO_BIG,  /* the response does not fit the caller's room */
	TIS_BAD_COMMAND /* its length is not what its header says, or out of range */
};

struct tis_ops {
	uint8_t (*read8)(void *arg, unsigned reg);
	uint32_t (*read32)(void *arg, unsigned reg);
	void (*write8)(void *arg, unsigned reg, uint8_t value);
	int64_t (*now)(void *arg); /* ms of a clock that is not set */
	void (*pause)(void *arg, unsigned us);
	/* Other processes with the same page: false when one is at it.  May be NULL. */
	bool (*enter)(void *arg);
	void (*leave)(void *arg);
};

struct tis {
	const struct tis_ops *ops;
	void *arg;
	bool entered, held; /* among the processes, among the localities */
	bool tpm2;	    /* of the command under way */
	int64_t until;	    /* when the response has to be there */
};

/* Nothing is read or written yet. */
void tis_init(struct tis *t, const struct tis_ops *ops, void *arg);
/* Is there a TPM?  TIS_OK or TIS_ABSENT. */
enum tis_result tis_probe(struct tis *t);
/*
 * Take the locality, waiting for at most `patience` ms for others to give it back, and
 * have the TPM begin with a command.
 */
enum tis_result tis_send(
    struct tis *t, const uint8_t *command, size_t len, int64_t patience);
/*
 * Wait until the response is there.  TIS_LATER after `timeout` ms; with -1 it is waited
 * for as long as a command may take (five minutes), then TIS_TIMEOUT.
 */
enum tis_result tis_wait(struct tis *t, int64_t timeout);
/* Read it, `size` bytes at most, and give the locality back. */
enum tis_result tis_receive(struct tis *t, uint8_t *response, size_t size, size_t *ret_len);
/*
 * Ask the TPM to stop: the command under way is then answered with TPM_RC_CANCELED or, if
 * it was too late, as ever (TPM 2.0); or there is no response any more (TPM 1.2,
 * TIS_CANCELED).
 */
enum tis_result tis_cancel(struct tis *t);
/* Give up what is under way, and the locality. */
void tis_end(struct tis *t);

/* All of it: send, wait, receive. */
enum tis_result tis_exchange(struct tis *t, const uint8_t *command, size_t len,
    int64_t patience, uint8_t *response, size_t size, size_t *ret_len);

/* The size that a header announces. */
size_t tis_size(const uint8_t header[TIS_HEADER]);
/* What happened, and what to do. */
const char *tis_text(enum tis_result r);

#endif
