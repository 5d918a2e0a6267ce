/* common/tree.c */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/tree.h"

static char path[] = "/tmp/test_tree.XXXXXX";
static int top;

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(path) == NULL)
		return -1;
	top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return top < 0;
}

static int
teardown(void **state)
{
	(void)state;
	close(top);
	return rmdir(path); /* the tests leave nothing */
}

static void
make_dir(const char *name)
{
	assert_int_equal(mkdirat(top, name, 0700), 0);
}

static void
make_file(const char *name)
{
	int fd = openat(top, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static bool
there(const char *name)
{
	return faccessat(top, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
all_of_it(void **state)
{
	(void)state;
	make_dir("a");
	make_dir("a/b");
	make_file("a/b/c");
	make_file("a/d");
	make_file("beside");
	assert_int_equal(tree_remove(top, "a", 8), 0);
	assert_false(there("a"));
	assert_true(there("beside"));
	assert_int_equal(tree_remove(top, "beside", 0), 0);
	assert_int_equal(tree_remove(top, "beside", 0), 0);
}

/* Of a directory that was read before, too; it is open still. */
static void
emptied(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		make_dir("a");
		make_file("a/b");
		make_file("c");
		assert_int_equal(tree_empty(top, 8), 0);
		assert_false(there("a") || there("c"));
	}
}

static void
links_are_not_followed(void **state)
{
	(void)state;
	make_dir("kept");
	make_file("kept/file");
	make_dir("a");
	assert_int_equal(symlinkat("../kept", top, "a/link"), 0);
	assert_int_equal(symlinkat("kept", top, "link"), 0);
	assert_int_equal(tree_remove(top, "link", 8), 0);
	assert_int_equal(tree_remove(top, "a", 8), 0);
	assert_true(there("kept/file"));
	assert_int_equal(tree_remove(top, "kept", 8), 0);
}

static void
too_deep(void **state)
{
	(void)state;
	make_dir("a");
	make_dir("a/b");
	make_dir("a/b/c");
	make_file("a/file");
	assert_int_equal(tree_remove(top, "a", 2), -1);
	assert_true(there("a/b/c"));
	assert_false(there("a/file"));
	assert_int_equal(tree_remove(top, "a", 3), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_of_it),
	    cmocka_unit_test(emptied),
	    cmocka_unit_test(links_are_not_followed),
	    cmocka_unit_test(too_deep),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
