/*
 * registers.h - a simulated TPM behind its registers, for the tests of tpm/tis/.
 *
 * It keeps the protocol, and checks that the other side does: what may not be written
 * fails the test.  A fault breaks it in one way.  Its clock goes on when it is looked at,
 * and by every pause; nobody waits.
 */
#ifndef CAAS_TESTS_TPM_REGISTERS_H
#define CAAS_TESTS_TPM_REGISTERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tpm/tis/tis.h"

enum fault {
	SOUND,
	NOBODY,	       /* all ones */
	ZEROS,	       /* all zeros */
	NEVER_READY,   /* for a command */
	NO_ROOM,       /* the burst count stays 0 while a command is written */
	NO_BYTES,      /* and while a response is read */
	NEVER_VALID,   /* the status */
	WANTS_MORE,    /* expects bytes after the last */
	WANTS_LESS,    /* expects none before the last */
	NEVER_ANSWERS,
	LONGER,	       /* more bytes than the response announced */
	SHORTER,       /* fewer */
	SHORT_ONCE,    /* fewer, but for the second time */
	TINY,	       /* announces fewer bytes than a header has */
	HUGE_,	       /* announces four gigabytes */
	NOISE	       /* any value at any time */
};

enum phase { PHASE_IDLE, PHASE_READY, PHASE_RECEPTION, PHASE_EXECUTION, PHASE_COMPLETION };

struct registers {
	enum fault fault;
	int64_t us;		  /* the clock */
	int64_t others_until;	  /* ms: another locality holds the TPM up to then */
	int64_t takes;		  /* ms that a command takes */
	unsigned burst;		  /* bytes at a time */
	unsigned seize_after;	  /* looks at a register until another takes it; 0: never */
	bool tpm12;
	bool plausible;		  /* the status of a locality that is not active */
	bool others_inside;	  /* another process is at it */

	bool active, seized, requested, canceled;
	enum phase phase;
	int64_t done_at;	  /* ms */
	uint8_t command[TIS_MAX], response[TIS_MAX + 16];
	size_t command_len, response_len, at;
	uint32_t code;		  /* of the responses */
	unsigned looks, commands, retries, entered, left;
	uint32_t seed;
};

extern const struct tis_ops registers_ops;

/* A sound one, which answers each command with its bytes behind a header of its own. */
void registers_init(struct registers *r);
/* A command of `len` bytes. */
void registers_command(uint8_t *p, size_t len);

#endif
