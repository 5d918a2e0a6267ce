/*
 * slots.h - the slots: which there are, what each holds, where it stands in memory.
 *
 * A slot has a number that is never used again.  There is always one without a token (the
 * blank slot) unless SLOTS_MAX is reached; when C_InitToken makes a token on it, it keeps
 * its number and a new blank slot is made.
 *
 * In the map:
 *	slots/next              u32: no token had this number or a higher one
 *	slot/N/meta             str label, str serial, str directory
 *	slot/N/rolled-back      empty: refused until its SO has accepted it
 *	slot/N/file/NAME        a file of SoftHSM2's token directory
 *	slot/N/epoch            u64: login epoch (ticket.h)
 *	slot/N/tries, pin/...   pins.h
 *	slot/N/guess/PRINCIPAL  guess.h
 *	slot/N/once/K           once.h
 *
 * Ownership: slots belong to the table.  Threads: one.
 */
#ifndef CAAS_STORE_SLOTS_H
#define CAAS_STORE_SLOTS_H

#include "common/buf.h"
#include "vsmd/store/guess.h"
#include "vsmd/store/once.h"
#include "vsmd/store/txn.h"

#define SLOTS_MAX 256 /* fewer where paths are long: slot_table_limit() */
#define SLOT_LABEL 33 /* CK_TOKEN_INFO.label, trimmed, and a NUL */
#define SLOT_ROLLED_BACK "rolled-back"
#define SLOT_SERIAL 17
#define SLOT_DIR 64 /* SoftHSM2's UUID name */

struct slot {
	uint32_t number;
	bool rolled_back;  /* not to be shown until its SO has accepted it */
	bool initialized;
	bool discarding; /* told the supervisor, waiting for M_S_DISCARDED */
	bool deleting;	 /* then remove it from the store */
	char label[SLOT_LABEL], serial[SLOT_SERIAL], directory[SLOT_DIR];
	uint64_t epoch;	  /* store sequence of its last change, shown in the gate file */
	int gate;	  /* memory/gates/N, or -1 */
	int64_t gate_since; /* ms: since when a commit waits for it; 0: none does */
	int dir;	  /* the token's directory in memory, or -1 */
	int watch;	  /* inotify descriptor of it, or -1 */
	struct map dirty; /* names in it that changed since the last commit */
	bool rescan;	  /* names were lost: compare all */
	uint64_t bytes;	  /* of its files and their names, at the last commit */
	int64_t growth;	  /* and how much more by the commit that is being made */
	struct once once;
	uint32_t failed[2]; /* wrong PINs (enum pin_user) that the disk may not know of */
	struct guess *guesses; /* by principal (guess.h) */
	size_t nguesses;
	unsigned accepts_right; /* rolled_back: of its tries, right PINs whose commit failed */
	uint64_t turn[2]; /* of the last login that was let try, by enum pin_user (turns.h) */
};

struct slots {
	struct slot *all[SLOTS_MAX];
	size_t n, max;
	uint32_t next;	/* the lowest number not yet given out in this run */
	uint64_t epoch; /* of M_T_SLOTS */
	size_t events;	/* most that inotify queues */
};

void slot_table_init(struct slots *s);
void slot_table_free(struct slots *s);
/*
 * Keep the number of slots so low that M_T_SLOTS fits a message whatever their labels,
 * when a slot's directory has at most `path` bytes.  False, logged, when there are more
 * already.
 */
bool slot_table_limit(struct slots *s, size_t path);
/* Fill from the map.  False when it makes no sense (logged) or out of memory. */
bool slot_table_load(struct slots *s, const struct map *m);
struct slot *slot_table_find(const struct slots *s, uint32_t number);
/* Add a slot with that number; NULL when there are too many or no memory. */
struct slot *slot_table_add(struct slots *s, uint32_t number);
/* Add the blank slot, with the next number, when there is none and room for one.  NULL
 * when not. */
struct slot *slot_table_add_blank(struct slots *s);
/* Note in t that a token has this number. */
void slot_table_put_next(struct txn *t, const struct map *m, uint32_t number);
/* Close what it holds and drop it. */
void slot_table_drop(struct slots *s, struct slot *slot);
/* Slots that hold a token. */
size_t slot_table_tokens(const struct slots *s);

/* May a line be logged that an application of the slot can cause? */
bool slot_may_log(const struct slot *slot);
/* Copy a label or serial, without the blanks at its end. */
void slot_trim(char *dst, size_t size, const char *src);
/* "slot/N/what", into key. */
void slot_key(char key[MAP_KEY_MAX], uint32_t number, const char *what);
/* Write slot/N/meta. */
void slot_put_meta(struct txn *t, uint32_t number, const char *label, const char *serial,
    const char *directory);
/* Parse one; false when malformed. */
bool slot_get_meta(const uint8_t *value, size_t len, struct slot *slot);
void slot_put_u32(struct txn *t, const char *key, uint32_t v);
void slot_put_u64(struct txn *t, const char *key, uint64_t v);
/* 0 when absent or of another size. */
uint64_t slot_get_number(const struct txn *t, const struct map *m, const char *key);

#endif
