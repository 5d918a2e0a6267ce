/* test_commit.c - a store process over SoftHSM2's own files: what was committed is what a
 * restart shows */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/ipc.h"
#include "dirs.h"
#include "group.h"
#include "hsm.h"
#include "rig.h"
#include "vsmd/msg.h"
#include "vsmd/worker/gate.h"

static const char *const remade[] = {"generation", NULL};

static void
a_token_lives_on(void **state)
{
	char path[512], *copy = dirs_make("/tmp");
	uint64_t epoch = 0, more = 0;
	int fd;
	RIG(r);

	fd = group_token(r, 0, "web");
	assert_int_equal(r->nslots, 2);
	assert_string_equal(rig_slot(r, 0)->label, "web");
	assert_false(rig_slot(r, 1)->initialized);

	hsm_create(rig_slot(r, 0)->directory, "user-pin", 5);
	assert_int_equal(rig_commit(fd, NULL, NULL, &epoch), CKR_OK);
	assert_int_equal(rig_commit(fd, NULL, NULL, &more), CKR_OK);
	assert_int_equal(epoch, more); /* nothing changed in between */
	hsm_destroy(rig_slot(r, 0)->directory, "user-pin");
	hsm_set(rig_slot(r, 0)->directory, "user-pin");
	assert_int_equal(rig_commit(fd, NULL, NULL, &more), CKR_OK);
	assert_true(more > epoch);
	rig_token_path(rig_slot(r, 0), path);
	dirs_copy(path, copy);

	rig_kill(r);
	close(fd);
	assert_true(rig_start(r));
	assert_int_equal(r->nslots, 2);
	assert_string_equal(rig_slot(r, 0)->label, "web");
	rig_token_path(rig_slot(r, 0), path);
	assert_true(dirs_equal(path, copy, remade));
	assert_int_equal(hsm_count(rig_slot(r, 0)->directory, "user-pin"), 4);
	/* C_InitToken deletes lock files too: those that the store made must be there. */
	hsm_init_again(rig_slot(r, 0)->directory, "anew", "so-pin");
	dirs_remove(copy);
}

static void
what_was_not_committed_is_gone(void **state)
{
	int fd;
	RIG(r);

	fd = group_token(r, 0, "web");
	hsm_create(rig_slot(r, 0)->directory, "user-pin", 2);
	assert_int_equal(rig_commit(fd, NULL, NULL, NULL), CKR_OK);
	hsm_create(rig_slot(r, 0)->directory, "user-pin", 3);
	rig_kill(r);
	close(fd);
	assert_true(rig_start(r));
	assert_int_equal(hsm_count(rig_slot(r, 0)->directory, "user-pin"), 2);
}

static void
numbers_are_not_used_again(void **state)
{
	char text[256];
	int a, b, admin;
	RIG(r);

	a = group_token(r, 0, "one");
	b = group_token(r, 1, "two");
	assert_int_equal(r->nslots, 3);
	admin = rig_attach(r, 0, true, "root", GRANT_ADMIN);
	{
		struct buf m, secret;

		buf_init(&m, IPC_MAX);
		buf_init(&secret, 64);
		buf_put_u8(&m, M_A_ASK);
		buf_put_str(&m, "token-delete");
		buf_put_str(&m, "{\"label\":\"two\"}");
		buf_put_bytes(&m, NULL, 0);
		buf_put_bytes(&m, NULL, 0);
		assert_int_equal(ipc_send(admin, &m, NULL, 0), 0);
		assert_int_equal(rig_discard(r), 1);
		assert_int_equal(ipc_recv(admin, &m, NULL, NULL), 0);
		assert_int_equal(buf_get_u8(&m), M_A_ANSWER);
		assert_int_equal(buf_get_u8(&m), 1);
		buf_free(&m);
	}
	assert_int_equal(r->nslots, 2);
	assert_null(rig_slot(r, 1));
	assert_non_null(rig_slot(r, 2));
	assert_int_equal(rig_stop(r), 0);
	assert_true(rig_start(r));
	assert_null(rig_slot(r, 1));
	assert_non_null(rig_slot(r, 2));
	admin = rig_attach(r, 0, true, "root", GRANT_ADMIN);
	assert_true(rig_admin(
	    admin, "token-list", "{}", "", "", NULL, 0, text, sizeof(text), NULL));
	assert_non_null(strstr(text, "\"label\":\"one\""));
	assert_null(strstr(text, "two"));
	close(a);
	close(b);
	close(admin);
}

static void
initializing_again_forgets_the_user_pin(void **state)
{
	char pin[64];
	int fd, channel;
	RIG(r);

	fd = group_token(r, 0, "web");
	channel = rig_attach(r, 0, false, "web", GRANT_CHANNEL_LOGIN);
	assert_int_equal(rig_channel_pin(channel, pin), CKR_OK);
	assert_string_equal(pin, "user-pin");
	assert_int_equal(rig_channel_pin(fd, pin), CKR_FUNCTION_REJECTED);
	hsm_init_again(rig_slot(r, 0)->directory, "web two", "so-pin");
	assert_int_equal(rig_pin_changed(fd, CKU_SO, "so-pin"), CKR_OK);
	assert_int_equal(rig_commit(fd, "web two", rig_slot(r, 0)->serial, NULL), CKR_OK);
	rig_slots(r);
	assert_string_equal(rig_slot(r, 0)->label, "web two");
	assert_int_equal(rig_channel_pin(channel, pin), CKR_USER_PIN_NOT_INITIALIZED);
	close(fd);
	close(channel);
}

static bool
answered(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms) == 1;
}

/* One slot's gate is taken: its commit waits, others go on. */
static void
a_taken_gate_parks_one_slot(void **state)
{
	char gate[512];
	struct buf b;
	int a, other, lock;
	RIG(r);

	a = group_token(r, 0, "one");
	other = group_token(r, 1, "two");
	snprintf(gate, sizeof(gate), "%s/gates/0", r->memory);
	lock = open(gate, O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_W_COMMIT);
	buf_put_u8(&b, 0);
	buf_put_u8(&b, 0);
	assert_int_equal(ipc_send(a, &b, NULL, 0), 0);
	hsm_create(rig_slot(r, 1)->directory, "user-pin", 1);
	assert_int_equal(rig_commit(other, NULL, NULL, NULL), CKR_OK);
	assert_false(answered(a, 20));
	assert_int_equal(flock(lock, LOCK_UN), 0);
	assert_int_equal(ipc_recv(a, &b, NULL, NULL), 0);
	assert_int_equal(buf_get_u8(&b), M_W_ANSWER);
	assert_int_equal(buf_get_u64(&b), CKR_OK);
	buf_free(&b);
	close(lock);
	close(a);
	close(other);
}

/* A worker that never leaves the gate must not hang its token's other applications. */
static void
a_gate_that_is_never_left(void **state)
{
	char gate[512];
	int fd, lock;
	RIG(r);

	close(group_token(r, 0, "one"));
	assert_int_equal(rig_stop(r), 0);
	r->config.gate_patience = 100;
	assert_true(rig_start(r));
	fd = rig_attach(r, 0, false, "web", 0);
	snprintf(gate, sizeof(gate), "%s/gates/0", r->memory);
	lock = open(gate, O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	assert_int_equal(rig_commit(fd, NULL, NULL, NULL), CKR_DEVICE_ERROR);
	close(lock); /* killed by the supervisor */
	assert_int_equal(rig_discard(r), 0);
	close(fd);
	fd = rig_attach(r, 0, false, "web", 0);
	assert_int_equal(rig_commit(fd, NULL, NULL, NULL), CKR_OK);
	close(fd);
}

static void
the_epoch_is_in_the_gate_file(void **state)
{
	uint64_t epoch = 0, seen = 0;
	char gate[512];
	int fd, file;
	RIG(r);

	fd = group_token(r, 0, "one");
	hsm_create(rig_slot(r, 0)->directory, "user-pin", 1);
	assert_int_equal(rig_commit(fd, NULL, NULL, &epoch), CKR_OK);
	snprintf(gate, sizeof(gate), "%s/gates/0", r->memory);
	file = open(gate, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(file, &seen, sizeof(seen), 0), sizeof(seen));
	assert_int_equal(seen, epoch);
	close(file);
	close(fd);
}

/* The mark of a writer that died half way: the token goes back to its last commit. */
static void
a_writer_that_died(void **state)
{
	uint32_t pid = 4711;
	char gate[512];
	int fd, file;
	RIG(r);

	fd = group_token(r, 0, "one");
	hsm_create(rig_slot(r, 0)->directory, "user-pin", 2);
	assert_int_equal(rig_commit(fd, NULL, NULL, NULL), CKR_OK);
	hsm_create(rig_slot(r, 0)->directory, "user-pin", 2);
	snprintf(gate, sizeof(gate), "%s/gates/0", r->memory);
	file = open(gate, O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(file, &pid, sizeof(pid), 76), sizeof(pid));
	assert_int_equal(rig_commit(fd, NULL, NULL, NULL), CKR_DEVICE_ERROR);
	assert_int_equal(rig_discard(r), 0);
	assert_int_equal(hsm_count(rig_slot(r, 0)->directory, "user-pin"), 2);
	assert_int_equal(pread(file, &pid, sizeof(pid), 76), sizeof(pid));
	assert_int_equal(pid, 0);
	close(file);
	close(fd);
	fd = rig_attach(r, 0, false, "web", 0);
	assert_int_equal(rig_commit(fd, NULL, NULL, NULL), CKR_OK);
	close(fd);
}

/* What a worker that was taken over may leave in its directory. */
static void
odd_files_are_not_stored(void **state)
{
	static const char *const odd[] = {
	    "x.object", "a b", "link.object", "dir.object", "big.object"};
	char path[512], name[600];
	RIG(r);

	close(group_token(r, 0, "one"));
	for (size_t i = 0; i < 5; i++) {
		int fd = rig_attach(r, 0, false, "web", 0);

		rig_token_path(rig_slot(r, 0), path);
		snprintf(name, sizeof(name), "%s/%s", path, odd[i]);
		if (i < 2)
			dirs_save(path, odd[i], i == 0 ? "" : "x", i);
		else if (i == 2)
			assert_int_equal(symlink("token.object", name), 0);
		else if (i == 3)
			assert_int_equal(mkdir(name, 0700), 0);
		else {
			dirs_save(path, odd[i], "x", 1);
			assert_int_equal(truncate(name, (2 << 20)), 0);
		}
		assert_int_equal(rig_commit(fd, NULL, NULL, NULL), CKR_DEVICE_ERROR);
		assert_int_equal(rig_discard(r), 0);
		assert_int_equal(hsm_count(rig_slot(r, 0)->directory, "user-pin"), 0);
		close(fd);
	}
	/* token.object itself cannot be taken away. */
	{
		int fd = rig_attach(r, 0, false, "web", 0);

		rig_token_path(rig_slot(r, 0), path);
		dirs_unlink(path, "token.object");
		assert_int_equal(rig_commit(fd, NULL, NULL, NULL), CKR_DEVICE_ERROR);
		assert_int_equal(rig_discard(r), 0);
		close(fd);
	}
}

static void
two_tokens_on_one_slot(void **state)
{
	char serial[17], path[600];
	int fd;
	RIG(r);

	fd = rig_attach(r, 0, false, "web", 0);
	hsm_init(rig_slot(r, 0)->directory, "one", "so-pin", "user-pin", serial);
	snprintf(path, sizeof(path), "%s/second", rig_slot(r, 0)->directory);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(rig_commit(fd, "one", serial, NULL), CKR_DEVICE_ERROR);
	assert_int_equal(rig_discard(r), 0);
	assert_false(rig_slot(r, 0)->initialized);
	close(fd);
	close(group_token(r, 0, "one"));
}

/* Many workers at once: all are answered, all is there. */
static void
commits_of_many(void **state)
{
	enum { N = 24 };
	int fds[N];
	struct buf b;
	RIG(r);

	close(group_token(r, 0, "one"));
	buf_init(&b, IPC_MAX);
	for (int i = 0; i < N; i++)
		fds[i] = rig_attach(r, 0, false, "web", 0);
	hsm_create(rig_slot(r, 0)->directory, "user-pin", N);
	for (int i = 0; i < N; i++) {
		buf_reset(&b);
		buf_put_u8(&b, M_W_COMMIT);
		buf_put_u8(&b, 0);
		buf_put_u8(&b, 0);
		assert_int_equal(ipc_send(fds[i], &b, NULL, 0), 0);
	}
	for (int i = 0; i < N; i++) {
		assert_true(answered(fds[i], 10000));
		assert_int_equal(ipc_recv(fds[i], &b, NULL, NULL), 0);
		assert_int_equal(buf_get_u8(&b), M_W_ANSWER);
		assert_int_equal(buf_get_u64(&b), CKR_OK);
		close(fds[i]);
	}
	buf_free(&b);
	rig_kill(r);
	assert_true(rig_start(r));
	assert_int_equal(hsm_count(rig_slot(r, 0)->directory, "user-pin"), N);
}

/* Garbage on a worker's pipe closes that pipe and hurts nobody else. */
static void
breaches_close_the_pipe(void **state)
{
	static const uint8_t bad[][4] = {{0}, {M_S_STOP}, {M_W_COMMIT, 9},
	    {M_W_COMMIT, 0, 7}, {M_W_LOGIN_MAY, 3}, {M_W_LOGIN_DONE, 1, 2}, {M_A_ASK},
	    {255}};
	struct buf b;
	int good;
	RIG(r);

	good = rig_attach(r, 0, false, "web", 0);
	buf_init(&b, IPC_MAX);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int fd = rig_attach(r, 0, i == 7, "web", GRANT_ADMIN);

		buf_reset(&b);
		buf_put_raw(&b, bad[i], sizeof(bad[i]));
		assert_int_equal(ipc_send(fd, &b, NULL, 0), 0);
		assert_true(answered(fd, 10000));
		assert_int_equal(ipc_recv(fd, &b, NULL, NULL), -1);
		close(fd);
	}
	buf_free(&b);
	assert_int_equal(rig_commit(good, NULL, NULL, NULL), CKR_OK);
	close(good);
}

/* Grants go by label: a worker that was taken over and may not make tokens does not get a grant
 * on another token's label for its own. */
static void
a_label_is_given_by_who_may_init(void **state)
{
	struct buf b;
	int fd;
	RIG(r);

	close(group_token(r, 0, "web"));
	fd = rig_attach_classes(r, 0, "taken", (1u << CLASS_INIT) - 1);
	assert_int_equal(rig_commit(fd, NULL, NULL, NULL), CKR_OK);
	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_W_COMMIT);
	buf_put_u8(&b, 0);
	buf_put_u8(&b, 1);
	buf_put_str(&b, "zones");
	buf_put_str(&b, "0123456789abcdef");
	assert_int_equal(ipc_send(fd, &b, NULL, 0), 0);
	assert_true(answered(fd, 10000));
	assert_int_equal(ipc_recv(fd, &b, NULL, NULL), -1);
	buf_free(&b);
	close(fd);
	fd = rig_attach(r, 0, false, "web", 0);
	assert_int_equal(rig_commit(fd, "zones", "0123456789abcdef", NULL), CKR_OK);
	rig_slots(r);
	assert_string_equal(rig_slot(r, 0)->label, "zones");
	close(fd);
}

/* A worker that ends while its commit waits has changed the token with a record of it. */
static void
a_worker_that_leaves_is_recorded(void **state)
{
	char gate[256], text[16384];
	int fd, admin, taken;
	struct buf b;
	RIG(r);

	close(group_token(r, 0, "web"));
	snprintf(gate, sizeof(gate), "%s/gates/0", r->memory);
	assert_true((taken = open(gate, O_RDWR | O_CLOEXEC)) >= 0);
	fd = rig_attach(r, 0, false, "leaver", 0);
	hsm_create(rig_slot(r, 0)->directory, "user-pin", 1);
	assert_int_equal(flock(taken, LOCK_EX), 0);
	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_W_COMMIT);
	buf_put_u8(&b, 1);
	buf_put_str(&b, "C_GenerateKey");
	buf_put_str(&b, "mine");
	buf_put_u64(&b, CKR_OK);
	buf_put_u8(&b, 0);
	assert_int_equal(ipc_send(fd, &b, NULL, 0), 0);
	assert_false(answered(fd, 50));
	close(fd);
	admin = rig_attach(r, 0, true, "root", GRANT_ADMIN);
	assert_true(rig_admin(
	    admin, "status", "{}", "", "", NULL, 0, text, sizeof(text), NULL));
	close(taken);
	/* After its commit: they are made in the order of the gate. */
	fd = rig_attach(r, 0, false, "web", 0);
	assert_int_equal(rig_commit(fd, NULL, NULL, NULL), CKR_OK);
	close(fd);
	assert_true(rig_admin(admin, "audit-read", "{\"from\":1,\"count\":100}", "", "",
	    NULL, 0, text, sizeof(text), NULL));
	assert_non_null(strstr(text, "\"principal\":\"leaver\""));
	close(admin);
	buf_free(&b);
	rig_kill(r);
	assert_true(rig_start(r));
	assert_int_equal(hsm_count(rig_slot(r, 0)->directory, "user-pin"), 1);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, group_setup, group_teardown)
	const struct CMUnitTest tests[] = {
	    T(a_token_lives_on),
	    T(what_was_not_committed_is_gone),
	    T(numbers_are_not_used_again),
	    T(initializing_again_forgets_the_user_pin),
	    T(a_taken_gate_parks_one_slot),
	    T(a_gate_that_is_never_left),
	    T(the_epoch_is_in_the_gate_file),
	    T(a_writer_that_died),
	    T(odd_files_are_not_stored),
	    T(two_tokens_on_one_slot),
	    T(commits_of_many),
	    T(breaches_close_the_pipe),
	    T(a_label_is_given_by_who_may_init),
	    T(a_worker_that_leaves_is_recorded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
