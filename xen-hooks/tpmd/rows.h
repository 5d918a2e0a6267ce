/*
 * rows.h - what DomT keeps for the crypto domains of pairs: a table of small rows in memory, and
 * its form in a file.
 *
 * A row belongs to a pair, has a kind, and an id of its own in that kind.
 *
 *	ROW_KEY     id = SHA-256 of the key's ref.  Which sealed blobs open (tpm/domt/message.h),
 *	            by SHA-256: the one that was unsealed last, or else sealed first, and the one
 *	            that was sealed since.  And of which image the domain was that sealed last,
 *	            or unsealed with an approval.
 *	ROW_ANCHOR  id = the place, 4 bytes little-endian, and zeros.  What tpm.h says of an anchor.
 *
 * They outlive the domains that they are of, until the pair is to be forgotten.
 *
 * Ownership: a struct rows owns its memory.  Pointers to rows are good until some are added or
 * removed.
 * Threads: one.
 */
#ifndef CAAS_TPMD_ROWS_H
#define CAAS_TPMD_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "tpm/tpm.h"
#include "xen-hooks/message/message.h"

#define ROWS_MAX      4096 /* in all */
#define ROWS_PER_PAIR 32
#define ROW_BLOBS     2
#define ROW_ID	      32
/* Bytes of all rows in a file, at most. */
#define ROWS_BYTES (1024u * 1024)

enum row_kind { ROW_KEY = 1, ROW_ANCHOR };

struct row {
	char pair[PAIR_NAME];
	enum row_kind kind;
	uint8_t id[ROW_ID];
	/* ROW_KEY */
	uint8_t image[32];
	size_t nblobs; /* at least 1 */
	uint8_t blob[ROW_BLOBS][32];
	/* ROW_ANCHOR */
	uint8_t secret[32]; /* SHA-256 of it */
	struct tpm_anchor_value value;
};

struct rows {
	struct row *row;
	size_t n, room;
};

struct row *rows_find(
    const struct rows *r, const char *pair, enum row_kind kind, const uint8_t id[ROW_ID]);
/* A new row, zeros but for its name.  NULL: there are too many, in all or of the pair, or no
 * memory; *ret_why (a constant) says which. */
struct row *rows_add(struct rows *r, const char *pair, enum row_kind kind,
    const uint8_t id[ROW_ID], const char **ret_why);
size_t rows_of(const struct rows *r, const char *pair); /* how many */
/* All of the pair.  Returns how many they were. */
size_t rows_remove(struct rows *r, const char *pair);
/* `to` becomes the same.  False: no memory, and `to` is as it was. */
bool rows_copy(struct rows *to, const struct rows *from);
void rows_free(struct rows *r); /* empty again; wiped */

void rows_write(struct buf *b, const struct rows *r);
/* All that is left in b.  False: malformed, or no memory; *ret is then empty. */
bool rows_read(struct buf *b, struct rows *ret);

#endif
