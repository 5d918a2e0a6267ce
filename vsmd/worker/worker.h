/*
 * worker.h - one application on one token.
 *
 * Forked by the nursery with SoftHSM2 initialised; serves the guest's channel until it
 * closes.  A breach of protocol, of seccomp, or a discard of the token ends the process;
 * nobody else feels it.
 */
#ifndef CAAS_VSMD_WORKER_H
#define CAAS_VSMD_WORKER_H

#include "protocol/hello.h"
#include "vsmd/nursery/nursery.h"
#include "vsmd/policy/grant.h"

struct worker_config {
	const struct nursery_config *nursery;
	CK_FUNCTION_LIST *backend; /* SoftHSM2, initialised */
	struct hello_ask hello;
	struct grant grant;
	int channel; /* the guest, a stream descriptor */
	int store;   /* ipc pipe to the store */
	struct index *index; /* of the token, shared by its workers; or NULL */
	unsigned cell; /* its own of nursery->counters */
	uint32_t pins; /* generation of the PINs that SoftHSM2 has read (gate.h) */
};

/* Before the fork: what all workers need alike. 0, or -1 after logging. */
int worker_prepare(void);
/* Serve; returns the exit status. */
int worker_main(const struct worker_config *config);

#endif
