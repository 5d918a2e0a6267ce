/* test_judge.c - with an anchor in the TPM only the last state opens, and it always does
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "dirs.h"
#include "fake_anchor.h"
#include "faults.h"
#include "fill.h"
#include "vsmd/store/compact.h"

#define COMMITS 4
#define LOG "log.1"

static struct fake_anchor tpm;
static char *tpm_dir, *store, *copy;

static int
setup(void **state)
{
	(void)state;
	faults_clear();
	tpm_dir = dirs_make("/tmp");
	store = dirs_make("/tmp");
	copy = dirs_make("/tmp");
	fake_anchor_init(&tpm, tpm_dir, "nv");
	tpm.point = faults_point;
	fill_anchor = &tpm.anchor;
	fill_vault(store, fill_master, COMMITS);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	faults_clear();
	fill_anchor = NULL;
	dirs_remove(tpm_dir);
	dirs_remove(store);
	dirs_remove(copy);
	return 0;
}

/* Opens as the last state. */
static void
opens(struct vault *v, const char *path)
{
	assert_int_equal(fill_open(v, path, fill_master), 0);
	if (v->rolled_back)
		fail_msg("rolled back: %s", v->why);
}

static void
opens_with(const char *path, const char *key, const char *value)
{
	struct vault v;

	opens(&v, path);
	if (value != NULL)
		assert_string_equal(fill_get(&v, key), value);
	else
		assert_null(fill_get(&v, key));
	fill_close(&v);
}

/* Is rolled back, and nothing was written. */
static void
rolled_back(const char *path, const char *why)
{
	char *before = dirs_make("/tmp");
	struct vault v;

	dirs_empty(before);
	dirs_copy(path, before);
	assert_int_equal(fill_open(&v, path, fill_master), 0);
	assert_true(v.rolled_back);
	assert_non_null(strstr(v.why, why));
	assert_int_equal(fill_put(&v, "new", "x"), VAULT_FAILED);
	fill_close(&v);
	assert_true(dirs_equal(before, path, (const char *const[]){NULL}));
	dirs_remove(before);
}

static void
put(const char *key, const char *value)
{
	struct vault v;

	opens(&v, store);
	assert_int_equal(fill_put(&v, key, value), VAULT_OK);
	fill_close(&v);
}

static void
swap_file(const char *from, const char *to, const char *name)
{
	size_t len;
	uint8_t *data = dirs_load(from, name, &len);

	dirs_save(to, name, data, len);
	free(data);
}

static void
set(char *to, const char *from)
{
	dirs_empty(to);
	dirs_copy(from, to);
}

static void
the_last_state_opens(void **state)
{
	struct vault v;

	(void)state;
	opens(&v, store);
	assert_int_equal(v.map.count, COMMITS + 1); /* the anchor's own */
	assert_int_equal(v.journal.at.sequence, COMMITS);
	assert_int_equal(v.journal.at.anchor_type, HEAD_ANCHORED);
	fill_close(&v);
	put("key/0", "changed");
	opens_with(store, "key/0", "changed");
}

static void
an_older_store_does_not(void **state)
{
	char *right = dirs_make("/tmp");

	(void)state;
	set(copy, store);
	put("new", "kept");
	set(right, store);
	rolled_back(copy, "older copy");
	rolled_back(copy, "older copy"); /* a restart changes nothing */
	/* The right one put back opens. */
	opens_with(right, "new", "kept");
	/* An older head: the log is the last state all the same. */
	swap_file(copy, right, "head");
	opens_with(right, "new", "kept");
	opens_with(right, "new", "kept");
	dirs_remove(right);
}

static void
a_mixture_does_not(void **state)
{
	struct vault v;

	(void)state;
	set(copy, store);
	put("new", "kept");
	swap_file(copy, store, LOG); /* newer head, older log */
	assert_int_equal(fill_open(&v, store, fill_master), -1);
}

static void
another_stores_files_do_not(void **state)
{
	struct fake_anchor other;
	char *path = dirs_make("/tmp");
	struct vault v;

	(void)state;
	fake_anchor_init(&other, tpm_dir, "other");
	fill_anchor = &other.anchor;
	fill_vault(path, fill_master, COMMITS);
	fill_anchor = &tpm.anchor;
	rolled_back(path, "older copy, a mixture");
	swap_file(path, store, "head");
	assert_int_equal(fill_open(&v, store, fill_master), -1);
	dirs_remove(path);
}

static void
an_anchor_that_is_gone(void **state)
{
	struct fake_anchor saved = tpm;
	char *nv = dirs_make("/tmp");

	(void)state;
	dirs_copy(tpm_dir, nv);
	fake_anchor_remove(&tpm);
	rolled_back(store, "removed or replaced");
	dirs_copy(nv, tpm_dir);
	tpm = saved;
	opens_with(store, "key/0", "value 0");
	dirs_remove(nv);
}

/* The TPM's own state was put back: nothing that was acknowledged is cut off for that. */
static void
an_older_tpm(void **state)
{
	char *nv = dirs_make("/tmp"), *right = dirs_make("/tmp");

	(void)state;
	dirs_copy(tpm_dir, nv);
	put("new", "1");
	put("new", "2");
	set(right, tpm_dir);
	set(tpm_dir, nv);
	rolled_back(store, "older than the store");
	set(tpm_dir, right);
	opens_with(store, "new", "2");
	dirs_remove(nv);
	dirs_remove(right);
}

static void
fail_msg_at(unsigned at, const char *what)
{
	fail_msg("call %u: %s", at, what);
}

/*
 * The process ends before each call of a commit in turn, also between the anchor's
 * extension and the next: afterwards exactly what was acknowledged is there, or that and
 * the one commit that was under way.
 */
static void
crash_at_each_call(bool compacting)
{
	char *nv = dirs_make("/tmp");
	unsigned at, kept = 0, lost = 0;
	struct vault v;

	if (compacting) {
		static char big[8192];

		memset(big, 'x', sizeof(big) - 1);
		opens(&v, store);
		while (!compact_worth(&v.journal, &v.map))
			assert_int_equal(fill_put(&v, "big", big), VAULT_OK);
		fill_close(&v);
	}
	dirs_copy(tpm_dir, nv);
	for (at = 1; at < 100; at++) {
		const char *found;
		int status;
		pid_t pid;

		set(copy, store);
		set(tpm_dir, nv);
		if ((pid = fork()) == 0) {
			if (fill_open(&v, copy, fill_master) != 0 || v.rolled_back)
				_exit(1);
			faults.kill_at = at;
			_exit(fill_put(&v, "new", "kept") == VAULT_OK ? 0 : 2);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 9);
		assert_int_equal(fill_open(&v, copy, fill_master), 0);
		if (v.rolled_back)
			fail_msg_at(at, v.why);
		assert_string_equal(fill_get(&v, "key/0"), "value 0");
		found = fill_get(&v, "new");
		if (WEXITSTATUS(status) == 0)
			assert_non_null(found);
		*(found != NULL ? &kept : &lost) += 1;
		assert_int_equal(fill_put(&v, "after", "x"), VAULT_OK);
		fill_close(&v);
		opens_with(copy, "new", found != NULL ? "kept" : NULL);
		assert_false(dirs_has(copy, "log.1") && dirs_has(copy, "log.2"));
		if (WEXITSTATUS(status) == 0)
			break;
	}
	assert_in_range(at, 5, 99);
	assert_true(kept >= 2 && lost >= 3); /* also one that was not answered */
	dirs_remove(nv);
}

static void
a_crash_at_each_call(void **state)
{
	(void)state;
	crash_at_each_call(false);
}

static void
a_crash_at_each_call_of_a_compaction(void **state)
{
	(void)state;
	crash_at_each_call(true);
}

/* After a crash, a crash at each call of the start that follows. */
static void
a_crash_in_the_judgement(void **state)
{
	char *nv = dirs_make("/tmp"), *crashed = dirs_make("/tmp");
	struct vault v;
	int status;
	pid_t pid;

	(void)state;
	for (unsigned first = 1; first < 12; first++) {
		set(copy, store);
		dirs_empty(nv);
		if ((pid = fork()) == 0) {
			if (fill_open(&v, copy, fill_master) != 0)
				_exit(1);
			faults.kill_at = first;
			_exit(fill_put(&v, "new", "kept") == VAULT_OK ? 0 : 2);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		dirs_copy(tpm_dir, nv);
		set(crashed, copy);
		for (unsigned at = 1; at < 20; at++) {
			set(copy, crashed);
			set(tpm_dir, nv);
			if ((pid = fork()) == 0) {
				faults.kill_at = at;
				_exit(fill_open(&v, copy, fill_master) == 0 ? 0 : 1);
			}
			assert_int_equal(waitpid(pid, &status, 0), pid);
			assert_int_not_equal(WEXITSTATUS(status), 1);
			opens(&v, copy);
			fill_close(&v);
			if (WEXITSTATUS(status) == 0)
				break;
		}
		/* As at first for the next round. */
		set(copy, crashed);
		opens(&v, copy);
		fill_close(&v);
		set(store, copy);
	}
	dirs_remove(nv);
	dirs_remove(crashed);
}

/* The TPM fails: what was not anchored was not done, and is not there afterwards. */
static void
a_failing_tpm(void **state)
{
	struct vault v;

	(void)state;
	opens(&v, store);
	/* It is asked again, for the same. */
	tpm.anchor.patience = 1000;
	tpm.fail_before = 1;
	assert_int_equal(fill_put(&v, "a", "kept"), VAULT_OK);
	tpm.fail_after = 1;
	assert_int_equal(fill_put(&v, "b", "kept"), VAULT_OK);
	/* Not for ever. */
	tpm.anchor.patience = 0;
	tpm.fail_before = 1;
	assert_int_equal(fill_put(&v, "c", "lost"), VAULT_FAILED);
	assert_null(fill_get(&v, "c"));
	tpm.silent = 3;
	assert_int_equal(fill_put(&v, "c", "lost"), VAULT_FAILED);
	assert_int_equal(fill_put(&v, "c", "lost"), VAULT_FAILED);
	assert_true(v.journal.broken);
	tpm.silent = 0;
	assert_int_equal(fill_put(&v, "d", "kept"), VAULT_OK);
	/* Done, and said to have failed: it is asked. */
	tpm.fail_after = 1;
	assert_int_equal(fill_put(&v, "e", "kept"), VAULT_OK);
	assert_false(v.journal.broken);
	fill_close(&v);
	opens(&v, store);
	assert_string_equal(fill_get(&v, "a"), "kept");
	assert_string_equal(fill_get(&v, "b"), "kept");
	assert_null(fill_get(&v, "c"));
	assert_string_equal(fill_get(&v, "d"), "kept");
	fill_close(&v);
}

static void
stop_answering(void)
{
	static unsigned n;

	if (++n % 2 == 0) /* after it was done */
		tpm.silent = 1;
}

/* It was done, the answer and the question after it are lost: the caller was told that it
 * failed, and it is not there, unless vsmd ends before the next commit. */
static void
a_tpm_in_doubt(void **state)
{
	struct vault v;

	(void)state;
	for (int on = 0; on < 2; on++) {
		opens(&v, store);
		tpm.point = stop_answering;
		tpm.fail_after = 1;
		assert_int_equal(fill_put(&v, "doubtful", "x"), VAULT_FAILED);
		assert_true(v.anchor->doubt);
		assert_true(on ? strcmp(fill_get(&v, "doubtful"), "y") == 0
			       : fill_get(&v, "doubtful") == NULL);
		tpm.point = faults_point;
		tpm.silent = 0;
		if (on == 0) {
			fill_close(&v);
			opens_with(store, "doubtful", "x");
			opens(&v, store);
			assert_int_equal(fill_put(&v, "doubtful", "y"), VAULT_OK);
			fill_close(&v);
			continue;
		}
		assert_int_equal(fill_put(&v, "other", "kept"), VAULT_OK);
		assert_string_equal(fill_get(&v, "doubtful"), "y");
		fill_close(&v);
		opens_with(store, "other", "kept");
		opens_with(store, "doubtful", "y");
		assert_false(dirs_has(store, LOG));
	}
}

static void
every_call_of_a_commit_fails(void **state)
{
	static const enum fault_call calls[] = {FAULT_PWRITE, FAULT_FDATASYNC};
	struct vault v;

	(void)state;
	for (size_t c = 0; c < 2; c++)
		for (int restart = 0; restart < 2; restart++) {
			opens(&v, store);
			faults.error = EIO;
			faults.in[calls[c]] = 1;
			assert_int_not_equal(fill_put(&v, "new", "lost"), VAULT_OK);
			faults_clear();
			if (restart) {
				fill_close(&v);
				opens(&v, store);
			}
			assert_null(fill_get(&v, "new"));
			assert_int_equal(fill_put(&v, "other", "kept"), VAULT_OK);
			fill_close(&v);
			opens_with(store, "new", NULL);
			opens_with(store, "other", "kept");
		}
}

/* The head follows now and then, and at the end; whether it could be written or not, and
 * wherever the process ends, the last state opens. */
static void
the_head_stays_behind(void **state)
{
	uint8_t *first, *now;
	struct vault v;
	size_t len;

	(void)state;
	first = dirs_load(store, "head", &len);
	opens(&v, store);
	for (unsigned i = 0; i < HEAD_EVERY - 1; i++)
		assert_int_equal(fill_put(&v, "new", "x"), VAULT_OK);
	now = dirs_load(store, "head", &len);
	assert_memory_equal(first, now, len);
	free(now);
	faults.error = EIO;
	faults.in[FAULT_RENAME] = 1;
	assert_int_equal(fill_put(&v, "new", "lost"), VAULT_FAILED);
	faults_clear();
	assert_int_equal(fill_put(&v, "new", "y"), VAULT_OK);
	now = dirs_load(store, "head", &len);
	assert_memory_not_equal(first, now, len);
	free(first);
	assert_int_equal(fill_put(&v, "new", "z"), VAULT_OK);
	faults.in[FAULT_RENAME] = 1;
	fill_close(&v);
	faults_clear();
	first = dirs_load(store, "head", &len);
	assert_memory_equal(first, now, len);
	opens_with(store, "new", "z");
	free(first);
	first = dirs_load(store, "head", &len);
	assert_memory_not_equal(first, now, len);
	free(first);
	free(now);
}

/* A store from before there were anchors gets one; the copy of before is then old. */
static void
a_store_without_an_anchor(void **state)
{
	char *path = dirs_make("/tmp"), *old = dirs_make("/tmp"), *nv = dirs_make("/tmp");
	struct fake_anchor fresh;
	struct vault v;
	unsigned at;

	(void)state;
	fake_anchor_init(&fresh, nv, "nv");
	fresh.point = faults_point;
	fill_anchor = NULL;
	fill_vault(path, fill_master, COMMITS);
	fill_anchor = &fresh.anchor;
	set(old, path);
	for (at = 1; at < 100; at++) {
		int status;
		pid_t pid;

		set(copy, old);
		dirs_empty(nv);
		if ((pid = fork()) == 0) {
			faults.kill_at = at;
			_exit(fill_open(&v, copy, fill_master) == 0 ? 0 : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		opens(&v, copy);
		assert_string_equal(fill_get(&v, "key/0"), "value 0");
		assert_int_equal(v.journal.at.anchor_type, HEAD_ANCHORED);
		fill_close(&v);
		if (WEXITSTATUS(status) == 0)
			break;
	}
	assert_in_range(at, 6, 99);
	opens(&v, copy);
	assert_int_equal(fill_put(&v, "new", "kept"), VAULT_OK);
	fill_close(&v);
	rolled_back(old, "before its anchor was made");
	/* Off and on again: what was done meanwhile is taken as long as the TPM's place
	 * is in the log. */
	fill_anchor = NULL;
	opens(&v, copy);
	for (int i = 0; i < 3; i++)
		assert_int_equal(fill_put(&v, "new", "while off"), VAULT_OK);
	fill_close(&v);
	fill_anchor = &fresh.anchor;
	set(old, copy);
	set(path, nv);
	for (at = 1; at < 100; at++) {
		int status;
		pid_t pid;

		set(copy, old);
		set(nv, path);
		if ((pid = fork()) == 0) {
			faults.kill_at = at;
			_exit(fill_open(&v, copy, fill_master) == 0 ? 0 : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		opens_with(copy, "new", "while off");
		opens(&v, copy);
		assert_int_equal(v.journal.at.anchor_type, HEAD_ANCHORED);
		assert_int_equal(fill_put(&v, "new", "on again"), VAULT_OK);
		fill_close(&v);
		opens_with(copy, "new", "on again");
		rolled_back(old, "time with anchor = off");
		if (WEXITSTATUS(status) == 0)
			break;
	}
	assert_in_range(at, 4, 99);
	dirs_remove(path);
	dirs_remove(old);
	dirs_remove(nv);
}

/* Heads of commits without an anchor are not sure to stay: when the power takes them all, the
 * one that is left must not say that the TPM knows the end. */
static void
a_power_cut_after_it_was_switched_off(void **state)
{
	struct vault v;
	uint8_t *head;
	size_t len;

	(void)state;
	fill_anchor = NULL;
	opens(&v, store);
	head = dirs_load(store, "head", &len);
	for (int i = 0; i < 3; i++)
		assert_int_equal(fill_put(&v, "new", "while off"), VAULT_OK);
	fill_close(&v);
	dirs_save(store, "head", head, len);
	free(head);
	fill_anchor = &tpm.anchor;
	opens_with(store, "new", "while off");
}

/* And it is not opened where that head cannot be written. */
static void
switching_off_on_a_disk_that_fails(void **state)
{
	struct vault v;

	(void)state;
	fill_anchor = NULL;
	faults.error = EIO;
	faults.in[FAULT_RENAME] = 1;
	assert_int_equal(fill_open(&v, store, fill_master), -1);
	faults_clear();
	fill_anchor = &tpm.anchor;
	opens_with(store, "key/0", "value 0");
}

static void
accept(struct vault *v, enum vault_result want)
{
	struct txn t;

	txn_init(&t);
	txn_put(&t, "accepted", "yes", 3);
	assert_int_equal(vault_accept(v, &t), want);
	txn_clear(&t);
}

static void
a_rolled_back_store_is_accepted(void **state)
{
	char *nv = dirs_make("/tmp"), *old = dirs_make("/tmp");
	uint64_t tries;
	struct vault v;
	unsigned at;

	(void)state;
	set(old, store);
	put("new", "given up");
	dirs_copy(tpm_dir, nv);
	for (at = 1; at < 100; at++) {
		int status;
		pid_t pid;

		set(copy, old);
		set(tpm_dir, nv);
		if ((pid = fork()) == 0) {
			if (fill_open(&v, copy, fill_master) != 0 || !v.rolled_back ||
			    anchor_tries_begin(v.anchor, &v.map, 3, &tries) != 0)
				_exit(1);
			faults.kill_at = at;
			accept(&v, VAULT_OK);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_not_equal(WEXITSTATUS(status), 1);
		assert_int_equal(fill_open(&v, copy, fill_master), 0);
		if (v.rolled_back) {
			/* Again. */
			assert_int_equal(
			    anchor_tries_begin(v.anchor, &v.map, 3, &tries), 0);
			accept(&v, VAULT_OK);
		}
		assert_string_equal(fill_get(&v, "accepted"), "yes");
		fill_close(&v);
		opens_with(copy, "new", NULL);
		/* And the one that was given up is now the old one. */
		rolled_back(store, "older copy");
		if (WEXITSTATUS(status) == 0)
			break;
	}
	assert_in_range(at, 6, 99);
	dirs_remove(nv);
	dirs_remove(old);
}

/* Wrong SO PINs are counted in the TPM, before and after it was made again. */
static void
tries_are_counted(void **state)
{
	char *old = dirs_make("/tmp");
	struct vault v;
	uint64_t tries;

	(void)state;
	set(old, store);
	put("new", "x");
	for (int gone = 0; gone < 2; gone++) {
		if (gone)
			fake_anchor_remove(&tpm);
		for (uint64_t n = 0; n < 5; n++) {
			assert_int_equal(fill_open(&v, old, fill_master), 0);
			assert_true(v.rolled_back);
			assert_int_equal(
			    anchor_tries_begin(v.anchor, &v.map, 3, &tries), 0);
			assert_int_equal(tries, n);
			assert_int_equal(anchor_tries_count(v.anchor), 0);
			fill_close(&v);
		}
		assert_int_equal(fill_open(&v, old, fill_master), 0);
		assert_int_equal(anchor_tries_begin(v.anchor, &v.map, 3, &tries), 0);
		anchor_tries_forget(v.anchor);
		set(copy, old);
		accept(&v, VAULT_OK);
		assert_int_equal(anchor_base(&v.map), v.anchor->base);
		fill_close(&v);
		opens_with(old, "accepted", "yes");
		rolled_back(store, "older copy");
		/* The next rollback starts at none. */
		set(copy, old);
		opens(&v, old);
		assert_int_equal(fill_put(&v, "more", "x"), VAULT_OK);
		fill_close(&v);
		assert_int_equal(fill_open(&v, copy, fill_master), 0);
		assert_true(v.rolled_back);
		assert_int_equal(anchor_tries_begin(v.anchor, &v.map, 3, &tries), 0);
		assert_int_equal(tries, 0);
		fill_close(&v);
		set(old, copy);
		set(store, old);
	}
	dirs_remove(old);
}

/* Made again for a rolled-back store, it does not open what was before there were
 * anchors. */
static void
made_again_is_not_new(void **state)
{
	char *plain = dirs_make("/tmp");
	struct vault v;
	uint64_t tries;

	(void)state;
	fill_anchor = NULL;
	fill_vault(plain, fill_master, COMMITS);
	fill_anchor = &tpm.anchor;
	fake_anchor_remove(&tpm);
	assert_int_equal(fill_open(&v, store, fill_master), 0);
	assert_true(v.rolled_back);
	assert_int_equal(anchor_tries_begin(v.anchor, &v.map, 3, &tries), 0);
	fill_close(&v);
	rolled_back(plain, "made again");
	rolled_back(store, "made again");
	dirs_remove(plain);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(the_last_state_opens),
	    T(an_older_store_does_not),
	    T(a_mixture_does_not),
	    T(another_stores_files_do_not),
	    T(an_anchor_that_is_gone),
	    T(an_older_tpm),
	    T(a_crash_at_each_call),
	    T(a_crash_at_each_call_of_a_compaction),
	    T(a_crash_in_the_judgement),
	    T(a_failing_tpm),
	    T(a_tpm_in_doubt),
	    T(every_call_of_a_commit_fails),
	    T(the_head_stays_behind),
	    T(a_store_without_an_anchor),
	    T(a_power_cut_after_it_was_switched_off),
	    T(switching_off_on_a_disk_that_fails),
	    T(a_rolled_back_store_is_accepted),
	    T(tries_are_counted),
	    T(made_again_is_not_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
