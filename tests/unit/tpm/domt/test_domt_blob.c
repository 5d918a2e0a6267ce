/* test_domt_blob.c - the head of a blob there and back, cut off, altered, too long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tpm/domt/blob.h"

static const uint8_t identity[DOMT_IDENTITY] = {7, 6, 5};

static void
test_there_and_back(void **state)
{
	struct domt_blob r;
	struct buf b;
	size_t head;

	(void)state;
	buf_init(&b, 4096);
	domt_blob_head(&b, identity, "vsmd-use:a");
	head = b.len;
	for (size_t len = 0; len <= head; len++)
		assert_false(domt_blob_read(b.data, len, &r));
	buf_put_raw(&b, "body", 4);
	assert_true(domt_blob_read(b.data, b.len, &r));
	assert_memory_equal(r.identity, identity, DOMT_IDENTITY);
	assert_string_equal(r.ref, "vsmd-use:a");
	assert_ptr_equal(r.head.data, b.data);
	assert_int_equal(r.head.len, head);
	assert_int_equal(r.body.len, 4);
	assert_memory_equal(r.body.data, "body", 4);
	for (size_t i = 0; i < 6; i++) {
		b.data[i] ^= 1;
		assert_false(domt_blob_read(b.data, b.len, &r));
		b.data[i] ^= 1;
	}
	buf_free(&b);
}

static void
test_bounds(void **state)
{
	char ref[TPM_REF_MAX + 2];
	struct domt_blob r;
	struct buf b;

	(void)state;
	memset(ref, 'r', sizeof(ref));
	ref[TPM_REF_MAX + 1] = '\0';
	for (size_t more = 0; more < 2; more++) {
		buf_init(&b, TPM_BLOB_MAX + 1);
		domt_blob_head(&b, identity, ref + 1 - more);
		buf_put_u8(&b, 0);
		assert_int_equal(domt_blob_read(b.data, b.len, &r), more == 0);
		buf_free(&b);
		buf_init(&b, TPM_BLOB_MAX + 1);
		domt_blob_head(&b, identity, "");
		memset(buf_reserve(&b, TPM_BLOB_MAX - b.len + more), 1, 1);
		assert_int_equal(domt_blob_read(b.data, b.len, &r), more == 0);
		buf_free(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_bounds)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
