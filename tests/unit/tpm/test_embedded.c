/* test_embedded.c - the swtpm of our own: started, named, alone, stopped, never re-made. */
#include "rig.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/secmem.h"
#include "tpm/embedded.h"

static char work[64], dir[128], run[128];

static int
setup(void **state)
{
	(void)state;
	rig_mkdir(work);
	snprintf(dir, sizeof(dir), "%s/tpm", work);
	snprintf(run, sizeof(run), "%s/run", work);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	rig_rmdir(work);
	return 0;
}

static void
in_dir(char path[192], const char *name)
{
	snprintf(path, 192, "%s/%s", dir, name);
}

static void
test_keeps_its_state(void **state)
{
	static const struct tpm_policy p = {.locality = -1};
	struct embedded_tpm e;
	struct tpm *t;
	struct buf b;
	uint8_t out[TPM_KEY_MAX];
	size_t len;
	int updated;

	(void)state;
	buf_init(&b, TPM_BLOB_MAX);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(embedded_start(&e, dir, run), 0);
		assert_true(e.pid > 0);
		assert_int_equal(tpm_open(e.address, &t), TPM_OK);
		if (i == 0)
			assert_int_equal(tpm_seal(t, &p, "key", 3, &b), TPM_OK);
		assert_int_equal(tpm_unseal(t, b.data, b.len, NULL, out, sizeof(out), &len,
		    &updated), TPM_OK);
		assert_int_equal(len, 3);
		assert_memory_equal(out, "key", 3);
		tpm_close(t);
		if (i == 1) { /* a crash */
			kill(e.pid, SIGKILL);
			usleep(50000);
		}
		embedded_stop(&e);
		assert_int_equal(e.pid, 0);
		embedded_stop(&e); /* safe again */
	}
	buf_free(&b);
}

static void
test_name_and_modes(void **state)
{
	struct embedded_tpm e;
	char path[192], text[512];
	struct stat st;
	size_t len;

	(void)state;
	assert_int_equal(embedded_start(&e, dir, run), 0);
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)e.pid);
	len = rig_read(path, text, sizeof(text));
	assert_int_equal(len, strlen("vsmd-swtpm\n"));
	assert_memory_equal(text, "vsmd-swtpm\n", len);
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)e.pid);
	(void)rig_read(path, text, sizeof(text));
	assert_string_equal(text, "vsmd-swtpm");
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	in_dir(path, "state.key");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, 64);
	snprintf(path, sizeof(path), "%s/tpm.sock", run);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* Nothing of ours but what it needs, and nothing that the test has open; for a moment it
	 * has files of its own beside it. */
	snprintf(text, sizeof(text), "test $(ls /proc/%d/fd | wc -l) -le 10", (int)e.pid);
	for (int i = 0; i < 500 && system(text) != 0; i++)
		usleep(20000);
	assert_int_equal(system(text), 0);
	embedded_stop(&e);
}

static void
test_one_at_a_time(void **state)
{
	struct embedded_tpm e, other;

	(void)state;
	assert_int_equal(embedded_start(&e, dir, run), 0);
	assert_int_equal(embedded_start(&other, dir, run), -1);
	assert_int_equal(other.pid, 0);
	embedded_stop(&other);
	assert_int_equal(kill(e.pid, 0), 0); /* the first did not suffer */
	embedded_stop(&e);
	assert_int_equal(embedded_start(&other, dir, run), 0);
	embedded_stop(&other);
}

static void
test_dies_with_its_parent(void **state)
{
	struct embedded_tpm e;
	int p[2];
	pid_t child;
	uint8_t go;

	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(pipe(p), 0);
	child = fork();
	if (child == 0) {
		if (embedded_start(&e, dir, run) != 0)
			_exit(1);
		(void)!write(p[1], &e.pid, sizeof(e.pid));
		pause();
		_exit(1);
	}
	close(p[1]);
	memset(&e, 0, sizeof(e));
	assert_int_equal(read(p[0], &e.pid, sizeof(e.pid)), sizeof(e.pid));
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	/* A successor waits for the lock until the orphan has gone. */
	pid_t orphan = e.pid;
	assert_int_equal(embedded_start(&e, dir, run), 0);
	assert_int_equal(waitpid(orphan, NULL, 0), orphan);
	assert_int_equal(read(p[0], &go, 1), 0);
	close(p[0]);
	embedded_stop(&e);
}

/* Start, stop, and leave the named file damaged; then a start must fail and not mend it. */
static void
damage(const char *name, int cut_to)
{
	struct embedded_tpm e;
	struct stat st;
	char path[192];

	assert_int_equal(embedded_start(&e, dir, run), 0);
	embedded_stop(&e);
	in_dir(path, name);
	if (cut_to < 0)
		assert_int_equal(unlink(path), 0);
	else
		assert_int_equal(truncate(path, cut_to), 0);
	assert_int_equal(embedded_start(&e, dir, run), -1);
	assert_int_equal(e.pid, 0);
	if (cut_to < 0) {
		assert_int_equal(access(path, F_OK), -1);
	} else {
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_size, cut_to);
	}
	embedded_stop(&e);
}

static void
test_state_cut(void **state)
{
	(void)state;
	damage("tpm2-00.permall", 100);
}

static void
test_state_empty(void **state)
{
	(void)state;
	damage("tpm2-00.permall", 0);
}

static void
test_state_gone(void **state)
{
	(void)state;
	damage("tpm2-00.permall", -1);
}

static void
test_key_gone(void **state)
{
	(void)state;
	damage("state.key", -1);
}

static void
test_wrong_key(void **state)
{
	struct embedded_tpm e;
	char path[192], hex[64];

	(void)state;
	assert_int_equal(embedded_start(&e, dir, run), 0);
	embedded_stop(&e);
	in_dir(path, "state.key");
	memset(hex, '5', sizeof(hex));
	rig_write(path, hex, sizeof(hex));
	assert_int_equal(embedded_start(&e, dir, run), -1);
}

/* A first start that was not finished is gone on with. */
static void
test_unfinished_first_start(void **state)
{
	struct embedded_tpm e;
	char from[192], to[192];

	(void)state;
	assert_int_equal(embedded_start(&e, dir, run), 0);
	embedded_stop(&e);
	in_dir(from, "state.key");
	in_dir(to, "state.key.new");
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(embedded_start(&e, dir, run), 0);
	embedded_stop(&e);
	assert_int_equal(access(from, F_OK), 0);
	assert_int_equal(access(to, F_OK), -1);
}

static void
test_bad_directories(void **state)
{
	struct embedded_tpm e;
	char deep[256];

	(void)state;
	snprintf(deep, sizeof(deep), "%s/%0*d", work, 100, 0);
	assert_int_equal(embedded_start(&e, dir, deep), -1);
	assert_int_equal(embedded_start(&e, "/nonexistent/a", run), -1);
	snprintf(deep, sizeof(deep), "%s/a,b", work);
	assert_int_equal(embedded_start(&e, deep, run), -1);
	embedded_stop(&e);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_keeps_its_state),
	    T(test_name_and_modes),
	    T(test_one_at_a_time),
	    T(test_dies_with_its_parent),
	    T(test_state_cut),
	    T(test_state_empty),
	    T(test_state_gone),
	    T(test_key_gone),
	    T(test_wrong_key),
	    T(test_unfinished_first_start),
	    T(test_bad_directories),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
