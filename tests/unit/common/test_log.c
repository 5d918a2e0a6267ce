/* test_log.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"

static char text[16384];

/* What `say` writes to standard error, in a child. */
static int
said_by(void (*say)(void))
{
	int fds[2], status;
	size_t got = 0;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	if ((pid = fork()) == 0) {
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		say();
		_exit(0);
	}
	close(fds[1]);
	while ((n = read(fds[0], text + got, sizeof(text) - 1 - got)) > 0)
		got += (size_t)n;
	text[got] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
say_levels(void)
{
	unsetenv("JOURNAL_STREAM");
	log_name("vsmd-test");
	log_error("e %d", 1);
	log_warn("w");
	log_info("i");
	log_debug("not by default");
	log_level(LOG_ERR_);
	log_info("no more");
	log_level(LOG_DEBUG_);
	log_debug("d");
}

static void
say_journal(void)
{
	setenv("JOURNAL_STREAM", "8:1", 1);
	log_name("n");
	log_error("e");
	log_warn("w");
	log_info("i");
}

static void
say_long(void)
{
	char line[2000];

	unsetenv("JOURNAL_STREAM");
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	log_info("%s", line);
	log_info("after");
}

static void
say_often(void)
{
	unsetenv("JOURNAL_STREAM");
	log_level(LOG_DEBUG_);
	for (int i = 0; i < 100; i++)
		if (log_may("a"))
			log_warn("of a");
	for (int i = 0; i < 100; i++)
		log_error("of nobody");
	log_caused_by("b");
	for (int i = 0; i < 100; i++) {
		log_info("of b");
		log_debug("asked for");
	}
	_exit(log_left_out() > 0 ? 0 : 1);
}

static void
say_of_parents(void)
{
	for (int i = 0; i < 100; i++)
		(void)log_may("a");
	log_name("child");
	/* What it left out is not told twice; that it did, counts on. */
	_exit(log_left_out() == -1 && !log_may("a") ? 0 : 1);
}

static void
say_fatal(void)
{
	log_fatal("the end");
}

static void
say_errno(void)
{
	errno = ENOENT;
	log_info("x");
	_exit(errno == ENOENT ? 0 : 1);
}

static void
lines_have_level_and_name(void **state)
{
	(void)state;
	said_by(say_levels);
	assert_string_equal(text, "error vsmd-test: e 1\nwarning vsmd-test: w\n"
				  "info vsmd-test: i\ndebug vsmd-test: d\n");
	said_by(say_journal);
	assert_string_equal(text, "<3>n: e\n<4>n: w\n<6>n: i\n");
}

static void
long_lines_are_cut(void **state)
{
	(void)state;
	said_by(say_long);
	assert_non_null(strstr(text, "xxx\ninfo caas: after\n"));
	assert_true(strlen(text) < 1100);
}

static void
fatal_ends_the_process(void **state)
{
	(void)state;
	assert_int_equal(said_by(say_fatal), 1);
	assert_non_null(strstr(text, "the end\n"));
	assert_int_equal(said_by(say_errno), 0);
}

static unsigned
lines(const char *what)
{
	unsigned n = 0;

	for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
		n++;
	return n;
}

static void
what_peers_cause_is_limited(void **state)
{
	(void)state;
	assert_int_equal(said_by(say_often), 0);
	assert_int_equal(lines(": of a\n"), LOG_BURST);
	assert_int_equal(lines(": of b\n"), LOG_BURST);
	assert_int_equal(lines(": of nobody\n"), 100);
	assert_int_equal(lines(": asked for\n"), 100);
	assert_int_equal(said_by(say_of_parents), 0);
}

static void
levels_have_names(void **state)
{
	(void)state;
	assert_int_equal(log_level_parse("error"), LOG_ERR_);
	assert_int_equal(log_level_parse("debug"), LOG_DEBUG_);
	assert_int_equal(log_level_parse("loud"), -1);
	assert_int_equal(log_level_parse(""), -1);
}

static void
guests_bytes_are_quoted(void **state)
{
	char dst[16];

	(void)state;
	assert_string_equal(log_quote(dst, sizeof(dst), "abc", 3), "abc");
	assert_string_equal(
	    log_quote(dst, sizeof(dst), "a\n\"\\", 4), "a\\x0a\\x22\\x5c");
	assert_string_equal(log_quote(dst, sizeof(dst), "\xff\0", 2), "\\xff\\x00");
	assert_string_equal(log_quote(dst, sizeof(dst), "", 0), "");
	log_quote(dst, sizeof(dst), "0123456789012345678901234567890", 31);
	assert_true(strlen(dst) < sizeof(dst));
	log_quote(dst, 1, "a", 1);
	assert_string_equal(dst, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_have_level_and_name),
	    cmocka_unit_test(long_lines_are_cut),
	    cmocka_unit_test(fatal_ends_the_process),
	    cmocka_unit_test(levels_have_names),
	    cmocka_unit_test(guests_bytes_are_quoted),
	    cmocka_unit_test(what_peers_cause_is_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
