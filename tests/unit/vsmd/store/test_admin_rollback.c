/* test_admin_rollback.c - a store process whose state is not the last: what it serves,
 * and the way out */
#include <jansson.h>
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
#include "group.h"
#include "vsmd/msg.h"

static char *tpm_dir, *old, *last;
static char text[65536];

/* The fake TPM apart from the state. */
static int
setup(void **state)
{
	struct rig *r = group_rig();

	tpm_dir = dirs_make("/tmp");
	old = dirs_make("/tmp");
	last = dirs_make("/tmp");
	dirs_save(tpm_dir, "t", "A1", 2);
	if (r != NULL) {
		snprintf(r->tpm, sizeof(r->tpm), "fake:%s/t", tpm_dir);
		r->config.anchor = true;
	}
	*state = r;
	return 0;
}

static int
teardown(void **state)
{
	faults_clear();
	(void)group_teardown(state);
	dirs_remove(tpm_dir);
	dirs_remove(old);
	dirs_remove(last);
	return 0;
}

static void
copy(const char *from, const char *to)
{
	dirs_empty(to);
	dirs_copy(from, to);
}

static bool
ask(int fd, const char *call, const char *args, const char *so_pin)
{
	return rig_admin(fd, call, args, "", so_pin, NULL, 0, text, sizeof(text), NULL);
}

/* Killed, where it runs, and started anew with so many slots; an administrator's pipe. */
static int
restart(struct rig *r, uint32_t nslots)
{
	if (r->pid > 0)
		rig_kill(r);
	assert_true(rig_start(r));
	assert_int_equal(r->nslots, nslots);
	return group_admin(r);
}

static bool
accept(int fd, const char *label, const char *so_pin)
{
	char args[64];

	snprintf(args, sizeof(args), "{\"label\":\"%s\"}", label);
	return ask(fd, "accept-rollback", args, so_pin);
}

static void
says(const char *what)
{
	if (strstr(text, what) == NULL)
		fail_msg("%s does not say %s", text, what);
}

/* A store with three tokens, and a copy of it that is older than the last state. */
static void
roll_back(struct rig *r)
{
	int fd;

	assert_true(rig_start(r));
	close(group_token(r, 0, "one"));
	close(group_token(r, 1, "two"));
	close(group_token(r, 2, "three"));
	assert_int_equal(rig_stop(r), 0);
	copy(r->state, old);
	assert_true(rig_start(r));
	fd = rig_attach(r, 0, false, "web", GRANT_PIN_LOCKOUT);
	assert_int_equal(
	    rig_login_done(fd, CKU_USER, false, "wrong", NULL, NULL), CKR_OK);
	close(fd);
	assert_int_equal(rig_stop(r), 0);
	copy(r->state, last);
	copy(old, r->state);
}

static void
nothing_is_served_or_written(void **state)
{
	int fd;
	RIG(r);

	roll_back(r);
	for (int i = 0; i < 2; i++) {
		fd = restart(r, 0);
		assert_true(ask(fd, "status", "{}", ""));
		says("\"state\":\"rolled-back\"");
		says("\"commits_possible\":false");
		assert_true(ask(fd, "token-list", "{}", ""));
		says("\"label\":\"three\"");
		says("\"state\":\"rolled-back\"");
		assert_false(ask(fd, "token-delete", "{\"label\":\"one\"}", ""));
		says("rolled back");
		assert_false(ask(fd, "backup-begin", "{\"label\":\"one\"}", ""));
		assert_false(ask(fd, "audit-verify", "{}", ""));
		assert_false(ask(fd, "tpm-reseal", "{}", ""));
		assert_false(accept(fd, "four", "so-pin"));
		close(fd);
		fd = rig_attach(r, 0, true, "web", 0);
		assert_false(accept(fd, "one", "so-pin"));
		says("no role admin");
		close(fd);
		assert_int_equal(rig_stop(r), 0);
		assert_true(dirs_equal(r->state, old, (const char *const[]){NULL}));
	}
	copy(last, r->state);
	fd = restart(r, 4);
	assert_true(ask(fd, "status", "{}", ""));
	says("\"state\":\"fresh\"");
	close(fd);
}

/* Each token by its own SO PIN; the first with the store. */
static void
accepted_token_by_token(void **state)
{
	int fd;
	RIG(r);

	roll_back(r);
	fd = restart(r, 0);
	assert_true(accept(fd, "two", "so-pin"));
	says("\"rolled_back_tokens\":2");
	rig_slots(r);
	assert_int_equal(r->nslots, 2); /* it and the blank one */
	assert_true(rig_slot(r, 1)->initialized);
	assert_true(ask(fd, "status", "{}", ""));
	says("\"state\":\"fresh\"");
	assert_false(accept(fd, "two", "so-pin"));
	says("not rolled back");
	assert_false(ask(fd, "backup-begin", "{\"label\":\"one\"}", ""));
	says("accept it first");
	close(fd);

	/* It lasts. */
	fd = restart(r, 2);
	assert_false(accept(fd, "one", "wrong"));
	says("2 tries left");
	assert_true(accept(fd, "one", "so-pin"));
	says("\"rolled_back_tokens\":1");
	rig_slots(r);
	assert_int_equal(r->nslots, 3);
	assert_true(ask(fd, "token-delete", "{\"label\":\"three\"}", ""));
	rig_slots(r);
	assert_true(ask(fd, "token-list", "{}", ""));
	assert_null(strstr(text, "three"));
	assert_true(ask(fd, "audit-verify", "{}", ""));
	says("\"ok\":true");
	assert_true(ask(fd, "audit-read", "{\"from\":1,\"count\":100}", ""));
	says("rollback-accepted");
	says("rollback-refused");
	close(fd);
	assert_int_equal(rig_stop(r), 0);

	/* What was given up is now the older one. */
	copy(last, r->state);
	close(restart(r, 0));
}

/* A restart gives no tries back: neither of the store nor of a token. */
static void
wrong_pins_are_counted(void **state)
{
	int fd;
	RIG(r);

	roll_back(r);
	for (int i = 0; i < 3; i++) {
		static const char *const left[] = {
		    "2 tries left", "1 tries left", "locked"};

		fd = restart(r, 0);
		assert_false(accept(fd, i == 1 ? "two" : "one", "wrong"));
		says(left[i]);
		close(fd);
	}
	fd = restart(r, 0);
	assert_false(accept(fd, "one", "so-pin"));
	says("locked");
	close(fd);
	assert_int_equal(rig_stop(r), 0);
	assert_true(dirs_equal(r->state, old, (const char *const[]){NULL}));
	copy(last, r->state);
	close(restart(r, 4));
}

static void
wrong_pins_of_a_marked_token(void **state)
{
	int fd;
	RIG(r);

	roll_back(r);
	fd = restart(r, 0);
	assert_false(accept(fd, "one", "wrong"));
	assert_true(accept(fd, "one", "so-pin"));
	rig_slots(r);
	for (int i = 0; i < 3; i++) {
		assert_false(accept(fd, "two", "wrong"));
		close(fd);
		fd = restart(r, 2);
	}
	assert_false(accept(fd, "two", "so-pin"));
	says("locked");
	assert_true(accept(fd, "three", "so-pin"));
	rig_slots(r);
	close(fd);
}

/* The disk is full: a right PIN is not even counted, so a restart changes nothing. */
static void
a_full_disk_is_no_wrong_pin(void **state)
{
	int fd;
	RIG(r);

	roll_back(r);
	for (int marked = 0; marked < 2; marked++) {
		const char *label = marked ? "two" : "one";

		faults.full = 1;
		assert_true(rig_start(r));
		fd = group_admin(r);
		for (int i = 0; i < 4; i++) {
			assert_false(accept(fd, label, "so-pin"));
			says("the disk: No space left on device");
		}
		close(fd);
		rig_kill(r);
		faults.full = 0;
		assert_true(rig_start(r));
		fd = group_admin(r);
		assert_false(accept(fd, label, "wrong"));
		says("2 tries left");
		assert_true(accept(fd, label, "so-pin"));
		rig_slots(r);
		close(fd);
		assert_int_equal(rig_stop(r), 0);
	}
}

/* The disk fails behind the count, once. */
static void
a_failing_disk_is_no_wrong_pin(void **state)
{
	int fd;
	RIG(r);

	roll_back(r);
	faults.error = EIO;
	faults.in[FAULT_FSYNC] = 1; /* the first thing that it makes durable */
	assert_true(rig_start(r));
	faults_clear();
	fd = group_admin(r);
	assert_false(accept(fd, "one", "so-pin"));
	says("the disk");
	assert_false(accept(fd, "one", "wrong"));
	says("2 tries left");
	assert_true(accept(fd, "one", "so-pin"));
	rig_slots(r);
	close(fd);
}

static struct rig *armed;

/* In the store: behind the next sync, while there is a file of that name, the next write, or
 * the next sync, fails. */
static void
arm(int synced)
{
	static const struct {
		const char *name;
		enum fault_call call;
	} how[] = {{"arm-write", FAULT_PWRITE}, {"arm-sync", FAULT_FDATASYNC}};

	(void)synced;
	for (size_t i = 0; i < 2; i++) {
		char path[512];
		int fd;

		snprintf(path, sizeof(path), "%s/%s", armed->state, how[i].name);
		if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
			continue;
		close(fd);
		faults.error = EIO;
		faults.in[how[i].call] = 1;
	}
}

/* The same of a token that is marked: its count is on the disk itself. */
static void
a_failing_disk_is_no_wrong_pin_of_a_marked_token(void **state)
{
	int fd;
	RIG(r);

	roll_back(r);
	armed = r;
	faults.synced = arm;
	assert_true(rig_start(r));
	faults_clear();
	fd = group_admin(r);
	assert_true(accept(fd, "one", "so-pin"));
	rig_slots(r);
	for (int i = 0; i < 4; i++) {
		const char *how = i % 2 ? "arm-sync" : "arm-write";

		dirs_save(r->state, how, "", 0);
		assert_false(accept(fd, "two", "so-pin"));
		says("the disk");
		dirs_unlink(r->state, how);
	}
	assert_false(accept(fd, "two", "wrong"));
	says("2 tries left");
	assert_true(accept(fd, "two", "so-pin"));
	rig_slots(r);
	close(fd);
}

static void
the_anchor_is_gone(void **state)
{
	int fd;
	RIG(r);

	roll_back(r);
	copy(last, r->state);
	dirs_unlink(tpm_dir, "t.nv");
	fd = restart(r, 0);
	assert_true(ask(fd, "status", "{}", ""));
	says("removed or replaced");
	assert_false(accept(fd, "one", "wrong"));
	close(fd);
	fd = restart(r, 0);
	assert_false(accept(fd, "one", "wrong"));
	says("1 tries left");
	assert_true(accept(fd, "one", "so-pin"));
	rig_slots(r);
	assert_int_equal(r->nslots, 2);
	close(fd);
	assert_int_equal(rig_stop(r), 0);
	close(restart(r, 2));
}

static void
without_an_anchor_it_opens(void **state)
{
	RIG(r);

	roll_back(r);
	r->config.anchor = false;
	close(restart(r, 4));
}

/* The TPM fails: what was not anchored fails, and works again when the TPM does. */
static void
the_tpm_fails_for_a_while(void **state)
{
	int fd, fd2;
	RIG(r);

	assert_true(rig_start(r));
	fd = group_token(r, 0, "one");
	dirs_save(tpm_dir, "t", "A1x", 3);
	fd2 = rig_attach(r, 0, false, "web", GRANT_PIN_LOCKOUT);
	assert_int_equal(
	    rig_login_done(fd2, CKU_USER, false, "wrong", NULL, NULL), CKR_DEVICE_ERROR);
	dirs_save(tpm_dir, "t", "A1", 2);
	assert_int_equal(
	    rig_login_done(fd2, CKU_USER, false, "wrong", NULL, NULL), CKR_OK);
	close(fd);
	close(fd2);
	close(restart(r, 2));
}

/* A ticket of an application that has logged out; then nothing happens for a while. */
struct logged_out {
	uint8_t *ticket;
	size_t len;
};

static struct logged_out
log_out(struct rig *r)
{
	struct logged_out l = {NULL, 0};
	char pin[64];
	int fd;

	assert_true(rig_start(r));
	fd = group_token(r, 0, "one");
	assert_int_equal(
	    rig_login_done(fd, CKU_USER, true, "user-pin", &l.ticket, &l.len), CKR_OK);
	assert_int_equal(rig_ticket_open(fd, l.ticket, l.len, pin), CKR_OK);
	assert_int_equal(rig_simple(fd, M_W_LOGGED_OUT, CKU_USER), CKR_OK);
	sleep(6);
	close(fd);
	return l;
}

/* What the ticket is good for, by the store that starts anew; the worker's pipe. */
static int
open_again(struct rig *r, const struct logged_out *l, CK_RV rv)
{
	char pin[64];
	int fd;

	assert_true(rig_start(r));
	fd = rig_attach(r, 0, false, "web", 0);
	assert_int_equal(rig_ticket_open(fd, l->ticket, l->len, pin), rv);
	return fd;
}

/* Where no commit follows, a logout is made durable by itself. */
static void
a_logout_does_not_wait_for_ever(void **state)
{
	struct logged_out l;
	RIG(r);

	l = log_out(r);
	rig_kill(r);
	close(open_again(r, &l, CKR_USER_NOT_LOGGED_IN));
	free(l.ticket);
}

/* A budget that is spent delays that, and no call that waits for its answer. */
static void
a_budget_delays_what_may_wait(void **state)
{
	struct logged_out l;
	int fd;
	RIG(r);

	r->config.anchor_budget = 1;
	l = log_out(r);
	rig_kill(r);
	fd = open_again(r, &l, CKR_OK);
	assert_int_equal(rig_simple(fd, M_W_LOGGED_OUT, CKU_USER), CKR_OK);
	/* At the end it is done all the same. */
	assert_int_equal(rig_stop(r), 0);
	close(fd);
	close(open_again(r, &l, CKR_USER_NOT_LOGGED_IN));
	free(l.ticket);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(nothing_is_served_or_written),
	    T(accepted_token_by_token),
	    T(wrong_pins_are_counted),
	    T(wrong_pins_of_a_marked_token),
	    T(a_full_disk_is_no_wrong_pin),
	    T(a_failing_disk_is_no_wrong_pin),
	    T(a_failing_disk_is_no_wrong_pin_of_a_marked_token),
	    T(the_anchor_is_gone),
	    T(without_an_anchor_it_opens),
	    T(the_tpm_fails_for_a_while),
	    T(a_logout_does_not_wait_for_ever),
	    T(a_budget_delays_what_may_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
