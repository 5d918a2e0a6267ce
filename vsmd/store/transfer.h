/*
 * transfer.h - backups on their way to or from an administrator, in parts.
 *
 * A message holds less than a backup, so one is made or gathered here and named by a
 * handle.  A transfer belongs to the pipe that began it and ends with it.
 */
#ifndef CAAS_STORE_TRANSFER_H
#define CAAS_STORE_TRANSFER_H

#include "common/buf.h"

#define TRANSFERS_MAX 4
#define TRANSFER_PART (48 * 1024) /* most bytes of one part */

struct attach;

struct transfer {
	const struct attach *owner; /* NULL: free */
	uint32_t handle;
	bool restore;
	size_t size; /* restore: what was announced */
	struct buf data;
};

struct transfers {
	struct transfer all[TRANSFERS_MAX];
	uint32_t last; /* handle */
};

void transfers_init(struct transfers *t, size_t max);
/* NULL when too many are under way. */
struct transfer *transfer_begin(
    struct transfers *t, const struct attach *owner, bool restore);
/* One of this owner and direction, or NULL. */
struct transfer *transfer_find(
    struct transfers *t, const struct attach *owner, bool restore, uint64_t handle);
void transfer_end(struct transfer *t);
/* End all of one owner; of all when it is NULL. */
void transfers_end(struct transfers *t, const struct attach *owner);

#endif
