/* rows.c: there and back, and its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "xen-hooks/tpmd/rows.h"

static void
id_of(unsigned n, uint8_t id[ROW_ID])
{
	memset(id, 0, ROW_ID);
	memcpy(id, &n, sizeof(n));
}

static struct row *
add(struct rows *r, const char *pair, enum row_kind kind, unsigned n)
{
	uint8_t id[ROW_ID];
	const char *why = NULL;
	struct row *row;

	id_of(n, id);
	row = rows_add(r, pair, kind, id, &why);
	assert_true(row != NULL || why != NULL);
	return row;
}

static bool
reads(const struct rows *r, size_t cut, size_t more)
{
	struct rows back;
	struct buf b, view;
	bool ok;

	buf_init(&b, ROWS_BYTES);
	rows_write(&b, r);
	for (size_t i = 0; i < more; i++)
		buf_put_u8(&b, 0);
	assert_true(buf_ok(&b));
	buf_view(&view, b.data, b.len - cut);
	ok = rows_read(&view, &back);
	assert_int_equal(back.n, ok ? r->n : 0);
	if (ok && r->n > 0)
		assert_memory_equal(back.row, r->row, r->n * sizeof(*r->row));
	rows_free(&back);
	buf_free(&b);
	return ok;
}

static void
there_and_back(void **state)
{
	struct rows r = {.row = NULL};
	struct row *row;

	(void)state;
	assert_true(reads(&r, 0, 0));
	row = add(&r, "web", ROW_KEY, 1);
	row->nblobs = 2;
	memset(row->blob, 5, sizeof(row->blob));
	memset(row->image, 6, sizeof(row->image));
	row = add(&r, "web", ROW_ANCHOR, 1);
	memset(row->secret, 7, sizeof(row->secret));
	row->value.count = UINT64_MAX;
	add(&r, "ca", ROW_ANCHOR, 1);
	assert_true(reads(&r, 0, 0));
	for (size_t cut = 1; cut < 300; cut++)
		assert_false(reads(&r, cut, 0));
	assert_false(reads(&r, 0, 1));
	r.row[0].nblobs = 1;
	memset(r.row[0].blob[1], 0, 32);
	assert_true(reads(&r, 0, 0));
	r.row[0].nblobs = 0;
	assert_false(reads(&r, 0, 0));
	r.row[0].nblobs = 1;
	r.row[1].kind = (enum row_kind)3;
	assert_false(reads(&r, 0, 0));
	r.row[1].kind = ROW_ANCHOR;
	snprintf(r.row[2].pair, sizeof(r.row[2].pair), "web"); /* twice */
	assert_false(reads(&r, 0, 0));
	snprintf(r.row[2].pair, sizeof(r.row[2].pair), "../x");
	assert_false(reads(&r, 0, 0));
	rows_free(&r);
}

/* A row that was refused once everything was read of it counted as read, when it was the last. */
static void
malformed_last_row(void **state)
{
	static const char pair[] = "long-enough-for-the-bytes-of-a-whole-row";
	struct rows r = {.row = NULL};
	struct row *row;

	(void)state;
	add(&r, pair, ROW_ANCHOR, 1);
	row = add(&r, pair, ROW_KEY, 1);
	row->nblobs = 0; /* and so nothing follows */
	assert_false(reads(&r, 0, 0));
	rows_free(&r);
}

static void
finds(void **state)
{
	struct rows r = {.row = NULL};
	uint8_t id[ROW_ID];

	(void)state;
	add(&r, "web", ROW_KEY, 1);
	add(&r, "web", ROW_ANCHOR, 1);
	add(&r, "ca", ROW_ANCHOR, 1);
	id_of(1, id);
	assert_ptr_equal(rows_find(&r, "web", ROW_KEY, id), &r.row[0]);
	assert_ptr_equal(rows_find(&r, "web", ROW_ANCHOR, id), &r.row[1]);
	assert_ptr_equal(rows_find(&r, "ca", ROW_ANCHOR, id), &r.row[2]);
	assert_null(rows_find(&r, "ca", ROW_KEY, id));
	assert_null(rows_find(&r, "we", ROW_KEY, id));
	id_of(2, id);
	assert_null(rows_find(&r, "web", ROW_KEY, id));
	rows_free(&r);
}

static void
removes(void **state)
{
	struct rows r = {.row = NULL};

	(void)state;
	assert_int_equal(rows_remove(&r, "web"), 0);
	add(&r, "web", ROW_ANCHOR, 1);
	add(&r, "ca", ROW_ANCHOR, 2);
	add(&r, "web", ROW_KEY, 3)->nblobs = 1;
	add(&r, "we", ROW_ANCHOR, 4);
	assert_int_equal(rows_of(&r, "web"), 2);
	assert_int_equal(rows_remove(&r, "web"), 2);
	assert_int_equal(rows_of(&r, "web"), 0);
	assert_int_equal(r.n, 2);
	assert_string_equal(r.row[0].pair, "ca");
	assert_string_equal(r.row[1].pair, "we");
	assert_int_equal(r.row[1].id[0], 4);
	/* Nothing of them is left behind. */
	for (size_t i = 0; i < 2 * sizeof(r.row[0]); i++)
		assert_int_equal(((const uint8_t *)&r.row[2])[i], 0);
	assert_int_equal(rows_remove(&r, "web"), 0);
	assert_true(reads(&r, 0, 0));
	rows_free(&r);
}

static void
copies(void **state)
{
	struct rows r = {.row = NULL}, to = {.row = NULL};

	(void)state;
	for (unsigned i = 0; i < ROWS_PER_PAIR; i++)
		add(&to, "old", ROW_ANCHOR, i);
	assert_true(rows_copy(&r, &to));
	add(&r, "web", ROW_ANCHOR, 1);
	assert_int_equal(to.n, ROWS_PER_PAIR);
	assert_true(rows_copy(&to, &r));
	assert_int_equal(to.n, ROWS_PER_PAIR + 1);
	assert_memory_equal(to.row, r.row, r.n * sizeof(*r.row));
	rows_free(&to);
	rows_free(&r);
}

/* One pair cannot take the others' room, and all of it fits a file. */
static void
bounds(void **state)
{
	struct rows r = {.row = NULL};
	char pair[PAIR_NAME + 8];

	(void)state;
	for (unsigned i = 0; i < ROWS_PER_PAIR; i++)
		assert_non_null(add(&r, "greedy", i % 2 == 0 ? ROW_KEY : ROW_ANCHOR, i));
	assert_null(add(&r, "greedy", ROW_ANCHOR, 1000));
	assert_non_null(add(&r, "modest", ROW_ANCHOR, 1000));
	rows_free(&r);
	for (unsigned i = 0; i < ROWS_MAX; i++) {
		struct row *row;

		snprintf(pair, sizeof(pair), "a-name-of-forty-characters-at-most--%04u", i / ROWS_PER_PAIR);
		row = add(&r, pair, ROW_KEY, i);
		assert_non_null(row);
		row->nblobs = ROW_BLOBS;
	}
	assert_null(add(&r, "late", ROW_ANCHOR, 1));
	/* Finding twins among so many costs a second or two; the size alone is what matters. */
	{
		struct buf b;

		buf_init(&b, ROWS_BYTES);
		rows_write(&b, &r);
		assert_true(buf_ok(&b));
		buf_free(&b);
	}
	rows_free(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(there_and_back), cmocka_unit_test(malformed_last_row),
	    cmocka_unit_test(finds),
	    cmocka_unit_test(removes),
	    cmocka_unit_test(copies),
	    cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests_name("tpmd rows", tests, NULL, NULL);
}
