/* test_secmem.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/secmem.h"

static void
memory_is_zeroed_and_whole(void **state)
{
	(void)state;
	for (size_t size = 1; size < 20000; size = size * 3 + 1) {
		uint8_t *p = sec_alloc(size);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 16, 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xaa, size);
		sec_free(p);
	}
	sec_free(NULL);
}

static void
absurd_sizes_are_refused(void **state)
{
	(void)state;
	errno = 0;
	assert_null(sec_alloc(0));
	assert_int_equal(errno, EINVAL);
	assert_null(sec_alloc(SIZE_MAX));
	assert_null(sec_alloc(SIZE_MAX - 5000));
}

static void
a_forked_child_finds_nothing(void **state)
{
	char *p = sec_alloc(32);
	int status;
	pid_t pid;

	(void)state;
	memcpy(p, "secret", 7);
	if ((pid = fork()) == 0) {
		int bad = 0;

		for (size_t i = 0; i < 32; i++)
			bad |= p[i];
		sec_free(p);
		_exit(bad != 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_string_equal(p, "secret");
	sec_free(p);
}

/* The signal that ends a child which touches p[off]. */
static int
touch(volatile char *p, ptrdiff_t off)
{
	int status;
	pid_t pid;

	if ((pid = fork()) == 0) {
		const struct rlimit none = {0, 0};

		setrlimit(RLIMIT_CORE, &none);
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		p[off] = 1;
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void
guard_pages_stand_on_both_sides(void **state)
{
	const ptrdiff_t page = sysconf(_SC_PAGESIZE);
	char *p = sec_alloc(100);

	(void)state;
	assert_int_equal(touch(p, 0), 0);
	assert_int_equal(touch(p, page), SIGSEGV);
	assert_int_equal(touch(p, -page), SIGSEGV);
	sec_free(p);
}

static void
wipe_and_compare(void **state)
{
	char a[8] = "abcdefg", b[8] = "abcdefg";

	(void)state;
	assert_true(sec_equal(a, b, 8));
	assert_true(sec_equal(a, "x", 0));
	b[7] = 1;
	assert_false(sec_equal(a, b, 8));
	assert_true(sec_equal(a, b, 7));
	b[0] = 'z';
	assert_false(sec_equal(a, b, 7));
	sec_wipe(a, 3);
	assert_memory_equal(a, "\0\0\0defg", 8);
	sec_wipe(NULL, 0);
}

/* Without a lock limit memory is handed out all the same, and it is said. */
static void
unlocked_memory_is_admitted(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if ((pid = fork()) == 0) {
		const struct rlimit none = {0, 0};
		void *p;

		/* CAP_IPC_LOCK knows no limit. */
		if (setrlimit(RLIMIT_MEMLOCK, &none) != 0 || geteuid() == 0)
			_exit(0);
		p = sec_alloc(10);
		_exit(p != NULL && !sec_locked() ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(memory_is_zeroed_and_whole),
	    cmocka_unit_test(absurd_sizes_are_refused),
	    cmocka_unit_test(a_forked_child_finds_nothing),
	    cmocka_unit_test(guard_pages_stand_on_both_sides),
	    cmocka_unit_test(wipe_and_compare),
	    cmocka_unit_test(unlocked_memory_is_admitted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
