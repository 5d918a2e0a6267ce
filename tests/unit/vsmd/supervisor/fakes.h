/*
 * fakes.h - what stands in for the supervisor's children.
 *
 * The fake store tells of slot 1 (token "tok"), slot 2 (token "other") and slot 7 (none).
 * Signals make it act:
 *	SIGUSR1  M_T_DISCARD of slot 1; after M_S_DISCARDED the slots come again
 *	SIGUSR2  slot 7 becomes the token "new"
 *	SIGWINCH a malformed message
 * The fake nursery forks a worker per attach.  The worker answers the hello with its pid
 * in `silence` and the nursery's in `max_frame`, then acts on the bytes it reads:
 *	'S' dies of SIGSYS, 'K' kills its nursery, 'B' echoes one byte
 * The fake admin answers the hello and sends the supervisor's status.
 * The fake vchan's guest asks for the slots, and it logs the answer.
 * Files in the state directory change what they do: see fakes.c.
 */
#ifndef CAAS_TESTS_SUPERVISOR_FAKES_H
#define CAAS_TESTS_SUPERVISOR_FAKES_H

#define FAKE_SLOT 1
#define FAKE_OTHER 2
#define FAKE_EMPTY 7

/* Files that the fakes look for in the state directory. */
#define FAKE_STORE_FAILS "store-fails"	   /* the store does not open */
#define FAKE_STORE_SEED "store-seed"	   /* its M_T_SEED is a byte too short */
#define FAKE_NURSERY_FAILS "nursery-fails" /* nurseries end before they are ready */
#define FAKE_NURSERY_HANGS "nursery-hangs" /* they say nothing at all */
/* In the path of a vchan's address. */
#define FAKE_VCHAN_FAILS "fails"   /* nobody comes to listen */
#define FAKE_VCHAN_BREACH "breach" /* a channel without a descriptor */

#endif
