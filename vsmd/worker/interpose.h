/*
 * interpose.h - functions that SoftHSM2 calls and that this program answers first.
 *
 * libsofthsm2.so binds to the executable's definitions before those of libcrypto and
 * libc (the executable must be linked with ENABLE_EXPORTS):
 *
 *	RSA_generate_key_ex, EC_KEY_generate_key, ...  leave the gate while computing
 *	syslog and its kin                              our log, at debug level: a confined
 *	                                                process has no socket to syslog
 *	RSA_set0_key, BN_mod_exp                        a number that is not there is 0, or an
 *	                                                error: of keys whose modulus or prime is
 *	                                                empty, SoftHSM2 passes on NULL
 *	exit                                            ends a worker at once: SoftHSM2 calls
 *	                                                it after an exception, and what exit(3)
 *	                                                destroys, other threads still use
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
/* From now on exit(3) is _exit(2) in this process, after a line in the log. */
void interpose_exit_at_once(void);
/* How many key generations left the gate: for tests. */
unsigned interpose_generated(void);

#endif
