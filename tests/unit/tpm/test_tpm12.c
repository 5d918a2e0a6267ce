/* test_tpm12.c - the TPM 1.2 back end against swtpm and tcsd. */
#include "rig12.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tpm/backend.h"
#include "tpm/digest.h"

#define NEEDS_TPM12()                                                             \
	do {                                                                      \
		if (rig12_missing() != NULL) {                                    \
			print_message("SKIPPED, no TPM 1.2: %s\n", rig12_missing()); \
			skip();                                                   \
		}                                                                 \
	} while (0)

/* libtspi 0.3.15 never frees the values of a PCR selection: 480 bytes per seal. */
const char *__lsan_default_suppressions(void);
__attribute__((visibility("default"))) const char *
__lsan_default_suppressions(void)
{
	return "leak:obj_pcrs_select_index_ex";
}

static const char secret[] = "0123456789abcdefSECRETKEYfedcba9";
#define SECRET_LEN 32

static const struct tpm_policy policy = {.pcrs = {7, 13}, .npcrs = 2, .locality = 0};
static struct rig12 rig;

static int
group_setup(void **state)
{
	(void)state;
	if (rig12_missing() == NULL)
		rig12_start(&rig, 1);
	return 0;
}

static int
group_teardown(void **state)
{
	(void)state;
	if (rig12_missing() == NULL)
		rig12_free(&rig);
	return 0;
}

static struct tpm *
must_open(void)
{
	struct tpm *t = NULL;

	assert_int_equal(tpm_open(rig.address, &t), TPM_OK);
	return t;
}

static void
must_seal(struct tpm *t, const struct tpm_policy *p, struct buf *b)
{
	buf_init(b, TPM_BLOB_MAX);
	if (tpm_seal(t, p, secret, SECRET_LEN, b) != TPM_OK)
		fail_msg("seal: %s", tpm_error(t));
}

static void
expect(struct tpm *t, const struct buf *b, enum tpm_result want, int want_updated)
{
	uint8_t out[TPM_KEY_MAX];
	size_t len;
	int updated;
	enum tpm_result r;

	r = tpm_unseal(t, b->data, b->len, NULL, out, sizeof(out), &len, &updated);
	if (r != want)
		fail_msg("%d, not %d: %s", r, want, tpm_error(t));
	assert_int_equal(updated, want_updated);
	if (r == TPM_OK) {
		assert_int_equal(len, SECRET_LEN);
		assert_memory_equal(out, secret, SECRET_LEN);
	}
}

static void
test_seal_extend_refuse(void **state)
{
	struct tpm *t;
	struct buf b;

	(void)state;
	NEEDS_TPM12();
	t = must_open();
	assert_non_null(strstr(tpm_describe(t), "TPM 1.2 IBM"));
	must_seal(t, &policy, &b);
	expect(t, &b, TPM_OK, 0);
	assert_int_equal(tpm_extend(t, 13, "evil", 4), TPM_OK);
	expect(t, &b, TPM_WRONG_STATE, 0);
	assert_non_null(strstr(tpm_error(t), "PCR 13 differs"));
	tpm_close(t);
	buf_free(&b);
}

static void
test_predict(void **state)
{
	/* One that no other test extends, so its value is known. */
	struct tpm_policy only12 = {.pcrs = {12}, .npcrs = 1, .locality = 0};
	struct tpm *t;
	struct buf b;
	/* TPM_PCR_COMPOSITE by hand: selection, length, the value. */
	uint8_t composite[29] = {0, 3, 0, 0x10, 0, 0, 0, 0, 20};
	uint8_t digest[32], expected[20], m[40];
	size_t len;

	(void)state;
	NEEDS_TPM12();
	t = must_open();
	must_seal(t, &only12, &b);
	memset(m, 0, 20);
	tpm_sha1("vsmd 2", 6, m + 20);
	tpm_sha1(m, 40, expected);
	assert_int_equal(tpm_predict(t, &only12, secret, SECRET_LEN, expected, &b), TPM_OK);
	expect(t, &b, TPM_OK, 0);
	assert_int_equal(tpm_extend(t, 12, "vsmd 2", 6), TPM_OK);
	expect(t, &b, TPM_OK, 1);
	assert_int_equal(tpm_pcr_digest(t, &only12, digest, &len), TPM_OK);
	assert_int_equal(len, 20);
	memcpy(composite + 9, expected, 20);
	tpm_sha1(composite, sizeof(composite), m);
	assert_memory_equal(digest, m, 20);
	assert_int_equal(tpm_extend(t, 12, "evil", 4), TPM_OK);
	expect(t, &b, TPM_WRONG_STATE, 0);
	assert_non_null(strstr(tpm_error(t), "1 tried"));
	/* As many predictions as fit, and one more. */
	for (int i = 0; i < 6; i++)
		assert_int_equal(tpm_predict(t, &only12, secret, SECRET_LEN, expected, &b),
		    TPM_OK);
	len = b.len;
	assert_int_equal(tpm_predict(t, &only12, secret, SECRET_LEN, expected, &b), TPM_FAILED);
	assert_int_equal(b.len, len);
	tpm_close(t);
	buf_free(&b);
}

static void
test_locality(void **state)
{
	struct tpm_policy three = policy, alone = {.locality = 3};
	struct tpm *t;
	struct buf b, c;

	(void)state;
	NEEDS_TPM12();
	t = must_open();
	must_seal(t, &policy, &b);
	rig12_locality(&rig, 3);
	expect(t, &b, TPM_WRONG_STATE, 0);
	assert_non_null(strstr(tpm_error(t), "locality"));
	three.locality = 3;
	must_seal(t, &three, &c);
	expect(t, &c, TPM_OK, 0);
	rig12_locality(&rig, 0);
	expect(t, &b, TPM_OK, 0);
	expect(t, &c, TPM_WRONG_STATE, 0);
	buf_free(&c);
	/* What would not open here is not sealed. */
	buf_init(&c, TPM_BLOB_MAX);
	assert_int_equal(tpm_seal(t, &three, secret, SECRET_LEN, &c), TPM_WRONG_STATE);
	assert_int_equal(tpm_seal(t, &alone, secret, SECRET_LEN, &c), TPM_WRONG_STATE);
	assert_int_equal(c.len, 0);
	tpm_close(t);
	buf_free(&b);
	buf_free(&c);
}

static void
test_unbound_and_random(void **state)
{
	struct tpm_policy p = {.locality = -1};
	struct tpm *t;
	struct buf b;
	uint8_t x[48], y[48];

	(void)state;
	NEEDS_TPM12();
	t = must_open();
	must_seal(t, &p, &b);
	expect(t, &b, TPM_OK, 0);
	assert_int_equal(tpm_random(t, x, sizeof(x)), TPM_OK);
	assert_int_equal(tpm_random(t, y, sizeof(y)), TPM_OK);
	assert_memory_not_equal(x, y, sizeof(x));
	tpm_close(t);
	buf_free(&b);
}

static void
test_altered_blob_is_refused(void **state)
{
	struct tpm *t;
	struct buf b;
	uint8_t out[TPM_KEY_MAX];
	size_t len;
	int updated;

	(void)state;
	NEEDS_TPM12();
	t = must_open();
	must_seal(t, &policy, &b);
	for (size_t i = 0; i < b.len; i++) {
		b.data[i] ^= 4;
		expect(t, &b, TPM_BAD_BLOB, 0);
		b.data[i] ^= 4;
	}
	/* With the digest made right: the TPM refuses what it sealed, a sample. */
	for (size_t i = 11 + 5 + 40 + 8; i < b.len - 32; i += 9) {
		b.data[i] ^= 4;
		tpm_sha256(b.data, b.len - 32, b.data + b.len - 32);
		if (tpm_unseal(t, b.data, b.len, NULL, out, sizeof(out), &len, &updated) == TPM_OK)
			fail_msg("byte %zu can be altered", i);
		b.data[i] ^= 4;
	}
	tpm_sha256(b.data, b.len - 32, b.data + b.len - 32);
	expect(t, &b, TPM_OK, 0);
	tpm_close(t);
	buf_free(&b);
}

static void
test_tcsd_restarted(void **state)
{
	struct tpm *t, *u = NULL;
	struct buf b;
	uint8_t out[TPM_KEY_MAX];
	size_t len;
	int updated;

	(void)state;
	NEEDS_TPM12();
	t = must_open();
	must_seal(t, &policy, &b);
	rig12_stop_tcsd(&rig);
	expect(t, &b, TPM_ABSENT, 0);
	assert_int_equal(tpm_open(rig.address, &u), TPM_ABSENT);
	rig12_start_tcsd(&rig);
	expect(t, &b, TPM_OK, 0);
	/* Restarted between two calls: at worst one call fails, then it works. */
	rig12_stop_tcsd(&rig);
	rig12_start_tcsd(&rig);
	if (tpm_unseal(t, b.data, b.len, NULL, out, sizeof(out), &len, &updated) != TPM_OK)
		expect(t, &b, TPM_OK, 0);
	tpm_close(t);
	buf_free(&b);
}

static void
test_another_tpm_is_foreign(void **state)
{
	struct rig12 other;
	struct tpm *t, *u = NULL;
	struct buf b;

	(void)state;
	NEEDS_TPM12();
	t = must_open();
	must_seal(t, &policy, &b);
	tpm_close(t);
	rig12_start(&other, 1);
	assert_int_equal(tpm_open(other.address, &u), TPM_OK);
	expect(u, &b, TPM_FOREIGN, 0);
	tpm_close(u);
	rig12_free(&other);
	buf_free(&b);
}

static void
test_not_owned(void **state)
{
	struct rig12 other;
	struct tpm *t = NULL;

	(void)state;
	NEEDS_TPM12();
	rig12_start(&other, 0);
	assert_int_equal(tpm_open(other.address, &t), TPM_FAILED);
	rig12_free(&other);
}

static void
test_bad_addresses(void **state)
{
	static const char *const bad[] = {"tpm1.2:", "tpm1.2:localhost", "tpm1.2::30003",
	    "tpm1.2:localhost:x", "tpm1.2:localhost:0", "tpm1.2:localhost:65536",
	    "tpm1.2:localhost:1x"};
	struct tpm *t = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(tpm_open(bad[i], &t), TPM_FAILED);
	assert_int_equal(tpm_open("tpm1.2:127.0.0.1:1", &t), TPM_ABSENT);
	assert_null(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_seal_extend_refuse),
	    cmocka_unit_test(test_predict),
	    cmocka_unit_test(test_locality),
	    cmocka_unit_test(test_unbound_and_random),
	    cmocka_unit_test(test_altered_blob_is_refused),
	    cmocka_unit_test(test_tcsd_restarted),
	    cmocka_unit_test(test_another_tpm_is_foreign),
	    cmocka_unit_test(test_not_owned),
	    cmocka_unit_test(test_bad_addresses),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
