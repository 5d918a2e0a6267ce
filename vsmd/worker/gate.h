/*
 * gate.h - the readers-writer gate around the files of one token.
 *
 * SoftHSM2 truncates a file before it locks it; another process that reads it then takes
 * the token for gone.  So whoever reads the token's files holds the gate SHARED, whoever
 * writes them EXCLUSIVE: each thread by file locks on a descriptor of its own, so that
 * the kernel releases what a killed holder held.
 *
 * The gate file, memory/gates/N, is mapped by all:
 *
 *	0    u64  epoch of the store; the store alone writes it, with pwrite(2)
 *	64   the door: byte range for F_OFD_SETLK, no content
 *	65   who adds to the index (index.h): the same
 *	72   u32  writers that wait; while not 0, readers queue behind them at the door
 *	76   u32  pid that is writing, 0 for none.  Whoever finds it set while it holds the
 *	          gate: that writer died half way, the files are not to be trusted
 *	80   u32  generation of the PINs: SoftHSM2 reads them once per process
 *	84   u32  objects of the token.  The store writes it when it makes the directory; from
 *	          then on who changes their number, and holds the gate EXCLUSIVE
 *	65536 u32 how many objects were made by requests with a name (FRAME_ONCE) that the
 *	          store has not taken yet; at 65600 so many struct gate_made.  Written by who
 *	          holds the gate EXCLUSIVE, together with the object's files; taken by the
 *	          store, alone in the room, together with them
 *	131072 quota buckets (quota.h); of their pages only those are there that are used
 *
 * The store takes the room alone: flock(LOCK_SH | LOCK_NB) on the file.
 *
 * Threads: a struct gate belongs to one thread; the file is for all.  Fork: a child opens
 * gates of its own and may keep the file (its mapping).
 */
#ifndef CAAS_VSMD_GATE_H
#define CAAS_VSMD_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "protocol/calls.h"

#define GATE_SIZE (GATE_QUOTA + GATE_QUOTA_SIZE)
#define GATE_DOOR 64
#define GATE_INDEX 65
#define GATE_MADE 65536
#define GATE_MADE_FIRST (GATE_MADE + 64)
#define GATE_MADE_MAX 1023 /* one more is not named: it would be made again */
#define GATE_QUOTA 131072
#define GATE_QUOTA_SIZE (4096 + (8 << 20))

struct gate_shared {
	_Atomic uint64_t epoch;
	uint8_t reserved[64];
	_Atomic uint32_t waiting;
	_Atomic uint32_t writing;
	_Atomic uint32_t pins;
	_Atomic uint32_t objects;
};

/* What a request has made. */
struct gate_made {
	uint8_t once[16];
	uint8_t id[2][16]; /* identities (protocol/message.h) */
	uint32_t n;        /* of them */
	uint8_t zero[12];
};

struct gate_file {
	const char *path;
	struct gate_shared *shared;
	atomic_int writers;  /* threads of this process inside, or on their way in */
	atomic_bool closing; /* no thread of this process may start to write */
};

struct gate {
	struct gate_file *file;
	int fd;
	uint32_t pid;
	enum call_gate held;
	enum call_gate paused; /* what gate_resume() takes again */
};

/* Map the file (made when missing).  0, or -1 with errno. */
int gate_file_open(struct gate_file *f, const char *path);
void gate_file_close(struct gate_file *f);
uint64_t gate_epoch(const struct gate_file *f);
/* The generation of the PINs; and: this process changed one, which makes a new one. */
uint32_t gate_pins(const struct gate_file *f);
uint32_t gate_pins_changed(struct gate_file *f);

/* This thread's descriptor.  0, or -1 with errno. */
int gate_open(struct gate *g, struct gate_file *f);
void gate_close(struct gate *g);

/* Pass the gate, which this thread must not hold.  gate_try() does not wait. GATE_NONE is
 * always free. */
bool gate_try(struct gate *g, enum call_gate mode);
void gate_enter(struct gate *g, enum call_gate mode);
void gate_leave(struct gate *g);
/* A writer died while it wrote: ask while holding the gate. */
bool gate_broken(const struct gate *g);

/* How many objects the token has; while holding the gate EXCLUSIVE: so many more, or fewer. */
uint32_t gate_objects(const struct gate_file *f);
void gate_objects_add(struct gate *g, int n);

/* While holding it EXCLUSIVE: what the request made, for the store. */
void gate_made(struct gate *g, const struct gate_made *made);

/* One at a time of those that hold the gate SHARED. */
void gate_index_lock(struct gate *g);
void gate_index_unlock(struct gate *g);

/* Before the process ends: no thread of it starts to write any more (one that tries never
 * returns); and: wait up to `ms` for those that do.  False when one still does. */
void gate_shut(struct gate_file *f);
bool gate_drain(struct gate_file *f, int ms);

/* For the long computation inside a call that holds the gate (interpose.c): give back
 * what this thread holds, take it again.  Nothing happens in a thread without a gate. */
void gate_pause(void);
void gate_resume(void);

#endif
