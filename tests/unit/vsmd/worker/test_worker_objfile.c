/* test_worker_objfile.c - SoftHSM2's files, as we read them */
#include "rig.h"

#include <stdlib.h>
#include <string.h>

#include "protocol/pkcs11.h"
#include "vsmd/worker/objfile.h"

static uint8_t file[4096];
static size_t len;

static void
put(uint64_t v)
{
	for (int i = 0; i < 8; i++)
		file[len++] = (uint8_t)(v >> (56 - 8 * i));
}

static void
put_bytes(uint64_t type, const void *p, size_t n)
{
	put(type);
	put(3);
	put(n);
	memcpy(file + len, p, n);
	len += n;
}

static void
make(bool private)
{
	len = 0;
	put(28);
	put(CKA_CLASS);
	put(2);
	put(CKO_PRIVATE_KEY);
	put(CKA_PRIVATE);
	put(1);
	file[len++] = private ? 0xff : 0;
	put_bytes(CKA_LABEL, "a label", 7);
	put(CKA_WRAP_TEMPLATE);
	put(4);
	put(17);
	len += 17;
	put(CKA_ALLOWED_MECHANISMS);
	put(5);
	put(2);
	put(1);
	put(2);
	put_bytes(CKA_ID, "", 0);
}

static void
test_attributes(void **state)
{
	struct objfile o;

	(void)state;
	for (int private = 0; private < 2; private++) {
		make(private);
		assert_true(objfile_read(file, len, &o));
		assert_int_equal(o.class, CKO_PRIVATE_KEY);
		assert_int_equal(o.private, private);
		assert_int_equal(o.label.len, 7);
		assert_memory_equal(o.label.p, "a label", 7);
		assert_non_null(o.id.p);
		assert_int_equal(o.id.len, 0);
		assert_null(o.user_pin.p);
	}
	/* Nothing said: private. */
	assert_true(objfile_read(file, 8, &o));
	assert_true(o.private);
	assert_int_equal(o.class, CK_UNAVAILABLE_INFORMATION);
}

static void
test_cut_and_changed(void **state)
{
	struct objfile o;

	(void)state;
	make(true);
	for (size_t n = 0; n < len; n++) {
		uint8_t *copy = malloc(n ? n : 1); /* what is read beyond is seen by ASan */

		assert_non_null(copy);
		memcpy(copy, file, n);
		(void)objfile_read(copy, n, &o);
		free(copy);
	}
	assert_false(objfile_read(file, len - 1, &o));
	for (size_t i = 0; i < len; i++)
		for (int bit = 0; bit < 8; bit++) {
			file[i] ^= (uint8_t)(1u << bit);
			(void)objfile_read(file, len, &o);
			file[i] ^= (uint8_t)(1u << bit);
		}
}

/* As SoftHSM2 2.6.1 made them: of the PIN, and a private label. */
static const uint8_t blob[] = {
	0xd0, 0xa3, 0x9a, 0xa3, 0x82, 0x0b, 0xa2, 0x57, 0x10, 0xe6, 0xfe, 0x62,
	0xc0, 0xf4, 0x33, 0x6b, 0x4a, 0x96, 0xe4, 0x59, 0x4d, 0x7e, 0x09, 0xcc,
	0xcd, 0x3d, 0xcd, 0x83, 0xf7, 0xc9, 0x10, 0xfe, 0xea, 0xb8, 0x1a, 0x38,
	0xd6, 0x16, 0x9d, 0x8b, 0xeb, 0x84, 0x91, 0xe1, 0x85, 0xe4, 0x8c, 0x98,
	0xb9, 0xd2, 0xd2, 0x1b, 0xc8, 0xb9, 0x86, 0x7d, 0x14, 0x84, 0x64, 0x64,
	0x59, 0xbc, 0x00, 0x92, 0x3d, 0xa9, 0x10, 0x3b, 0xc1, 0x08, 0x97, 0xf0,
};
static const uint8_t label[] = {
	0x0e, 0x1e, 0x1b, 0x50, 0x85, 0xb9, 0xba, 0xf9, 0x26, 0xb9, 0xdb, 0xf3,
	0x21, 0xdc, 0xfc, 0xeb, 0xc6, 0x3d, 0xc0, 0xb0, 0xa2, 0xdc, 0xc6, 0x18,
	0x1b, 0x71, 0x46, 0xca, 0x93, 0xd0, 0x25, 0x95,
};

static void
test_token_key(void **state)
{
	struct objfile_bytes b = {blob, sizeof(blob)};
	uint8_t key[OBJFILE_KEY], out[64];
	size_t n;

	(void)state;
	assert_true(objfile_token_key(&b, "123456", 6, key));
	assert_false(objfile_token_key(&b, "123457", 6, key));
	assert_false(objfile_token_key(&b, "", 0, key));
	for (b.len = 0; b.len < sizeof(blob); b.len++)
		assert_false(objfile_token_key(&b, "123456", 6, key));
	b.len = 17;
	assert_false(objfile_decrypt(key, &b, out, &n));
}

static void
test_decrypt(void **state)
{
	struct objfile_bytes pin = {blob, sizeof(blob)}, b = {label, sizeof(label)};
	uint8_t key[OBJFILE_KEY], out[sizeof(label)];
	size_t n;

	(void)state;
	assert_true(objfile_token_key(&pin, "123456", 6, key));
	assert_true(objfile_decrypt(key, &b, out, &n));
	assert_int_equal(n, 9);
	assert_memory_equal(out, "key-", 4);
	b.len--;
	assert_false(objfile_decrypt(key, &b, out, &n));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_attributes),
	    cmocka_unit_test(test_cut_and_changed),
	    cmocka_unit_test(test_token_key),
	    cmocka_unit_test(test_decrypt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
