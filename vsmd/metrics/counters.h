/*
 * counters.h - what the workers of one slot have done: numbers in memory that they share.
 *
 * The supervisor makes the memory, one for each slot, and hands it to the slot's nursery;
 * workers inherit the mapping.  They add to it; the supervisor reads a copy, and never maps it:
 * what they do to its pages is no matter.
 * Workers of one token can spoil each other's numbers, and nobody else's: what is read is
 * copied first, never followed, and sums stay at their largest where they would turn over.
 *
 * Numbers are kept in several shards, so that workers seldom write the same line of the
 * cache.  Each worker has a cell, which its nursery gives it, for what is not a sum.
 *
 * A null pointer counts nothing.
 *
 * Threads and processes: any, without locks.  Fork: the mapping is inherited.
 */
#ifndef CAAS_VSMD_COUNTERS_H
#define CAAS_VSMD_COUNTERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/buf.h"
#include "common/loglimit.h"
#include "protocol/calls.h"

#define COUNTERS_CLASSES (CLASS_INIT + 1)
#define COUNTERS_BOUNDS 15
#define COUNTERS_BUCKETS (COUNTERS_BOUNDS + 1) /* and one for all that is longer */
#define COUNTERS_SHARDS 4
#define COUNTERS_CELLS 1024 /* a worker beyond them has none */
#define COUNTERS_NO_CELL COUNTERS_CELLS

/* Beside requests. */
enum counter { COUNTER_QUOTA, COUNTER_POLICY, COUNTER_WRONG_PINS, COUNTER_COUNT };

/* Upper bounds of the buckets, in ns. */
extern const uint64_t counters_bounds[COUNTERS_BOUNDS];

struct counters_time {
	_Atomic uint64_t buckets[COUNTERS_BUCKETS];
	_Atomic uint64_t sum; /* ns */
};

struct counters_shard {
	struct {
		struct counters_time queue, execution;
		_Atomic uint64_t failed; /* of them: answered with another code than CKR_OK */
	} classes[COUNTERS_CLASSES];
	_Atomic uint64_t others[COUNTER_COUNT];
} __attribute__((aligned(64)));

struct counters_cell {
	_Atomic uint32_t pid; /* 0: free */
	_Atomic uint32_t sessions;
};

struct counters {
	struct counters_shard shards[COUNTERS_SHARDS];
	struct counters_cell cells[COUNTERS_CELLS];
	struct log_limit log; /* of the lines that they write: one lives too short to limit them */
};

/* The memory.  A descriptor, or -1 with errno. */
int counters_make(void);
/* To be written.  NULL with errno. */
struct counters *counters_map(int fd);

/* The nursery's part.  COUNTERS_NO_CELL when there is none left; the child's pid is told when
 * it is known. */
unsigned counters_cell_take(struct counters *c);
void counters_cell_is(struct counters *c, unsigned cell, pid_t pid);
void counters_cell_free(struct counters *c, pid_t pid);
/* No worker of the slot lives. */
void counters_cells_clear(struct counters *c);

/* The worker's part; `cell` tells the shard too. */
void counters_request(struct counters *c, unsigned cell, enum call_class class,
    uint64_t queue_ns, uint64_t execution_ns, bool failed);
void counters_add(struct counters *c, unsigned cell, enum counter which);
void counters_sessions(struct counters *c, unsigned cell, size_t n);

/* The reader's part, on a copy; all zeros when there is none to be had (fd -1). */
void counters_copy(int fd, struct counters *ret);

struct counters_sum {
	struct {
		uint64_t queue[COUNTERS_BUCKETS], execution[COUNTERS_BUCKETS];
		uint64_t queue_sum, execution_sum, failed;
	} classes[COUNTERS_CLASSES];
	uint64_t others[COUNTER_COUNT];
};

void counters_read(const struct counters *c, struct counters_sum *ret);
/* Sessions of the worker, at most `max`; 0 when it has no cell. */
uint32_t counters_sessions_of(const struct counters *c, pid_t pid, uint32_t max);
/* a + b, or the largest number. */
uint64_t counters_plus(uint64_t a, uint64_t b);

/* Between processes.  Classes in which nothing was counted are left out. */
void counters_sum_write(struct buf *b, const struct counters_sum *sum);
bool counters_sum_read(struct buf *b, struct counters_sum *ret);

#endif
