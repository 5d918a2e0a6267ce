/*
 * table.h - how handles.c keeps handles, and what hold.h says; nobody else includes this.
 *
 * The table is an open-addressed hash by virtual handle.  An entry is published by the
 * store of its number and ends by the store of its kind; a larger table is filled before
 * it is published.  So a fork at any point leaves the child a table that is right, or
 * lacks the change that was being made.  The index, from the worker's handle of an object
 * to its entry, is derived, and made anew there.
 *
 * Threads: under the lock of the handles.
 */
#ifndef CAAS_P11_TABLE_H
#define CAAS_P11_TABLE_H

#include <stdatomic.h>

#include "libcaas-p11/handles.h"
#include "libcaas-p11/slots.h"

enum kind { KIND_DEAD, KIND_SESSION, KIND_OBJECT };

struct entry {
	_Atomic uint64_t virt; /* 0: never used */
	uint64_t remote;
	struct slot *slot;
	uint64_t owner; /* of an object: the session that it dies with, or 0;
	                 * of a session: not 0 when it made such objects */
	CK_FLAGS flags; /* of a session */
	struct pending *pending; /* of a session: pending.h */
	struct begun *_Atomic begun; /* likewise: begun.c's */
	struct blob *_Atomic blob; /* of a session object: what is kept of it, or NULL */
	atomic_uchar kind;
	uint8_t id[MSG_ID_LEN];
};

struct handle_table {
	size_t mask, used, live; /* used counts dead entries too */
	struct entry entries[];
};

struct handle_index {
	size_t mask, used;
	uint64_t virt[]; /* 0: never used; of a dead entry: ignored */
};

#define for_each_entry(e, t)                                                             \
	for (struct entry *e = (t) ? (t)->entries : NULL,                                \
			  *end_ = (t) ? e + (t)->mask + 1 : e;                           \
	     e < end_; e++)                                                              \
		if (e->virt != 0 && e->kind != KIND_DEAD)

/* The entry of a virtual handle that is of this kind, or NULL. */
struct entry *entry_find(const struct handle_table *t, uint64_t virt, enum kind kind);
/* Write an entry that is not in the table; there is room. */
void entry_put(struct handle_table *t, const struct entry *from, uint64_t virt);
void entry_kill(struct handle_table *t, struct entry *e);
/* What is kept of a session object from now on; NULL for nothing. */
void entry_keep(struct entry *e, struct blob *blob);

/* The entry of the worker's handle of an object, or NULL. */
struct entry *index_find(
    const struct handles *h, const struct slot *slot, uint64_t remote);
/* Add an object; there is room. */
void index_put(struct handle_index *x, const struct entry *e);
/* A new index of what lives, with room for `more`.  false: out of memory. */
bool index_make(struct handles *h, size_t more);

/* Room for n more entries, in the table and in the index.  false: out of memory. */
bool table_reserve(struct handles *h, size_t n);

/* The entry has no identity that a resume could name it by. */
bool entry_nameless(const struct entry *e);

#endif
