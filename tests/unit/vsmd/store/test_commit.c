/* test_commit.c - a store process over SoftHSM2's own files: what was committed is what a
 * restart shows */
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/ipc.h"
#include "dirs.h"
#include "hsm.h"
#include "rig.h"
#include "vsmd/msg.h"
#include "vsmd/worker/gate.h"

static const char *const remade[] = {"generation", NULL};

static int
setup(void **state)
{
	struct rig *r = malloc(sizeof(*r));

	rig_init(r);
	*state = r;
	if (!r->on_tmpfs) {
		print_message("SKIPPED: no tmpfs at /dev/shm\n");
		rig_free(r);
		free(r);
		*state = NULL;
	} else {
		assert_true(rig_start(r));
	}
	return 0;
}

static int
teardown(void **state)
{
	if (*state != NULL)
		rig_free(*state);
	free(*state);
	return 0;
}

#define RIG(r)                                                                           \
	struct rig *r = *state;                                                          \
	if (r == NULL)                                                                   \
	skip()

/* A token on the blank slot `number`, made and committed; the worker's pipe. */
static int
make_token(struct rig *r, uint32_t number, const char *label)
{
	struct rig_slot *slot = rig_slot(r, number);
	int fd = rig_attach(r, number, false, "web", 0);
	char serial[17];

	assert_non_null(slot);
	hsm_init(slot->directory, label, "so-pin", "user-pin", serial);
	assert_int_equal(rig_pin_changed(fd, CKU_SO, "so-pin"), CKR_OK);
	assert_int_equal(rig_pin_changed(fd, CKU_USER, "user-pin"), CKR_OK);
	assert_int_equal(rig_commit(fd, label, serial, NULL), CKR_OK);
	rig_slots(r);
	slot = rig_slot(r, number);
	assert_true(slot->initialized);
	assert_string_equal(slot->serial, serial);
	return fd;
}

static void
the_first_start_has_a_blank_slot(void **state)
{
	RIG(r);

	assert_int_equal(r->nslots, 1);
	assert_int_equal(r->slots[0].number, 0);
	assert_false(r->slots[0].initialized);
	assert_int_equal(rig_stop(r), 0);
	assert_true(rig_start(r));
	assert_int_equal(r->nslots, 1);
	assert_int_equal(r->slots[0].number, 0);
}

static void
a_token_lives_on(void **state)
{
	char path[512], *copy = dirs_make("/tmp");
	uint64_t epoch = 0, more = 0;
	int fd;
	RIG(r);

	fd = make_token(r, 0, "web");
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

	fd = make_token(r, 0, "web");
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

	a = make_token(r, 0, "one");
	b = make_token(r, 1, "two");
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

	fd = make_token(r, 0, "web");
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

	a = make_token(r, 0, "one");
	other = make_token(r, 1, "two");
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

	close(make_token(r, 0, "one"));
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

	fd = make_token(r, 0, "one");
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

	fd = make_token(r, 0, "one");
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

	close(make_token(r, 0, "one"));
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
	close(make_token(r, 0, "one"));
}

/* Many workers at once: all are answered, all is there. */
static void
commits_of_many(void **state)
{
	enum { N = 24 };
	int fds[N];
	struct buf b;
	RIG(r);

	close(make_token(r, 0, "one"));
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

/* A worker that ends while its commit waits has changed the token with a record of it. */
static void
a_worker_that_leaves_is_recorded(void **state)
{
	char gate[256], text[16384];
	int fd, admin, taken;
	struct buf b;
	RIG(r);

	close(make_token(r, 0, "web"));
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

	fd = make_token(r, 0, "web");
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

	fd = make_token(r, 0, "web");
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
	close(make_token(&r, 0, "web"));
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

static void
not_on_a_disk(void **state)
{
	struct statfs fs;
	struct rig r;

	(void)state;
	rig_init(&r);
	dirs_remove(r.memory);
	r.memory = dirs_make("/var/tmp");
	if (statfs(r.memory, &fs) != 0 || fs.f_type == TMPFS_MAGIC) {
		print_message("SKIPPED: /var/tmp is no disk here\n");
		rig_free(&r);
		skip();
	}
	r.config.memory = r.memory;
	assert_false(rig_start(&r));
	rig_free(&r);
}

static void
wrong_pcrs_and_approvals(void **state)
{
	RIG(r);

	close(make_token(r, 0, "one"));
	assert_int_equal(rig_stop(r), 0);
	dirs_save(r->state, "tpm-state", "B1", 2);
	assert_false(rig_start(r));
	r->config.approvals = "/nowhere"; /* the fake TPM takes any */
	assert_true(rig_start(r));
	assert_int_equal(rig_stop(r), 0);
	r->config.approvals = NULL; /* it was sealed again to B */
	assert_true(rig_start(r));
	assert_int_equal(rig_stop(r), 0);
	dirs_unlink(r->state, "tpm-state");
	assert_false(rig_start(r));
	dirs_save(r->state, "tpm-state", "B1", 2);
	assert_true(rig_start(r));
	assert_true(rig_slot(r, 0)->initialized);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(the_first_start_has_a_blank_slot),
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
	    T(a_worker_that_leaves_is_recorded),
	    T(more_changes_than_are_remembered),
	    T(larger_than_a_backup),
	    T(wrong_pcrs_and_approvals),
	    cmocka_unit_test(a_full_disk),
	    cmocka_unit_test(not_on_a_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
