/*
 * record.h - what a store process does to its disk and its TPM, call by call.
 *
 * Each call that changes the state directory or orders its changes, and each command to
 * the TPM, is a point: counted when it begins, written down when it is done.  At a point
 * the process can be made to end, or the call to fail.  The calls of the store come here
 * by the linker's --wrap (interpose.c); files of the memory directory are none of them.
 *
 * The record lies in memory that the harness shares with the store and with vsmd-tpm.
 * These wait for each other's answers, so what they write down is in order.
 */
#ifndef CRASH_RECORD_H
#define CRASH_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RECORD_NAME 32
#define RECORD_ENTRIES 16384
#define RECORD_DATA (64u << 20)
#define RECORD_NODES 1024 /* files and directories that one record knows */
#define RECORD_NV 128	  /* bytes of the fake TPM's state */

enum disk_call {
	CALL_CREATE,   /* node in dir, as name */
	CALL_WRITE,    /* node: data at off */
	CALL_TRUNCATE, /* node: to off bytes */
	CALL_SYNC,     /* node: a file */
	CALL_SYNC_DIR, /* node: a directory */
	CALL_RENAME,   /* node in dir, from name to `to` */
	CALL_UNLINK,   /* name in dir */
	CALL_MKDIR,    /* node in dir, as name */
	CALL_TPM,      /* a command that changed the TPM: data is its state */
	CALL_MARK      /* the harness: from here on what it expects has number off */
};

struct entry {
	enum disk_call call;
	bool failed; /* of a sync: it said so, and nobody knows what the disk has */
	uint32_t node, dir;
	char name[RECORD_NAME], to[RECORD_NAME];
	uint64_t off;
	size_t data, len;
};

struct record {
	/* The harness sets these. */
	uint32_t kill_at;      /* 0: never; the process ends before this point... */
	bool kill_torn;	       /* ... or, if it is a write, after the first half of it */
	uint32_t fail_at;      /* 0: never */
	uint32_t fail_count;   /* so many points from there on */
	int fail_errno;
	bool fail_late;	       /* a TPM's command is done, and fails; a write is half done */
	char state[256];       /* the state directory */
	char nv[256];	       /* the fake TPM's file; "": a TPM whose state is its own */

	uint32_t points; /* so far */
	uint32_t failed; /* so many of them failed */
	bool tpm_failed; /* one of them a command to the TPM */
	bool full;	 /* a record did not fit */
	uint32_t nentries;
	size_t ndata;
	struct entry entries[RECORD_ENTRIES];

	uint32_t nnodes; /* 0 is the state directory */
	struct {
		bool there, is_dir;
		uint32_t dir;
		char name[RECORD_NAME];
	} nodes[RECORD_NODES];

	uint8_t data[RECORD_DATA];
};

/* Shared with all processes that are forked from now on. */
extern struct record *record;

/* The memory for it; what cannot be had ends the program. */
void record_make(void);
/* Forget all, nothing fails and nobody is killed; the files are those of that directory now;
 * nv: the fake TPM's file, or "". */
void record_begin(const char *state, const char *nv);
/* What it expects from here on. */
void record_mark(uint32_t number);
/* A point.  True: the call is to fail, and errno says how. */
bool record_point(void);
/* In the store process: from now on its calls are recorded. */
void record_enter(void);

#endif
