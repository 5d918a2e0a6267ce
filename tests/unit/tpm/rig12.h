/*
 * rig12.h - a TPM 1.2 for the tests: swtpm, tcsd before it, ownership taken.
 *
 * tcsd wants to be started by root.  Threads: one.
 */
#ifndef CAAS_TESTS_TPM_RIG12_H
#define CAAS_TESTS_TPM_RIG12_H

#include "rig.h"

struct rig12 {
	char dir[64];
	char address[64]; /* for tpm_open() */
	unsigned tpm_port, tcsd_port;
	pid_t swtpm, tcsd;
};

/* NULL, or why a TPM 1.2 cannot be had here. */
const char *rig12_missing(void);
/* A new one; `owned`: tpm_takeownership with well-known secrets. */
void rig12_start(struct rig12 *r, int owned);
void rig12_stop_tcsd(struct rig12 *r);
void rig12_start_tcsd(struct rig12 *r);
/* Set the locality of commands to come. */
void rig12_locality(const struct rig12 *r, uint8_t locality);
void rig12_free(struct rig12 *r);

#endif
