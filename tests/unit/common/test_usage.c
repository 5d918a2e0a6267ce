/* usage.c: what is a number on a command line, and what becomes of what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/usage.h"

/* What a process said on standard error before it exited with 2. */
static void
says(const char *s, int base, unsigned long min, unsigned long max, char *ret, size_t size)
{
	int fds[2], status;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	assert_true((pid = fork()) >= 0);
	if (pid == 0) {
		(void)dup2(fds[1], STDERR_FILENO);
		(void)usage_number("prog", "opt", s, base, min, max);
		_exit(0);
	}
	close(fds[1]);
	while ((n = read(fds[0], ret + len, size - 1 - len)) > 0)
		len += (size_t)n;
	close(fds[0]);
	assert_int_equal(n, 0);
	ret[len] = '\0';
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), len > 0 ? 2 : 0);
}

static void
numbers(void **state)
{
	(void)state;
	assert_int_equal(usage_number("p", "o", "0", 10, 0, 5), 0);
	assert_int_equal(usage_number("p", "o", "5", 10, 0, 5), 5);
	assert_int_equal(usage_number("p", "o", "0660", 8, 0, 0777), 0660);
	assert_int_equal(usage_number("p", "o", "777", 8, 0, 0777), 0777);
}

static void
no_numbers(void **state)
{
	static const char *const none[] = {"", "-1", "+1", " 1", "1 ", "x", "1x", "0x1", "6", "0",
	    "18446744073709551617", "1.0"};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		says(none[i], 10, 1, 5, text, sizeof(text));
		assert_non_null(strstr(text, ": wants a number from 1 to 5\nTry prog --help.\n"));
		assert_memory_equal(text, "prog: --opt ", 12);
	}
	says("9", 8, 0, 0777, text, sizeof(text));
	assert_string_equal(
	    text, "prog: --opt 9: wants an octal number from 0 to 777\nTry prog --help.\n");
	says("3", 10, 1, 5, text, sizeof(text));
	assert_string_equal(text, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers),
	    cmocka_unit_test(no_numbers),
	};

	return cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}
