/* caas/secret.c, caas/tty.c: PINs from everywhere */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "caas/secret.h"

static const struct command command = {.name = "test"};

static char *
file_with(const char *content, size_t len)
{
	static char name[32];
	int fd;

	snprintf(name, sizeof(name), "%s", "/tmp/caas-test-XXXXXX");
	fd = mkstemp(name);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, len), len);
	close(fd);
	return name;
}

static int
from_file(const char *content, size_t len, struct secret *s)
{
	struct args a = {.command = &command};
	int rc;

	a.value[OPT_PIN_FILE] = file_with(content, len);
	rc = secret_get(&a, OPT_PIN, OPT_PIN_FILE, "user PIN", true, s);
	unlink(a.value[OPT_PIN_FILE]);
	return rc;
}

static void
files(void **state)
{
	char big[SECRET_MAX + 2];
	struct secret s;

	(void)state;
	assert_int_equal(from_file("1234\nrest", 9, &s), CMD_OK);
	assert_string_equal(s.text, "1234");
	assert_int_equal(s.len, 4);
	secret_free(&s);
	assert_int_equal(from_file("12 34\r\n", 7, &s), CMD_OK);
	assert_string_equal(s.text, "12 34");
	secret_free(&s);
	assert_int_equal(from_file("1234", 4, &s), CMD_OK);
	secret_free(&s);
	assert_int_equal(from_file("\n", 1, &s), CMD_FAILED);
	assert_null(s.text);
	assert_int_equal(from_file("", 0, &s), CMD_FAILED);
	memset(big, 'x', sizeof(big));
	assert_int_equal(from_file(big, SECRET_MAX, &s), CMD_OK);
	secret_free(&s);
	assert_int_equal(from_file(big, SECRET_MAX + 1, &s), CMD_FAILED);
}

static void
options(void **state)
{
	char value[] = "9876", path[] = "/nonexistent/x";
	struct args a = {.command = &command};
	struct secret s;

	(void)state;
	a.value[OPT_PIN] = value;
	assert_int_equal(
	    secret_get(&a, OPT_PIN, OPT_PIN_FILE, "user PIN", true, &s), CMD_OK);
	assert_string_equal(s.text, "9876");
	secret_free(&s);
	a.value[OPT_PIN_FILE] = path;
	assert_int_equal(
	    secret_get(&a, OPT_PIN, OPT_PIN_FILE, "user PIN", true, &s), CMD_USAGE);
	a.value[OPT_PIN] = NULL;
	assert_int_equal(
	    secret_get(&a, OPT_PIN, OPT_PIN_FILE, "user PIN", true, &s), CMD_FAILED);
}

/* Two secrets, one after the other, from standard input. */
static void
standard_input(void **state)
{
	char dash[] = "-", pin[64] = "";
	struct args a = {.command = &command};
	struct secret s;
	int fds[2], saved = dup(STDIN_FILENO);

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "first\nsecond\n", 13), 13);
	close(fds[1]);
	dup2(fds[0], STDIN_FILENO);
	a.value[OPT_PIN_FILE] = dash;
	a.value[OPT_SO_PIN_FILE] = dash;
	assert_int_equal(
	    secret_get(&a, OPT_PIN, OPT_PIN_FILE, "user PIN", true, &s), CMD_OK);
	snprintf(pin, sizeof(pin), "%s", s.text);
	secret_free(&s);
	assert_int_equal(
	    secret_get(&a, OPT_SO_PIN, OPT_SO_PIN_FILE, "SO PIN", true, &s), CMD_OK);
	assert_string_equal(pin, "first");
	assert_string_equal(s.text, "second");
	secret_free(&s);
	/* no option, and no person */
	a.value[OPT_PIN_FILE] = NULL;
	assert_int_equal(
	    secret_get(&a, OPT_PIN, OPT_PIN_FILE, "user PIN", true, &s), CMD_USAGE);
	dup2(saved, STDIN_FILENO);
	close(saved);
	close(fds[0]);
}

/* Type `keys` at a terminal of our own; what the reader made of them, or -1. */
static int
typed(const char *keys, size_t len, char *line, size_t size)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave, n, status;
	struct termios before, after;
	pid_t pid;

	assert_true(master >= 0);
	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_true(slave >= 0);
	tcgetattr(slave, &before);
	pid = fork();
	if (pid == 0) {
		char prompt[16] = "";
		size_t got = 0;

		close(slave);
		/* The prompt comes once the echo is off. */
		while (got < 5) {
			ssize_t r = read(master, prompt + got, sizeof(prompt) - got);

			if (r <= 0)
				_exit(1);
			got += (size_t)r;
		}
		n = write(master, keys, len) != (ssize_t)len;
		for (;;) /* until the parent has read all */
			if (read(master, prompt, sizeof(prompt)) <= 0)
				_exit(n);
	}
	close(master);
	n = tty_read_secret(slave, "PIN", line, size);
	tcgetattr(slave, &after);
	assert_int_equal(before.c_lflag, after.c_lflag);
	close(slave);
	waitpid(pid, &status, 0);
	return n;
}

static void
terminal(void **state)
{
	char line[16];

	(void)state;
	assert_int_equal(typed("1234\n", 5, line, sizeof(line)), 4);
	assert_string_equal(line, "1234");
	assert_int_equal(typed("19\177"
			       "2\n",
			     5, line, sizeof(line)),
	    2);
	assert_string_equal(line, "12");
	assert_int_equal(typed("99\025"
			       "5\n",
			     5, line, sizeof(line)),
	    1);
	assert_string_equal(line, "5");
	assert_int_equal(typed("12\003", 3, line, sizeof(line)), -1);
	assert_int_equal(typed("\004", 1, line, sizeof(line)), -1);
	assert_int_equal(typed("0123456789abcdef\n", 17, line, sizeof(line)), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(files),
	    cmocka_unit_test(options),
	    cmocka_unit_test(standard_input),
	    cmocka_unit_test(terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
