/*
 * interpose.h - functions that SoftHSM2 calls and that this program answers first.
 *
 * libsofthsm2.so binds to the executable's definitions before those of libcrypto and
 * libc (the executable must be linked with ENABLE_EXPORTS):
 *
 *	RSA_generate_key_ex, EC_KEY_generate_key, ...  leave the gate while computing
 *	syslog and its kin                              our log, at debug level: a confined
 *	                                                process has no socket to syslog
 *
 * Each calls the real function, so a caller with nothing to do with a gate sees no
 * difference.  Threads: any.
 */
#ifndef CAAS_VSMD_INTERPOSE_H
#define CAAS_VSMD_INTERPOSE_H

#include <stdbool.h>

/* The function of that name that comes after this program's, into a pointer to one.  false:
 * there is none. */
bool interpose_find(const char *name, void *ret);
/* Find the real functions; once, before confinement. 0, or -1 after logging. */
int interpose_init(void);
/* How many key generations left the gate: for tests. */
unsigned interpose_generated(void);

#endif
