/* test_proctitle.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/proctitle.h"

static char text[4096];

static const char *
slurp(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	assert_true(fd >= 0);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

static void
ps_shows_it(void **state)
{
	(void)state;
	proctitle_set("vsmd-worker", "slot 3, 812");
	assert_string_equal(slurp("/proc/self/cmdline"), "vsmd-worker: slot 3, 812");
	assert_string_equal(slurp("/proc/self/comm"), "vsmd-worker\n");
	proctitle_set("vsmd-store", NULL);
	assert_string_equal(slurp("/proc/self/cmdline"), "vsmd-store");
}

static void
long_titles_are_cut(void **state)
{
	char detail[3000];

	(void)state;
	memset(detail, 'x', sizeof(detail));
	detail[sizeof(detail) - 1] = '\0';
	proctitle_set("a-name-longer-than-fifteen", detail);
	assert_string_equal(slurp("/proc/self/comm"), "a-name-longer-t\n");
	assert_memory_equal(slurp("/proc/self/cmdline"), "a-name-longer-than", 18);
}

static void
the_environment_survives(void **state)
{
	(void)state;
	assert_string_equal(getenv("CAAS_TEST_TITLE"), "still here");
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ps_shows_it),
	    cmocka_unit_test(long_titles_are_cut),
	    cmocka_unit_test(the_environment_survives),
	};

	/* Once more with a variable that lies where the kernel put the others. */
	if (getenv("CAAS_TEST_TITLE") == NULL) {
		setenv("CAAS_TEST_TITLE", "still here", 1);
		execv("/proc/self/exe", argv);
		return 1;
	}
	proctitle_init(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
