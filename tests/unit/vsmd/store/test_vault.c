/* test_vault.c - failing disks, compaction, and a process that dies at any point */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "dirs.h"
#include "faults.h"
#include "fill.h"
#include "vsmd/store/compact.h"

#define COMMITS 3

static int
setup(void **state)
{
	char *path = dirs_make("/tmp");

	faults_clear();
	fill_vault(path, fill_master, COMMITS);
	*state = path;
	return 0;
}

static int
teardown(void **state)
{
	faults_clear();
	dirs_remove(*state);
	return 0;
}

/* A commit meets a failing call: it is refused, the map is as before, and the next one
 * succeeds; a restart shows the same. */
static void
one_failure(const char *path, enum fault_call c, int error, unsigned cut)
{
	struct vault v;

	assert_int_equal(fill_open(&v, path, fill_master), 0);
	faults.error = error;
	faults.cut = cut;
	faults.in[c] = 1;
	assert_int_equal(
	    fill_put(&v, "new", "lost"), error == ENOSPC ? VAULT_FULL : VAULT_FAILED);
	faults_clear();
	assert_null(fill_get(&v, "new"));
	assert_int_equal(v.map.count, COMMITS);
	fill_close(&v);
	assert_int_equal(fill_open(&v, path, fill_master), 0);
	assert_null(fill_get(&v, "new"));
	assert_int_equal(fill_put(&v, "new", "kept"), VAULT_OK);
	fill_close(&v);
}

/* The same without a restart between failure and next commit. */
static void
one_failure_and_on(const char *path, enum fault_call c, int error, unsigned cut)
{
	struct vault v;

	assert_int_equal(fill_open(&v, path, fill_master), 0);
	faults.error = error;
	faults.cut = cut;
	faults.in[c] = 1;
	assert_int_not_equal(fill_put(&v, "new", "lost"), VAULT_OK);
	faults_clear();
	assert_int_equal(fill_put(&v, "other", "kept"), VAULT_OK);
	assert_null(fill_get(&v, "new"));
	fill_close(&v);
	assert_int_equal(fill_open(&v, path, fill_master), 0);
	assert_null(fill_get(&v, "new"));
	assert_string_equal(fill_get(&v, "other"), "kept");
	fill_close(&v);
}

static void
every_call_of_a_commit_fails(void **state)
{
	static const enum fault_call calls[] = {FAULT_PWRITE, FAULT_FSYNC, FAULT_RENAME};
	static const int errors[] = {ENOSPC, EIO, EROFS, EDQUOT};

	(void)state;
	for (size_t c = 0; c < 3; c++)
		for (size_t e = 0; e < 4; e++)
			for (unsigned cut = 0; cut < (calls[c] == FAULT_PWRITE ? 3 : 1);
			     cut++) {
				char *path = dirs_make("/tmp");

				if (errors[e] != EDQUOT) {
					fill_vault(path, fill_master, COMMITS);
					one_failure(path, calls[c], errors[e], cut * 40);
					dirs_empty(path);
				}
				fill_vault(path, fill_master, COMMITS);
				one_failure_and_on(path, calls[c], errors[e], cut * 40);
				dirs_remove(path);
			}
}

/* What lies where a new file is to be made is put away, and not opened. */
static void
planted_files(void **state)
{
	char name[256], *path = dirs_make("/tmp");
	struct vault v;

	(void)state;
	fill_vault(path, fill_master, COMMITS);
	assert_int_equal(fill_open(&v, path, fill_master), 0);
	snprintf(name, sizeof(name), "%s/" HEAD_NEXT, path);
	assert_int_equal(mkfifo(name, 0600), 0);
	snprintf(name, sizeof(name), "%s/log.2", path);
	assert_int_equal(mkfifo(name, 0600), 0);
	alarm(20); /* where a pipe was opened */
	assert_int_equal(fill_put(&v, "a", "b"), VAULT_OK);
	faults.error = EIO;
	faults.in[FAULT_FDATASYNC] = 1;
	assert_int_not_equal(fill_put(&v, "new", "lost"), VAULT_OK);
	faults_clear();
	assert_int_equal(fill_put(&v, "c", "d"), VAULT_OK); /* into log.2 */
	alarm(0);
	fill_close(&v);
	assert_int_equal(fill_open(&v, path, fill_master), 0);
	assert_string_equal(fill_get(&v, "c"), "d");
	fill_close(&v);
	dirs_remove(path);
}

/* After a failed sync nobody knows what the disk has: the log is written anew. */
static void
a_failed_sync_means_a_new_log(void **state)
{
	const char *path = *state;
	struct vault v;

	assert_int_equal(fill_open(&v, path, fill_master), 0);
	faults.error = EIO;
	faults.in[FAULT_FDATASYNC] = 1;
	assert_int_equal(fill_put(&v, "new", "lost"), VAULT_FAILED);
	assert_true(v.journal.broken);
	/* While not even a new log can be written, commits are refused. */
	faults.in[FAULT_FSYNC] = 1;
	faults.each[FAULT_FSYNC] = 1;
	assert_int_equal(fill_put(&v, "other", "lost"), VAULT_FAILED);
	assert_int_equal(fill_put(&v, "other", "lost"), VAULT_FAILED);
	faults_clear();
	assert_int_equal(fill_put(&v, "other", "kept"), VAULT_OK);
	assert_false(v.journal.broken);
	assert_int_equal(v.journal.at.generation, 2);
	fill_close(&v);
	assert_true(dirs_has(path, "log.2"));
	assert_false(dirs_has(path, "log.1"));
	assert_int_equal(fill_open(&v, path, fill_master), 0);
	assert_null(fill_get(&v, "new"));
	assert_string_equal(fill_get(&v, "other"), "kept");
	fill_close(&v);
}

/* The head could not be written and the record not be taken back: not retried blindly. */
static void
a_log_that_cannot_be_cut(void **state)
{
	const char *path = *state;
	struct vault v;

	assert_int_equal(fill_open(&v, path, fill_master), 0);
	faults.error = EIO;
	faults.in[FAULT_RENAME] = 1;
	faults.in[FAULT_TRUNCATE] = 1;
	assert_int_equal(fill_put(&v, "new", "lost"), VAULT_FAILED);
	assert_true(v.journal.broken);
	faults_clear();
	assert_int_equal(fill_put(&v, "other", "kept"), VAULT_OK);
	fill_close(&v);
	assert_int_equal(fill_open(&v, path, fill_master), 0);
	assert_null(fill_get(&v, "new"));
	fill_close(&v);
}

/* Overwrite one key until most of the log is garbage. */
static void
make_garbage(struct vault *v)
{
	static char big[8192];

	memset(big, 'x', sizeof(big) - 1);
	while (!compact_worth(&v->journal, &v->map))
		assert_int_equal(fill_put(v, "big", big), VAULT_OK);
}

static void
garbage_is_compacted(void **state)
{
	const char *path = *state;
	uint64_t sequence;
	struct vault v;

	assert_int_equal(fill_open(&v, path, fill_master), 0);
	make_garbage(&v);
	sequence = v.journal.at.sequence;
	assert_int_equal(v.journal.at.generation, 1);
	assert_int_equal(fill_put(&v, "new", "kept"), VAULT_OK);
	assert_int_equal(v.journal.at.generation, 2);
	assert_true(v.journal.at.bytes < 20000);
	assert_true(v.journal.at.sequence > sequence);
	fill_close(&v);
	assert_false(dirs_has(path, "log.1"));
	assert_int_equal(fill_open(&v, path, fill_master), 0);
	assert_int_equal(v.map.count, COMMITS + 2);
	assert_string_equal(fill_get(&v, "key/2"), "value 2");
	assert_string_equal(fill_get(&v, "new"), "kept");
	fill_close(&v);
}

/* When a new log cannot be made, the old one goes on. */
static void
compaction_that_fails(void **state)
{
	const char *path = *state;
	struct vault v;

	assert_int_equal(fill_open(&v, path, fill_master), 0);
	make_garbage(&v);
	faults.error = ENOSPC;
	faults.in[FAULT_FSYNC] = 1; /* of the new log */
	assert_int_equal(fill_put(&v, "new", "kept"), VAULT_OK);
	assert_int_equal(v.journal.at.generation, 1);
	faults_clear();
	fill_close(&v);
	assert_false(dirs_has(path, "log.2"));
	assert_int_equal(fill_open(&v, path, fill_master), 0);
	assert_string_equal(fill_get(&v, "new"), "kept");
	fill_close(&v);
}

/* The new log is written, and its head not sure to stay: after a power cut the old head could
 * be there again, so nothing is acknowledged that only the new log has. */
static void
a_new_log_whose_head_may_be_lost(void **state)
{
	const char *path = *state;
	struct vault v;

	assert_int_equal(fill_open(&v, path, fill_master), 0);
	make_garbage(&v);
	faults.error = EIO;
	faults.in[FAULT_FSYNC] = 4; /* log, directory, head, directory */
	assert_int_equal(fill_put(&v, "new", "lost"), VAULT_FAILED);
	assert_int_equal(faults.in[FAULT_FSYNC], 0);
	assert_int_equal(v.journal.at.generation, 2);
	assert_true(v.journal.broken);
	assert_true(dirs_has(path, "log.1")); /* which that head names */
	faults_clear();
	assert_int_equal(fill_put(&v, "other", "kept"), VAULT_OK);
	assert_int_equal(v.journal.at.generation, 3);
	assert_false(v.journal.broken);
	fill_close(&v);
	assert_int_equal(fill_open(&v, path, fill_master), 0);
	assert_null(fill_get(&v, "new"));
	assert_string_equal(fill_get(&v, "other"), "kept");
	assert_false(dirs_has(path, "log.1"));
	fill_close(&v);
}

/* A start removes no log before the head that does not name it is sure to stay. */
static void
a_leftover_goes_after_a_sync(void **state)
{
	const char *path = *state;
	struct vault v;

	dirs_save(path, "log.7", "leftover", 8);
	faults.error = EIO;
	faults.in[FAULT_FSYNC] = 1;
	faults.each[FAULT_FSYNC] = 1;
	assert_int_equal(fill_open(&v, path, fill_master), 0);
	fill_close(&v);
	assert_true(dirs_has(path, "log.7"));
	faults_clear();
	assert_int_equal(fill_open(&v, path, fill_master), 0);
	fill_close(&v);
	assert_false(dirs_has(path, "log.7"));
}

/* The process ends before each call of a commit with compaction in turn. */
static void
a_crash_at_each_call(void **state)
{
	const char *path = *state;
	struct vault v;
	unsigned at;

	assert_int_equal(fill_open(&v, path, fill_master), 0);
	make_garbage(&v);
	fill_close(&v);
	for (at = 1; at < 100; at++) {
		char *copy = dirs_make("/tmp");
		int status;
		pid_t pid;

		dirs_copy(path, copy);
		if ((pid = fork()) == 0) {
			if (fill_open(&v, copy, fill_master) != 0)
				_exit(1);
			faults.kill_at = at;
			_exit(fill_put(&v, "new", "kept") == VAULT_OK ? 0 : 2);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 9);
		assert_int_equal(fill_open(&v, copy, fill_master), 0);
		assert_string_equal(fill_get(&v, "key/0"), "value 0");
		if (WEXITSTATUS(status) == 0)
			assert_string_equal(fill_get(&v, "new"), "kept");
		assert_int_equal(fill_put(&v, "after", "x"), VAULT_OK);
		fill_close(&v);
		assert_false(dirs_has(copy, "log.1") && dirs_has(copy, "log.2"));
		dirs_remove(copy);
		if (WEXITSTATUS(status) == 0)
			break;
	}
	assert_in_range(at, 5, 99);
}

/* The same for the first start: the next one begins again, and never refuses. */
static void
a_crash_in_the_first_start(void **state)
{
	unsigned at;

	(void)state;
	for (at = 1; at < 100; at++) {
		char *path = dirs_make("/tmp");
		int status, dir;
		struct vault v;
		pid_t pid;

		if ((pid = fork()) == 0) {
			faults.kill_at = at;
			fill_vault(path, fill_master, 0);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		dir = vault_lock(path);
		/* master.sealed is written by another file, so it may be missing here. */
		if (dirs_has(path, "head"))
			dirs_save(path, VAULT_MASTER, "sealed", 6);
		assert_int_not_equal(vault_look(dir), VAULT_DAMAGED);
		if (vault_look(dir) == VAULT_EMPTY) {
			assert_int_equal(vault_prepare(dir), 0);
			assert_int_equal(vault_create(&v, dir, fill_master, fill_store, NULL), 0);
		} else {
			assert_int_equal(vault_open(&v, dir, fill_master, NULL), 0);
		}
		assert_int_equal(fill_put(&v, "a", "b"), VAULT_OK);
		fill_close(&v);
		assert_false(dirs_has(path, VAULT_NEW));
		dirs_remove(path);
		if (WEXITSTATUS(status) == 0)
			break;
	}
	assert_in_range(at, 3, 99);
}

/* Commit in a loop, say each on the pipe once it is acknowledged. */
static void
commit_for_ever(const char *path, int out, unsigned from)
{
	struct vault v;

	if (fill_open(&v, path, fill_master) != 0)
		_exit(1);
	for (unsigned i = from;; i++) {
		char value[16];

		snprintf(value, sizeof(value), "%u", i);
		if (fill_put(&v, "counter", value) != VAULT_OK ||
		    write(out, &i, sizeof(i)) != sizeof(i))
			_exit(2);
	}
}

static void
kill_in_a_commit_loop(void **state)
{
	unsigned rounds = dirs_long() ? 200 : 20, last = 0;
	const char *path = *state;

	for (unsigned r = 0; r < rounds; r++) {
		unsigned got, acked = last, stored;
		int fds[2], status;
		struct vault v;
		pid_t pid;

		assert_int_equal(pipe(fds), 0);
		if ((pid = fork()) == 0)
			commit_for_ever(path, fds[1], last + 1);
		close(fds[1]);
		usleep(2000 + (useconds_t)(r * 977) % 20000);
		kill(pid, SIGKILL);
		while (read(fds[0], &got, sizeof(got)) == sizeof(got))
			acked = got;
		close(fds[0]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(fill_open(&v, path, fill_master), 0);
		stored = fill_get(&v, "counter") != NULL
			     ? (unsigned)strtoul(fill_get(&v, "counter"), NULL, 10)
			     : 0;
		fill_close(&v);
		assert_in_range(stored, acked, acked + 1);
		last = stored;
	}
}

/* A disk of 64 KiB: full is full, and what was acknowledged stays. */
static void
a_small_disk(void **state)
{
	char *path = dirs_make("/tmp"), value[1024];
	unsigned n = 0;
	struct vault v;

	(void)state;
	if (geteuid() != 0 ||
	    mount("none", path, "tmpfs", 0, "size=64k,mode=0700") != 0) {
		print_message("SKIPPED: needs root, to mount a tmpfs of 64 KiB\n");
		rmdir(path);
		free(path);
		skip();
	}
	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	fill_vault(path, fill_master, COMMITS);
	assert_int_equal(fill_open(&v, path, fill_master), 0);
	for (;; n++) {
		char key[32];

		snprintf(key, sizeof(key), "big/%u", n);
		if (fill_put(&v, key, value) != VAULT_OK)
			break;
	}
	assert_in_range(n, 5, 64);
	assert_int_equal(fill_put(&v, "one/more", value), VAULT_FULL);
	assert_int_equal(v.map.count, COMMITS + n);
	fill_close(&v);
	assert_int_equal(fill_open(&v, path, fill_master), 0);
	assert_int_equal(v.map.count, COMMITS + n);
	fill_close(&v);
	assert_int_equal(umount(path), 0);
	dirs_remove(path);
}

static void
a_disk_that_is_read_only(void **state)
{
	char *path = dirs_make("/tmp");
	struct vault v;

	(void)state;
	if (geteuid() != 0 || mount("none", path, "tmpfs", 0, "size=1m,mode=0700") != 0) {
		print_message("SKIPPED: needs root, to mount a tmpfs\n");
		rmdir(path);
		free(path);
		skip();
	}
	fill_vault(path, fill_master, COMMITS);
	assert_int_equal(fill_open(&v, path, fill_master), 0);
	fill_close(&v);
	assert_int_equal(mount("none", path, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_int_equal(fill_open(&v, path, fill_master), -1);
	assert_int_equal(umount(path), 0);
	dirs_remove(path);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(every_call_of_a_commit_fails),
	    T(planted_files),
	    T(a_failed_sync_means_a_new_log),
	    T(a_log_that_cannot_be_cut),
	    T(garbage_is_compacted),
	    T(compaction_that_fails),
	    T(a_new_log_whose_head_may_be_lost),
	    T(a_leftover_goes_after_a_sync),
	    T(a_crash_at_each_call),
	    T(a_crash_in_the_first_start),
	    T(kill_in_a_commit_loop),
	    T(a_small_disk),
	    T(a_disk_that_is_read_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
