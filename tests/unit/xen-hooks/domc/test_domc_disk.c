/* xen-hooks/domc/disk.c: on files in the place of disks; mounting is tests/xen/domc's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "xen-hooks/domc/disk.h"

#define SIZE (DISK_LEAST + 8192)

static uint8_t bytes[3 * TEMPLATE_RECORD];
static struct template t;
static int fd;

/* Three blocks, of which the first looks like the superblock that mke2fs has made. */
static int
setup(void **state)
{
	static const uint32_t numbers[] = {0, 2, 700};
	char name[] = "/tmp/test_domc_disk.XXXXXX";

	(void)state;
	memset(bytes, 0, sizeof(bytes));
	for (size_t i = 0; i < 3; i++) {
		uint8_t *b = bytes + i * TEMPLATE_RECORD;

		b[0] = (uint8_t)numbers[i];
		b[1] = (uint8_t)(numbers[i] >> 8);
		b[4 + 100] = (uint8_t)(i + 1);
	}
	memcpy(bytes + 4 + 0x438, "\x53\xef", 2);
	memset(bytes + 4 + 0x468, 0x77, 16);
	memcpy(bytes + 4 + 0x478, "caas-store", 10);
	if ((fd = mkstemp(name)) < 0)
		return -1;
	(void)unlink(name);
	return ftruncate(fd, SIZE) == 0 ? template_parse(&t, bytes, sizeof(bytes)) : -1;
}

static int
teardown(void **state)
{
	(void)state;
	return close(fd);
}

static void
put(off_t at, uint8_t byte)
{
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
}

static void
a_blank_disk_becomes_ours(void **state)
{
	uint8_t block[TEMPLATE_BLOCK];
	uint64_t at;

	(void)state;
	assert_int_equal(disk_judge(fd, SIZE, &t, &at), DISK_BLANK);
	assert_int_equal(disk_format(fd, &t), 0);
	assert_int_equal(disk_judge(fd, SIZE, &t, &at), DISK_OURS);
	for (size_t i = 0; i < t.n; i++) {
		assert_int_equal(pread(fd, block, sizeof(block),
				     (off_t)template_number(&t, i) * TEMPLATE_BLOCK),
		    TEMPLATE_BLOCK);
		assert_memory_equal(block, template_at(&t, i), TEMPLATE_BLOCK);
	}
	/* What is in it later is not looked at. */
	put(SIZE - 1, 1);
	assert_int_equal(disk_judge(fd, SIZE, &t, &at), DISK_OURS);
}

static void
one_byte_anywhere_is_another_disk(void **state)
{
	static const off_t places[] = {0, 511, 0x438, 4095, 4096, 2 * 4096 + 100, 700 * 4096 - 1,
	    DISK_LEAST - 1, DISK_LEAST, SIZE - 1};
	uint64_t at;

	(void)state;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		put(places[i], 0xee);
		assert_int_equal(disk_judge(fd, SIZE, &t, &at), DISK_OTHER);
		assert_int_equal(at, places[i]);
		put(places[i], 0);
	}
	assert_int_equal(disk_judge(fd, SIZE, &t, &at), DISK_BLANK);
}

/* Power may go at any block; the superblock is the last. */
static void
formatting_that_was_interrupted_goes_on(void **state)
{
	uint64_t at;

	(void)state;
	for (size_t i = t.n; i-- > 1;) {
		assert_int_equal(pwrite(fd, template_at(&t, i), TEMPLATE_BLOCK,
				     (off_t)template_number(&t, i) * TEMPLATE_BLOCK),
		    TEMPLATE_BLOCK);
		assert_int_equal(disk_judge(fd, SIZE, &t, &at), DISK_BLANK);
	}
	/* But not with a byte of it changed. */
	put(2 * 4096 + 101, 1);
	assert_int_equal(disk_judge(fd, SIZE, &t, &at), DISK_OTHER);
}

static void
another_label_is_another_disk(void **state)
{
	static const off_t places[] = {0x438, 0x468, 0x468 + 15, 0x478, 0x478 + 9, 0x478 + 10};
	uint64_t at;

	(void)state;
	assert_int_equal(disk_format(fd, &t), 0);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		uint8_t was;

		assert_int_equal(pread(fd, &was, 1, places[i]), 1);
		put(places[i], (uint8_t)(was ^ 0x20));
		assert_int_equal(disk_judge(fd, SIZE, &t, &at), DISK_OTHER);
		put(places[i], was);
	}
	assert_int_equal(disk_judge(fd, SIZE, &t, &at), DISK_OURS);
}

static void
small_and_broken(void **state)
{
	uint64_t at;

	(void)state;
	assert_int_equal(disk_judge(fd, DISK_LEAST - 1, &t, &at), DISK_SMALL);
	assert_int_equal(disk_judge(fd, 0, &t, &at), DISK_SMALL);
	/* It ends before its size. */
	assert_int_equal(disk_judge(fd, SIZE + 4096, &t, &at), DISK_BROKEN);
	assert_int_equal(disk_judge(-1, SIZE, &t, &at), DISK_BROKEN);
	assert_int_equal(disk_format(-1, &t), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_blank_disk_becomes_ours, setup, teardown),
	    cmocka_unit_test_setup_teardown(one_byte_anywhere_is_another_disk, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		formatting_that_was_interrupted_goes_on, setup, teardown),
	    cmocka_unit_test_setup_teardown(another_label_is_another_disk, setup, teardown),
	    cmocka_unit_test_setup_teardown(small_and_broken, setup, teardown)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
