/* test_journal.c - what is on disk is what was committed, or it is refused */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dirs.h"
#include "fill.h"

#define LOG "log.1"
#define COMMITS 6

struct dirs {
	char *a, *b; /* a: the store; b: for copies */
};

static int
setup(void **state)
{
	struct dirs *d = calloc(1, sizeof(*d));

	d->a = dirs_make("/tmp");
	d->b = dirs_make("/tmp");
	fill_vault(d->a, fill_master, COMMITS);
	*state = d;
	return 0;
}

static int
teardown(void **state)
{
	struct dirs *d = *state;

	dirs_remove(d->a);
	dirs_remove(d->b);
	free(d);
	return 0;
}

static void
expect_refused(const char *path)
{
	struct vault v;

	assert_int_equal(fill_open(&v, path, fill_master), -1);
}

/* All commits are there; `extra` more too. */
static void
expect_whole(const char *path, unsigned commits)
{
	struct vault v;

	assert_int_equal(fill_open(&v, path, fill_master), 0);
	assert_int_equal(v.map.count, commits);
	assert_int_equal(v.journal.at.sequence, commits);
	assert_string_equal(fill_get(&v, "key/0"), "value 0");
	fill_close(&v);
}

static void
round_trip(void **state)
{
	struct dirs *d = *state;
	struct vault v;

	expect_whole(d->a, COMMITS);
	assert_int_equal(fill_open(&v, d->a, fill_master), 0);
	assert_int_equal(fill_put(&v, "key/0", "changed"), VAULT_OK);
	fill_close(&v);
	assert_int_equal(fill_open(&v, d->a, fill_master), 0);
	assert_string_equal(fill_get(&v, "key/0"), "changed");
	assert_int_equal(v.journal.at.sequence, COMMITS + 1);
	fill_close(&v);
}

static void
a_second_vsmd_is_refused(void **state)
{
	struct dirs *d = *state;
	struct vault v;

	assert_int_equal(fill_open(&v, d->a, fill_master), 0);
	assert_int_equal(vault_lock(d->a), -1);
	fill_close(&v);
	expect_whole(d->a, COMMITS);
}

static void
every_byte_flipped(void **state)
{
	static const char *const names[] = {"head", LOG};
	struct dirs *d = *state;

	dirs_copy(d->a, d->b);
	for (size_t f = 0; f < 2; f++) {
		size_t len, step = dirs_long() || f == 0 ? 1 : 3;
		uint8_t *data = dirs_load(d->a, names[f], &len);

		for (size_t i = 0; i < len; i += step)
			for (unsigned bit = 1; bit < 256; bit <<= dirs_long() ? 1 : 4) {
				data[i] ^= (uint8_t)bit;
				dirs_save(d->b, names[f], data, len);
				expect_refused(d->b);
				data[i] ^= (uint8_t)bit;
			}
		dirs_save(d->b, names[f], data, len);
		free(data);
	}
	expect_whole(d->b, COMMITS);
}

static void
every_length(void **state)
{
	static const char *const names[] = {"head", LOG};
	struct dirs *d = *state;

	dirs_copy(d->a, d->b);
	for (size_t f = 0; f < 2; f++) {
		size_t len;
		uint8_t *data = dirs_load(d->a, names[f], &len);

		for (size_t n = 0; n < len; n += dirs_long() ? 1 : 2) {
			dirs_save(d->b, names[f], data, n);
			expect_refused(d->b);
		}
		dirs_save(d->b, names[f], data, len);
		free(data);
	}
	expect_whole(d->b, COMMITS);
}

static void
files_swapped_or_missing(void **state)
{
	static const char *const names[] = {"head", LOG, VAULT_MASTER};
	struct dirs *d = *state;
	uint8_t *head, *log;
	size_t head_len, log_len;

	head = dirs_load(d->a, "head", &head_len);
	log = dirs_load(d->a, LOG, &log_len);
	dirs_save(d->b, VAULT_MASTER, "sealed", 6);
	dirs_save(d->b, "head", log, log_len);
	dirs_save(d->b, LOG, head, head_len);
	expect_refused(d->b);
	for (size_t i = 0; i < 3; i++) {
		dirs_copy(d->a, d->b);
		dirs_unlink(d->b, names[i]);
		expect_refused(d->b);
	}
	free(head);
	free(log);
}

/* Records moved inside the log: each is whole, the place is wrong. */
static void
records_swapped(void **state)
{
	struct dirs *d = *state;
	size_t len, each;
	uint8_t *log = dirs_load(d->a, LOG, &len), *copy = malloc(len);

	each = (len - LOG_HEADER) / COMMITS; /* all commits have one size here */
	assert_int_equal((len - LOG_HEADER) % COMMITS, 0);
	dirs_copy(d->a, d->b);
	for (size_t i = 0; i < COMMITS - 1; i++) {
		memcpy(copy, log, len);
		memcpy(copy + LOG_HEADER + i * each, log + LOG_HEADER + (i + 1) * each,
		    each);
		memcpy(copy + LOG_HEADER + (i + 1) * each, log + LOG_HEADER + i * each,
		    each);
		dirs_save(d->b, LOG, copy, len);
		expect_refused(d->b);
	}
	free(log);
	free(copy);
}

static void
files_of_another_store(void **state)
{
	static const char *const names[] = {"head", LOG};
	static const uint8_t foreign[CRYPT_KEY] = {99};
	struct dirs *d = *state;
	struct vault v;

	/* The same master key, another store. */
	fill_vault(d->b, fill_master, COMMITS);
	for (size_t i = 0; i < 2; i++) {
		char *mixed = dirs_make("/tmp");
		uint8_t *data;
		size_t len;

		dirs_copy(d->a, mixed);
		data = dirs_load(d->b, names[i], &len);
		dirs_save(mixed, names[i], data, len);
		expect_refused(mixed);
		free(data);
		dirs_remove(mixed);
	}
	/* Another master key. */
	assert_int_equal(fill_open(&v, d->a, foreign), -1);
}

/* The head is older than the log: the power went after the record was durable. */
static void
an_older_head_is_rolled_forward(void **state)
{
	struct dirs *d = *state;
	size_t len;
	uint8_t *old = dirs_load(d->a, "head", &len), *now;
	struct vault v;

	assert_int_equal(fill_open(&v, d->a, fill_master), 0);
	assert_int_equal(fill_put(&v, "key/6", "six"), VAULT_OK);
	assert_int_equal(fill_put(&v, "key/7", "seven"), VAULT_OK);
	fill_close(&v);
	dirs_save(d->a, "head", old, len);
	expect_whole(d->a, COMMITS + 2);
	now = dirs_load(d->a, "head", &len);
	assert_memory_not_equal(now, old, len);
	expect_whole(d->a, COMMITS + 2);
	free(old);
	free(now);
}

static void
an_older_log_is_refused(void **state)
{
	struct dirs *d = *state;
	size_t len;
	uint8_t *old = dirs_load(d->a, LOG, &len);
	struct vault v;

	assert_int_equal(fill_open(&v, d->a, fill_master), 0);
	assert_int_equal(fill_put(&v, "key/6", "six"), VAULT_OK);
	fill_close(&v);
	dirs_save(d->a, LOG, old, len);
	expect_refused(d->a);
	free(old);
}

/* A record that was torn at any place: the commits before it stand, it is cut off. */
static void
a_torn_tail_is_cut_off(void **state)
{
	struct dirs *d = *state;
	size_t head_len, before, after;
	uint8_t *head = dirs_load(d->a, "head", &head_len), *log;
	struct vault v;

	free(dirs_load(d->a, LOG, &before));
	assert_int_equal(fill_open(&v, d->a, fill_master), 0);
	assert_int_equal(fill_put(&v, "key/6", "six"), VAULT_OK);
	fill_close(&v);
	log = dirs_load(d->a, LOG, &after);
	dirs_copy(d->a, d->b);
	for (size_t n = before; n < after; n++) {
		size_t cut;

		dirs_save(d->b, "head", head, head_len);
		dirs_save(d->b, LOG, log, n);
		expect_whole(d->b, COMMITS);
		free(dirs_load(d->b, LOG, &cut));
		assert_int_equal(cut, before);
	}
	/* Whole in length, not in content: the same. */
	for (size_t i = before; i < after; i += 5) {
		dirs_save(d->b, "head", head, head_len);
		log[i] ^= 1;
		dirs_save(d->b, LOG, log, after);
		log[i] ^= 1;
		expect_whole(d->b, COMMITS);
	}
	/* And the place is good for the next commit. */
	assert_int_equal(fill_open(&v, d->b, fill_master), 0);
	assert_int_equal(fill_put(&v, "key/6", "again"), VAULT_OK);
	fill_close(&v);
	expect_whole(d->b, COMMITS + 1);
	free(head);
	free(log);
}

static void
too_large_a_change_is_refused(void **state)
{
	struct dirs *d = *state;
	size_t len = RECORD_BODY_MAX;
	uint8_t *big = calloc(1, len);
	struct vault v;
	struct txn t;

	assert_int_equal(fill_open(&v, d->a, fill_master), 0);
	txn_init(&t);
	txn_put(&t, "big", big, len);
	assert_int_equal(vault_commit(&v, &t), VAULT_FAILED);
	txn_clear(&t);
	assert_int_equal(fill_put(&v, "key/6", "six"), VAULT_OK);
	fill_close(&v);
	expect_whole(d->a, COMMITS + 1);
	free(big);
}

static void
names_of_logs(void **state)
{
	uint64_t g;

	(void)state;
	assert_true(journal_is_name("log.1", &g));
	assert_int_equal(g, 1);
	assert_true(journal_is_name("log.18446744073709551615", &g));
	assert_false(journal_is_name("log.18446744073709551616", &g));
	assert_false(journal_is_name("log.01", &g));
	assert_false(journal_is_name("log.-1", &g));
	assert_false(journal_is_name("log.", &g));
	assert_false(journal_is_name("log.1x", &g));
	assert_false(journal_is_name("head", &g));
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(round_trip),
	    T(a_second_vsmd_is_refused),
	    T(every_byte_flipped),
	    T(every_length),
	    T(files_swapped_or_missing),
	    T(records_swapped),
	    T(files_of_another_store),
	    T(an_older_head_is_rolled_forward),
	    T(an_older_log_is_refused),
	    T(a_torn_tail_is_cut_off),
	    T(too_large_a_change_is_refused),
	    cmocka_unit_test(names_of_logs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
