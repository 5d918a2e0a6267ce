/*
 * nursery.h - the process that has SoftHSM2 ready, and forks workers from it.
 *
 * One per slot.  It loads SoftHSM2 on the slot's directory, initialises it, confines
 * itself to what a worker may ever need, says M_N_READY, and forks a worker for each
 * M_N_ATTACH.  It never reads a guest's bytes.  It ends with its supervisor, and its
 * workers end with it.
 */
#ifndef CAAS_VSMD_NURSERY_H
#define CAAS_VSMD_NURSERY_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/hello.h"
#include "vsmd/metrics/counters.h"

#ifndef NURSERY_BIG /* objects; a build with 0 tests what is seen in part */
#define NURSERY_BIG 1000
#endif
#ifndef NURSERY_RETIRE /* bytes; a build with less tests what is done by the next worker */
#define NURSERY_RETIRE (12u << 20)
#endif

struct nursery_config {
	uint32_t slot;
	const char *library;   /* path of libsofthsm2.so */
	const char *directory; /* memory/slots/N */
	const char *gate;      /* memory/gates/N */
	unsigned threads;      /* most concurrent calls in a worker */
	unsigned big;          /* with so many objects the token is not read as a whole */
	unsigned retire;       /* bytes that a worker loses before it is replaced (retire.h); 0: any */
	unsigned max_sessions; /* most sessions of one application on this token */
	unsigned max_objects;  /* most objects of the token; 0: no limit */
	unsigned max_memory;   /* MiB of one application; 0: a default */
	struct counters *counters; /* where workers count, or NULL */
	bool shared_memory;    /* may be offered to guests (shm.h) */
	uint8_t instance[HELLO_APP_LEN]; /* of this vsmd, for the answer to the hello */
};

/* Run until the supervisor is gone.  Returns the exit status. */
int nursery_main(int supervisor, const struct nursery_config *config);

#endif
