/* test_audit_crash.c - who writes the audit log ends anywhere, with the power or without it */
#include "auditgroup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    S(killed_anywhere),
	    S(power_lost_anywhere),
	    T(killed_before_the_sync_of_a_seal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
