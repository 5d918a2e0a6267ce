/* test_crypt.c - vectors, and boxes that open in their place only */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vsmd/store/crypt.h"

static void
derive_is_hkdf(void **state)
{
	uint8_t key[CRYPT_KEY], salt[4] = {1, 2, 3, 4}, out[CRYPT_KEY], mac[CRYPT_HASH];
	struct part one = {key, sizeof(key)};
	uint8_t info[6] = {'l', 'a', 'b', 'e', 'l', 1}, prk[CRYPT_HASH],
		salt_key[CRYPT_KEY] = {0};
	struct part two = {info, sizeof(info)};

	(void)state;
	memset(key, 7, sizeof(key));
	/* HKDF by hand: HMAC pads its key with zeros. */
	memcpy(salt_key, salt, sizeof(salt));
	assert_true(crypt_mac(salt_key, &one, 1, prk));
	assert_true(crypt_mac(prk, &two, 1, mac));
	assert_true(crypt_derive(key, salt, sizeof(salt), "label", out));
	assert_memory_equal(out, mac, CRYPT_KEY);
	assert_true(crypt_derive(key, salt, sizeof(salt), "other", out));
	assert_memory_not_equal(out, mac, CRYPT_KEY);
}

static void
scrypt_is_deterministic_and_bounded(void **state)
{
	uint8_t a[CRYPT_KEY], b[CRYPT_KEY], salt[8] = "saltsal";

	(void)state;
	assert_true(crypt_scrypt("pw", 2, salt, 8, 10, a));
	assert_true(crypt_scrypt("pw", 2, salt, 8, 10, b));
	assert_memory_equal(a, b, CRYPT_KEY);
	assert_true(crypt_scrypt("pv", 2, salt, 8, 10, b));
	assert_memory_not_equal(a, b, CRYPT_KEY);
	assert_false(crypt_scrypt("pw", 2, salt, 8, 40, b));
	assert_false(crypt_scrypt("pw", 2, salt, 8, 0, b));
}

static void
boxes_open_as_sealed_only(void **state)
{
	uint8_t key[CRYPT_KEY] = {1}, other[CRYPT_KEY] = {2};
	struct part aad = {"place", 5}, elsewhere = {"plaza", 5};
	struct buf box, again, plain;

	(void)state;
	buf_init(&box, 1024);
	buf_init(&again, 1024);
	buf_init(&plain, 1024);
	assert_true(box_seal(key, "l", &aad, 1, "secret", 6, &box));
	assert_int_equal(box.len, 6 + BOX_OVERHEAD);
	assert_true(box_seal(key, "l", &aad, 1, "secret", 6, &again));
	assert_memory_not_equal(box.data, again.data, box.len);
	assert_true(box_open(key, "l", &aad, 1, box.data, box.len, &plain));
	assert_int_equal(plain.len, 6);
	assert_memory_equal(plain.data, "secret", 6);
	buf_reset(&plain);
	assert_false(box_open(other, "l", &aad, 1, box.data, box.len, &plain));
	assert_false(box_open(key, "m", &aad, 1, box.data, box.len, &plain));
	assert_false(box_open(key, "l", &elsewhere, 1, box.data, box.len, &plain));
	for (size_t n = 0; n < box.len; n++)
		assert_false(box_open(key, "l", &aad, 1, box.data, n, &plain));
	for (size_t i = 0; i < box.len; i++) {
		box.data[i] ^= 0x20;
		assert_false(box_open(key, "l", &aad, 1, box.data, box.len, &plain));
		box.data[i] ^= 0x20;
	}
	assert_int_equal(plain.len, 0);
	assert_true(box_seal(key, "l", NULL, 0, NULL, 0, &again));
	buf_free(&box);
	buf_free(&again);
	buf_free(&plain);
}

/* RFC 8032, 7.1, the second test. */
static void
signatures_are_ed25519(void **state)
{
	static const uint8_t key[CRYPT_KEY] = {0x4c, 0xcd, 0x08, 0x9b, 0x28, 0xff, 0x96,
	    0xda, 0x9d, 0xb6, 0xc3, 0x46, 0xec, 0x11, 0x4e, 0x0f, 0x5b, 0x8a, 0x31, 0x9f,
	    0x35, 0xab, 0xa6, 0x24, 0xda, 0x8c, 0xf6, 0xed, 0x4f, 0xb8, 0xa6, 0xfb};
	static const uint8_t begins[] = {0x92, 0xa0, 0x09, 0xa9, 0xf0, 0xd4, 0xca, 0xb8};
	uint8_t public[CRYPT_PUBLIC], sig[CRYPT_SIGNATURE];

	(void)state;
	assert_true(crypt_public(key, public));
	assert_int_equal(public[0], 0x3d);
	assert_int_equal(public[31], 0x0c);
	assert_true(crypt_sign(key, "\x72", 1, sig));
	assert_memory_equal(sig, begins, sizeof(begins));
	assert_true(crypt_verify(public, "\x72", 1, sig));
	assert_false(crypt_verify(public, "\x73", 1, sig));
	assert_false(crypt_verify(public, "\x72", 0, sig));
	sig[40] ^= 1;
	assert_false(crypt_verify(public, "\x72", 1, sig));
	sig[40] ^= 1;
	public[3] ^= 1;
	assert_false(crypt_verify(public, "\x72", 1, sig));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(derive_is_hkdf),
	    cmocka_unit_test(scrypt_is_deterministic_and_bounded),
	    cmocka_unit_test(boxes_open_as_sealed_only),
	    cmocka_unit_test(signatures_are_ed25519),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
