/* test_audit.c - what was altered in the audit log is found, and where */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dirs.h"
#include "faults.h"
#include "vsmd/store/audit_verify.h"

#define FILE_ "audit/audit.log"
#define RECORDS 6

struct fix {
	char *path;
	int dir;
	struct store_keys *keys;
	struct map map; /* as the store would have it */
	struct audit audit;
};

static void
seal_head(struct fix *f)
{
	struct txn t;
	size_t len;
	const uint8_t *p;

	txn_init(&t);
	audit_put_head(&f->audit, &t);
	p = txn_get(&t, &f->map, "audit/head", &len);
	assert_true(map_put(&f->map, "audit/head", p, len));
	txn_clear(&t);
}

static void
add(struct fix *f, const char *event)
{
	struct audit_event e = {.principal = "web",
	    .peer = "uid 33 pid 7",
	    .slot = 3,
	    .token = "a \"token\"",
	    .event = event,
	    .detail = "d\xff\n",
	    .rv = 0x30};

	assert_int_equal(audit_append(&f->audit, &e), 0);
}

static int
setup(void **state)
{
	static const uint8_t master[CRYPT_KEY] = {5};
	struct fix *f = calloc(1, sizeof(*f));

	f->path = dirs_make("/tmp");
	f->dir = open(f->path, O_RDONLY | O_DIRECTORY);
	f->keys = keys_derive(master);
	map_init(&f->map);
	assert_int_equal(audit_open(&f->audit, f->dir, f->keys, &f->map), 0);
	for (int i = 0; i < RECORDS; i++)
		add(f, "C_Login");
	assert_int_equal(audit_sync(&f->audit), 0);
	seal_head(f);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fix *f = *state;

	audit_close(&f->audit);
	close(f->dir);
	dirs_remove(f->path);
	keys_free(f->keys);
	map_free(&f->map);
	free(f);
	return 0;
}

static void
reopen(struct fix *f)
{
	audit_close(&f->audit);
	assert_int_equal(audit_open(&f->audit, f->dir, f->keys, &f->map), 0);
}

static enum audit_verdict
verify(struct fix *f, struct audit_check *c)
{
	enum audit_verdict v;

	audit_check_begin(&f->audit, c);
	while ((v = audit_check_step(&f->audit, c, 2)) == AUDIT_MORE)
		;
	return v;
}

static void
a_good_log(void **state)
{
	struct fix *f = *state;
	struct audit_check c;

	assert_int_equal(verify(f, &c), AUDIT_GOOD);
	assert_int_equal(c.seq, RECORDS);
	reopen(f);
	add(f, "C_Logout");
	assert_int_equal(verify(f, &c), AUDIT_GOOD);
	assert_int_equal(c.seq, RECORDS + 1);
}

/* The first bad line is named, whichever byte was changed. */
static void
every_byte_flipped(void **state)
{
	struct fix *f = *state;
	struct audit_check c;
	size_t len, line = 1;
	uint8_t *log = dirs_load(f->path, FILE_, &len);

	for (size_t i = 0; i < len; i += dirs_long() ? 1 : 7) {
		line = 1;
		for (size_t k = 0; k < i; k++)
			line += log[k] == '\n';
		log[i] ^= 2;
		dirs_save(f->path, FILE_, log, len);
		assert_int_equal(verify(f, &c), AUDIT_BAD);
		assert_int_equal(c.line, line);
		assert_true(c.why[0] != '\0');
		log[i] ^= 2;
	}
	free(log);
}

static void
lines_removed_swapped_doubled(void **state)
{
	struct fix *f = *state;
	struct audit_check c;
	size_t len, start[RECORDS + 1] = {0}, n = 1;
	uint8_t *log = dirs_load(f->path, FILE_, &len), *copy = malloc(2 * len);

	for (size_t i = 0; i < len; i++)
		if (log[i] == '\n')
			start[n++] = i + 1;
	assert_int_equal(n, RECORDS + 1);
	for (size_t i = 0; i < RECORDS; i++) {
		size_t size = start[i + 1] - start[i];

		/* removed */
		memcpy(copy, log, start[i]);
		memcpy(copy + start[i], log + start[i + 1], len - start[i + 1]);
		dirs_save(f->path, FILE_, copy, len - size);
		assert_int_equal(verify(f, &c), AUDIT_BAD);
		assert_int_equal(c.line, i + 1);
		/* twice */
		memcpy(copy, log, start[i + 1]);
		memcpy(copy + start[i + 1], log + start[i], len - start[i]);
		dirs_save(f->path, FILE_, copy, len + size);
		assert_int_equal(verify(f, &c), AUDIT_BAD);
		assert_int_equal(c.line, i + 2);
	}
	free(log);
	free(copy);
}

/* What a failed sync may have lost is written anew by the next, not taken for written. */
static void
a_failed_sync(void **state)
{
	struct fix *f = *state;
	struct audit_check c;
	uint64_t before = f->audit.size;

	add(f, "C_Login");
	add(f, "C_Logout");
	faults.error = EIO;
	faults.in[FAULT_FDATASYNC] = 1;
	assert_int_equal(audit_sync(&f->audit), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(ftruncate(f->audit.fd, (off_t)before), 0);
	add(f, "C_Sign");
	assert_int_equal(audit_sync(&f->audit), 0);
	assert_int_equal(verify(f, &c), AUDIT_GOOD);
	assert_int_equal(c.seq, RECORDS + 3);
}

static void
a_torn_line_is_repaired(void **state)
{
	struct fix *f = *state;
	struct audit_check c;
	size_t len;
	uint8_t *log;

	add(f, "C_GenerateKey"); /* behind the last commit */
	log = dirs_load(f->path, FILE_, &len);
	for (size_t cut = 1; cut < 100; cut += 20) {
		dirs_save(f->path, FILE_, log, len - cut);
		reopen(f);
		assert_int_equal(verify(f, &c), AUDIT_GOOD);
		assert_int_equal(c.seq, RECORDS + 1); /* the note */
	}
	/* Whole, it is taken. */
	dirs_save(f->path, FILE_, log, len);
	reopen(f);
	assert_int_equal(f->audit.seq, RECORDS + 1);
	free(log);
}

static void
lost_records_are_noticed(void **state)
{
	struct fix *f = *state;
	struct audit_check c;
	size_t len;
	uint8_t *log = dirs_load(f->path, FILE_, &len);

	dirs_save(f->path, FILE_, log, len / 2);
	reopen(f);
	assert_int_equal(
	    f->audit.seq, RECORDS + 1); /* the note goes on with the numbers */
	assert_int_equal(verify(f, &c), AUDIT_BAD);
	assert_in_range(c.line, 2, 4);
	seal_head(f);
	reopen(f);
	assert_int_equal(verify(f, &c), AUDIT_BAD);
	dirs_unlink(f->path, FILE_);
	reopen(f);
	assert_int_equal(verify(f, &c), AUDIT_BAD);
	assert_int_equal(c.line, 1);
	free(log);
}

static void
another_stores_log(void **state)
{
	static const uint8_t other[CRYPT_KEY] = {6};
	struct fix *f = *state;
	struct store_keys *keys = keys_derive(other);
	struct audit_check c;

	f->audit.keys = keys;
	assert_int_equal(verify(f, &c), AUDIT_BAD);
	assert_int_equal(c.line, 1);
	f->audit.keys = f->keys;
	keys_free(keys);
}

static void
reading_from_a_number(void **state)
{
	struct fix *f = *state;
	struct buf b;

	for (uint64_t from = 0; from <= RECORDS + 1; from++) {
		char want[32];

		buf_init(&b, 4096);
		audit_read(&f->audit, from, 2, &b);
		buf_put_u8(&b, 0);
		snprintf(want, sizeof(want), "\"seq\":%d,", from == 0 ? 1 : (int)from);
		if (from > RECORDS)
			assert_string_equal((char *)b.data, "[]");
		else
			assert_non_null(strstr((char *)b.data, want));
		buf_free(&b);
	}
	/* No more than fits. */
	buf_init(&b, 900);
	audit_read(&f->audit, 1, 100, &b);
	assert_true(buf_ok(&b));
	assert_int_equal(b.data[b.len - 1], ']');
	buf_free(&b);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(a_good_log),
	    T(every_byte_flipped),
	    T(lines_removed_swapped_doubled),
	    T(a_torn_line_is_repaired),
	    T(a_failed_sync),
	    T(lost_records_are_noticed),
	    T(another_stores_log),
	    T(reading_from_a_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
