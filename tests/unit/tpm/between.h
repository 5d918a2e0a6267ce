/*
 * between.h - somebody who stands between vsmd and a swtpm, and lies.
 *
 * A process that forwards each command and answer, and does as the test says: answers a
 * command by an older answer, or keeps one back and delivers it later.
 */
#ifndef CAAS_TESTS_TPM_BETWEEN_H
#define CAAS_TESTS_TPM_BETWEEN_H

#include "rig.h"

/* What the test says; command codes, 0: nothing. */
struct between_orders {
	volatile uint32_t replay; /* answer these as the last one before */
	volatile uint32_t hold;	  /* keep the next of these back, and say that it failed */
	volatile uint32_t deliver; /* 1: deliver what was kept back, then 0 */
	volatile uint32_t replayed, held;
	volatile uint32_t result; /* of what was delivered: the TPM's code */
};

struct between {
	char dir[64], address[160];
	pid_t pid;
	struct between_orders *orders; /* shared with the process */
};

void between_start(struct between *b, const struct rig *r);
void between_free(struct between *b);

#endif
