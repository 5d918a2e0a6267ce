/* test_domt.c - the back end domt: beside a DomT that answers, and one that misbehaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "../rig.h"
#include "fake_domt.h"
#include "tpm/approval.h"
#include "tpm/domt/blob.h"
#include "tpm/domt/domt.h"
#include "vchan-transport/deadline.h"

/* The patience of a call, in tests. */
#define SOON 400

static const uint8_t key[32] = "the master key of the store: 32";
static const struct tpm_policy policy = {.locality = -1, .ref = "vsmd-use:a"};
static char work[64], where[128], address[160];
static struct fake_domt fake;

int64_t __real_deadline_at(int ms);
int64_t __wrap_deadline_at(int ms);

int64_t
__wrap_deadline_at(int ms)
{
	return __real_deadline_at(ms == DOMT_PATIENCE ? SOON : ms);
}

static int
setup(void **state)
{
	(void)state;
	rig_mkdir(work);
	snprintf(where, sizeof(where), "unix:%s/s", work);
	snprintf(address, sizeof(address), "domt:%s", where);
	memset(&fake, 0, sizeof(fake));
	fake.identity_secret[1] = 5;
	fake.image = 0xa1;
	fake_domt_start(&fake, where);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	fake_domt_stop(&fake);
	rig_rmdir(work);
	return 0;
}

/* The same one, after it ended. */
static void
restart(void)
{
	fake_domt_stop(&fake);
	fake_domt_start(&fake, where);
}

static struct tpm *
open_it(void)
{
	struct tpm *t = NULL;

	assert_int_equal(tpm_open(address, &t), TPM_OK);
	return t;
}

static void
seal(struct tpm *t, struct buf *blob)
{
	buf_init(blob, TPM_BLOB_MAX);
	assert_int_equal(tpm_seal(t, &policy, key, sizeof(key), blob), TPM_OK);
}

static enum tpm_result
unseal(struct tpm *t, const struct buf *blob, const char *approvals, int *ret_updated)
{
	uint8_t secret[TPM_KEY_MAX];
	size_t len;
	enum tpm_result r =
	    tpm_unseal(t, blob->data, blob->len, approvals, secret, sizeof(secret), &len, ret_updated);

	if (r == TPM_OK) {
		assert_int_equal(len, sizeof(key));
		assert_memory_equal(secret, key, sizeof(key));
	}
	return r;
}

static void
fault(enum fault what, unsigned times)
{
	fake.fault = what;
	fake.times = times;
}

static void
test_seal_unseal(void **state)
{
	struct tpm *t = open_it();
	uint8_t identity[DOMT_IDENTITY];
	char said[64];
	struct buf blob;
	int updated;

	(void)state;
	assert_true(domt_identity(fake.identity_secret, identity));
	snprintf(said, sizeof(said), "TPM of DomT %02x%02x", identity[0], identity[1]);
	assert_memory_equal(tpm_describe(t), said, strlen(said));
	seal(t, &blob);
	/* It was not opened for a try: that would make it the only one that opens. */
	assert_int_equal(fake.questions[DOMT_UNSEAL], 0);
	assert_int_equal(unseal(t, &blob, NULL, &updated), TPM_OK);
	assert_false(updated);
	tpm_close(t);
	t = open_it();
	assert_int_equal(unseal(t, &blob, NULL, &updated), TPM_OK);
	assert_int_equal(fake.sessions, 2);
	tpm_close(t);
	buf_free(&blob);
}

static void
test_random(void **state)
{
	uint8_t out[3000];
	struct tpm *t = open_it();

	(void)state;
	memset(out, 0, sizeof(out));
	assert_int_equal(tpm_random(t, out, sizeof(out) - 1), TPM_OK);
	for (size_t i = 0; i < sizeof(out) - 1; i++)
		assert_int_equal(out[i], 0x72);
	assert_int_equal(out[sizeof(out) - 1], 0);
	assert_int_equal(fake.questions[DOMT_RANDOM], 3);
	fault(FAKE_SHORT, 1);
	assert_int_equal(tpm_random(t, out, 32), TPM_FAILED);
	tpm_close(t);
}

static void
test_image(void **state)
{
	struct tpm *t = open_it();
	uint8_t out[32];
	size_t len;

	(void)state;
	assert_int_equal(tpm_pcr_digest(t, &policy, out, &len), TPM_OK);
	assert_int_equal(len, 32);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(out[i], 0xa1);
	tpm_close(t);
}

static void
test_not_here(void **state)
{
	struct tpm_policy p = policy;
	struct tpm *t = open_it();
	uint8_t values[20] = {0};
	struct buf b;

	(void)state;
	buf_init(&b, TPM_BLOB_MAX);
	assert_int_equal(tpm_extend(t, 13, "x", 1), TPM_FAILED);
	p.npcrs = 1;
	p.pcrs[0] = 13;
	assert_int_equal(tpm_predict(t, &p, key, sizeof(key), values, &b), TPM_FAILED);
	assert_non_null(strstr(tpm_error(t), "approve --image"));
	assert_int_equal(tpm_seal(t, &p, key, sizeof(key), &b), TPM_FAILED);
	assert_non_null(strstr(tpm_error(t), "PCRs"));
	p = policy;
	p.locality = 2;
	assert_int_equal(tpm_seal(t, &p, key, sizeof(key), &b), TPM_FAILED);
	assert_int_equal(fake.questions[DOMT_SEAL], 0);
	tpm_close(t);
	buf_free(&b);
}

static void
test_anchor(void **state)
{
	struct tpm_anchor a = {.place = 77, .secret = {3}};
	const uint8_t digest[TPM_ANCHOR_LEN] = {9, 9};
	struct tpm_anchor_value v;
	struct tpm *t = open_it();
	char name[64];

	(void)state;
	assert_int_equal(tpm_anchor_read(t, &a, &v), TPM_UNANCHORED);
	assert_int_equal(tpm_anchor_define(t, &a, digest), TPM_OK);
	assert_int_equal(tpm_anchor_count(t, &a), TPM_OK);
	assert_int_equal(tpm_anchor_read(t, &a, &v), TPM_OK);
	assert_int_equal(v.count, 1);
	assert_memory_equal(v.value, digest, TPM_ANCHOR_LEN);
	assert_int_equal(tpm_anchor_extend(t, &a, digest), TPM_OK);
	a.secret[0] = 4;
	assert_int_equal(tpm_anchor_read(t, &a, &v), TPM_UNANCHORED);
	tpm_anchor_rest(t);
	tpm_anchor_name(t, &a, name, sizeof(name));
	assert_string_equal(name, "domt:place 0x00004d");
	tpm_close(t);
}

/* Another DomT in its place, before and after a connection was made. */
static void
test_pinned(void **state)
{
	struct tpm *t = open_it();
	struct buf blob;
	int updated;

	(void)state;
	seal(t, &blob);
	fake.identity_secret[1] = 6;
	restart();
	/* Sealed to the first, so nothing is said to the second. */
	assert_int_equal(tpm_random(t, &updated, sizeof(updated)), TPM_FOREIGN);
	tpm_close(t);
	t = open_it();
	assert_int_equal(unseal(t, &blob, NULL, &updated), TPM_FOREIGN);
	assert_int_equal(tpm_pin(t, blob.data, blob.len), TPM_FOREIGN);
	assert_int_equal(fake.questions[DOMT_UNSEAL], 0);
	fake.identity_secret[1] = 5;
	restart();
	assert_int_equal(tpm_pin(t, blob.data, blob.len), TPM_OK);
	assert_int_equal(unseal(t, &blob, NULL, &updated), TPM_OK);
	tpm_close(t);
	buf_free(&blob);
}

/* What lies on the disk is opened before another is sealed. */
static void
test_confirms(void **state)
{
	struct tpm *t = open_it();
	struct buf blob, next;

	(void)state;
	seal(t, &blob);
	assert_int_equal(tpm_pin(t, blob.data, blob.len), TPM_OK);
	assert_int_equal(fake.questions[DOMT_UNSEAL], 0);
	seal(t, &next);
	assert_int_equal(fake.questions[DOMT_UNSEAL], 1);
	assert_int_equal(tpm_pin(t, next.data, next.len), TPM_OK);
	fake.image = 0xa2; /* cannot be opened: then nothing is sealed */
	buf_reset(&next);
	assert_int_equal(
	    tpm_seal(t, &policy, key, sizeof(key), &next), TPM_WRONG_STATE);
	assert_int_equal(fake.questions[DOMT_SEAL], 2);
	tpm_close(t);
	buf_free(&blob);
	buf_free(&next);
}

static void
test_bad_blob(void **state)
{
	struct tpm *t = open_it();
	struct buf blob;
	int updated;

	(void)state;
	seal(t, &blob);
	blob.data[0] ^= 1;
	assert_int_equal(unseal(t, &blob, NULL, &updated), TPM_BAD_BLOB);
	assert_int_equal(tpm_pin(t, blob.data, blob.len), TPM_BAD_BLOB);
	blob.data[0] ^= 1;
	blob.data[blob.len - 1] = 0xff;
	assert_int_equal(unseal(t, &blob, NULL, &updated), TPM_BAD_BLOB);
	assert_int_equal(fake.questions[DOMT_UNSEAL], 1);
	tpm_close(t);
	buf_free(&blob);
}

/* A longer secret than there is room for. */
static void
test_long_secret(void **state)
{
	uint8_t out[16];
	struct tpm *t = open_it();
	struct buf blob;
	size_t len;
	int updated;

	(void)state;
	seal(t, &blob);
	assert_int_equal(
	    tpm_unseal(t, blob.data, blob.len, NULL, out, sizeof(out), &len, &updated),
	    TPM_BAD_BLOB);
	assert_int_equal(len, 0);
	tpm_close(t);
	buf_free(&blob);
}

static void
approve(const char *key_file, const char *dir, const char *name, bool image, const char *ref)
{
	struct tpm_policy p = {.ref = ref, .npcrs = image ? 0 : 1, .pcrs = {13}};
	uint8_t digest[32];
	char file[192];

	memset(digest, 0xa2, sizeof(digest));
	snprintf(file, sizeof(file), "%s/%s", dir, name);
	assert_int_equal(tpm_approve(key_file, &p, digest, file), 0);
}

static void
test_approvals(void **state)
{
	char priv[128], pub[128], dir[96];
	struct tpm_policy p = policy;
	struct tpm *t = open_it();
	struct approval a;
	struct buf blob;
	int updated;

	(void)state;
	rig_authority(work, "good", priv, pub);
	snprintf(dir, sizeof(dir), "%s/approvals", work);
	assert_int_equal(mkdir(dir, 0700), 0);
	p.authority = pub;
	buf_init(&blob, TPM_BLOB_MAX);
	assert_int_equal(tpm_seal(t, &p, key, sizeof(key), &blob), TPM_OK);
	assert_memory_equal(fake.kept[0].authority, "-----BEGIN PUBLIC KEY-----", 26);

	fake.image = 0xa2;
	assert_int_equal(unseal(t, &blob, dir, &updated), TPM_WRONG_STATE);
	assert_non_null(strstr(tpm_error(t), "--image a2a2a2"));
	assert_non_null(strstr(tpm_error(t), "--ref 'vsmd-use:a'"));
	/* Not for this store, or of a TPM's registers: they stay here. */
	approve(priv, dir, "1", true, "vsmd-use:b");
	approve(priv, dir, "2", false, "vsmd-use:a");
	assert_int_equal(unseal(t, &blob, dir, &updated), TPM_WRONG_STATE);
	assert_int_equal(fake.napprovals, 0);
	approve(priv, dir, "3", true, "vsmd-use:a");
	assert_int_equal(unseal(t, &blob, dir, &updated), TPM_OK);
	assert_true(updated);
	assert_int_equal(fake.napprovals, 1);
	/* What was sent is one, with the signature. */
	assert_int_equal(approval_parse("sent", fake.approval, strlen(fake.approval), &a), 0);
	assert_int_equal(a.pcrs, 0);
	assert_int_equal(a.pcr_digest[7], 0xa2);
	tpm_close(t);
	buf_free(&blob);
}

static void
test_many_approvals(void **state)
{
	char priv[128], pub[128], dir[96], name[16];
	struct tpm *t = open_it();
	struct buf blob;
	int updated;

	(void)state;
	rig_authority(work, "good", priv, pub);
	snprintf(dir, sizeof(dir), "%s/approvals", work);
	assert_int_equal(mkdir(dir, 0700), 0);
	seal(t, &blob);
	for (int i = 0; i <= DOMT_APPROVALS; i++) {
		snprintf(name, sizeof(name), "%d", i);
		approve(priv, dir, name, true, "vsmd-use:a");
	}
	fake.image = 0xa2;
	assert_int_equal(unseal(t, &blob, dir, &updated), TPM_OK);
	assert_int_equal(fake.napprovals, DOMT_APPROVALS);
	tpm_close(t);
	buf_free(&blob);
}

/* It went and came back while nothing was asked: nobody notices. */
static void
test_comes_back(void **state)
{
	struct tpm_anchor a = {.place = 1, .secret = {3}};
	const uint8_t digest[TPM_ANCHOR_LEN] = {9, 9};
	struct tpm *t = open_it();
	uint8_t out[8];

	(void)state;
	assert_int_equal(tpm_anchor_define(t, &a, digest), TPM_OK);
	restart();
	assert_int_equal(tpm_anchor_extend(t, &a, digest), TPM_OK);
	restart();
	assert_int_equal(tpm_random(t, out, sizeof(out)), TPM_OK);
	assert_int_equal(fake.sessions, 3);
	tpm_close(t);
}

/* It goes under a question: asked again if that does no harm. */
static void
test_goes_under_a_question(void **state)
{
	struct tpm_anchor a = {.place = 1, .secret = {3}};
	const uint8_t digest[TPM_ANCHOR_LEN] = {9, 9};
	struct tpm *t = open_it();
	struct tpm_anchor_value v;
	uint8_t out[8];

	(void)state;
	assert_int_equal(tpm_anchor_define(t, &a, digest), TPM_OK);
	fault(FAKE_CLOSES, 1);
	assert_int_equal(tpm_random(t, out, sizeof(out)), TPM_OK);
	fault(FAKE_CUTS, 1);
	assert_int_equal(tpm_anchor_read(t, &a, &v), TPM_OK);
	/* It is asked twice at most. */
	fault(FAKE_CLOSES, 2);
	assert_int_equal(tpm_random(t, out, sizeof(out)), TPM_ABSENT);
	assert_int_equal(tpm_random(t, out, sizeof(out)), TPM_OK);
	/* An extension may have been done. */
	fault(FAKE_DOES_AND_CLOSES, 1);
	assert_int_equal(tpm_anchor_extend(t, &a, digest), TPM_ABSENT);
	assert_int_equal(fake.questions[DOMT_EXTEND], 1);
	fault(FAKE_DOES_AND_CLOSES, 1);
	assert_int_equal(tpm_anchor_count(t, &a), TPM_ABSENT);
	assert_int_equal(tpm_anchor_read(t, &a, &v), TPM_OK);
	assert_int_equal(v.count, 1);
	tpm_close(t);
}

static void
test_hangs(void **state)
{
	struct tpm *t = open_it();
	uint8_t out[8];

	(void)state;
	fault(FAKE_HANGS, 1);
	assert_int_equal(tpm_random(t, out, sizeof(out)), TPM_BUSY);
	assert_int_equal(fake.questions[DOMT_RANDOM], 1);
	assert_int_equal(tpm_random(t, out, sizeof(out)), TPM_OK);
	tpm_close(t);
	fake.dead_at_begin = true;
	t = NULL;
	assert_int_equal(tpm_open(address, &t), TPM_BUSY);
	fake.dead_at_begin = false;
}

static void
test_nonsense(void **state)
{
	static const enum fault faults[] = {FAKE_GARBLES, FAKE_LONG, FAKE_NUMBER};
	struct tpm *t = open_it();
	uint8_t out[8];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		fault(faults[i], 1);
		assert_int_equal(tpm_random(t, out, sizeof(out)), TPM_FAILED);
		assert_int_equal(tpm_random(t, out, sizeof(out)), TPM_OK);
	}
	assert_int_equal(fake.sessions, 4);
	tpm_close(t);
}

static void
test_odd_blobs(void **state)
{
	struct tpm *t = open_it();
	struct buf blob;

	(void)state;
	buf_init(&blob, TPM_BLOB_MAX);
	fault(FAKE_NAMES, 1);
	assert_int_equal(tpm_seal(t, &policy, key, sizeof(key), &blob), TPM_FAILED);
	fault(FAKE_REF, 1);
	assert_int_equal(tpm_seal(t, &policy, key, sizeof(key), &blob), TPM_FAILED);
	assert_int_equal(blob.len, 0);
	tpm_close(t);
	buf_free(&blob);
}

/* Each refusal comes through, with DomT's words, which are one line in the log. */
static void
test_refusals(void **state)
{
	struct tpm *t = open_it();
	uint8_t out[8];

	(void)state;
	for (int r = TPM_ABSENT; r <= TPM_FAILED; r++) {
		fake.refuse = (enum tpm_result)r;
		fake.why = "so it is\n\x1b[31m";
		assert_int_equal(tpm_random(t, out, sizeof(out)), r);
		assert_string_equal(tpm_error(t), "so it is??[31m");
		fake.why = "";
		assert_int_equal(tpm_random(t, out, sizeof(out)), r);
		assert_string_equal(tpm_error(t), tpm_result_text((enum tpm_result)r));
	}
	assert_int_equal(fake.sessions, 1);
	tpm_close(t);
}

static void
test_nobody(void **state)
{
	struct tpm *t = NULL;

	(void)state;
	fake_domt_stop(&fake);
	assert_int_equal(tpm_open(address, &t), TPM_ABSENT);
	assert_int_equal(tpm_open("domt:coupled", &t), TPM_ABSENT);
	assert_int_equal(tpm_open("domt:nowhere", &t), TPM_ABSENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_seal_unseal, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_random, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_image, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_not_here, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_anchor, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_pinned, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_confirms, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_bad_blob, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_long_secret, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_approvals, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_many_approvals, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_comes_back, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_goes_under_a_question, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_hangs, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_nonsense, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_odd_blobs, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_nobody, setup, teardown)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
