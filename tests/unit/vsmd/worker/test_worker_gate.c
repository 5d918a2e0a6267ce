/* test_worker_gate.c - readers, writers, and those that die in between */
#include "rig.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vchan-transport/transport.h"
#include "vsmd/worker/state.h"

static char path[] = "/tmp/test_gate.XXXXXX";
static struct gate_file file;

/* A child that takes the gate, says so, and holds it until it is killed. */
static pid_t
holder(enum call_gate mode, int *ret_said)
{
	int pair[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(pair), 0);
	if ((pid = fork()) == 0) {
		struct gate g;

		if (gate_open(&g, &file) != 0)
			_exit(1);
		gate_enter(&g, mode);
		if (write(pair[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(pair[1]);
	if (ret_said == NULL) {
		assert_int_equal(read(pair[0], &c, 1), 1);
		close(pair[0]);
	} else {
		*ret_said = pair[0];
	}
	return pid;
}

static void
end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void
test_shares(void **state)
{
	struct gate a, b;

	(void)state;
	assert_int_equal(gate_open(&a, &file), 0);
	assert_int_equal(gate_open(&b, &file), 0);
	assert_true(gate_try(&a, GATE_SHARED));
	assert_true(gate_try(&b, GATE_SHARED));
	gate_leave(&b);
	assert_false(gate_try(&b, GATE_EXCLUSIVE));
	gate_leave(&a);
	assert_true(gate_try(&b, GATE_EXCLUSIVE));
	assert_false(gate_try(&a, GATE_SHARED));
	assert_false(gate_try(&a, GATE_EXCLUSIVE));
	assert_true(gate_try(&a, GATE_NONE));
	gate_leave(&b);
	gate_close(&a);
	gate_close(&b);
}

static void
test_store_uses_plain_flock(void **state)
{
	struct gate a;
	int fd = open(path, O_RDWR);

	(void)state;
	assert_int_equal(gate_open(&a, &file), 0);
	gate_enter(&a, GATE_EXCLUSIVE);
	assert_int_equal(flock(fd, LOCK_SH | LOCK_NB), -1);
	gate_leave(&a);
	assert_int_equal(flock(fd, LOCK_SH | LOCK_NB), 0);
	assert_true(gate_try(&a, GATE_SHARED));
	gate_leave(&a);
	assert_false(gate_try(&a, GATE_EXCLUSIVE));
	close(fd);
	assert_true(gate_try(&a, GATE_EXCLUSIVE));
	gate_leave(&a);
	gate_close(&a);
}

static void
test_killed_reader_releases(void **state)
{
	struct gate a;
	pid_t pid = holder(GATE_SHARED, NULL);

	(void)state;
	assert_int_equal(gate_open(&a, &file), 0);
	assert_false(gate_try(&a, GATE_EXCLUSIVE));
	end(pid);
	gate_enter(&a, GATE_EXCLUSIVE);
	assert_false(gate_broken(&a));
	gate_leave(&a);
	gate_close(&a);
}

static void
test_killed_writer_leaves_a_mark(void **state)
{
	struct gate a;
	pid_t pid = holder(GATE_EXCLUSIVE, NULL);
	uint32_t mark = 0;
	int fd = open(path, O_RDONLY);

	(void)state;
	end(pid);
	assert_int_equal(gate_open(&a, &file), 0);
	gate_enter(&a, GATE_SHARED);
	assert_true(gate_broken(&a));
	gate_leave(&a);
	/* Another writer does not wipe it. */
	gate_enter(&a, GATE_EXCLUSIVE);
	assert_true(gate_broken(&a));
	gate_leave(&a);
	assert_int_equal(pread(fd, &mark, sizeof(mark), 76), sizeof(mark));
	assert_int_equal(mark, pid);
	close(fd);
	atomic_store(&file.shared->writing, 0);
	gate_close(&a);
}

static void
test_writer_is_not_overtaken(void **state)
{
	struct gate a, b;
	struct pollfd p = {.events = POLLIN};
	pid_t writer;

	(void)state;
	assert_int_equal(gate_open(&a, &file), 0);
	assert_int_equal(gate_open(&b, &file), 0);
	gate_enter(&a, GATE_SHARED);
	writer = holder(GATE_EXCLUSIVE, &p.fd);
	while (atomic_load(&file.shared->waiting) == 0)
		poll(NULL, 0, 1);
	/* The room is shared, but somebody waits for it to empty. */
	assert_false(gate_try(&b, GATE_SHARED));
	assert_int_equal(poll(&p, 1, 0), 0);
	gate_leave(&a);
	assert_int_equal(poll(&p, 1, 10000), 1);
	end(writer);
	close(p.fd);
	gate_enter(&b, GATE_SHARED);
	gate_leave(&b);
	atomic_store(&file.shared->writing, 0);
	gate_close(&a);
	gate_close(&b);
}

static void
test_killed_waiter(void **state)
{
	struct gate a;
	pid_t writer;
	int said;

	(void)state;
	assert_int_equal(gate_open(&a, &file), 0);
	gate_enter(&a, GATE_SHARED);
	writer = holder(GATE_EXCLUSIVE, &said);
	while (atomic_load(&file.shared->waiting) == 0)
		poll(NULL, 0, 1);
	poll(NULL, 0, 20);
	end(writer);
	close(said);
	gate_leave(&a);
	/* Its count stays, which costs the door, but nobody is locked out. */
	gate_enter(&a, GATE_SHARED);
	gate_leave(&a);
	gate_enter(&a, GATE_EXCLUSIVE);
	gate_leave(&a);
	atomic_store(&file.shared->waiting, 0);
	gate_close(&a);
}

/* Not atomic on purpose: only the gate keeps the sum right. */
static void
hammer(volatile uint32_t *counter)
{
	struct gate g;

	if (gate_open(&g, &file) != 0)
		_exit(1);
	for (int i = 0; i < 300; i++) {
		uint32_t v;

		gate_enter(&g, i % 3 ? GATE_SHARED : GATE_EXCLUSIVE);
		v = *counter;
		if (i % 3 == 0)
			*counter = v + 1;
		else if (*counter != v)
			_exit(2);
		gate_leave(&g);
	}
	_exit(0);
}

static void
test_many_processes(void **state)
{
	volatile uint32_t *counter = (volatile uint32_t *)(void *)(
	    (uint8_t *)file.shared + GATE_QUOTA);
	pid_t pids[8];
	int status;

	(void)state;
	*counter = 0;
	for (int i = 0; i < 8; i++)
		if ((pids[i] = fork()) == 0)
			hammer(counter);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(*counter, 800);
	*counter = 0;
}

static void
test_pause(void **state)
{
	struct gate a, b;

	(void)state;
	assert_int_equal(gate_open(&a, &file), 0);
	assert_int_equal(gate_open(&b, &file), 0);
	gate_pause(); /* nothing is held: nothing happens */
	gate_resume();
	gate_enter(&a, GATE_EXCLUSIVE);
	gate_pause();
	assert_int_equal(flock(b.fd, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(flock(b.fd, LOCK_UN), 0);
	gate_resume();
	assert_int_equal(a.held, GATE_EXCLUSIVE);
	assert_int_equal(flock(b.fd, LOCK_SH | LOCK_NB), -1);
	gate_leave(&a);
	gate_resume(); /* left: not taken again */
	assert_int_equal(a.held, GATE_NONE);
	gate_close(&a);
	gate_close(&b);
}

static void *
late_writer(void *arg)
{
	gate_enter(arg, GATE_EXCLUSIVE);
	abort(); /* no writer gets in any more */
}

static void
test_drain(void **state)
{
	/* The thread that must not get in stays for good. */
	static struct gate_file mine;
	static struct gate a, b;
	pthread_t t;

	(void)state;
	assert_int_equal(gate_file_open(&mine, path), 0);
	assert_int_equal(gate_open(&a, &mine), 0);
	assert_int_equal(gate_open(&b, &mine), 0);
	gate_enter(&a, GATE_EXCLUSIVE);
	assert_false(gate_drain(&mine, 5));
	assert_int_equal(pthread_create(&t, NULL, late_writer, &b), 0);
	gate_leave(&a);
	assert_true(gate_drain(&mine, 1000));
	poll(NULL, 0, 20);
	pthread_detach(t);
	gate_close(&a);
}

/* When the guest learns that the worker ends, it asks the next one: then no thread here begins
 * what that one does. */
static void
test_shut_before_the_channel(void **state)
{
	static struct worker w;
	static struct gate g;
	char c;
	pthread_t t;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(gate_file_open(&w.gate, path), 0);
	assert_int_equal(gate_open(&g, &w.gate), 0);
	assert_non_null(w.channel = channel_from_fd(pair[0]));
	worker_end(&w, 0);
	assert_int_equal(read(pair[1], &c, 1), 0);
	assert_int_equal(pthread_create(&t, NULL, late_writer, &g), 0);
	poll(NULL, 0, 20);
	assert_int_equal(atomic_load(&w.gate.writers), 0);
	pthread_detach(t);
	channel_close(w.channel);
	close(pair[1]);
}

static void
test_epoch_and_pins(void **state)
{
	uint64_t epoch = 42;
	uint32_t pins = gate_pins(&file);
	int fd = open(path, O_RDWR);

	(void)state;
	assert_int_equal(pwrite(fd, &epoch, sizeof(epoch), 0), sizeof(epoch));
	assert_int_equal(gate_epoch(&file), 42);
	assert_int_equal(gate_pins_changed(&file), pins + 1);
	assert_int_equal(gate_pins(&file), pins + 1);
	assert_int_equal(gate_epoch(&file), 42);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_shares),
	    cmocka_unit_test(test_store_uses_plain_flock),
	    cmocka_unit_test(test_killed_reader_releases),
	    cmocka_unit_test(test_killed_writer_leaves_a_mark),
	    cmocka_unit_test(test_writer_is_not_overtaken),
	    cmocka_unit_test(test_killed_waiter),
	    cmocka_unit_test(test_many_processes),
	    cmocka_unit_test(test_pause),
	    cmocka_unit_test(test_drain),
	    cmocka_unit_test(test_shut_before_the_channel),
	    cmocka_unit_test(test_epoch_and_pins),
	};
	int rc, fd = mkstemp(path);

	if (fd < 0 || gate_file_open(&file, path) != 0)
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	close(fd);
	unlink(path);
	return rc;
}
