/* test_commit_room.c - commits of much, of too much, and on a disk without room; the rest is
 * in test_commit.c */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cmocka.h>

#include "dirs.h"
#include "group.h"
#include "hsm.h"
#include "vsmd/msg.h"

static void
make_files(const char *dir, unsigned n, size_t size)
{
	char name[64], *zeros = calloc(1, size + 1);

	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%08u.data", i);
		dirs_save(dir, name, zeros, size);
	}
	free(zeros);
}

/* More names than the store remembers: it looks at all. */
static void
more_changes_than_are_remembered(void **state)
{
	char path[512];
	int fd;
	RIG(r);

	fd = group_token(r, 0, "web");
	rig_token_path(rig_slot(r, 0), path);
	make_files(path, 5000, 1);
	dirs_unlink(path, "00000007.data");
	assert_int_equal(rig_commit(fd, NULL, NULL, NULL), CKR_OK);
	close(fd);
	rig_kill(r);
	assert_true(rig_start(r));
	rig_token_path(rig_slot(r, 0), path);
	assert_true(dirs_has(path, "00000006.data"));
	assert_false(dirs_has(path, "00000007.data"));
	assert_true(dirs_has(path, "00004999.data"));
}

/* A token that no backup could hold is not stored, and goes back. */
static void
larger_than_a_backup(void **state)
{
	char path[512];
	int fd;
	RIG(r);

	fd = group_token(r, 0, "web");
	rig_token_path(rig_slot(r, 0), path);
	make_files(path, 50, 1 << 20);
	assert_int_equal(rig_commit(fd, NULL, NULL, NULL), CKR_OK);
	make_files(path, 50, 1 << 20); /* the same again is no growth */
	assert_int_equal(rig_commit(fd, NULL, NULL, NULL), CKR_OK);
	make_files(path, 61, 1 << 20);
	assert_int_equal(rig_commit(fd, NULL, NULL, NULL), CKR_DEVICE_MEMORY);
	assert_int_equal(rig_discard(r), 0);
	close(fd);
	rig_token_path(rig_slot(r, 0), path);
	assert_true(dirs_has(path, "00000049.data"));
	assert_false(dirs_has(path, "00000050.data"));
	fd = rig_attach(r, 0, false, "web", 0);
	for (unsigned i = 0; i < 20; i++) {
		char name[64];

		snprintf(name, sizeof(name), "%08u.data", i);
		dirs_unlink(path, name);
	}
	assert_int_equal(rig_commit(fd, NULL, NULL, NULL), CKR_OK);
	dirs_save(path, "another.data", "x", 1);
	assert_int_equal(rig_commit(fd, NULL, NULL, NULL), CKR_OK);
	close(fd);
}

/* Wrong PINs count when they cannot be written, too. */
static void
guesses_on_a_full_disk(struct rig *r)
{
	char name[512], *filler = calloc(1, 4096);
	int fd = rig_attach(r, 0, false, "web", GRANT_PIN_LOCKOUT), full;

	snprintf(name, sizeof(name), "%s/filler", r->state);
	full = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (write(full, filler, 4096) > 0 || write(full, filler, 1) > 0)
		;
	close(full);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(rig_simple(fd, M_W_LOGIN_MAY, CKU_USER), CKR_OK);
		assert_int_not_equal(
		    rig_login_done(fd, CKU_USER, false, "", NULL, NULL), CKR_OK);
	}
	assert_int_equal(rig_simple(fd, M_W_LOGIN_MAY, CKU_USER), CKR_PIN_LOCKED);
	assert_true(rig_token_flags(fd) & CKF_USER_PIN_LOCKED);
	dirs_unlink(r->state, "filler");
	assert_int_equal(rig_simple(fd, M_W_LOGIN_MAY, CKU_USER), CKR_PIN_LOCKED);
	close(fd);
	free(filler);
}

/* The disk is full: the call is told, nothing that was acknowledged is lost, memory goes
 * back, and once there is room all goes on. */
static void
fail_and_recover(struct rig *r, void (*change)(const char *directory))
{
	static const char *const kept[] = {"generation", NULL};
	char path[512], *before = dirs_make("/tmp"), *filler = calloc(1, 4096);
	char name[512];
	int fd = rig_attach(r, 0, false, "web", 0), full;

	rig_token_path(rig_slot(r, 0), path);
	dirs_copy(path, before);
	snprintf(name, sizeof(name), "%s/filler", r->state);
	full = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (write(full, filler, 4096) > 0)
		;
	while (write(full, filler, 1) > 0)
		;
	close(full);
	change(rig_slot(r, 0)->directory);
	assert_int_equal(rig_commit(fd, NULL, NULL, NULL), CKR_DEVICE_MEMORY);
	assert_int_equal(rig_discard(r), 0);
	close(fd);
	rig_token_path(rig_slot(r, 0), path);
	assert_true(dirs_equal(path, before, kept));
	dirs_unlink(r->state, "filler");
	fd = rig_attach(r, 0, false, "web", 0);
	change(rig_slot(r, 0)->directory);
	assert_int_equal(rig_commit(fd, NULL, NULL, NULL), CKR_OK);
	close(fd);
	dirs_remove(before);
	free(filler);
}

static void
one_object(const char *directory)
{
	hsm_create(directory, "user-pin", 1);
}

static void
one_less(const char *directory)
{
	hsm_destroy(directory, "user-pin");
}

static void
one_attribute(const char *directory)
{
	hsm_set(directory, "user-pin");
}

static void
one_pin(const char *directory)
{
	hsm_set_pin(directory, "user-pin", "user-pin");
}

static void
a_full_disk(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	if (!r.on_tmpfs || geteuid() != 0 ||
	    mount("none", r.state, "tmpfs", 0, "size=256k,mode=0700") != 0) {
		print_message("SKIPPED: needs root, to mount a tmpfs of 256 KiB\n");
		rig_free(&r);
		skip();
	}
	dirs_save(r.state, "tpm-state", "A1", 2);
	assert_true(rig_start(&r));
	close(group_token(&r, 0, "web"));
	fail_and_recover(&r, one_object);
	fail_and_recover(&r, one_attribute);
	fail_and_recover(&r, one_pin);
	fail_and_recover(&r, one_less);
	guesses_on_a_full_disk(&r);
	rig_kill(&r);
	assert_true(rig_start(&r));
	assert_int_equal(hsm_count(rig_slot(&r, 0)->directory, "user-pin"), 0);
	assert_int_equal(rig_stop(&r), 0);
	assert_int_equal(umount(r.state), 0);
	rig_free(&r);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, group_setup, group_teardown)
	const struct CMUnitTest tests[] = {
	    T(more_changes_than_are_remembered),
	    T(larger_than_a_backup),
	    cmocka_unit_test(a_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
