/*
 * restore.h - SoftHSM2's directories in memory, made from the store.
 *
 *	memory/slots/N/                 one slot; empty for the blank one
 *	memory/slots/N/<uuid>/          the token, as SoftHSM2 made it
 *	memory/gates/N                  the slot's gate (vsmd/worker/gate.h)
 *
 * Directories are 0700, files 0600.  Not stored, made anew: for each X.object an empty
 * X.lock (deleting a token's objects fails without), and `generation`, which SoftHSM2
 * makes itself.
 */
#ifndef CAAS_STORE_RESTORE_H
#define CAAS_STORE_RESTORE_H

#include <limits.h>

#include "vsmd/store/slots.h"

struct memory {
	const char *path; /* of the memory directory */
	int slots, gates; /* directories */
};

/* Open (and make) the directories below `path`, which must be on tmpfs, and remove what
 * an earlier run left there.  0, or -1 after a line on the log. */
int memory_open(struct memory *m, const char *path);
void memory_close(struct memory *m);
/* memory/slots/N, absolute or as `path` is; false when too long. */
bool memory_slot_path(
    const struct memory *m, const struct slot *slot, char path[PATH_MAX]);
/* Most bytes that a slot's path can have. */
size_t memory_slot_path_max(const struct memory *m);
/* The same for its token's directory. */
bool memory_token_path(
    const struct memory *m, const struct slot *slot, char path[PATH_MAX]);

/*
 * Make the slot's directory anew from the map: what is there is removed first.  The gate
 * file is made when there is none.  slot->dir is open afterwards when it has a token, no
 * name is dirty.  0, or -1 after a line on the log.
 */
int restore_slot(const struct memory *m, struct slot *slot, const struct map *map);
/* Remove the slot's directory and gate. */
void restore_remove(const struct memory *m, struct slot *slot);
/* Show the slot's epoch to its workers. */
void restore_epoch(const struct slot *slot);
/* Take the room alone: no writer is in it until restore_leave().  False: one is. */
bool restore_enter(const struct slot *slot);
void restore_leave(const struct slot *slot);
/* A worker died while it wrote: what is in the directory is not to be trusted.  Ask while
 * in the room. */
bool restore_broken(const struct slot *slot);
/* Open the token's directory (slot->directory) as slot->dir.  0, or -1 with errno. */
int restore_open_token(const struct memory *m, struct slot *slot);

#endif
