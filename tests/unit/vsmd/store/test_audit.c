/* test_audit.c - the audit log is written, sealed, rotated and found again */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "auditlog.h"
#include "dirs.h"
#include "faults.h"
#include "vsmd/store/clock.h"

#define RECORDS 7 /* a beginning, and six */
#define LOG1 "audit/audit.log.1"
#define KEYS "audit/keys"

static int
setup(void **state)
{
	static const struct audit_limits none = {0};
	struct auditlog *f = auditlog_make(&none);

	faults_clear();
	for (int i = 1; i < RECORDS; i++)
		auditlog_add(f, "C_Login");
	auditlog_commit(f);
	*state = f;
	return 0;
}

static int
setup_small(void **state)
{
	static const struct audit_limits small = {.rotate = 2000, .keep = 3};

	faults_clear();
	*state = auditlog_make(&small);
	return 0;
}

static int
teardown(void **state)
{
	faults_clear();
	auditlog_free(*state);
	return 0;
}

static void
assert_good(struct auditlog *f, uint64_t records)
{
	struct audit_judge j;

	if (auditlog_verify(f, &j) != AUDIT_GOOD)
		fail_msg("record %d: %s", (int)j.record, j.why);
	assert_int_equal(j.at.seq, records);
}

static void
a_good_log(void **state)
{
	struct auditlog *f = *state;

	assert_good(f, RECORDS);
	auditlog_reopen(f);
	auditlog_add(f, "C_Logout");
	assert_good(f, RECORDS + 1);
}

/* A seal replaces the secret, in memory and on the disk. */
static void
a_seal_ends_an_epoch(void **state)
{
	struct auditlog *f = *state;
	struct audit_epoch before = *audit_keys_of(&f->audit.keys, 1);
	uint8_t *old, *now;
	size_t len;

	old = dirs_load(f->path, KEYS, &len);
	assert_int_equal(len, 8192);
	assert_int_equal(audit_seal(&f->audit), 0);
	assert_int_equal(f->audit.at.epoch, 2);
	assert_null(audit_keys_of(&f->audit.keys, 1));
	for (int i = 0; i < 2; i++)
		assert_memory_not_equal(
		    f->audit.keys.epochs[i].secret, before.secret, CRYPT_KEY);
	now = dirs_load(f->path, KEYS, &len);
	assert_memory_equal(old, now, 4096);		     /* of epoch 2 */
	assert_memory_not_equal(old + 4096, now + 4096, 96); /* where that of 1 was */
	free(old);
	free(now);
	assert_good(f, RECORDS + 1);
	/* Nothing was written since: no other seal. */
	assert_int_equal(audit_seal(&f->audit), 0);
	assert_int_equal(f->audit.at.seq, RECORDS + 1);
	auditlog_reopen(f);
	auditlog_add(f, "C_Login");
	assert_int_equal(audit_seal(&f->audit), 0);
	assert_int_equal(f->audit.at.epoch, 3);
	assert_good(f, RECORDS + 3);
}

static void
an_epoch_ends_by_the_clock(void **state)
{
	struct auditlog *f = *state;
	int64_t now = clock_ms();

	assert_in_range(audit_timeout(&f->audit, now), 1, AUDIT_EPOCH_MS);
	audit_tend(&f->audit, now);
	assert_int_equal(f->audit.at.epoch, 1);
	audit_tend(&f->audit, now + AUDIT_EPOCH_MS);
	assert_int_equal(f->audit.at.epoch, 2);
	assert_int_equal(audit_timeout(&f->audit, now + AUDIT_EPOCH_MS), -1);
}

/* What a failed sync may have lost is written anew by the next, not taken for written. */
static void
a_failed_sync(void **state)
{
	struct auditlog *f = *state;
	uint64_t before = f->audit.size;

	auditlog_add(f, "C_Login");
	auditlog_add(f, "C_Logout");
	faults.error = EIO;
	faults.in[FAULT_FDATASYNC] = 1;
	assert_int_equal(audit_sync(&f->audit), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(ftruncate(f->audit.fd, (off_t)before), 0);
	auditlog_add(f, "C_Sign");
	assert_int_equal(audit_sync(&f->audit), 0);
	assert_good(f, RECORDS + 3);
}

/* A seal that may not be on the disk: the secret that it ends stays there until it is. */
static void
a_seal_that_is_not_durable(void **state)
{
	struct auditlog *f = *state;
	uint64_t before = f->audit.size;

	faults.error = EIO;
	faults.in[FAULT_FDATASYNC] = 1;
	assert_int_equal(audit_seal(&f->audit), -1);
	faults_clear();
	assert_int_equal(f->audit.at.epoch, 2);
	auditlog_add(f, "C_Login"); /* goes on */
	/* The power goes, and the seal with it. */
	assert_int_equal(ftruncate(f->audit.fd, (off_t)before), 0);
	auditlog_reopen(f);
	assert_int_equal(f->audit.at.epoch, 1);
	assert_good(f, RECORDS);
	auditlog_add(f, "C_Login");
	assert_int_equal(audit_seal(&f->audit), 0);
	assert_good(f, RECORDS + 2);
}

/* The same, but the disk comes back. */
static void
a_seal_that_becomes_durable(void **state)
{
	struct auditlog *f = *state;

	faults.error = EIO;
	faults.in[FAULT_FDATASYNC] = 1;
	assert_int_equal(audit_seal(&f->audit), -1);
	faults_clear();
	auditlog_add(f, "C_Login");
	assert_int_equal(audit_seal(&f->audit), 0);
	assert_int_equal(f->audit.at.epoch, 3);
	auditlog_reopen(f);
	assert_int_equal(f->audit.at.epoch, 3);
	assert_good(f, RECORDS + 3);
}

/* No secret for the epoch after the next: no seal, and records are taken all the same. */
static void
keys_that_cannot_be_written(void **state)
{
	struct auditlog *f = *state;

	faults.error = ENOSPC;
	faults.in[FAULT_PWRITE] = 2; /* the seal, then the page */
	assert_int_equal(audit_seal(&f->audit), -1);
	assert_int_equal(f->audit.at.epoch, 2);
	auditlog_add(f, "C_Login");
	faults.in[FAULT_PWRITE] = 1;
	assert_int_equal(audit_seal(&f->audit), -1);
	faults_clear();
	assert_int_equal(f->audit.at.epoch, 2);
	auditlog_add(f, "C_Login");
	assert_int_equal(audit_seal(&f->audit), 0);
	assert_int_equal(f->audit.at.epoch, 3);
	assert_good(f, RECORDS + 4);
}

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

/* The process ends before any write or sync: what was synced is there at the next start,
 * and the log is whole. */
static void
killed_anywhere(void **state)
{
	struct auditlog *f = *state;
	bool done = false;

	for (unsigned n = 1; !done; n += dirs_long() ? 1 : 3) {
		uint64_t before = f->audit.at.seq;
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			auditlog_open_in_child(f);
			faults.kill_at = n;
			auditlog_run(f, 20);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		done = WEXITSTATUS(status) == 0;
		auditlog_reopen(f);
		assert_true(f->audit.at.seq >= before);
		assert_good(f, f->audit.at.seq);
	}
	assert_true(f->audit.at.epoch > 10);
}

/* What the disk is sure to have: by the last sync of each file, and of the directory. */
#define FILES 1024
static struct disk {
	uint64_t size[FILES]; /* of audit.log.N */
	unsigned files;	      /* names in the directory */
	uint8_t keys[8192];
} * disk;
static const struct auditlog *watched;

static void
on_sync(int fd)
{
	const struct audit *a = &watched->audit;
	struct stat st;

	if (fstat(fd, &st) != 0)
		_exit(2);
	if (S_ISDIR(st.st_mode)) {
		while (dirs_has(watched->path, auditlog_name(disk->files + 1)))
			disk->files++;
	} else if (fd == a->keys.fd) {
		if (pread(fd, disk->keys, sizeof(disk->keys), 0) < 0)
			_exit(2);
	} else if (fd == a->fd) {
		disk->size[a->file] = (uint64_t)st.st_size;
	}
}

/* Only that is left: `all`: nor what else may have reached it, of the files' names and of
 * the secrets, which are written in their place. */
static void
lose_power(const struct auditlog *f, bool all)
{
	for (unsigned file = 1; file < FILES; file++) {
		const char *name = auditlog_name(file);
		char path[256];

		if (!dirs_has(f->path, name))
			continue;
		snprintf(path, sizeof(path), "%s/%s", f->path, name);
		assert_int_equal(truncate(path, (off_t)disk->size[file]), 0);
		if (all && file > disk->files)
			assert_int_equal(unlink(path), 0);
	}
	if (all)
		dirs_save(f->path, KEYS, disk->keys, sizeof(disk->keys));
}

static void
all_is_durable(const struct auditlog *f)
{
	size_t len;
	uint8_t *keys = dirs_load(f->path, KEYS, &len);

	memcpy(disk->keys, keys, sizeof(disk->keys));
	free(keys);
	disk->files = (unsigned)f->audit.file;
	for (unsigned i = 1; i <= disk->files; i++) {
		free(dirs_load(f->path, auditlog_name(i), &len));
		disk->size[i] = len;
	}
}

/* The power goes at any moment, of a start too, and also when a process was killed before
 * and another has found what it left in the page cache.  What was synced is there, the log
 * is whole, and no secret is missing: neither damage nor other keys. */
static void
power_lost_anywhere(void **state)
{
	struct auditlog *f = *state;
	enum { POWER_LOST, KILLED, POWER_LOST_AT_THE_START } how;
	bool done = false;

	disk = mmap(NULL, sizeof(*disk), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(disk != MAP_FAILED);
	watched = f;
	all_is_durable(f);
	for (unsigned i = 0; !done; i++) {
		unsigned n = 1 + i / 3 * (dirs_long() ? 1 : 2) + (i % 3 != POWER_LOST);
		uint64_t synced = 0;
		size_t len;
		struct audit_judge j;
		int status;
		pid_t pid;

		how = i % 3;
		if ((pid = fork()) == 0) {
			faults.synced = on_sync;
			faults.kill_at = how == POWER_LOST_AT_THE_START ? 4 + n % 4 : n;
			auditlog_open_in_child(f);
			auditlog_run(f, 12);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 2);
		done = WEXITSTATUS(status) == 0 || f->audit.file + 20 > FILES;
		if (how == KILLED && !done)
			continue;
		lose_power(f, n % 4 < 2);
		auditlog_reopen(f);
		if (auditlog_verify(f, &j) != AUDIT_GOOD)
			fail_msg("%u: record %d is %s: %s", n, (int)j.record,
			    audit_fault_name(j.fault), j.why);
		for (unsigned file = 1; file <= disk->files; file++)
			synced += disk->size[file];
		for (unsigned file = 1; file <= f->audit.file; file++) {
			free(dirs_load(f->path, auditlog_name(file), &len));
			synced -= len < synced ? len : synced;
		}
		assert_int_equal(synced, 0); /* nothing of it is gone */
		all_is_durable(f);
	}
	assert_true(f->audit.at.epoch > 5);
	assert_int_equal(munmap(disk, sizeof(*disk)), 0);
}

/* A process is killed between the write of a seal and its sync: the page cache has what the
 * disk may not have.  The next one sees to that before it overwrites the secret that the
 * seal has ended. */
static uint64_t log_synced;
static bool too_early;

static void
on_start_sync(int fd)
{
	const struct audit *a = &watched->audit;
	struct stat st;

	if (fd == a->fd && fstat(fd, &st) == 0)
		log_synced = (uint64_t)st.st_size;
	else if (fd == a->keys.fd && audit_keys_of(&a->keys, 3) != NULL)
		too_early |= log_synced < a->size;
}

static void
killed_before_the_sync_of_a_seal(void **state)
{
	struct auditlog *f = *state;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		auditlog_open_in_child(f);
		faults.kill_at = 2; /* the seal, its sync */
		(void)audit_seal(&f->audit);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 9);
	watched = f;
	log_synced = 0;
	too_early = false;
	faults.synced = on_start_sync;
	auditlog_reopen(f);
	assert_int_equal(f->audit.at.epoch, 2);
	assert_non_null(audit_keys_of(&f->audit.keys, 3));
	assert_false(too_early);
	assert_good(f, RECORDS + 1);
}

/* The same by a start whose disk fails: it goes on, and the secret stays until the disk
 * has the seal. */
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

/* Of an epoch that is over, whose seal was not synced: it is tried again though nothing is
 * written any more. */
static void
a_secret_that_stays_is_tried_again(void **state)
{
	struct auditlog *f = *state;
	int64_t now = clock_ms() + AUDIT_EPOCH_MS;

	faults.error = EIO;
	faults.in[FAULT_FDATASYNC] = 1;
	audit_tend(&f->audit, now);
	faults_clear();
	assert_non_null(audit_keys_of(&f->audit.keys, 1));
	assert_in_range(audit_timeout(&f->audit, now), 1, 60000);
	now += 60000;
	audit_tend(&f->audit, now);
	assert_null(audit_keys_of(&f->audit.keys, 1));
	assert_int_equal(f->audit.at.seq, RECORDS + 1);
	assert_int_equal(audit_timeout(&f->audit, now), -1);
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

/* What a write that failed left behind, longer than the seal over it, and could not be cut
 * off at once, is not there for ever once the file is over. */
static void
a_file_that_ends_ragged(void **state)
{
	struct auditlog *f = *state;
	char detail[AUDIT_DETAIL];
	struct audit_event e = {.principal = "",
	    .peer = "",
	    .slot = -1,
	    .token = "",
	    .event = "C_Sign",
	    .detail = detail};

	memset(detail, 1, sizeof(detail) - 1);
	detail[sizeof(detail) - 1] = '\0';
	faults.error = ENOSPC;
	faults.in[FAULT_PWRITE] = 1;
	faults.cut = 2500;
	faults.in[FAULT_TRUNCATE] = 1;
	assert_int_equal(audit_append(&f->audit, &e), -1);
	faults.in[FAULT_TRUNCATE] = faults.each[FAULT_TRUNCATE] = 1;
	f->audit.limits.rotate = 1;
	audit_tend(&f->audit, clock_ms());
	assert_int_equal(f->audit.file, 1);
	faults_clear();
	auditlog_add(f, "C_Login");
	audit_tend(&f->audit, clock_ms() + AUDIT_EPOCH_MS);
	assert_int_equal(f->audit.file, 2);
	f->audit.limits.rotate = 0;
	assert_good(f, RECORDS + 3);
	auditlog_reopen(f);
	auditlog_add(f, "C_Login");
	assert_good(f, RECORDS + 4);
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

/* Keys that are lost, or older than the log: it goes on, and nobody is deceived. */
static void
lost_keys_are_noticed(void **state)
{
	struct auditlog *f = *state;
	struct audit_judge j;
	uint8_t *old;
	size_t len;

	old = dirs_load(f->path, KEYS, &len);
	assert_int_equal(audit_seal(&f->audit), 0);
	auditlog_add(f, "C_Login");
	assert_int_equal(audit_seal(&f->audit), 0);
	auditlog_commit(f);
	dirs_save(f->path, KEYS, old, len);
	for (int i = 0; i < 2; i++) {
		auditlog_reopen(f);
		auditlog_add(f, "C_Login");
		/* Not before a commit knows of them. */
		if (i == 0)
			assert_int_equal(audit_seal(&f->audit), -1);
		auditlog_commit(f);
		assert_int_equal(audit_seal(&f->audit), 0);
		assert_int_equal(auditlog_verify(f, &j), AUDIT_BAD);
		assert_int_equal(j.fault, AUDIT_REKEYED);
		assert_int_equal(j.record, RECORDS + 4);
	}
	free(old);
}

/* What docs/store.md says that the disk can do: the log as at the last commit, with the
 * secrets of then, is that log.  With the secrets of now it is not. */
static void
everything_put_back_to_the_last_commit(void **state)
{
	struct auditlog *f = *state;
	uint8_t *log, *old;
	size_t len, keys_len;

	log = dirs_load(f->path, LOG1, &len);
	old = dirs_load(f->path, KEYS, &keys_len);
	auditlog_add(f, "C_Login");
	assert_int_equal(audit_seal(&f->audit), 0);
	dirs_save(f->path, LOG1, log, len);
	dirs_save(f->path, KEYS, old, keys_len);
	auditlog_reopen(f);
	assert_good(f, RECORDS);
	auditlog_add(f, "C_Login");
	assert_int_equal(audit_seal(&f->audit), 0);
	dirs_save(f->path, LOG1, log, len);
	auditlog_reopen(f);
	assert_true(f->audit.begun); /* rekeyed */
	assert_int_equal(f->audit.at.seq, RECORDS + 1);
	free(log);
	free(old);
}

/* Another store's keys, and garbage, count as none. */
static void
foreign_keys(void **state)
{
	static const uint8_t other[STORE_ID] = {1};
	struct auditlog *f = *state;
	struct audit_keys k;
	int dir = openat(f->dir, "audit", O_RDONLY | O_DIRECTORY);
	uint8_t *page;
	size_t len;

	assert_int_equal(audit_keys_open(&k, dir, f->keys, other), 0);
	assert_null(audit_keys_of(&k, 1));
	audit_keys_close(&k);
	page = dirs_load(f->path, KEYS, &len);
	for (size_t i = 0; i < 96; i += 5) {
		page[4096 + i] ^= 4;
		dirs_save(f->path, KEYS, page, len);
		assert_int_equal(audit_keys_open(&k, dir, f->keys, f->audit.store), 0);
		assert_null(audit_keys_of(&k, 1));
		assert_non_null(audit_keys_of(&k, 2));
		audit_keys_close(&k);
		page[4096 + i] ^= 4;
	}
	free(page);
	close(dir);
}

static void
files_are_rotated_and_retired(void **state)
{
	struct auditlog *f = *state;
	uint64_t first, last, seq;
	struct audit_judge j;
	struct txn t;
	struct buf body;
	size_t len;

	auditlog_run(f, 40);
	auditlog_commit(f);
	while (audit_surplus(&f->audit, &first, &last) != 0) {
		uint64_t file = audit_surplus(&f->audit, &first, &last);

		assert_true(dirs_has(f->path, auditlog_name(file)));
		txn_init(&t);
		audit_put_retired(&f->audit, &t);
		buf_init(&body, 65536);
		txn_write(&t, &body);
		assert_true(txn_apply(&body, &f->map));
		/* A crash between the commit and the removal. */
		if (file == 1) {
			auditlog_reopen(f);
		} else {
			audit_retired(&f->audit);
		}
		assert_false(dirs_has(f->path, auditlog_name(file)));
		buf_free(&body);
		txn_clear(&t);
		assert_int_equal(auditlog_verify(f, &j), AUDIT_GOOD);
		assert_int_equal(j.first, last + 1);
	}
	assert_int_equal(f->audit.file - audit_base(&f->audit), 3);
	seq = f->audit.at.seq;
	auditlog_reopen(f);
	assert_int_equal(f->audit.at.seq, seq);
	/* Removed by somebody else, the next one is missing. */
	free(dirs_load(f->path, auditlog_name(f->audit.file - 2), &len));
	dirs_unlink(f->path, auditlog_name(f->audit.file - 2));
	assert_int_equal(auditlog_verify(f, &j), AUDIT_BAD);
	assert_int_equal(j.fault, AUDIT_MISSING);
	assert_int_equal(j.record, f->audit.ends[0].seq + 1);
}

/* No room for a new file: the old one goes on. */
static void
a_file_that_cannot_be_begun(void **state)
{
	struct auditlog *f = *state;

	dirs_save(f->path, "audit/audit.log.2", "", 0);
	auditlog_run(f, 40);
	assert_int_equal(f->audit.file, 1);
	assert_good(f, f->audit.at.seq);
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

static void
reading_from_a_number(void **state)
{
	struct auditlog *f = *state;
	uint64_t most;
	struct buf b;

	auditlog_run(f, 20);
	most = f->audit.at.seq;
	for (uint64_t from = 0; from <= most + 1; from++) {
		char want[32];

		buf_init(&b, 8192);
		audit_read(&f->audit, from, 2, &b);
		buf_put_u8(&b, 0);
		snprintf(want, sizeof(want), "\"seq\":%d,", from == 0 ? 1 : (int)from);
		if (from > most)
			assert_string_equal((char *)b.data, "[]");
		else
			assert_non_null(strstr((char *)b.data, want));
		snprintf(
		    want, sizeof(want), "\"seq\":%d,", from == 0 ? 2 : (int)from + 1);
		if (from < most)
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

/* What somebody made of a line is shown, as a string. */
static void
reading_what_is_no_record(void **state)
{
	struct auditlog *f = *state;
	struct lines l = lines_load(f);
	struct buf b;
	json_t *j;

	memcpy(l.line[2], "gar\"bage\x01\xff", 10);
	lines_save(f, &l);
	buf_init(&b, 65536);
	audit_read(&f->audit, 1, 100, &b);
	j = json_loadb((char *)b.data, b.len, 0, NULL);
	assert_int_equal(json_array_size(j), RECORDS);
	assert_true(json_is_string(json_array_get(j, 2)));
	assert_true(json_is_object(json_array_get(j, 3)));
	json_decref(j);
	buf_free(&b);
	lines_free(&l);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define S(f) cmocka_unit_test_setup_teardown(f, setup_small, teardown)
	const struct CMUnitTest tests[] = {
	    T(a_good_log),
	    T(a_seal_ends_an_epoch),
	    T(an_epoch_ends_by_the_clock),
	    T(a_failed_sync),
	    T(a_seal_that_is_not_durable),
	    T(a_seal_that_becomes_durable),
	    T(keys_that_cannot_be_written),
	    T(a_torn_line_is_repaired),
	    S(everything_behind_the_last_commit_is_found),
	    T(sealed_records_behind_the_last_commit),
	    S(killed_anywhere),
	    S(power_lost_anywhere),
	    T(killed_before_the_sync_of_a_seal),
	    T(a_start_whose_disk_fails),
	    T(a_next_secret_that_may_not_be_durable),
	    T(a_hole_that_a_crash_left),
	    T(a_secret_that_stays_is_tried_again),
	    T(a_start_on_a_full_disk),
	    T(a_file_that_ends_ragged),
	    T(lost_records_are_noticed),
	    T(lost_keys_are_noticed),
	    T(everything_put_back_to_the_last_commit),
	    T(foreign_keys),
	    S(files_are_rotated_and_retired),
	    S(a_file_that_cannot_be_begun),
	    T(an_earlier_version),
	    S(reading_from_a_number),
	    T(reading_what_is_no_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
