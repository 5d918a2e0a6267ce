/* test_approval.c - approvals made and read, every byte of one altered; no TPM. */
#include "rig.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tpm/approval.h"
#include "tpm/digest.h"

static char work[64], priv[128], pub[128], file[192];
static uint8_t point[AUTHORITY_LEN];
static const struct tpm_policy policy = {.pcrs = {0, 7, 23}, .npcrs = 3, .ref = "use:a"};

static int
setup(void **state)
{
	(void)state;
	rig_mkdir(work);
	rig_authority(work, "good", priv, pub);
	snprintf(file, sizeof(file), "%s/approval", work);
	return authority_load(pub, point);
}

static int
teardown(void **state)
{
	(void)state;
	rig_rmdir(work);
	return 0;
}

static size_t
make(char *text, size_t size)
{
	uint8_t digest[32];

	memset(digest, 0xd1, sizeof(digest));
	assert_int_equal(tpm_approve(priv, &policy, digest, file), 0);
	return rig_read(file, text, size);
}

static void
test_made_is_read(void **state)
{
	char text[2048];
	struct approval a;
	uint8_t other[AUTHORITY_LEN];
	char evil_priv[128], evil_pub[128];
	size_t len = make(text, sizeof(text));

	(void)state;
	assert_int_equal(approval_parse("a", text, len, &a), 0);
	assert_int_equal(a.pcrs, 1 << 0 | 1 << 7 | 1 << 23);
	assert_string_equal(a.ref, "use:a");
	assert_int_equal(a.pcr_digest[31], 0xd1);
	assert_true(approval_signed_by(&a, point));
	rig_authority(work, "evil", evil_priv, evil_pub);
	assert_int_equal(authority_load(evil_pub, other), 0);
	assert_false(approval_signed_by(&a, other));
	memset(other, 0xff, sizeof(other)); /* no point of the curve */
	assert_false(approval_signed_by(&a, other));
}

/* Of an image: without a PCR; as a text it is the same. */
static void
test_of_an_image(void **state)
{
	struct tpm_policy image = {.ref = "use:a"};
	struct approval a, again, other;
	char text[2048];
	uint8_t digest[32];
	struct buf b;
	size_t len;

	(void)state;
	memset(digest, 0xd1, sizeof(digest));
	assert_int_equal(tpm_approve(priv, &image, digest, file), 0);
	len = rig_read(file, text, sizeof(text));
	assert_int_equal(approval_parse("a", text, len, &a), 0);
	assert_int_equal(a.pcrs, 0);
	assert_true(approval_signed_by(&a, point));
	buf_init(&b, APPROVAL_TEXT_MAX);
	approval_put(&a, &b);
	assert_true(buf_ok(&b));
	assert_int_equal(approval_parse("again", b.data, b.len, &again), 0);
	assert_memory_equal(&a, &again, sizeof(a));
	buf_free(&b);
	/* The same digest of registers is something else. */
	len = make(text, sizeof(text));
	assert_int_equal(approval_parse("a", text, len, &other), 0);
	assert_memory_not_equal(a.policy, other.policy, sizeof(a.policy));
	other.pcrs = 0;
	memcpy(a.signature, other.signature, sizeof(a.signature));
	assert_false(approval_signed_by(&a, point));
}

static void
test_every_byte_altered(void **state)
{
	char text[2048];
	struct approval a, good;
	size_t len = make(text, sizeof(text));

	(void)state;
	assert_int_equal(approval_parse("a", text, len, &good), 0);
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		for (unsigned bit = 0; bit < 8; bit++) {
			text[i] = (char)(c ^ 1 << bit);
			/* White space may turn into white space. */
			if (approval_parse("a", text, len, &a) == 0 &&
			    memcmp(&a, &good, sizeof(a)) != 0)
				assert_false(approval_signed_by(&a, point));
		}
		text[i] = c;
	}
	for (size_t n = 0; n + 1 < len; n++)
		assert_int_equal(approval_parse("a", text, n, &a), -1);
}

static void
test_contradictions(void **state)
{
	static const char *const bad[] = {
	    "", "[]", "{}", "null", "{\"caas_approval\": 1}",
	    "{\"caas_approval\": 2, \"pcrs\": [7], \"pcr_digest\": \"\", \"ref\": \"\", "
	    "\"policy\": \"\", \"signature\": \"\"}",
	    "{\"caas_approval\": 1, \"pcrs\": [7, 7], \"pcr_digest\": \"\", \"ref\": \"\", "
	    "\"policy\": \"\", \"signature\": \"\"}",
	};
	struct approval a;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(approval_parse("bad", bad[i], strlen(bad[i]), &a), -1);
}

static void
test_bad_arguments(void **state)
{
	struct tpm_policy no_ref = {.pcrs = {1}, .npcrs = 1};
	uint8_t digest[32] = {0};
	char bad[160];

	(void)state;
	assert_int_equal(tpm_approve(priv, &no_ref, digest, file), -1);
	assert_int_equal(tpm_approve("/nonexistent", &policy, digest, file), -1);
	assert_int_equal(tpm_approve(pub, &policy, digest, file), -1); /* not private */
	assert_int_equal(tpm_approve(priv, &policy, digest, "/nonexistent/x"), -1);
	assert_int_equal(authority_load(priv, point), -1); /* not public */
	snprintf(bad, sizeof(bad), "%s/bad", work);
	rig_write(bad, "not PEM", 7);
	assert_int_equal(authority_load(bad, point), -1);
}

static int
count(void *arg, const char *name, const struct approval *a)
{
	(void)name;
	(void)a;
	++*(int *)arg;
	return 0;
}

static void
test_directory(void **state)
{
	char text[2048], name[192], big[APPROVAL_FILE_MAX + 1];
	size_t len = make(text, sizeof(text));
	int n = 0;

	(void)state;
	approval_each("/nonexistent", "use:a", count, &n);
	assert_int_equal(n, 0);
	/* Beside: keys, a directory's dots, a link, a large file. */
	snprintf(name, sizeof(name), "%s/link", work);
	assert_int_equal(symlink(file, name), 0);
	memset(big, ' ', sizeof(big));
	memcpy(big, text, len);
	snprintf(name, sizeof(name), "%s/big", work);
	rig_write(name, big, sizeof(big));
	snprintf(name, sizeof(name), "%s/.hidden", work);
	rig_write(name, text, len);
	approval_each(work, "use:a", count, &n);
	assert_int_equal(n, 1);
	approval_each(work, "use:b", count, &n);
	assert_int_equal(n, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_made_is_read, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_of_an_image, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_every_byte_altered, setup, teardown),
	    cmocka_unit_test(test_contradictions),
	    cmocka_unit_test_setup_teardown(test_bad_arguments, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_directory, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
