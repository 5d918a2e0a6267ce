/* test_nursery.c - the life of a nursery and its workers, and what a worker cannot do */
#include "rig.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/ipc.h"
#include "takenover.h"
#include "vsmd/msg.h"

static bool
alive(pid_t pid)
{
	char path[64], state = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if ((f = fopen(path, "r")) == NULL)
		return false;
	if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	fclose(f);
	return state != 0 && state != 'Z';
}

/* Workers end with their nursery, the nursery with its supervisor. */
static void
test_ends_with_its_supervisor(void **state)
{
	struct rig rig;
	struct grant grant = rig_grant();
	struct guest g;
	struct frame f;

	(void)state;
	rig_start(&rig, true);
	guest_attach(&g, &rig, &grant, 0);
	guest_open(&g);
	assert_true(alive(g.worker));
	rig_stop(&rig);
	assert_false(guest_receive(&g, &f));
	for (int i = 0; i < 1000 && alive(g.worker); i++)
		usleep(10000);
	assert_false(alive(g.worker));
	close(g.fd);
	close(g.store);
	pthread_join(g.thread, NULL);
	buf_free(&g.in);
	arena_free(&g.arena);
}

static void
test_blank_slot(void **state)
{
	struct rig rig;
	struct grant grant = rig_grant();
	CK_TOKEN_INFO info;
	struct guest first, stale, later;

	(void)state;
	rig_start(&rig, false);
	guest_attach(&first, &rig, &grant, 0);
	guest_attach(&stale, &rig, &grant, 0);
	assert_int_equal(CALLX(&first, C_GetTokenInfo, N(RIG_SLOT), P(&info)), CKR_OK);
	assert_false(info.flags & CKF_TOKEN_INITIALIZED);
	assert_int_equal(CALLX(&first, C_OpenSession, N(RIG_SLOT), N(CKF_SERIAL_SESSION),
			     P(NULL), P(NULL), P(&first.session)), CKR_TOKEN_NOT_RECOGNIZED);
	assert_int_equal(CALLX(&first, C_InitToken, N(RIG_SLOT), PL(SO_PIN, strlen(SO_PIN)),
			     P("made here                       ")), CKR_OK);
	assert_string_equal(rig.store.token_label, "made here");
	assert_string_equal(rig.store.so_pin, SO_PIN);
	guest_open(&first);
	/* One that knows of no token ends, instead of making a second one. */
	assert_int_equal(CALLX(&stale, C_InitToken, N(RIG_SLOT), PL(SO_PIN, strlen(SO_PIN)),
			     P("another                         ")), CKR_DEVICE_REMOVED);
	assert_int_equal(guest_wait_end(&stale), 0);
	/* A later one sees the token. */
	guest_attach(&later, &rig, &grant, 0);
	assert_int_equal(CALLX(&later, C_GetTokenInfo, N(RIG_SLOT), P(&info)), CKR_OK);
	assert_true(info.flags & CKF_TOKEN_INITIALIZED);
	assert_memory_equal(info.label, "made here ", 10);
	assert_int_equal(guest_leave(&later), 0);
	assert_int_equal(guest_leave(&first), 0);
	rig_stop(&rig);
}

/* Bytes that a process has read; 0: who runs the tests may not see it. */
static unsigned long long
has_read(pid_t pid)
{
	char path[64];
	unsigned long long n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/io", pid);
	if ((f = fopen(path, "r")) == NULL)
		return 0;
	if (fscanf(f, "rchar: %llu", &n) != 1)
		n = 0;
	fclose(f);
	return n;
}

/* What was made before a fork is read by the nursery, for all workers, and not by each. */
static void
made_before_a_fork(int objects, unsigned wait)
{
	struct rig rig;
	struct grant grant = rig_grant();
	CK_OBJECT_HANDLE key, all[256];
	struct guest a, b;

	rig_start(&rig, true);
	guest_attach(&a, &rig, &grant, 0);
	guest_login(&a);
	for (int i = 0; i < objects; i++)
		assert_int_equal(guest_make_aes(&a, "k", true, false, &key), CKR_OK);
	sleep(wait);
	guest_attach(&b, &rig, &grant, 0);
	guest_login(&b);
	assert_int_equal(guest_find(&b, all, 256), objects);
	/* A file of generations has 8 bytes, an object 700 or more. */
	assert_in_range(has_read(b.worker), 0, 300 * (unsigned)objects);
	assert_int_equal(guest_leave(&b), 0);
	assert_int_equal(guest_leave(&a), 0);
	rig_stop(&rig);
}

static void
test_many_commits_before_a_fork(void **state)
{
	(void)state;
	made_before_a_fork(80, 0);
}

/* Few, and it is a second since the nursery last looked. */
static void
test_few_commits_before_a_fork(void **state)
{
	(void)state;
	made_before_a_fork(10, 1);
}

/* Lines of the file, and those that it says were left out. */
static unsigned
count_lines(const char *path, const char *what, unsigned *ret_left_out)
{
	FILE *f = fopen(path, "r");
	char line[1024];
	unsigned n = 0, left_out;

	assert_non_null(f);
	*ret_left_out = 0;
	while (fgets(line, sizeof(line), f) != NULL) {
		n += strstr(line, what) != NULL;
		if (sscanf(line, "warning vsmd-%*[a-z]: %u more lines", &left_out) == 1)
			*ret_left_out += left_out;
	}
	fclose(f);
	return n;
}

/* Each of them in a worker of its own, which lives for it alone. */
static void
test_breaches_do_not_fill_the_log(void **state)
{
	enum { BREACHES = 60 };
	static const uint8_t bad[FRAME_HEADER] = {255, 255, 255, 255};
	int fd = counters_make(), before = dup(STDERR_FILENO), log;
	unsigned lines, told, left_out;
	char path[128];
	struct rig rig;
	struct frame f;

	(void)state;
	rig_prepare(&rig);
	assert_non_null(rig.config.counters = counters_map(fd));
	snprintf(path, sizeof(path), "%s/log", rig.dir);
	assert_true((log = open(path, O_CREAT | O_WRONLY | O_APPEND, 0600)) >= 0);
	unsetenv("JOURNAL_STREAM");
	assert_true(dup2(log, STDERR_FILENO) >= 0);
	rig_launch(&rig);
	assert_true(dup2(before, STDERR_FILENO) >= 0);
	for (int i = 0; i < BREACHES; i++) {
		struct grant grant = rig_grant();
		struct guest g;

		guest_attach(&g, &rig, &grant, 0);
		guest_send_raw(&g, bad, sizeof(bad));
		assert_false(guest_receive(&g, &f));
		assert_int_equal(WEXITSTATUS(guest_wait_end(&g)), M_WORKER_BREACH);
	}
	lines = count_lines(path, "breach of protocol by tester", &told);
	left_out = loglimit_tell(&rig.config.counters->log, loglimit_now() + LOG_EVERY);
	assert_in_range(lines, LOG_BURST, BREACHES - 1);
	assert_int_equal(lines + told + left_out, BREACHES);
	rig_stop(&rig);
	close(log);
	close(before);
	close(fd);
}

/* SoftHSM2 keeps what was destroyed until it ends, so sometimes it is started anew: then it
 * reads all objects again, and not only what tells which have changed. */
static void
test_very_many_commits_before_a_fork(void **state)
{
	struct rig rig;
	struct grant grant = rig_grant();
	CK_OBJECT_HANDLE key;
	struct guest a, b;
	unsigned long long before;

	(void)state;
	rig_start(&rig, true);
	guest_attach(&a, &rig, &grant, 0);
	guest_login(&a);
	for (int i = 0; i < 20; i++)
		assert_int_equal(guest_make_aes(&a, "k", true, false, &key), CKR_OK);
	for (int i = 0; i < 3; i++) {
		atomic_fetch_add(&rig.gate.shared->epoch, i < 2 ? 64 : 1024);
		before = has_read(rig.nursery);
		guest_attach(&b, &rig, &grant, 0);
		guest_login(&b);
		if (i == 1 || before == 0)
			assert_in_range(has_read(rig.nursery) - before, 0, 20 * 300);
		else
			assert_true(has_read(rig.nursery) - before > 20 * 700);
		assert_int_equal(guest_leave(&b), 0);
	}
	assert_int_equal(guest_leave(&a), 0);
	rig_stop(&rig);
}

static void
test_malformed_message(void **state)
{
	struct rig rig;
	struct buf b;
	int status;

	(void)state;
	rig_start(&rig, false);
	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_N_ATTACH);
	buf_put_u32(&b, 1);
	assert_int_equal(ipc_send(rig.supervisor, &b, NULL, 0), 0);
	buf_free(&b);
	assert_int_equal(waitpid(rig.nursery, &status, 0), rig.nursery);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	/* Nothing is left for rig_stop() to wait for: clean up by hand. */
	close(rig.supervisor);
	gate_file_close(&rig.gate);
	rmdir(rig.slots);
	unlink(rig.gate_path);
	rmdir(rig.dir);
}

static void
test_no_library(void **state)
{
	struct nursery_config c = {.slot = 1, .library = "/nonexistent.so",
	    .directory = "/tmp", .threads = 1};
	char gate[] = "/tmp/test_nursery.XXXXXX";
	int pair[2], status, fd = mkstemp(gate);
	pid_t pid;

	(void)state;
	c.gate = gate;
	assert_int_equal(ipc_pair(pair), 0);
	if ((pid = fork()) == 0)
		_exit(nursery_main(pair[1], &c));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	close(pair[0]);
	close(pair[1]);
	close(fd);
	unlink(gate);
}

/* One worker per attempt; its wait status, or -1 when it answered `rv` and lives. */
static int
take_over(struct rig *rig, enum attempt what, CK_RV *rv)
{
	struct grant grant = rig_grant();
	uint8_t byte = (uint8_t)what;
	struct guest g;

	guest_attach(&g, rig, &grant, 0);
	*rv = CALLX(&g, C_SeedRandom, N(1), PL(&byte, 1));
	if (*rv == CKR_DEVICE_REMOVED)
		return guest_wait_end(&g);
	assert_int_equal(guest_leave(&g), 0);
	return -1;
}

static void
test_taken_over(void **state)
{
	static const enum attempt denied[] = {
	    TRY_PASSWD, TRY_OTHER_SLOT, TRY_WRITE_OTHER, TRY_MEMORY, TRY_PARENT_MEMORY};
	static const enum attempt killed[] = {TRY_SOCKET, TRY_UNIX_SOCKET, TRY_KILL,
	    TRY_PTRACE, TRY_EXEC, TRY_FORK, TRY_DUMPABLE};
	char path[128];
	struct rig rig;
	CK_RV rv;
	int status, fd;

	(void)state;
	rig_prepare(&rig);
	snprintf(path, sizeof(path), "%s/other", rig.dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/other/secret", rig.dir);
	assert_true((fd = open(path, O_CREAT | O_WRONLY, 0600)) >= 0);
	close(fd);
	assert_int_equal(setenv("TAKENOVER_DIR", rig.dir, 1), 0);
	rig.config.library = TAKENOVER;
	rig_launch(&rig);
	assert_int_equal(take_over(&rig, TRY_OWN_SLOT, &rv), -1);
	assert_int_equal(rv, CKR_OK);
	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++) {
		assert_int_equal(take_over(&rig, denied[i], &rv), -1);
		assert_int_equal(rv, CKR_FUNCTION_FAILED);
	}
	for (size_t i = 0; i < sizeof(killed) / sizeof(killed[0]); i++) {
		status = take_over(&rig, killed[i], &rv);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSYS);
	}
	/* And the nursery serves on. */
	assert_int_equal(take_over(&rig, TRY_OWN_SLOT, &rv), -1);
	rig_stop(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ends_with_its_supervisor),
	    cmocka_unit_test(test_blank_slot),
	    cmocka_unit_test(test_many_commits_before_a_fork),
	    cmocka_unit_test(test_few_commits_before_a_fork),
	    cmocka_unit_test(test_very_many_commits_before_a_fork),
	    cmocka_unit_test(test_breaches_do_not_fill_the_log),
	    cmocka_unit_test(test_malformed_message),
	    cmocka_unit_test(test_no_library),
	    cmocka_unit_test(test_taken_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
