/* tpm2_group.c - see tpm2_group.h */
#include "tpm2_group.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/secmem.h"

const char secret[] = "0123456789abcdefSECRETKEYfedcba9";

struct rig tpm_a;
char priv[128], pub[128], evil_priv[128], approvals[128];
static char work[64], evil_pub[128];

const struct tpm_policy pcrs_only = {.pcrs = {7, 13}, .npcrs = 2, .locality = -1};

struct tpm_policy
with_authority(void)
{
	struct tpm_policy p = pcrs_only;

	p.authority = pub;
	p.ref = REF;
	return p;
}

struct tpm *
must_open(const char *address)
{
	struct tpm *t = NULL;

	assert_int_equal(tpm_open(address, &t), TPM_OK);
	return t;
}

void
must_seal(struct tpm *t, const struct tpm_policy *p, struct buf *b)
{
	buf_init(b, TPM_BLOB_MAX);
	if (tpm_seal(t, p, secret, SECRET_LEN, b) != TPM_OK)
		fail_msg("seal: %s", tpm_error(t));
}

enum tpm_result
unseal(struct tpm *t, const struct buf *b, int *ret_updated)
{
	uint8_t *out = sec_alloc(TPM_KEY_MAX);
	size_t len;
	enum tpm_result r;

	assert_non_null(out);
	r = tpm_unseal(t, b->data, b->len, approvals, out, TPM_KEY_MAX, &len, ret_updated);
	if (r == TPM_OK) {
		assert_int_equal(len, SECRET_LEN);
		assert_memory_equal(out, secret, SECRET_LEN);
	} else {
		assert_int_equal(len, 0);
		assert_true(out[0] == 0 && out[TPM_KEY_MAX - 1] == 0);
		assert_true(strlen(tpm_error(t)) > 20);
	}
	sec_free(out);
	return r;
}

void
expect(struct tpm *t, const struct buf *b, enum tpm_result want)
{
	int updated;
	enum tpm_result r = unseal(t, b, &updated);

	if (r != want)
		fail_msg("%d, not %d: %s", r, want, tpm_error(t));
	assert_int_equal(updated, 0);
}

int
tpm2_group_setup(void **state)
{
	(void)state;
	rig_mkdir(work);
	rig_authority(work, "good", priv, pub);
	rig_authority(work, "evil", evil_priv, evil_pub);
	return 0;
}

int
tpm2_group_teardown(void **state)
{
	(void)state;
	rig_rmdir(work);
	return 0;
}

/* Each test has a fresh TPM and an empty directory of approvals. */
int
tpm2_setup(void **state)
{
	(void)state;
	rig_start(&tpm_a);
	snprintf(approvals, sizeof(approvals), "%s/approvals", tpm_a.dir);
	return mkdir(approvals, 0700);
}

int
tpm2_teardown(void **state)
{
	(void)state;
	rig_free(&tpm_a);
	return 0;
}
