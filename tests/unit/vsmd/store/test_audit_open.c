/* test_audit_open.c - what a start finds behind an audit log's last commit, and in its place */
#include "auditgroup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void
a_torn_line_is_repaired(void **state)
{
	struct auditlog *f = *state;
	size_t len;
	uint8_t *log;

	auditlog_add(f, "C_GenerateKey"); /* behind the last commit */
	log = dirs_load(f->path, LOG1, &len);
	for (size_t cut = 1; cut < 100; cut += 20) {
		dirs_save(f->path, LOG1, log, len - cut);
		auditlog_reopen(f);
		assert_good(f, RECORDS + 1); /* the note */
	}
	/* Whole, it is taken. */
	dirs_save(f->path, LOG1, log, len);
	auditlog_reopen(f);
	assert_int_equal(f->audit.at.seq, RECORDS + 1);
	assert_good(f, RECORDS + 1);
	free(log);
}

static const struct auditlog *watched;
static uint64_t first_sync; /* size of the log at the first sync of it */
static bool state_synced;

static void
on_sync(int fd)
{
	struct stat st, log, state;

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(stat(watched->path, &state), 0);
	state_synced |= st.st_ino == state.st_ino;
	assert_int_equal(fstatat(watched->dir, LOG1, &log, 0), 0);
	if (st.st_ino == log.st_ino && first_sync == 0)
		first_sync = (uint64_t)st.st_size;
}

/* The torn line is off the disk before the note that says so is written where it was: else the
 * power could leave the beginning of the one and the end of the other. */
static void
a_torn_line_is_off_the_disk_first(void **state)
{
	struct auditlog *f = *state;
	uint64_t size = f->audit.size;
	size_t len;
	uint8_t *log;

	auditlog_add(f, "C_GenerateKey");
	log = dirs_load(f->path, LOG1, &len);
	dirs_save(f->path, LOG1, log, len - 20);
	watched = f;
	first_sync = 0;
	faults.synced = on_sync;
	auditlog_reopen(f);
	faults_clear();
	assert_int_equal(first_sync, size);
	assert_good(f, RECORDS + 1);
	free(log);
}

/* Whoever made the directory may have been killed before it was synced. */
static void
the_directory_is_durable(void **state)
{
	struct auditlog *f = *state;

	watched = f;
	state_synced = false;
	faults.synced = on_sync;
	auditlog_reopen(f);
	faults_clear();
	assert_true(state_synced);
}

/* A new file could not be used and was removed, the log went on in the one before, and the
 * power brought the file back and tore the last line. */
static void
a_file_that_was_given_up(void **state)
{
	struct auditlog *f = *state;
	size_t len;
	uint8_t *log;

	auditlog_add(f, "C_GenerateKey");
	log = dirs_load(f->path, LOG1, &len);
	dirs_save(f->path, LOG1, log, len - 20);
	dirs_save(f->path, "audit/audit.log.2", "", 0);
	auditlog_reopen(f);
	assert_int_equal(f->audit.file, 1);
	assert_false(dirs_has(f->path, "audit/audit.log.2"));
	assert_good(f, RECORDS + 1);
	/* With something in it, it is no such file. */
	dirs_save(f->path, LOG1, log, len - 20);
	dirs_save(f->path, "audit/audit.log.2", "x", 1);
	auditlog_reopen(f);
	assert_true(f->audit.file > 2);
	free(log);
}

/* Behind the last commit: seals, epochs and files. */
static void
everything_behind_the_last_commit_is_found(void **state)
{
	struct auditlog *f = *state;
	uint64_t seq, epoch, file;

	auditlog_run(f, 40);
	seq = f->audit.at.seq;
	epoch = f->audit.at.epoch;
	file = f->audit.file;
	assert_true(epoch > 4 && file > 4);
	assert_int_equal(f->audit.stored, 1); /* not one commit since the first */
	auditlog_reopen(f);
	assert_int_equal(f->audit.at.seq, seq);
	assert_int_equal(f->audit.at.epoch, epoch);
	assert_int_equal(f->audit.file, file);
	assert_good(f, seq);
	auditlog_commit(f);
	auditlog_reopen(f);
	assert_good(f, seq);
}

/* Records behind the last commit whose epoch is over: the seal speaks for them, and who
 * alters one, or the seal, is found out. */
static void
sealed_records_behind_the_last_commit(void **state)
{
	struct auditlog *f = *state;
	struct audit_judge j;
	size_t len, at;
	uint8_t *log;

	at = f->audit.size + 20;
	auditlog_add(f, "C_Login");
	auditlog_add(f, "C_Logout");
	assert_int_equal(audit_seal(&f->audit), 0);
	log = dirs_load(f->path, LOG1, &len);
	auditlog_reopen(f);
	assert_int_equal(f->audit.at.seq, RECORDS + 3);
	assert_good(f, RECORDS + 3);
	log[at] ^= 1;
	dirs_save(f->path, LOG1, log, len);
	auditlog_reopen(f);
	assert_int_equal(f->audit.file, 2); /* nothing was cut off */
	assert_int_equal(auditlog_verify(f, &j), AUDIT_BAD);
	assert_int_equal(j.record, RECORDS + 1);
	assert_string_equal(j.file, "audit.log.1");
	free(log);
}

/* A seal that was not synced, and a start whose disk fails: it goes on, and the secret stays
 * until the disk has the seal. */
static void
a_start_whose_disk_fails(void **state)
{
	struct auditlog *f = *state;

	faults.error = EIO;
	faults.in[FAULT_FDATASYNC] = 1;
	assert_int_equal(audit_seal(&f->audit), -1);
	faults.in[FAULT_FDATASYNC] = faults.each[FAULT_FDATASYNC] = 1;
	auditlog_reopen(f);
	assert_int_equal(f->audit.at.epoch, 2);
	assert_null(audit_keys_of(&f->audit.keys, 3));
	auditlog_add(f, "C_Login");
	assert_int_equal(audit_seal(&f->audit), -1);
	assert_int_equal(audit_sync(&f->audit), -1);
	faults_clear();
	assert_int_equal(audit_seal(&f->audit), 0);
	assert_int_equal(f->audit.at.epoch, 3);
	assert_good(f, RECORDS + 3);
	auditlog_reopen(f);
	assert_good(f, RECORDS + 3);
}

/* The secret of the next epoch, as the page cache has it: a start does not take it for
 * durable. */
static void
a_next_secret_that_may_not_be_durable(void **state)
{
	struct auditlog *f = *state;

	audit_close(&f->audit);
	faults.error = EIO;
	faults.in[FAULT_FDATASYNC] = faults.each[FAULT_FDATASYNC] = 1;
	auditlog_reopen(f);
	assert_non_null(audit_keys_of(&f->audit.keys, 1));
	assert_null(audit_keys_of(&f->audit.keys, 2));
	faults_clear();
	auditlog_add(f, "C_Login");
	assert_int_equal(audit_seal(&f->audit), 0);
	assert_good(f, RECORDS + 2);
}

/* Pages that were not synced reach the disk in any order; what is not there are zeroes. */
static void
a_hole_that_a_crash_left(void **state)
{
	struct auditlog *f = *state;
	size_t len, from = (f->audit.size / 4096 + 1) * 4096;
	uint64_t seq;
	uint8_t *log, *whole;

	for (unsigned i = 0; i < 60; i++)
		auditlog_add(f, "C_Sign");
	log = dirs_load(f->path, LOG1, &len);
	whole = dirs_load(f->path, LOG1, &len);
	assert_true(from + 4096 < len);
	for (size_t pages = 1; from + pages * 4096 < len; pages++) {
		memset(log + from, 0, pages * 4096);
		dirs_save(f->path, LOG1, log, len);
		auditlog_reopen(f);
		seq = f->audit.at.seq;
		assert_int_equal(f->audit.file, 1);
		assert_in_range(seq, RECORDS + 1, RECORDS + 20);
		assert_good(f, seq);
	}
	/* This no crash leaves behind. */
	memset(whole + from, 'x', 4096);
	dirs_save(f->path, LOG1, whole, len);
	auditlog_reopen(f);
	assert_int_equal(f->audit.file, 2);
	free(log);
	free(whole);
}

/* A full disk has no room for the note of a repair: the store works on without. */
static void
a_start_on_a_full_disk(void **state)
{
	struct auditlog *f = *state;
	size_t len;
	uint8_t *log;

	auditlog_add(f, "C_Login");
	log = dirs_load(f->path, LOG1, &len);
	dirs_save(f->path, LOG1, log, len - 9);
	free(log);
	faults.error = ENOSPC;
	faults.in[FAULT_PWRITE] = faults.each[FAULT_PWRITE] = 1;
	auditlog_reopen(f);
	faults_clear();
	assert_int_equal(f->audit.at.seq, RECORDS);
	auditlog_add(f, "C_Login");
	assert_int_equal(audit_seal(&f->audit), 0);
	assert_good(f, RECORDS + 2);
}

static void
lost_records_are_noticed(void **state)
{
	struct auditlog *f = *state;
	struct audit_judge j;
	size_t len;
	uint8_t *log = dirs_load(f->path, LOG1, &len);

	dirs_save(f->path, LOG1, log, len / 2);
	auditlog_reopen(f);
	/* The note goes on with the numbers, in a file of its own. */
	assert_int_equal(f->audit.at.seq, RECORDS + 1);
	assert_int_equal(f->audit.file, 2);
	assert_int_equal(auditlog_verify(f, &j), AUDIT_BAD);
	assert_int_equal(j.fault, AUDIT_TORN);
	assert_in_range(j.record, 2, 5);
	auditlog_commit(f);
	auditlog_reopen(f);
	assert_int_equal(auditlog_verify(f, &j), AUDIT_BAD);
	dirs_unlink(f->path, LOG1);
	auditlog_reopen(f);
	assert_int_equal(auditlog_verify(f, &j), AUDIT_BAD);
	assert_int_equal(j.fault, AUDIT_MISSING);
	assert_int_equal(j.record, 1);
	assert_string_equal(j.file, "audit.log.1");
	free(log);
}

/* The log of an earlier version stays, and this one goes on behind it. */
static void
an_earlier_version(void **state)
{
	struct auditlog *f = *state;
	uint8_t head[48] = {41};
	struct audit_line line;
	struct audit_judge j;
	uint8_t *log;
	size_t len;

	memset(head + 16, 0xab, CRYPT_HASH);
	audit_close(&f->audit);
	map_free(&f->map);
	map_init(&f->map);
	dirs_unlink(f->path, LOG1);
	dirs_unlink(f->path, KEYS);
	dirs_save(f->path, "audit/audit.log", "old\n", 4);
	assert_true(map_put(&f->map, "audit/head", head, sizeof(head)));
	auditlog_reopen(f);
	assert_int_equal(f->audit.at.seq, 42);
	assert_int_equal(auditlog_verify(f, &j), AUDIT_GOOD);
	log = dirs_load(f->path, LOG1, &len);
	assert_null(audit_line_parse((char *)log, len - 1, &line));
	assert_memory_equal(line.prev, head + 16, CRYPT_HASH);
	free(log);
	auditlog_commit(f);
	auditlog_reopen(f);
	assert_int_equal(auditlog_verify(f, &j), AUDIT_GOOD);
	log = dirs_load(f->path, "audit/audit.log", &len);
	assert_int_equal(len, 4);
	free(log);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(a_torn_line_is_repaired),
	    T(a_torn_line_is_off_the_disk_first),
	    T(the_directory_is_durable),
	    T(a_file_that_was_given_up),
	    S(everything_behind_the_last_commit_is_found),
	    T(sealed_records_behind_the_last_commit),
	    T(a_start_whose_disk_fails),
	    T(a_next_secret_that_may_not_be_durable),
	    T(a_hole_that_a_crash_left),
	    T(a_start_on_a_full_disk),
	    T(lost_records_are_noticed),
	    T(an_earlier_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
