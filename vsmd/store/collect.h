/*
 * collect.h - what changed in a token's directory, as changes to the map.
 *
 * To be called in the room (restore_enter()).  Reads only names that are dirty, or all
 * when events were lost or the token is new.
 */
#ifndef CAAS_STORE_COLLECT_H
#define CAAS_STORE_COLLECT_H

#include "protocol/pkcs11.h"
#include "vsmd/store/restore.h"

#define COLLECT_FILE_MAX (1u << 20) /* bytes of one file */
#define COLLECT_FILES_MAX 200000    /* files of one token */
#define COLLECT_BYTES_MAX (60u << 20) /* and their bytes: a backup (BACKUP_MAX) holds it */
#define COLLECT_EACH 96		    /* what a file counts for beside its bytes */

/* Find the directory that C_InitToken made on a blank slot: slot->directory and
 * slot->dir. CKR_OK also when there is none (directory stays ""). */
CK_RV collect_adopt(const struct memory *m, struct slot *slot);
/* Nothing but its token's directory stands in the slot. */
bool collect_alone(const struct memory *m, const struct slot *slot);
/* Append the changes to t; the slot's dirty names are taken, slot->growth is set.
 * Anything but CKR_OK: what is in the directory cannot be stored; CKR_DEVICE_MEMORY: the
 * token has grown too large. */
CK_RV collect(struct slot *slot, const struct map *map, struct txn *t);

#endif
