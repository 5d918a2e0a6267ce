/* test_worker_view.c - the numbers that tell SoftHSM2 to list its directory anew; what it does
 * is done here by hand */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/tree.h"
#include "vsmd/worker/view.h"

#define OBJECT "01234567-89ab-cdef-0123-456789abcdef.object"

static char above[] = "/tmp/caas-view-XXXXXX";
static char token[64], generation[80], object[128];

/* As SoftHSM2 reads a number, and writes one. */
static uint64_t
read_generation(void)
{
	uint8_t bytes[8];
	uint64_t n = 0;
	FILE *f = fdopen(open(generation, O_RDONLY), "r");

	assert_non_null(f);
	assert_int_equal(fread(bytes, 1, sizeof(bytes), f), sizeof(bytes));
	(void)fclose(f);
	for (size_t i = 0; i < sizeof(bytes); i++)
		n = n << 8 | bytes[i];
	return n;
}

static void
write_bytes(int fd, uint64_t n)
{
	uint8_t bytes[8];

	assert_true(fd >= 0);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(n >> (56 - 8 * i));
	assert_int_equal(pwrite(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	(void)close(fd);
}

/* The number in the file, whatever SoftHSM2 is told; changed by somebody else. */
static void
others_write(uint64_t n)
{
	write_bytes(openat(AT_FDCWD, generation, O_RDWR | O_CREAT, 0600), n);
}

/* Its commit: it adds one to what is there. */
static void
commit(uint64_t there)
{
	write_bytes(open(generation, O_RDWR), there + 1);
}

static void
list(void)
{
	DIR *d = opendir(token);

	assert_non_null(d);
	while (readdir(d) != NULL)
		continue;
	(void)closedir(d);
}

/* What it does first whenever it is asked for objects: it lists when the number is another
 * one than it knows.  Returns whether. */
static bool
look(uint64_t *known)
{
	uint64_t n = read_generation();

	if (n == *known)
		return false;
	*known = n;
	list();
	return true;
}

static int
setup(void **state)
{
	(void)state;
	memcpy(above, "/tmp/caas-view-XXXXXX", sizeof(above));
	assert_non_null(mkdtemp(above));
	snprintf(token, sizeof(token), "%s/token", above);
	snprintf(generation, sizeof(generation), "%s/generation", token);
	snprintf(object, sizeof(object), "%s/" OBJECT, token);
	assert_int_equal(mkdir(token, 0700), 0);
	others_write(7);
	view_start(above, true);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return tree_remove(AT_FDCWD, above, 4);
}

static void
test_whole_is_as_the_file_says(void **state)
{
	uint64_t known = 0;

	(void)state;
	assert_true(look(&known));
	assert_int_equal(known, 7);
	assert_false(look(&known));
	others_write(8);
	assert_true(look(&known));
	assert_int_equal(known, 8);
	/* It knows what it has done itself. */
	commit(8);
	known = 9;
	assert_false(look(&known));
	commit(9);
	known = 10;
	assert_false(look(&known));
}

static void
test_a_commit_hides_no_changes(void **state)
{
	uint64_t known = 0;

	(void)state;
	assert_true(look(&known));
	others_write(8);
	commit(8);
	known = 9;
	assert_true(look(&known));
	/* Once more, by the number in the file; then it is at rest. */
	assert_true(look(&known));
	assert_int_equal(known, 9);
	assert_false(look(&known));
}

static void
test_what_became_whole_is_listed(void **state)
{
	uint64_t known = 0;

	(void)state;
	view_start(above, false);
	assert_true(look(&known));
	assert_false(look(&known));
	/* It has written the number in the file when the view becomes whole, or after. */
	commit(7);
	known = 8;
	view_whole();
	commit(8);
	known = 9;
	assert_true(look(&known));
	assert_true(look(&known));
	assert_false(look(&known));
}

/* SoftHSM2 lists the directory too when it has removed a file, and looks at nothing in it.
 * After that it never listed those that it had not seen. */
static void
test_a_listing_that_nobody_looks_at(void **state)
{
	uint64_t known = 0;

	(void)state;
	view_start(above, false);
	assert_true(look(&known));
	view_whole();
	write_bytes(open(object, O_RDWR | O_CREAT, 0600), 1);
	commit(7);
	assert_int_equal(remove(object), 0);
	list();
	commit(8);
	known = 9;
	assert_true(look(&known));
	assert_true(look(&known));
	assert_false(look(&known));
	/* The same when others made something. */
	others_write(10);
	commit(10);
	write_bytes(open(object, O_RDWR | O_CREAT, 0600), 1);
	assert_int_equal(remove(object), 0);
	list();
	commit(11);
	known = 12;
	assert_true(look(&known));
}

#define with_token(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    with_token(test_whole_is_as_the_file_says),
	    with_token(test_a_commit_hides_no_changes),
	    with_token(test_what_became_whole_is_listed),
	    with_token(test_a_listing_that_nobody_looks_at),
	};

	return cmocka_run_group_tests_name("view", tests, NULL, NULL);
}
