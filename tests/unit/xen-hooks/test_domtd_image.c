/* The image of a DomC: what is measured is what is built, and nobody changes it in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "xen-hooks/domtd/image.h"

#define DIGEST_ALL "fba2128de05c88be5252939846c4cb69e9a95f0525495d3b5b1d00f183896e3d"
#define DIGEST_NO_RAMDISK "d9444c72ff4d34bfb23812c376f76b2d769b93f96879ddb38ea9c14acffa35ad"
#define DIGEST_KERNEL "d29641cc00341109269d25c445afede62469272f30dcaa959f5333fb6eb4d570"

static char kernel[] = "/tmp/test-image.XXXXXX", ramdisk[] = "/tmp/test-image.XXXXXX";

static void
put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void
measured(struct domain_plan *plan, const char *digest)
{
	struct image image;
	char why[256] = "";

	assert_int_equal(image_open(plan, &image, why, sizeof(why)), 0);
	assert_string_equal(image.digest, digest);
	image_close(&image);
}

/* As the header's line of shell says them. */
static void
digests(void **state)
{
	struct domain_plan plan = {.kernel = kernel, .ramdisk = ramdisk};
	char line[] = "console=hvc0";

	(void)state;
	put(kernel, "kernel");
	put(ramdisk, "ramdisk");
	plan.cmdline = line;
	measured(&plan, DIGEST_ALL);
	plan.ramdisk = NULL;
	measured(&plan, DIGEST_NO_RAMDISK);
	plan.cmdline = NULL;
	measured(&plan, DIGEST_KERNEL);
}

static void
a_sealed_copy(void **state)
{
	struct domain_plan plan = {.kernel = kernel};
	struct image image;
	char why[256], text[16] = "";
	int fd;

	(void)state;
	put(kernel, "kernel");
	assert_int_equal(image_open(&plan, &image, why, sizeof(why)), 0);
	assert_int_equal(image.ramdisk, -1);
	put(kernel, "another");
	fd = open(image.kernel_path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, text, sizeof(text)), 6);
	assert_string_equal(text, "kernel");
	/* As libxl takes it. */
	assert_true(mmap(NULL, 6, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED);
	close(fd);
	assert_int_equal(write(image.kernel, "x", 1), -1);
	assert_int_equal(ftruncate(image.kernel, 1), -1);
	image_close(&image);
}

static void
what_is_not_there(void **state)
{
	struct domain_plan plan = {.kernel = kernel};
	char none[] = "/none", why[256];
	struct image image;

	(void)state;
	plan.ramdisk = none;
	assert_int_equal(image_open(&plan, &image, why, sizeof(why)), -1);
	assert_string_equal(why, "/none: No such file or directory");
	image_close(&image);
	plan.kernel = none;
	assert_int_equal(image_open(&plan, &image, why, sizeof(why)), -1);
	image_close(&image);
}

static int
setup(void **state)
{
	int a = mkstemp(kernel), b = mkstemp(ramdisk);

	(void)state;
	return a < 0 || b < 0 || close(a) < 0 || close(b) < 0;
}

static int
teardown(void **state)
{
	(void)state;
	return unlink(kernel) < 0 || unlink(ramdisk) < 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(digests),
	    cmocka_unit_test(a_sealed_copy), cmocka_unit_test(what_is_not_there)};

	return cmocka_run_group_tests(tests, setup, teardown);
}
