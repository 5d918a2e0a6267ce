/*
 * disk.h - what a disk may hold when the power goes: a record replayed, as far as is sure.
 *
 * What is assumed of a file system, and no more:
 *
 *   - a file's bytes and its length are sure once a sync of the file has returned 0; before
 *     that each write and truncation is there, or not, or in part, whatever came before
 *     or after it;
 *   - a name (made, renamed, removed) is sure once a sync of its directory has returned 0;
 *     before that each change is there or not, in any combination, and a renamed file may
 *     have both names.  A sync of the file says nothing of its name;
 *   - after a sync that failed, the writes that it was about may be lost for ever, whatever
 *     later syncs say.
 *
 * The TPM is sure of a command once that has returned.
 */
#ifndef CRASH_DISK_H
#define CRASH_DISK_H

#include "record.h"

#define DISK_FILES 32
#define DISK_PENDING 256

/* A directory as it is found after the power has gone. */
struct disk_file {
	char name[2 * RECORD_NAME]; /* below the state directory */
	bool is_dir;
	uint8_t *data; /* the tree's */
	size_t len;
};
struct disk_tree {
	struct disk_file files[DISK_FILES];
	size_t n;
	uint8_t nv[RECORD_NV]; /* the TPM then */
	size_t nv_len;
};

void disk_free(struct disk_tree *t);
void disk_copy(struct disk_tree *to, const struct disk_tree *from);
/* What is there; nv: the fake TPM's file, or NULL. */
void disk_read(struct disk_tree *t, const char *state, const char *nv);
/* Make that directory, and the TPM's file, so. */
void disk_write(const struct disk_tree *t, const char *state, const char *nv);
bool disk_equal(const struct disk_tree *a, const struct disk_tree *b);
uint64_t disk_hash(const struct disk_tree *t);
const struct disk_file *disk_find(const struct disk_tree *t, const char *name);

/* A write or a change of a name that is not sure. */
struct pending {
	const struct entry *e;
	bool lost; /* a sync failed: later ones do not help */
};

struct node {
	bool is_dir;
	uint8_t *data; /* what is sure */
	size_t len, room;
};
struct name {
	uint32_t dir, node; /* node 0: it is removed */
	char name[RECORD_NAME];
};

struct disk {
	const uint8_t *data; /* the record's */
	struct node nodes[RECORD_NODES];
	struct name names[RECORD_NODES]; /* that are sure */
	size_t nnames;
	struct pending pending[DISK_PENDING];
	size_t npending;
	uint8_t nv[RECORD_NV];
	size_t nv_len;
};

/* How a pending change is met after the power has gone.  For names KEPT, LOST and, of a
 * rename, HALF: both names. */
enum fate { KEPT, LOST, HALF, TAIL, ZEROS, FATES };

/* The disk is as the tree is; the record's data are at `data`. */
void disk_begin(struct disk *d, const struct disk_tree *t, const uint8_t *data);
void disk_end(struct disk *d);
/* One entry of the record has been done.  False: there is no room for it. */
bool disk_step(struct disk *d, const struct entry *e);
/* How many fates that change can have. */
unsigned disk_fates(const struct disk *d, size_t i);
/* What is found when each pending change had that fate. */
void disk_find_after(const struct disk *d, const uint8_t *fates, struct disk_tree *ret);

#endif
