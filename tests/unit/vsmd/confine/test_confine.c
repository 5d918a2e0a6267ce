/* test_confine.c - what a process that was taken over can and cannot do. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/random.h>
#include <pthread.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vsmd/confine/confine.h"

static char inside[] = "/tmp/test_confine.XXXXXX";
static char outside[] = "/tmp/test_confine.XXXXXX";

/* Run `act` in a confined child; its exit status, or -signal. */
static int
attempt_with(bool made, unsigned flags, int (*act)(void))
{
	struct confine_path paths[] = {{inside, true}};
	struct confine c = {.role = "test", .paths = paths, .npaths = 1,
	    .syscalls = confine_files, .nsyscalls = confine_files_count, .flags = flags};
	struct confine_filter filter = {0};
	pid_t pid;
	int status;

	if (made) {
		assert_int_equal(confine_filter_make(&c, &filter), 0);
		assert_true(filter.len > 0);
		c.filter = &filter;
	}
	assert_true((pid = fork()) >= 0);
	if (pid == 0)
		_exit(confine(&c) != 0 ? 99 : act());
	free(filter.program);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* The filter made at once, and before. */
static int
attempt(unsigned flags, int (*act)(void))
{
	int rc = attempt_with(false, flags, act);

	assert_int_equal(attempt_with(true, flags, act), rc);
	return rc;
}

static int
do_nothing(void)
{
	return 0;
}

/* As sched_getcpu(3) does on a kernel without rseq(2). */
static int
do_ask_processor(void)
{
	unsigned cpu;

	return syscall(SYS_getcpu, &cpu, NULL, NULL) != 0;
}

static int
do_write_inside(void)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/file", inside);
	if ((fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600)) < 0 || write(fd, "x", 1) != 1)
		return 1;
	return ftruncate(fd, 0) != 0 || unlink(path) != 0;
}

static int
do_read_passwd(void)
{
	return open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES ? 7 : 0;
}

static int
do_list_other(void)
{
	return open(outside, O_RDONLY | O_DIRECTORY) < 0 && errno == EACCES ? 7 : 0;
}

static int
do_write_other(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/file", outside);
	return open(path, O_WRONLY | O_CREAT, 0600) < 0 && errno == EACCES ? 7 : 0;
}

static int
do_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) < 0;
}

static int
do_kill(void)
{
	return kill(getppid(), 0) != 0;
}

static int
do_ptrace(void)
{
	return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) != 0;
}

static int
do_exec(void)
{
	return execl("/bin/true", "true", NULL);
}

static int
do_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid < 0;
}

static void *
thread_main(void *arg)
{
	*(int *)arg = 5;
	return NULL;
}

static int
do_thread(void)
{
	pthread_t t;
	int v = 0;

	if (pthread_create(&t, NULL, thread_main, &v) != 0)
		return 1;
	pthread_join(t, NULL);
	return v;
}

/* Not among the base calls either. */
static int
do_timer(void)
{
	return setitimer(ITIMER_REAL, NULL, NULL);
}

static int
do_map_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	    MAP_FAILED;
}

static int
do_make_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED || mprotect(p, 4096, PROT_READ | PROT_EXEC) != 0;
}

static int
do_dumpable(void)
{
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static int
do_name(void)
{
	return prctl(PR_SET_NAME, "name") != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0;
}

/* Whom a descriptor's signals go to, and which. */
static int
do_own(void)
{
	return fcntl(STDERR_FILENO, F_SETOWN, getppid());
}

static int
do_set_signal(void)
{
	return fcntl(STDERR_FILENO, F_SETSIG, SIGKILL);
}

/* The kernel looks at the low half alone. */
static int
do_own_high(void)
{
	return (int)syscall(
	    SYS_fcntl, STDERR_FILENO, (1ul << 32) | F_SETOWN, (long)getppid());
}

static int
do_lease(void)
{
	return fcntl(STDERR_FILENO, F_SETLEASE, F_RDLCK);
}

static int
do_flags(void)
{
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3), flags = fcntl(fd, F_GETFL);

	return fd < 0 || flags < 0 || fcntl(fd, F_SETFL, flags) != 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || close(fd) != 0;
}

/* Of a directory that cannot be opened. */
static int
do_chmod_other(void)
{
	return chmod(outside, 0755);
}

static int
do_outlive(void)
{
	return prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
}

static int
do_end_with_parent(void)
{
	return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}

static int
do_confine_more(void)
{
	struct confine c = {.role = "test", .flags = CONFINE_FILTER_ONLY};

	if (confine(&c) != 0)
		return 1;
	/* openat was allowed by the first layer only. */
	return open("/etc/passwd", O_RDONLY) < 0;
}

static void
test_allowed(void **state)
{
	(void)state;
	assert_int_equal(attempt(0, do_nothing), 0);
	assert_int_equal(attempt(0, do_ask_processor), 0);
	assert_int_equal(attempt(0, do_write_inside), 0);
	assert_int_equal(attempt(0, do_name), 0);
	assert_int_equal(attempt(0, do_flags), 0);
	assert_int_equal(attempt(0, do_end_with_parent), 0);
	assert_int_equal(attempt(CONFINE_THREADS, do_thread), 5);
	assert_int_equal(attempt(CONFINE_FORK, do_fork), 0);
	assert_int_equal(attempt(CONFINE_FORK, do_thread), 5);
}

static void
test_paths_denied(void **state)
{
	(void)state;
	assert_int_equal(attempt(0, do_read_passwd), 7);
	assert_int_equal(attempt(0, do_list_other), 7);
	assert_int_equal(attempt(0, do_write_other), 7);
}

static void
test_killed(void **state)
{
	(void)state;
	assert_int_equal(attempt(0, do_socket), -SIGSYS);
	assert_int_equal(attempt(0, do_kill), -SIGSYS);
	assert_int_equal(attempt(0, do_ptrace), -SIGSYS);
	assert_int_equal(attempt(0, do_exec), -SIGSYS);
	assert_int_equal(attempt(CONFINE_THREADS, do_fork), -SIGSYS);
	assert_int_equal(attempt(0, do_fork), -SIGSYS);
	assert_int_equal(attempt(0, do_timer), -SIGSYS);
	assert_int_equal(attempt(0, do_map_code), -SIGSYS);
	assert_int_equal(attempt(0, do_make_code), -SIGSYS);
	assert_int_equal(attempt(0, do_dumpable), -SIGSYS);
}

/* All of our processes are one user: what the kernel lets that user do to the others. */
static void
test_same_user(void **state)
{
	(void)state;
	assert_int_equal(attempt(0, do_own), -SIGSYS);
	assert_int_equal(attempt(0, do_own_high), -SIGSYS);
	assert_int_equal(attempt(0, do_set_signal), -SIGSYS);
	assert_int_equal(attempt(0, do_lease), -SIGSYS);
	assert_int_equal(attempt(0, do_chmod_other), -SIGSYS);
	assert_int_equal(attempt(0, do_outlive), -SIGSYS);
}

static void
test_second_layer(void **state)
{
	(void)state;
#ifdef __SANITIZE_ADDRESS__
	skip();
#endif
	assert_int_equal(attempt(0, do_confine_more), -SIGSYS);
}

/* An ioctl(2) on a device that was opened since: 0, or errno. */
static int
ask_device(unsigned flags)
{
	static const int calls[] = {SCMP_SYS(openat), SCMP_SYS(ioctl)};
	struct confine_path paths[] = {{"/dev/urandom", true}};
	struct confine c = {.role = "test", .paths = paths, .npaths = 1, .syscalls = calls,
	    .nsyscalls = 2, .flags = flags};
	int status, bits, fd;
	pid_t pid;

	assert_true((pid = fork()) >= 0);
	if (pid == 0) {
		if (confine(&c) != 0 || (fd = open("/dev/urandom", O_RDWR)) < 0)
			_exit(99);
		_exit(ioctl(fd, RNDGETENTCNT, &bits) == 0 ? 0 : errno);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void
test_devices(void **state)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	(void)state;
	assert_int_equal(ask_device(CONFINE_DEVICES), 0);
	/* Younger kernels deny it to who did not ask. */
	assert_int_equal(ask_device(0), abi >= 5 ? EACCES : 0);
}

static void
test_keep_fds(void **state)
{
	int fds[6], keep[2];

	(void)state;
	for (int i = 0; i < 6; i++)
		assert_true((fds[i] = open("/dev/null", O_RDONLY)) >= 3);
	keep[0] = fds[4];
	keep[1] = fds[1];
	assert_int_equal(confine_keep_fds(keep, 2), 0);
	for (int i = 0; i < 6; i++)
		assert_int_equal(fcntl(fds[i], F_GETFD) >= 0, i == 1 || i == 4);
	close(fds[1]);
	close(fds[4]);
	assert_int_equal(confine_keep_fds(NULL, CONFINE_MAX_KEEP + 1), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_allowed),
	    cmocka_unit_test(test_paths_denied),
	    cmocka_unit_test(test_killed),
	    cmocka_unit_test(test_same_user),
	    cmocka_unit_test(test_second_layer),
	    cmocka_unit_test(test_devices),
	    cmocka_unit_test(test_keep_fds),
	};
	int rc;

	if (mkdtemp(inside) == NULL || mkdtemp(outside) == NULL)
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(inside);
	rmdir(outside);
	return rc;
}
