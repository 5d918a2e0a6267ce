/*
 * seen.h - numbers in SoftHSM2's files that cannot have changed since they were read.
 *
 * Before it uses an object SoftHSM2 opens the token's generation and the object's file, to
 * see whether a number in them is still the one it knows.  What was read once holds until
 * a process of the token opens one of them to write, which is counted in memory that all
 * share.  Whoever writes holds the gate EXCLUSIVE, whoever reads SHARED.
 *
 * Threads: any.  Fork: a child has what its parent knew.
 */
#ifndef CAAS_VSMD_WORKER_SEEN_H
#define CAAS_VSMD_WORKER_SEEN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SEEN_NAME 16

/* Forget all; `changes` is the count, NULL for none: then nothing is ever known. */
void seen_start(_Atomic uint64_t *changes);
/* A file is being written. */
void seen_changed(void);
/* To be taken before a file is opened to be read, and given with what was read. */
uint64_t seen_now(void);
void seen_set(const uint8_t name[SEEN_NAME], uint64_t number, uint64_t now);
bool seen_get(const uint8_t name[SEEN_NAME], uint64_t *ret);

#endif
