/* rows.c - see rows.h */
#include "xen-hooks/tpmd/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/secmem.h"

#define GROW  32			 /* rows */
#define LEAST (8 + 1 + 1 + ROW_ID + 65) /* bytes of a row */

struct row *
rows_find(const struct rows *r, const char *pair, enum row_kind kind, const uint8_t id[ROW_ID])
{
	for (size_t i = 0; i < r->n; i++)
		if (r->row[i].kind == kind && memcmp(r->row[i].id, id, ROW_ID) == 0 &&
		    strcmp(r->row[i].pair, pair) == 0)
			return &r->row[i];
	return NULL;
}

/* realloc() would leave copies of it behind. */
static bool
make_room(struct rows *r, size_t room)
{
	struct row *bigger;

	if (room <= r->room)
		return true;
	if ((bigger = calloc(room, sizeof(*bigger))) == NULL)
		return false;
	if (r->n > 0)
		memcpy(bigger, r->row, r->n * sizeof(*bigger));
	if (r->row != NULL)
		sec_wipe(r->row, r->room * sizeof(*r->row));
	free(r->row);
	r->row = bigger;
	r->room = room;
	return true;
}

size_t
rows_of(const struct rows *r, const char *pair)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += strcmp(r->row[i].pair, pair) == 0;
	return n;
}

size_t
rows_remove(struct rows *r, const char *pair)
{
	size_t kept = 0, removed;

	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->row[i].pair, pair) != 0)
			r->row[kept++] = r->row[i];
	removed = r->n - kept;
	if (removed > 0)
		sec_wipe(&r->row[kept], removed * sizeof(*r->row));
	r->n = kept;
	return removed;
}

struct row *
rows_add(struct rows *r, const char *pair, enum row_kind kind, const uint8_t id[ROW_ID],
    const char **ret_why)
{
	struct row *row;

	if (rows_of(r, pair) >= ROWS_PER_PAIR) {
		*ret_why = "DomT keeps no more keys and anchors for one pair";
		return NULL;
	}
	if (r->n >= ROWS_MAX) {
		*ret_why = "DomT's table is full: no more keys and anchors";
		return NULL;
	}
	if (r->n == r->room && !make_room(r, r->room + GROW)) {
		*ret_why = "DomT has no memory";
		return NULL;
	}
	row = &r->row[r->n++];
	*row = (struct row){.kind = kind};
	snprintf(row->pair, sizeof(row->pair), "%s", pair);
	memcpy(row->id, id, ROW_ID);
	return row;
}

bool
rows_copy(struct rows *to, const struct rows *from)
{
	if (!make_room(to, from->n))
		return false;
	if (from->n > 0)
		memcpy(to->row, from->row, from->n * sizeof(*to->row));
	to->n = from->n;
	return true;
}

void
rows_free(struct rows *r)
{
	if (r->row != NULL)
		sec_wipe(r->row, r->room * sizeof(*r->row));
	free(r->row);
	*r = (struct rows){.row = NULL};
}

void
rows_write(struct buf *b, const struct rows *r)
{
	buf_put_u32(b, (uint32_t)r->n);
	for (size_t i = 0; i < r->n; i++) {
		const struct row *row = &r->row[i];

		buf_put_str(b, row->pair);
		buf_put_u8(b, (uint8_t)row->kind);
		buf_put_raw(b, row->id, ROW_ID);
		if (row->kind == ROW_KEY) {
			buf_put_raw(b, row->image, sizeof(row->image));
			buf_put_u8(b, (uint8_t)row->nblobs);
			buf_put_raw(b, row->blob, row->nblobs * sizeof(row->blob[0]));
		} else {
			buf_put_raw(b, row->secret, sizeof(row->secret));
			buf_put_raw(b, row->value.value, sizeof(row->value.value));
			buf_put_u64(b, row->value.count);
		}
	}
}

static void
get_raw(struct buf *b, void *dst, size_t len)
{
	const uint8_t *p = buf_get_raw(b, len);

	if (p != NULL)
		memcpy(dst, p, len);
}

static bool
read_one(struct buf *b, struct rows *r)
{
	char pair[PAIR_NAME];
	uint8_t id[ROW_ID] = {0};
	const char *why;
	struct row *row;
	uint8_t kind;

	buf_get_str(b, pair, sizeof(pair));
	kind = buf_get_u8(b);
	get_raw(b, id, sizeof(id));
	if (!buf_ok(b) || !pair_name_ok(pair) || (kind != ROW_KEY && kind != ROW_ANCHOR) ||
	    rows_find(r, pair, (enum row_kind)kind, id) != NULL ||
	    (row = rows_add(r, pair, (enum row_kind)kind, id, &why)) == NULL)
		return false;
	if (kind == ROW_KEY) {
		get_raw(b, row->image, sizeof(row->image));
		row->nblobs = buf_get_u8(b);
		if (row->nblobs < 1 || row->nblobs > ROW_BLOBS)
			return false;
		get_raw(b, row->blob, row->nblobs * sizeof(row->blob[0]));
	} else {
		get_raw(b, row->secret, sizeof(row->secret));
		get_raw(b, row->value.value, sizeof(row->value.value));
		row->value.count = buf_get_u64(b);
	}
	return buf_ok(b);
}

bool
rows_read(struct buf *b, struct rows *ret)
{
	uint32_t n = buf_get_u32(b);
	bool ok = n <= ROWS_MAX && buf_fits(b, n, LEAST);

	*ret = (struct rows){.row = NULL};
	for (uint32_t i = 0; ok && i < n; i++)
		ok = read_one(b, ret);
	if (ok && buf_end(b))
		return true;
	rows_free(ret);
	return false;
}
