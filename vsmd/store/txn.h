/*
 * txn.h - changes to the map that become durable together.
 *
 * Collected first, written as one record's body, applied to the map once durable.  Of two
 * changes to one key the later counts.  An error (memory, size) sticks, as in a buf: it
 * is asked for once, by txn_ok().
 *
 * The body: u32 count, count * { u8 1 put or 2 remove, str key, [bytes value] }.
 */
#ifndef CAAS_STORE_TXN_H
#define CAAS_STORE_TXN_H

#include "common/buf.h"
#include "vsmd/store/map.h"

struct txn_op {
	char *key;
	uint8_t *value; /* NULL: remove the key */
	size_t len;
};

struct txn {
	struct txn_op *ops;
	size_t n, size;
	size_t bytes; /* about what the body will need */
	bool failed;
};

void txn_init(struct txn *t);
/* Wipes; the txn is then empty and usable. */
void txn_clear(struct txn *t);
bool txn_ok(const struct txn *t);
void txn_put(struct txn *t, const char *key, const void *value, size_t len);
void txn_remove(struct txn *t, const char *key);
/* Move the changes of `from` behind those of t; from is then empty. */
void txn_take(struct txn *t, struct txn *from);
/* What `key` will be: as the changes say, else as the map has it.  NULL when absent. */
const uint8_t *txn_get(
    const struct txn *t, const struct map *m, const char *key, size_t *ret_len);
/* Forget the changes after the first n. */
void txn_cut(struct txn *t, size_t n);

void txn_write(const struct txn *t, struct buf *body);
/* Read a body and apply it.  False when malformed (the map may then be half changed: it
 * is thrown away) or out of memory. */
bool txn_apply(struct buf *body, struct map *m);

#endif
