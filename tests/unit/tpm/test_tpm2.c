/* test_tpm2.c - the TPM 2.0 back end against real swtpms: seal, refuse, approve, survive. */
#include "tpm2_group.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tpm/digest.h"

static void
test_seal_unseal(void **state)
{
	struct tpm *t = must_open(tpm_a.address);
	struct buf b;

	(void)state;
	assert_non_null(strstr(tpm_describe(t), "TPM 2.0 IBM"));
	must_seal(t, &pcrs_only, &b);
	expect(t, &b, TPM_OK);
	tpm_close(t);

	/* The same TPM after a restart. */
	rig_restart(&tpm_a);
	t = must_open(tpm_a.address);
	expect(t, &b, TPM_OK);
	tpm_close(t);
	buf_free(&b);
}

static void
test_every_kind_of_policy(void **state)
{
	struct tpm *t = must_open(tpm_a.address);
	struct tpm_policy p = {.locality = -1};
	struct buf b;

	(void)state;
	must_seal(t, &p, &b); /* bound to the TPM alone */
	expect(t, &b, TPM_OK);
	buf_free(&b);
	/* More PCRs than one answer of PCR_Read holds. */
	p.npcrs = 16;
	for (uint8_t i = 0; i < 16; i++)
		p.pcrs[i] = i;
	p.authority = pub;
	p.ref = REF;
	p.locality = 3;
	must_seal(t, &p, &b);
	expect(t, &b, TPM_OK);
	assert_int_equal(tpm_extend(t, 15, "x", 1), TPM_OK);
	expect(t, &b, TPM_WRONG_STATE);
	assert_non_null(strstr(tpm_error(t), "PCR 15 differs"));
	buf_free(&b);
	tpm_close(t);
}

static void
test_bad_policies_are_refused(void **state)
{
	struct tpm *t = must_open(tpm_a.address);
	struct tpm_policy order = {.pcrs = {13, 7}, .npcrs = 2, .locality = -1};
	struct tpm_policy high = {.pcrs = {24}, .npcrs = 1, .locality = -1};
	struct tpm_policy locality = {.locality = 5};
	struct tpm_policy no_key = pcrs_only;
	struct buf b;

	(void)state;
	no_key.authority = "/nonexistent.pem";
	buf_init(&b, TPM_BLOB_MAX);
	assert_int_equal(tpm_seal(t, &order, secret, 32, &b), TPM_FAILED);
	assert_int_equal(tpm_seal(t, &high, secret, 32, &b), TPM_FAILED);
	assert_int_equal(tpm_seal(t, &locality, secret, 32, &b), TPM_FAILED);
	assert_int_equal(tpm_seal(t, &no_key, secret, 32, &b), TPM_FAILED);
	assert_int_equal(tpm_seal(t, &pcrs_only, secret, 0, &b), TPM_FAILED);
	assert_int_equal(tpm_seal(t, &pcrs_only, secret, TPM_KEY_MAX + 1, &b), TPM_FAILED);
	assert_int_equal(tpm_predict(t, &pcrs_only, secret, 32, NULL, &b), TPM_FAILED);
	assert_int_equal(tpm_extend(t, 24, "x", 1), TPM_FAILED);
	assert_int_equal(b.len, 0);
	tpm_close(t);
}

static void
test_extended_pcr_is_refused(void **state)
{
	struct tpm *t = must_open(tpm_a.address);
	struct buf b;

	(void)state;
	must_seal(t, &pcrs_only, &b);
	assert_int_equal(tpm_extend(t, 12, "not selected", 12), TPM_OK);
	expect(t, &b, TPM_OK);
	assert_int_equal(tpm_extend(t, 13, "evil", 4), TPM_OK);
	expect(t, &b, TPM_WRONG_STATE);
	assert_non_null(strstr(tpm_error(t), "PCR 13 differs"));
	assert_non_null(strstr(tpm_error(t), "without an authority"));
	tpm_close(t);
	buf_free(&b);
}

static void
approve(struct tpm *t, const struct tpm_policy *p, const char *key, const char *name)
{
	char file[192];
	uint8_t digest[32];
	size_t len;

	snprintf(file, sizeof(file), "%s/%s", approvals, name);
	assert_int_equal(tpm_pcr_digest(t, p, digest, &len), TPM_OK);
	assert_int_equal(len, 32);
	assert_int_equal(tpm_approve(key, p, digest, file), 0);
}

static void
test_approval_opens(void **state)
{
	struct tpm *t = must_open(tpm_a.address);
	struct tpm_policy p = with_authority();
	struct buf b, again;
	int updated;

	(void)state;
	must_seal(t, &p, &b);
	assert_int_equal(tpm_extend(t, 13, "vsmd 2", 6), TPM_OK);
	expect(t, &b, TPM_WRONG_STATE);
	assert_non_null(strstr(tpm_error(t), "caas tpm approve"));
	approve(t, &p, priv, "one");
	assert_int_equal(unseal(t, &b, &updated), TPM_OK);
	assert_int_equal(updated, 1);
	/* Sealed again, it needs the approval no more. */
	must_seal(t, &p, &again);
	expect(t, &again, TPM_OK);
	/* An approval of a former state does not open in this one. */
	assert_int_equal(tpm_extend(t, 13, "evil", 4), TPM_OK);
	expect(t, &b, TPM_WRONG_STATE);
	expect(t, &again, TPM_WRONG_STATE);
	tpm_close(t);
	buf_free(&b);
	buf_free(&again);
}

static void
test_foreign_approval_is_refused(void **state)
{
	struct tpm *t = must_open(tpm_a.address);
	struct tpm_policy p = with_authority(), other = with_authority();
	struct buf b;
	int updated;

	(void)state;
	must_seal(t, &p, &b);
	assert_int_equal(tpm_extend(t, 13, "vsmd 2", 6), TPM_OK);
	/* For another purpose, by the right key: not for us at all. */
	other.ref = "vsmd-use:other";
	approve(t, &other, priv, "other");
	expect(t, &b, TPM_WRONG_STATE);
	/* By another key. */
	approve(t, &p, evil_priv, "evil");
	expect(t, &b, TPM_UNAPPROVED);
	/* A good one beside the bad ones. */
	approve(t, &p, priv, "good");
	assert_int_equal(unseal(t, &b, &updated), TPM_OK);
	assert_int_equal(updated, 1);
	tpm_close(t);
	buf_free(&b);
}

static void
test_altered_approval_is_passed_over(void **state)
{
	struct tpm *t = must_open(tpm_a.address);
	struct tpm_policy p = with_authority();
	char file[192], text[2048];
	struct buf b;
	size_t len;
	int updated;

	(void)state;
	must_seal(t, &p, &b);
	assert_int_equal(tpm_extend(t, 13, "vsmd 2", 6), TPM_OK);
	approve(t, &p, priv, "a");
	snprintf(file, sizeof(file), "%s/a", approvals);
	len = rig_read(file, text, sizeof(text));
	/* Every 7th byte here; all of them, without a TPM, in test_approval. */
	for (size_t i = 0; i < len; i += 7) {
		enum tpm_result r;
		char c = text[i];

		text[i] = (char)(c ^ 1);
		rig_write(file, text, len);
		r = unseal(t, &b, &updated);
		/* A digit of white space is no alteration of what was signed. */
		if (c != ' ' && c != '\n')
			assert_true(r == TPM_WRONG_STATE || r == TPM_UNAPPROVED);
		text[i] = c;
	}
	rig_write(file, text, len);
	assert_int_equal(unseal(t, &b, &updated), TPM_OK);
	tpm_close(t);
	buf_free(&b);
}

static void
test_altered_blob_is_refused(void **state)
{
	struct tpm *t = must_open(tpm_a.address);
	struct tpm_policy p = with_authority();
	struct buf b;

	(void)state;
	must_seal(t, &p, &b);
	for (size_t i = 0; i < b.len; i++) {
		b.data[i] ^= 0x40;
		expect(t, &b, TPM_BAD_BLOB);
		b.data[i] ^= 0x40;
	}
	for (size_t n = b.len; n-- > 0;) {
		struct buf cut = b;

		cut.len = n;
		expect(t, &cut, TPM_BAD_BLOB);
	}
	expect(t, &b, TPM_OK);
	tpm_close(t);
	buf_free(&b);
}

/* Who alters the blob on purpose makes the digest right again. */
static void
test_forged_blob_is_refused(void **state)
{
	struct tpm *t = must_open(tpm_a.address);
	struct tpm_policy p = with_authority();
	struct buf b;
	int updated;

	(void)state;
	must_seal(t, &p, &b);
	for (size_t i = 0; i < b.len - 32; i++) {
		enum tpm_result r;
		uint8_t flip = (uint8_t)(1 << i % 8);

		b.data[i] ^= flip;
		tpm_sha256(b.data, b.len - 32, b.data + b.len - 32);
		r = unseal(t, &b, &updated);
		if (r == TPM_OK)
			fail_msg("byte %zu can be altered", i);
		if (r == TPM_ABSENT || r == TPM_BUSY)
			fail_msg("byte %zu: %s", i, tpm_error(t));
		b.data[i] ^= flip;
	}
	tpm_sha256(b.data, b.len - 32, b.data + b.len - 32);
	expect(t, &b, TPM_OK);
	tpm_close(t);
	buf_free(&b);
}

static void
test_another_tpm_is_foreign(void **state)
{
	struct rig tpm_b;
	struct tpm *a = must_open(tpm_a.address), *t;
	struct buf b, own;

	(void)state;
	must_seal(a, &pcrs_only, &b);
	tpm_close(a);
	rig_start(&tpm_b);
	t = must_open(tpm_b.address);
	expect(t, &b, TPM_FOREIGN); /* no SRK there at all */
	must_seal(t, &pcrs_only, &own);
	expect(t, &b, TPM_FOREIGN); /* another SRK */
	assert_int_equal(tpm_pin(t, b.data, b.len), TPM_FOREIGN);
	assert_int_equal(tpm_pin(t, own.data, own.len), TPM_OK);
	assert_int_equal(tpm_pin(t, own.data, own.len - 1), TPM_BAD_BLOB);
	expect(t, &own, TPM_OK); /* it still serves its own */
	tpm_close(t);
	rig_free(&tpm_b);
	buf_free(&b);
	buf_free(&own);
}

static void
test_absent(void **state)
{
	struct tpm *t = NULL;

	(void)state;
	assert_int_equal(tpm_open("tpm2:swtpm:path=/nonexistent/s", &t), TPM_ABSENT);
	assert_int_equal(tpm_open("tpm2:device:/nonexistent", &t), TPM_ABSENT);
	assert_int_equal(tpm_open("nonsense", &t), TPM_FAILED);
	assert_int_equal(tpm_open("tpm2:", &t), TPM_ABSENT);
	assert_null(t);
}

static void
test_killed_and_back(void **state)
{
	struct tpm *t = must_open(tpm_a.address);
	uint8_t r[8];
	struct buf b;

	(void)state;
	must_seal(t, &pcrs_only, &b);
	rig_kill(&tpm_a, SIGKILL);
	expect(t, &b, TPM_ABSENT);
	assert_int_equal(tpm_random(t, r, sizeof(r)), TPM_ABSENT);
	rig_restart(&tpm_a);
	expect(t, &b, TPM_OK);
	/* A restart between two calls, unnoticed. */
	rig_kill(&tpm_a, SIGKILL);
	rig_restart(&tpm_a);
	expect(t, &b, TPM_OK);
	assert_int_equal(tpm_random(t, r, sizeof(r)), TPM_OK);
	tpm_close(t);
	buf_free(&b);
}

static void
test_locality(void **state)
{
	struct tpm *t = must_open(tpm_a.address);
	struct tpm_policy p = pcrs_only;
	struct buf b, c;

	(void)state;
	p.locality = 4;
	must_seal(t, &p, &b);
	expect(t, &b, TPM_OK);
	p.locality = 0;
	must_seal(t, &p, &c);
	tpm_close(t);

	/* The same TPM behind a broker that does not give locality 4. */
	tpm_a.extra = (char *)(uintptr_t)"reject-locality-4";
	rig_restart(&tpm_a);
	t = must_open(tpm_a.address);
	expect(t, &c, TPM_OK);
	expect(t, &b, TPM_WRONG_STATE);
	assert_non_null(strstr(tpm_error(t), "locality"));
	p.locality = 4;
	buf_free(&b);
	buf_init(&b, TPM_BLOB_MAX);
	assert_int_equal(tpm_seal(t, &p, secret, SECRET_LEN, &b), TPM_FAILED);
	assert_int_equal(b.len, 0);
	tpm_close(t);
	buf_free(&b);
	buf_free(&c);
}

/* Clients that died leave what they had loaded; there are three slots. */
static void
test_stale_slots_are_freed(void **state)
{
	struct buf b;
	char cmd[256];

	(void)state;
	snprintf(cmd, sizeof(cmd),
	    "for i in 1 2 3; do tpm2_startauthsession -T swtpm:path=%s/s -S %s/ses$i "
	    "--policy-session >/dev/null 2>&1; done", tpm_a.dir, tpm_a.dir);
	(void)!system(cmd); /* without tpm2-tools the test still tests the rest */
	for (int i = 0; i < 8; i++) {
		struct tpm *t = must_open(tpm_a.address);

		must_seal(t, &pcrs_only, &b);
		expect(t, &b, TPM_OK);
		buf_free(&b);
		tpm_close(t);
	}
}

static void
test_random_and_extend(void **state)
{
	static const uint8_t zero[64];
	struct tpm *t = must_open(tpm_a.address);
	struct tpm_policy p = {.pcrs = {13}, .npcrs = 1, .locality = -1};
	uint8_t a[64], b[64], want[64] = {0}, digest[32];
	size_t len;

	(void)state;
	assert_int_equal(tpm_random(t, a, sizeof(a)), TPM_OK);
	assert_int_equal(tpm_random(t, b, sizeof(b)), TPM_OK);
	assert_memory_not_equal(a, b, sizeof(a));
	assert_memory_not_equal(a + 32, zero, 32);
	assert_int_equal(tpm_extend(t, 13, "measured", 8), TPM_OK);
	tpm_sha256("measured", 8, want + 32);
	tpm_sha256(want, 64, want); /* the PCR */
	tpm_sha256(want, 32, want); /* the digest of one */
	assert_int_equal(tpm_pcr_digest(t, &p, digest, &len), TPM_OK);
	assert_int_equal(len, 32);
	assert_memory_equal(digest, want, 32);
	tpm_close(t);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, tpm2_setup, tpm2_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_seal_unseal),
	    T(test_every_kind_of_policy),
	    T(test_bad_policies_are_refused),
	    T(test_extended_pcr_is_refused),
	    T(test_approval_opens),
	    T(test_foreign_approval_is_refused),
	    T(test_altered_approval_is_passed_over),
	    T(test_altered_blob_is_refused),
	    T(test_forged_blob_is_refused),
	    T(test_another_tpm_is_foreign),
	    T(test_absent),
	    T(test_killed_and_back),
	    T(test_locality),
	    T(test_stale_slots_are_freed),
	    T(test_random_and_extend),
	};
	return cmocka_run_group_tests(tests, tpm2_group_setup, tpm2_group_teardown);
}
